"""What each command's help ends with: lines to copy, and what its exit status means, each command by its whole name."""

from __future__ import annotations

# Lines that parse: a test puts each through the program's own parser, up to the command's first step.
EXAMPLES: dict[str, tuple[str, ...]] = {
    "geoloc": (
        "geoloc demo",
        "geoloc index build photos/ --index indexes/city",
        "geoloc locate query.jpg --index indexes/city",
        "geoloc completion bash",
    ),
    "geoloc locate": (
        "geoloc locate query.jpg --index indexes/city",
        "geoloc locate queries/ --index indexes/city --report map.html",
        "geoloc locate queries/ --map maps/city --pose --format geojson",
        "geoloc locate queries/ --index indexes/city --resume done.jsonl --log-json run.ndjson",
    ),
    "geoloc album": (
        "geoloc album day/ --index indexes/city --report day.html",
        "geoloc album day/ --map maps/city --speed walk --max-gap 2h",
        "geoloc album --fixes fixes.jsonl > day.jsonl",
    ),
    "geoloc check": (
        "geoloc check photo.jpg --claim 48.8584,2.2945,200m --index indexes/city",
        "geoloc check photos/ --claim-region field.geojson --map maps/city --pack evidence/",
        "geoloc check --claims claims.csv --index indexes/city --exit-code",
        "geoloc check --again evidence/",
    ),
    "geoloc prior": (
        "geoloc prior photos/ --prior exif",
        "geoloc prior photo.jpg --prior near=48.85,2.35,5km --prior clock",
        "geoloc prior photos/ --prior exif --disclose city",
    ),
    "geoloc export": (
        "geoloc export fixes.jsonl --to kml --out fixes.kml",
        "geoloc export fixes.jsonl --to gpx --min-confidence 0.9 --out fixes.gpx",
        "geoloc export fixes.jsonl --to html --out map.html --dry-run",
    ),
    "geoloc evaluate": (
        "geoloc evaluate fixes.jsonl --truth truth.csv",
        "geoloc evaluate ours.jsonl theirs.csv --truth truth.csv --format markdown",
        "geoloc evaluate --photos photos/ --queries queries.txt --prior exif",
        "geoloc evaluate --calibrate labelled/ --index indexes/city --dry-run",
    ),
    "geoloc show": (
        "geoloc show photo.jpg --index indexes/city --out match.png",
        "geoloc show photo.jpg --fix fixes.jsonl --picture belief --preview",
        "geoloc show photo.jpg --map maps/city --out why/",
    ),
    "geoloc inspect": ("geoloc inspect photo.jpg", "geoloc inspect photos/ --json"),
    "geoloc tag": (
        "geoloc tag fixes.jsonl --dry-run",
        "geoloc tag fixes.jsonl --write exif --max-radius 50m",
        "geoloc tag --undo fixes.jsonl.undo.jsonl --restore",
    ),
    "geoloc scrub": (
        "geoloc scrub photos/ --out clean/ --dry-run",
        "geoloc scrub photos/ --out clean/ --no-maker-notes",
    ),
    "geoloc demo": ("geoloc demo", "geoloc demo /tmp/town --seed 7"),
    "geoloc doctor": ("geoloc doctor", "geoloc doctor --json"),
    "geoloc backends": ("geoloc backends", "geoloc backends --json"),
    "geoloc schema": ("geoloc schema", "geoloc schema > fix.schema.json"),
    "geoloc completion": (
        'eval "$(geoloc completion bash)"',
        "geoloc completion zsh > ~/.zfunc/_geoloc",
        "geoloc completion fish > ~/.config/fish/completions/geoloc.fish",
    ),
    "geoloc index": (
        "geoloc index build photos/ --index indexes/city",
        "geoloc index info indexes/city",
    ),
    "geoloc index build": (
        "geoloc index build photos/ --index indexes/city",
        "geoloc index build photos/ --index indexes/city --positions places.csv",
        "geoloc index build photos/ --index indexes/city --descriptor megaloc --features aliked",
    ),
    "geoloc index add": (
        "geoloc index add new/ --index indexes/city --dry-run",
        "geoloc index add new/ --index indexes/city",
    ),
    "geoloc index info": ("geoloc index info indexes/city", "geoloc index info indexes/city --json"),
    "geoloc index remove": (
        "geoloc index remove indexes/city photos/a.jpg --dry-run",
        "geoloc index remove indexes/city - < unwanted.txt",
    ),
    "geoloc index verify": ("geoloc index verify indexes/city", "geoloc index verify indexes/city --json"),
    "geoloc index compact": (
        "geoloc index compact indexes/city --dry-run",
        "geoloc index compact indexes/city --codes rabitq",
    ),
    "geoloc index merge": (
        "geoloc index merge indexes/city indexes/north indexes/south --dry-run",
        "geoloc index merge indexes/city indexes/north",
    ),
    "geoloc index export": (
        "geoloc index export indexes/city > rows.jsonl",
        "geoloc index export indexes/city --format geojson > rows.geojson",
    ),
    "geoloc index tune": ("geoloc index tune indexes/city", "geoloc index tune indexes/city --within 10m"),
    "geoloc map": ("geoloc map build photos/ --map maps/city", "geoloc map info maps/city"),
    "geoloc map build": (
        "geoloc map build photos/ --map maps/city",
        "geoloc map build photos/ --map maps/city --mapper global --share-camera folder",
    ),
    "geoloc map import": (
        "geoloc map import sparse/0 --photos photos/ --map maps/city",
        "geoloc map import transforms.json --photos photos/ --map maps/city",
    ),
    "geoloc map info": ("geoloc map info maps/city", "geoloc map info maps/city --json"),
    "geoloc map export": (
        "geoloc map export maps/city > cameras.geojson",
        "geoloc map export maps/city --to ply --out points.ply",
    ),
    "geoloc map georeference": (
        "geoloc map georeference maps/city --gcp gcp_list.txt --dry-run",
        "geoloc map georeference maps/city --positions rtk.csv",
    ),
    "geoloc models": ("geoloc models list", "geoloc models pull megaloc"),
    "geoloc models list": ("geoloc models list", "geoloc models list --json"),
    "geoloc models pull": ("geoloc models pull megaloc --dry-run", "geoloc models pull megaloc aliked-n16"),
    "geoloc models verify": ("geoloc models verify", "geoloc models verify megaloc"),
    "geoloc models path": ("geoloc models path megaloc", 'ls -l "$(geoloc models path megaloc)"'),
    "geoloc models add": (
        "geoloc models add mine --kind descriptor --file mine.safetensors --config mine.toml",
        "geoloc models add mine --kind features --file mine.pth --config mine.toml",
    ),
    "geoloc config": ("geoloc config show", "geoloc config show --json"),
    "geoloc config show": ("geoloc config show", "GEOLOC_WORKERS=2 geoloc config show"),
}

