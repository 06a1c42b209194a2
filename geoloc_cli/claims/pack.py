"""The evidence pack: one folder from which somebody else can see how a verdict came about, and reach it again.

pack.json        schema `geoloc.pack/1`: the command, options, claims, versions, and hashes of index and map
checks.jsonl     the verdicts, schema `geoloc.check/1`, one a claim, in the order of the claims
fixes.jsonl      the answers of `geoloc locate` that they rest on, one a photo
candidates.csv   the indexed photos that were looked at
matches.csv      the pixels that the photo and an indexed one have in common
README.md        the verdicts for a person, and verdict.html the same as a page
photos/          copies of the photos, where they were asked for, named by their SHA-256
SHA256SUMS       of all these, as `sha256sum --check` reads it
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from geoloc_cli.claims.check import Checked, CheckOptions, Unchecked, options_as_json
from geoloc_cli.claims.record import claim_to_json, to_json
from geoloc_cli.claims.report import html, markdown
from geoloc_cli.errors import UsageError
from geoloc_cli.export.csv import cell
from geoloc_cli.export.scene import Scene
from geoloc_cli.export.why import file_of, scenes
from geoloc_cli.index.files import room
from geoloc_cli.index.reader import Index
from geoloc_cli.maps.folder import open_map
from geoloc_cli.photos.opening import shown
from geoloc_cli.pipeline.extract import fingerprint
from geoloc_cli.pipeline.provenance import made_by, platform_said, without_secrets
from geoloc_cli.records import dumps

SCHEMA = "geoloc.pack/1"
RECORD, CHECKS, SUMS, PHOTOS, PICTURES = "pack.json", "checks.jsonl", "SHA256SUMS", "photos", "pictures"
# Photos of which pictures are drawn: a second and a megabyte or two each.
_PICTURED = 50
_CANDIDATES = ("photo", "candidate", "lat", "lon", "similarity", "score", "matches", "inliers")
_MATCHES = ("photo", "indexed", "indexed_sha256", "x", "y", "indexed_x", "indexed_y")

Done = Sequence[Checked | Unchecked]


def check_target(folder: str) -> None:
    """Raises UsageError where a folder is there and is no pack: nothing else is ever overwritten; or cannot be made."""
    path = Path(folder)
    try:
        above = next(parent for parent in path.absolute().parents if parent.exists())
        if not (above.is_dir() and os.access(above, os.W_OK | os.X_OK)):
            raise UsageError(f"{shown(str(above))} cannot be written into; give another --pack.")
        free = not path.exists() or (path.is_dir() and not any(path.iterdir())) or _is_pack(path)
    except OSError as error:
        raise UsageError(f"{shown(folder)} cannot be read ({error.strerror}); give another --pack.") from error
    if not free:
        raise UsageError(f"{shown(folder)} is there and is no evidence pack; give --pack a new folder.")


def _is_pack(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / RECORD).read_bytes())["schema"] == SCHEMA)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def write_pack(
    folder: str, done: Done, options: CheckOptions, command: Sequence[str], *, include_photos: bool = False
) -> None:
    """Writes a pack beside its place and moves it there whole; one that is there is replaced.

    Raises UsageError where the folder is no pack, or cannot be written, and DiskFull.
    """
    check_target(folder)
    target = Path(folder).absolute()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with room(target.parent):
            made = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
            try:
                _fill(made, done, options, command, include_photos)
                made.chmod(0o755)
                _exchange(made, target)
            finally:
                shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise UsageError(f"{shown(folder)} cannot be written ({error.strerror}); give another --pack.") from error


def _exchange(made: Path, target: Path) -> None:
    if not target.exists():
        made.rename(target)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        old = target.rename(aside / "old")
        try:
            made.rename(target)
        except OSError:
            old.rename(target)
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _fill(folder: Path, done: Done, options: CheckOptions, command: Sequence[str], include_photos: bool) -> None:
    sums = []
    for name, data in contents(done, options, command, include_photos):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
        sums.append((hashlib.sha256(data).hexdigest(), name))
    if include_photos:
        (folder / PHOTOS).mkdir()
        for sha256, photo in _photos(done).items():
            name = f"{PHOTOS}/{sha256}{PurePath(photo).suffix.lower()}"
            shutil.copyfile(photo, folder / name)
            sums.append((fingerprint(str(folder / name))[0], name))
    (folder / SUMS).write_text("".join(f"{digest}  {name}\n" for digest, name in sums), encoding="ascii")


def contents(
    done: Done, options: CheckOptions, command: Sequence[str], show_photos: bool
) -> Iterator[tuple[str, bytes]]:
    """The files of a pack but for copies and sums; show_photos: in pictures, too."""
    drawn = pictures(done, options, show_photos)
    record = pack_record(done, options, command)
    checks = [to_json(one, options) for one in done]
    fixes = {one.photo: dumps(one.seen.fix) for one in done if isinstance(one, Checked)}
    yield RECORD, _json(record)
    yield CHECKS, "".join(json.dumps(check, allow_nan=False) + "\n" for check in checks).encode()
    yield "fixes.jsonl", "".join(f"{line}\n" for line in fixes.values()).encode()
    yield "candidates.csv", _table(_CANDIDATES, _candidates(done))
    yield "matches.csv", _table(_MATCHES, _matches(done))
    yield "README.md", markdown(checks, record).encode("utf-8", "backslashreplace")
    yield "verdict.html", html(checks, record, drawn).encode("utf-8", "backslashreplace")
    for number, scenes_of in enumerate(drawn.values(), 1):
        for name, scene in scenes_of.items():
            yield f"{PICTURES}/{number:03}-{name}.png", file_of(scene, ".png")


def pictures(done: Done, options: CheckOptions, show_photos: bool) -> dict[str, dict[str, Scene]]:
    """What can be drawn of the first photos, by their paths and the names of the pictures."""
    parts = open_map(Path(options.map)) if options.map is not None else []
    found = {}
    for one in list(_once(done))[:_PICTURED]:
        fix = one.seen.fix
        named = fix.pose.map.rpartition("#")[2] if fix.pose else None
        part = next((part for part in parts if part.name == named), None)
        if fix.belief.components:
            drawn = scenes(fix, one.seen.compared or None, part)
            found[one.photo] = {name: scene for name, scene in drawn.items() if show_photos or name != "matches"}
    return found


def pack_record(done: Done, options: CheckOptions, command: Sequence[str]) -> dict[str, Any]:
    """What it takes to reach the verdicts again."""
    return {
        "schema": SCHEMA,
        "command": [without_secrets(word) for word in command],
        "options": {
            **options_as_json(options),
            "priors": [without_secrets(prior) for prior in options.priors],
        },
        "claims": [claim_to_json(one) for one in done],
        "index": index_record(options.searched) if options.searched else None,
        "map": _map_record(options.map) if options.map else None,
        "made_by": made_by(),
        "platform": platform_said(),
    }


def index_record(folder: str) -> dict[str, Any]:
    """An index by the hash of its manifest, and of what its answers rest on: its photos, their places, its files."""
    digest = hashlib.sha256()
    with Index.open(folder) as index:
        for photo in index.all_photos():
            place = (photo.position.lat, photo.position.lon, photo.position.radius_m) if photo.position else None
            digest.update(json.dumps([photo.path, photo.sha256, place]).encode())
        for name, kind, _, sha256 in index.files():
            if kind != "derived":
                digest.update(f"{name} {sha256}\n".encode())
        photos = len(index)
    return {
        "folder": folder,
        "photos": photos,
        "manifest_sha256": fingerprint(str(Path(folder) / "manifest.json"))[0],
        "content_sha256": digest.hexdigest(),
    }


def _map_record(folder: str) -> dict[str, Any]:
    """A map by the hashes of its files, without those of its index."""
    home, digest = Path(folder), hashlib.sha256()
    for path in sorted(home.rglob("*")):
        name = path.relative_to(home).as_posix()
        if path.is_file() and not name.startswith("index/"):
            digest.update(f"{name} {fingerprint(str(path))[0]}\n".encode())
    return {"folder": folder, "content_sha256": digest.hexdigest()}


def _photos(done: Done) -> dict[str, str]:
    """Paths by the SHA-256 of their files."""
    return {one.sha256: one.photo for one in done if isinstance(one, Checked)}


def _candidates(done: Done) -> Iterator[list[Any]]:
    for one in _once(done):
        for c in one.seen.fix.candidates:
            yield [one.photo, c.photo, c.lat, c.lon, c.similarity, c.score, c.matches, c.inliers]


def _matches(done: Done) -> Iterator[list[Any]]:
    for one in _once(done):
        for sighting in one.seen.sightings:
            for row in sighting.pixels.round(2).tolist():
                yield [one.photo, sighting.photo, sighting.sha256, *row]


def _once(done: Done) -> Iterable[Checked]:
    """One check of each photo."""
    return {one.photo: one for one in done if isinstance(one, Checked)}.values()


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(["" if value is None else cell(value) for value in row] for row in rows)
    return out.getvalue().encode("utf-8", "backslashreplace")


def _json(record: Mapping[str, Any]) -> bytes:
    return (json.dumps(record, indent=1, allow_nan=False) + "\n").encode()
