"""Evidence packs: whole or not there, never over anything else, and weighed again from what they hold."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from geoloc_cli.claims import pack as packing
from geoloc_cli.claims.again import Repetition, as_good_as, read_pack, repeat
from geoloc_cli.claims.check import Checked, CheckOptions, Claim, Unchecked, check_claims
from geoloc_cli.claims.pack import write_pack
from geoloc_cli.claims.region import Area, Disc, area_of_file
from geoloc_cli.engine.local import LocalPool
from geoloc_cli.errors import DiskFull, UsageError
from geoloc_cli.pipeline.provenance import differences
from geoloc_cli.types import Failure

if TYPE_CHECKING:
    from conftest import SmallTown

ODD = "query <b>|`[x](y) \u202e.jpg"
COMMAND = ["geoloc", "check", ODD, "--prior", "vlm?url=http://h/&api_key=hush"]


Weighed = tuple[Path, list[Checked | Unchecked], CheckOptions]


@pytest.fixture(scope="module")
def done(town: SmallTown, tmp_path_factory: pytest.TempPathFactory) -> Weighed:
    """A folder with a photo of an odd name, and a claim about it weighed by the index of the town."""
    folder = tmp_path_factory.mktemp("pack")
    query = town.queries[0]
    shutil.copy(query.path, folder / ODD)
    options = CheckOptions(index=town.index, top_k=3)
    asked = [
        (str(folder / ODD), Claim(Disc(query.lat, query.lon, 60.0))),
        Unchecked(Failure("b.jpg", "bad_claim", "No.")),
    ]
    return folder, list(check_claims(asked, options, LocalPool(1))), options


@pytest.fixture(scope="module")
def made(done: Weighed) -> Path:
    """The same folder with a pack of it, in which the photo is."""
    folder, checked, options = done
    write_pack(str(folder / "pack"), checked, options, COMMAND, include_photos=True)
    return folder


def test_a_pack_holds_what_the_verdict_rests_on_and_its_sums_are_right(made: Path) -> None:
    pack = made / "pack"
    assert subprocess.run(["sha256sum", "--quiet", "--check", "SHA256SUMS"], cwd=pack, check=False).returncode == 0
    summed = {line.partition("  ")[2] for line in (pack / "SHA256SUMS").read_text().splitlines()}
    there = {path.relative_to(pack).as_posix() for path in pack.rglob("*") if path.is_file()}
    assert summed == there - {"SHA256SUMS"}
    check = json.loads((pack / "checks.jsonl").read_text().splitlines()[0])
    assert check["verdict"] == "supported"
    assert (pack / "photos" / f"{check['sha256']}.jpg").read_bytes() == (made / ODD).read_bytes()
    record = json.loads((pack / "pack.json").read_text())
    assert {"geoloc", "python", "numpy", "pycolmap"} <= record["made_by"].keys()
    assert "hush" not in "".join(path.read_text() for path in pack.iterdir() if path.is_file())
    manifest = Path(record["index"]["folder"], "manifest.json").read_bytes()
    assert record["index"]["manifest_sha256"] == hashlib.sha256(manifest).hexdigest()
    rows = list(csv.DictReader((pack / "matches.csv").open()))
    for sighting in check["matches"]:
        pixels = [row for row in rows if row["indexed"] == sighting["photo"]]
        assert len(pixels) == sighting["inliers"]
        width, height = sighting["size"]
        assert all(0.0 <= float(row["x"]) <= width and 0.0 <= float(row["y"]) <= height for row in pixels)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.shown: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.shown += [value or "" for name, value in attrs if name in ("src", "href")]


def test_names_are_only_text_in_what_people_read(made: Path) -> None:
    page = _Tags()
    page.feed((made / "pack" / "verdict.html").read_text())
    assert not page.found & {"script", "b", "iframe", "object"}
    assert all(there.startswith(("data:image/svg+xml;base64,", "#")) for there in page.shown)
    readme = (made / "pack" / "README.md").read_text()
    assert "<b>" not in readme.replace(r"\<b\>", "")
    assert "\u202e" not in readme + (made / "pack" / "verdict.html").read_text()


def test_no_picture_shows_the_photo_unless_it_is_to_be_in_the_pack(made: Path, done: Weighed) -> None:
    _, checked, options = done
    assert sorted(path.name for path in (made / "pack" / "pictures").iterdir()) == ["001-belief.png", "001-matches.png"]
    (without,) = packing.pictures(checked, options, False).values()
    assert list(without) == ["belief"]


@pytest.fixture(scope="module")
def again(made: Path) -> Repetition:
    return repeat(read_pack(str(made / "pack")), LocalPool(1), tolerance=1e-9)


def test_weighed_again_everything_comes_out_the_same(again: Repetition) -> None:
    assert again.equal
    assert again.things == ()
    assert again.sentences() == [
        "All 2 verdicts are the same.",
        "Every likelihood ratio and every other number is the same within the tolerance.",
    ]


@pytest.fixture
def altered(made: Path, tmp_path: Path) -> Callable[[str, str, str], Path]:
    """A copy of the pack with one text exchanged in one of its files, and all photos where the pack finds them."""

    def alter(name: str, old: str, new: str) -> Path:
        copy = shutil.copytree(made / "pack", tmp_path / "pack")
        text = (copy / name).read_text()
        assert old in text
        (copy / name).write_text(text.replace(old, new))
        return copy

    return alter


def test_a_changed_file_and_another_version_are_named(
    altered: Callable[[str, str, str], Path], monkeypatch: pytest.MonkeyPatch, again: Repetition
) -> None:
    changed = read_pack(str(altered("matches.csv", "indexed_x", "indexed_X")))
    assert changed.changed == ("matches.csv",)
    other = replace(again, changed=changed.changed, things=(("numpy", "1.0", "2.0"),))
    assert not other.equal
    assert any("matches.csv" in said for said in other.sentences())
    assert any("numpy 1.0, now 2.0" in said for said in other.sentences())


def test_another_verdict_and_other_numbers_are_named(
    altered: Callable[[str, str, str], Path], made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program now finds what it found; the pack says otherwise."""
    then = read_pack(str(altered("checks.jsonl", '"verdict": "supported"', '"verdict": "contradicted"')))
    found = list(read_pack(str(made / "pack")).checks)
    from geoloc_cli.claims import again as weighing

    monkeypatch.setattr(weighing, "check_claims", lambda asked, *_: [None] * len(asked))
    monkeypatch.setattr(weighing, "pack_record", lambda *_: then.record)
    told = iter([{**found[0], "log10_lr": found[0]["log10_lr"] + 0.5}, found[1]])
    monkeypatch.setattr(weighing, "to_json", lambda *_: next(told))
    compared = repeat(then, LocalPool(1))
    assert [name for name, *_ in compared.verdicts] == ["claim 1"]
    assert [name for name, *_ in compared.numbers] == ["claim 1.log10_lr"]
    assert "Verdicts differ: claim 1 contradicted, now supported." in compared.sentences()