MEANINGS = {
    0: "all was handled",
    1: "some photos failed, and the others are done",
    2: "the call or a setting was wrong, or an extra is missing",
    3: "there is no index, map or model there",
    4: "an index or a model is another one than is asked for",
    10: "a file of an index or a map is damaged",
    11: "another process is writing to the index",
    12: "no room left on the disk",
    20: "a claim is contradicted",
    21: "a claim is undecided, and none contradicted",
    130: "interrupted, and what was done is kept",
}
_USUAL = (0, 2)
_READS = (*_USUAL, 3, 4, 10)
_WRITES = (*_READS, 11, 12)
_ALL = (*_WRITES, 130)

# Of the commands for which more can be said than that 0 is well and 2 was called wrongly.
STATUSES: dict[str, tuple[int, ...]] = {
    "geoloc locate": (0, 1, 2, 3, 4, 10, 12, 130),
    "geoloc album": (0, 1, 2, 3, 4, 10, 12, 130),
    "geoloc check": (0, 1, 2, 3, 4, 10, 12, 20, 21, 130),
    "geoloc prior": (0, 1, 2, 3, 4, 130),
    "geoloc export": (0, 1, 2, 12),
    "geoloc evaluate": (0, 1, 2, 3, 4, 10, 12, 130),
    "geoloc show": (0, 1, 2, 3, 4, 10, 12),
    "geoloc inspect": (0, 1, 2),
    "geoloc tag": (0, 1, 2, 12),
    "geoloc scrub": (0, 1, 2, 12),
    "geoloc doctor": (0, 1, 2),
    "geoloc index build": (0, 1, *_ALL[1:]),
    "geoloc index add": (0, 1, *_ALL[1:]),
    "geoloc index info": _READS,
    "geoloc index remove": _WRITES,
    "geoloc index verify": _READS,
    "geoloc index compact": _WRITES,
    "geoloc index merge": _WRITES,
    "geoloc index export": _READS,
    "geoloc index tune": (*_READS, 130),
    "geoloc map build": (0, 1, *_ALL[1:]),
    "geoloc map import": (0, 1, *_ALL[1:]),
    "geoloc map info": (0, 2, 3, 10),
    "geoloc map export": (0, 2, 3, 10),
    "geoloc map georeference": (0, 2, 3, 10, 12),
    "geoloc models pull": (0, 2, 3, 4, 12, 130),
    "geoloc models verify": (0, 2, 3, 4),
    "geoloc models path": (0, 2, 3),
}
# What a status says of one command alone.
_SPECIAL = {
    ("geoloc locate", 0): "all photos handled, an unlocated one among them",
    ("geoloc check", 0): "all claims weighed, whatever came of it; with --exit-code, all supported",
    ("geoloc check", 1): "some claims could not be weighed, or --again found a difference",
    ("geoloc check", 20): "with --exit-code: a claim is contradicted",
    ("geoloc check", 21): "with --exit-code: a claim is undecided, and none contradicted",
    ("geoloc check", 130): "interrupted",
    ("geoloc export", 1): "some lines are no answers, and the others are written",
    ("geoloc evaluate", 1): "some photos failed, or --reproduce found another answer",
    ("geoloc evaluate", 130): "interrupted, and the same command goes on",
    ("geoloc doctor", 1): "a fault was found",
    ("geoloc locate", 130): "interrupted, and what was finished is kept",
}


def statuses(path: str) -> list[tuple[int, str]]:
    """Each exit status of a command, and what it means there."""
    return [(code, _SPECIAL.get((path, code)) or MEANINGS[code]) for code in STATUSES.get(path, _USUAL)]
