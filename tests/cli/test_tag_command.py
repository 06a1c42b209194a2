"""`geoloc tag` and `geoloc scrub`, as their user calls them."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image
from program import called

from geoloc_cli.photos.exif import read_photo
from geoloc_cli.records import dumps
from geoloc_cli.types import Belief, Component, Failure, Fix


def geoloc(*arguments: str, cwd: Path, status: int = 0, stdin: str = "") -> tuple[str, str]:
    done = called(*arguments, given=stdin, cwd=cwd)
    assert done.returncode == status, done.stderr
    return done.stdout, done.stderr


def line(photo: str, confidence: float = 0.97) -> str:
    place = Component(-33.8567844, 151.2152967, 12.0, 1.0)
    belief = Belief((place,), 0.0)
    return dumps(Fix(photo, "ok", "rerank", place.lat, place.lon, None, 12.0, confidence, belief)) + "\n"


def test_tag_dry_then_true_then_back(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        Image.new("L", (8, 6), 9).save(tmp_path / name)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    gone = dumps(Failure("c.jpg", "not_found", "gone")) + "\n"
    (tmp_path / "fixes").write_text(line("a.jpg") + line("b.jpg", 0.5) + gone + line("d.jpg"))
    said, told = geoloc("tag", "fixes", "--write", "exif", "--dry-run", cwd=tmp_path, status=1)
    assert said.startswith("a.jpg: would write -33.8567844, 151.2152967; 68 % within 8.4 m; geoloc rerank to ")
    assert "1 would be tagged; 1 skipped (less sure than --min-confidence); 1 skipped (not located: an error)" in told
    assert "d.jpg does not exist" in told
    assert {path.name for path in tmp_path.iterdir()} == {"a.jpg", "b.jpg", "fixes"}
    said, told = geoloc("tag", "fixes", "--write", "exif", "--json", cwd=tmp_path, status=1)
    assert [json.loads(row)["what"] for row in said.splitlines()] == ["written", "skipped", "skipped", "failed"]
    assert "geoloc tag --undo fixes.undo.jsonl --restore" in told
    assert read_photo(str(tmp_path / "a.jpg")).position
    _, told = geoloc("tag", "--undo", "fixes.undo.jsonl", "--restore", cwd=tmp_path)
    assert "1 put back; 0 were as before; 0 failed." in told
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_a_stream_needs_a_journal_by_name_and_bad_lines_are_named(tmp_path: Path) -> None:
    Image.new("L", (8, 6), 9).save(tmp_path / "a.jpg")
    _, told = geoloc("tag", "-", cwd=tmp_path, stdin=line("a.jpg"), status=2)
    assert "give --undo FILE, or --undo none" in told
    _, told = geoloc("tag", "-", "--undo", "none", cwd=tmp_path, stdin="{\n" + line("a.jpg"), status=1)
    assert "standard input, line 1, was passed over" in told
    assert "1 tagged." in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "a.jpg.xmp"]


def test_scrub_says_what_it_could_not(tmp_path: Path) -> None:
    Image.new("L", (8, 6), 9).save(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_text("no picture")
    said, told = geoloc("scrub", "a.jpg", "b.jpg", "--out", "clean", cwd=tmp_path, status=1)
    assert said == "clean/a.jpg\n"
    assert "b.jpg is not a picture" in told
    assert "1 copied without places; 1 failed." in told