def test_places_may_differ_by_a_metre_and_never_by_a_share_of_their_degrees() -> None:
    then = {"fix": {"lat": 47.0, "radius_m": 20.0, "status": "ok"}, "log10_lr": 0.5}
    near = {"fix": {"lat": 47.000008, "radius_m": 20.01, "status": "ok"}, "log10_lr": 0.5009}
    far = {"fix": {"lat": 47.00002, "radius_m": 20.1, "status": "no"}, "log10_lr": 0.502}
    assert list(differences(then, near, same=as_good_as(1e-3))) == []
    told = [name for name, *_ in differences(then, far, same=as_good_as(1e-3))]
    assert told == ["fix.lat", "fix.radius_m", "fix.status", "log10_lr"]


def test_a_photo_that_is_gone_is_asked_for(made: Path, tmp_path: Path) -> None:
    lonely = shutil.copytree(made / "pack", tmp_path / "pack")
    shutil.rmtree(lonely / "photos")
    record = json.loads((lonely / "pack.json").read_text())
    record["claims"][0]["photo"] = str(tmp_path / "gone.jpg")
    (lonely / "pack.json").write_text(json.dumps(record))
    with pytest.raises(UsageError, match="--photo"):
        repeat(read_pack(str(lonely)), LocalPool(1))


