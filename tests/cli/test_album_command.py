"""`geoloc album` as a program: from photographs and from recorded answers, with a map and a track of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import ExifTags, Image

from geoloc_cli.cli.app import main
from geoloc_cli.records import loads
from geoloc_cli.types import Fix

if TYPE_CHECKING:
    from conftest import SmallTown

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["geoloc", *arguments])
        try:
            main()
            status = 0
        except SystemExit as done:
            status = int(done.code or 0)
        return status, *capsys.readouterr()

    return call


def taken(source: str, to: Path, second: int, blank: bool = False) -> None:
    """A copy that says when it was taken; a blank one shows nothing."""
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = "A camera"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = f"2026:06:01 12:00:{second:02d}"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.OffsetTimeOriginal] = "+02:00"
    with Image.open(source) as picture:
        made = Image.new("RGB", picture.size, (90, 90, 90)) if blank else picture.convert("RGB")
        made.save(to, quality=95, exif=exif)


def test_photos_to_a_map_and_a_track(town: SmallTown, tmp_path: Path, run: Run) -> None:
    album = tmp_path / "album"
    album.mkdir()
    taken(town.queries[0].path, album / "a.jpg", 0)
    taken(town.queries[1].path, album / "b.jpg", 8, blank=True)
    taken(town.queries[1].path, album / "c.jpg", 16)
    first, page = tmp_path / "first.jsonl", tmp_path / "map.html"
    given = [str(album), "--index", town.index, "--workers", "1", "--cache", str(tmp_path / "cache")]
    status, out, err = run("album", *given, "--resume", str(first), "--report", str(page), "--thumbnails", "0")
    assert status == 0
    fixes = [loads(line) for line in out.splitlines()]
    assert [fix.status for fix in fixes if isinstance(fix, Fix)] == ["ok", "ok", "ok"]
    assert isinstance(fixes[1], Fix)
    assert fixes[1].album is not None
    assert [Path(name).name for name in fixes[1].album.borrowed_from] == ["a.jpg", "c.jpg"]
    assert "3 photos: 3 located, 0 coarse, 0 unlocated, 0 failed" in err
    assert "1 way: " in err
    assert "1 placed and 0 refused by their neighbours." in err
    assert "b.jpg" in page.read_text()

    # The answers of the photos alone were kept: from them the album is the same, and the blank one has no place.
    kept = [json.loads(line) for line in first.read_text().splitlines()]
    assert [record["status"] for record in kept] == ["ok", "unlocated", "ok"]
    status, again, _ = run("album", "--fixes", str(first))
    assert (status, again) == (0, out)

    # Interrupted while it wrote the second line, it goes on from there, and comes to the same.
    whole = first.read_bytes()
    first.write_bytes(whole[: whole.index(b"\n") + 40])
    status, resumed, _ = run("album", *given, "--resume", str(first))
    assert status == 0
    assert [json.loads(line)["album"] for line in resumed.splitlines()] == [
        json.loads(line)["album"] for line in out.splitlines()
    ]

    # Of an album that is told by cities alone, nothing finer is told, and nothing makes it finer again.
    status, coarse, _ = run("album", "--fixes", str(first), "--disclose", "city")
    assert status == 0
    assert {json.loads(line)["album"] for line in coarse.splitlines()} == {None}
    assert fixes[1].lat is not None
    assert f"{fixes[1].lat:.3f}"[:-1] not in coarse
    cities = tmp_path / "cities.jsonl"
    cities.write_text(coarse)
    assert run("album", "--fixes", str(cities))[1] == coarse

    recorded = tmp_path / "album.jsonl"
    recorded.write_text(out)
    status, gpx, _ = run("export", str(recorded), "--to", "gpx")
    assert status == 0
    assert (gpx.count("<trk>"), gpx.count("<trkpt")) == (1, 3)
    status, kml, _ = run("export", str(recorded), "--to", "kml")
    assert status == 0
    assert "<name>1: A camera</name>" in kml


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Give photos with --index or --map, or the answers"),
        (["photos", "--fixes", "fixes.jsonl"], "Give photos with --index or --map, or the answers"),
        (["--fixes", "fixes.jsonl", "--index", "i"], "leave out --index and --map"),
        (["--fixes", "fixes.jsonl", "--speed", "swim"], "There is no speed 'swim'; give one of auto, walk"),
        (["--fixes", "fixes.jsonl", "--max-gap", "6"], "'6' is no length of time"),
        (["--fixes", "fixes.jsonl", "--tiles", "x"], "name its file with --report FILE"),
    ],
)
def test_a_wrong_call_is_one_sentence(arguments: list[str], sentence: str, run: Run) -> None:
    status, _, err = run("album", *arguments)
    assert status == 2
    assert sentence in err