def test_only_a_pack_is_ever_replaced(made: Path, tmp_path: Path) -> None:
    options = CheckOptions()
    nothing = [Unchecked(Failure("b.jpg", "bad_claim", "No."))]
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="is no evidence pack"):
        write_pack(str(mine), nothing, options, [])
    assert [path.name for path in mine.iterdir()] == ["letter.txt"]
    old = shutil.copytree(made / "pack", tmp_path / "old")
    write_pack(str(old), nothing, options, [])
    assert not (old / "photos").exists()
    assert read_pack(str(old)).asked == tuple(nothing)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "old"]


def test_a_pack_that_fails_halfway_leaves_the_one_that_is_there(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = shutil.copytree(made / "pack", tmp_path / "old")

    def breaks(*_: object) -> Iterator[tuple[str, bytes]]:
        yield "pack.json", b"{}"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(packing, "contents", breaks)
    with pytest.raises(DiskFull, match="No room is left"):
        write_pack(str(old), [], CheckOptions(), [])
    assert read_pack(str(old)).changed == ()
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_a_pack_of_somebody_else_sends_nothing_anywhere_that_is_not_named_here(made: Path, tmp_path: Path) -> None:
    theirs = shutil.copytree(made / "pack", tmp_path / "pack")
    record = json.loads((theirs / "pack.json").read_text())
    record["options"]["priors"] = ["vlm?url=http://127.0.0.1:9/v1&model=m"]
    (theirs / "pack.json").write_text(json.dumps(record))
    with pytest.raises(UsageError, match="name the same"):
        repeat(read_pack(str(theirs)), LocalPool(1))
    with pytest.raises(UsageError, match="none"):
        repeat(read_pack(str(made / "pack")), LocalPool(1), priors=["ocr"])


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("options", "top_k", "many"),
        ("options", "priors", [{"name": "ocr"}]),
        ("options", "colour", "red"),
        ("options", "index", ["a", "b"]),
        ("claims", "lat", 91.0),
        ("claims", "radius_m", "wide"),
        ("claims", "time", "noon"),
    ],
)
def test_a_pack_that_asks_for_nonsense_is_one_sentence(
    part: str, name: str, value: object, made: Path, tmp_path: Path
) -> None:
    harmed = shutil.copytree(made / "pack", tmp_path / "pack")
    record = json.loads((harmed / "pack.json").read_text())
    (record["claims"][0] if part == "claims" else record[part])[name] = value
    (harmed / "pack.json").write_text(json.dumps(record))
    with pytest.raises(UsageError):
        read_pack(str(harmed))


@pytest.mark.parametrize("harm", ["{}", "no json", '{"schema": "geoloc.pack/9"}'])
def test_what_is_no_pack_is_one_sentence(harm: str, tmp_path: Path) -> None:
    (tmp_path / "pack.json").write_text(harm)
    with pytest.raises(UsageError, match="pack"):
        read_pack(str(tmp_path))


def test_a_drawn_claim_comes_back_as_it_was(tmp_path: Path) -> None:
    from geoloc_cli.claims.record import asked_of_json, claim_to_json

    ring = [[8.0, 47.0], [8.1, 47.0], [8.1, 47.1], [8.0, 47.0]]
    (tmp_path / "area.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    claim = Claim(area_of_file(str(tmp_path / "area.geojson")))
    back = asked_of_json(json.loads(json.dumps(claim_to_json(Unchecked(Failure("a", "b", "c"), claim)))))
    assert not isinstance(back, Unchecked)
    region = back[1].region
    assert isinstance(region, Area)
    assert region.area_m2 == claim.region.area_m2
    assert region.source == "area.geojson"
    assert not isinstance(back[1], Checked)
