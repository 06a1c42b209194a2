"""`geoloc locate --report` and `geoloc export --to html`: where the map is written, and what of."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from geoloc_cli.cli import output
from geoloc_cli.cli.app import main
from geoloc_cli.cli.output import LineWriter
from geoloc_cli.records import dumps
from geoloc_cli.types import Belief, Component, Failure, Fix

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import SmallTown

FIX = Fix("x/a.jpg", "ok", "rerank", 47.25, 8.5, None, 12.5, 0.9, Belief((Component(47.25, 8.5, 12.5, 0.9),), 0.1))
ANSWERS = [
    FIX,
    replace(FIX, photo="x/b.jpg", stage="prior", confidence=0.4),
    replace(FIX, photo="x/c.jpg", status="unlocated", stage=None, lat=None, lon=None, radius_m=None, confidence=0.0),
    Failure("x/d.jpg", "not_found", "x/d.jpg does not exist."),
]


@pytest.fixture
def fixes(tmp_path: Path) -> str:
    path = tmp_path / "fixes.jsonl"
    path.write_text("".join(f"{dumps(answer)}\n" for answer in ANSWERS))
    return str(path)


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """What a call of the program writes to its two outputs; its exit status must be the one named."""

    def call(*arguments: str, status: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["geoloc", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert (stopped.value.code or 0) == status
        told = capfd.readouterr()
        return told.out, told.err

    return call


def photos_in(page: str) -> dict[str, list[Any]]:
    found = re.search(r'id="told">(.*?)</script>', page)
    assert found
    photos: dict[str, list[Any]] = json.loads(found.group(1))["photos"]
    return photos


def test_export_shows_the_unlocated_and_the_failed_too(called: Any, fixes: str, tmp_path: Path) -> None:
    page, said = called("export", fixes, "--to", "html", "--workers", "1")
    assert photos_in(page)["name"] == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    assert said == "4 photos written.\n"
    out = str(tmp_path / "map.html")
    options = ("--out", out, "--min-confidence", "0.5", "--workers", "1")
    assert called("export", fixes, "--to", "html", *options) == ("", "3 photos written; left out: 1 less sure.\n")
    assert photos_in((tmp_path / "map.html").read_text())["name"] == ["a.jpg", "c.jpg", "d.jpg"]


def test_true_places_are_found_by_name(called: Any, fixes: str, tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text("photo,lat,lon\nb.jpg,47.5,8.25\nother.jpg,1,2\nc.jpg,,\n")
    page, said = called("export", fixes, "--to", "html", "--truth", str(tmp_path / "truth.csv"), "--workers", "1")
    assert photos_in(page)["truth"] == [None, [47.5, 8.25], None, None]
    assert "not counted are 1 of 3 rows, which have no place" in said
    (tmp_path / "truth.csv").write_text("photo,lat,lon\nnone.jpg,47.5,8.25\n")
    _, said = called("export", fixes, "--to", "html", "--truth", str(tmp_path / "truth.csv"), status=2)
    assert "No photograph of the photos" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("export", "-", "--to", "kml", "--tiles", "https://h/{z}/{x}/{y}"),
            "--to kml takes no --tiles; leave it out.",
        ),
        (("export", "-", "--to", "html", "--shapes"), "--to html takes no --shapes; leave it out."),
        (("export", "-", "--to", "html", "--tiles", "h/{z}"), "--tiles h/{z} is no address of tiles"),
        (("locate", "a.jpg", "--index", "i", "--thumbnails", "5"), "name its file with --report FILE."),
        (("locate", "a.jpg", "--index", "i", "--report", "r.html", "--tiles", "h"), "--tiles h is no address of tiles"),
        (("locate", "a.jpg", "--index", "i", "--report", "r.html", "--truth", "gone.csv"), "gone.csv"),
        (
            ("locate", "a.jpg", "--index", "i", "--report", "none/r.html"),
            "none/r.html cannot be written, as its folder",
        ),
    ],
)
def test_a_wrong_call_is_one_sentence(called: Any, arguments: tuple[str, ...], sentence: str) -> None:
    out, said = called(*arguments, status=2)
    assert out == ""
    assert sentence in said
    assert said.count("\n") == 1


def test_locate_writes_the_map_beside_its_answers(called: Any, town: SmallTown, tmp_path: Path) -> None:
    """The answers are those of an earlier run: what is tested is the map of them."""
    paths = [town.queries[0].path, town.strangers[0].path]
    kept = "".join(f"{dumps(replace(FIX, photo=path))}\n" for path in paths)
    (tmp_path / "kept.jsonl").write_text(kept)
    report = tmp_path / "map.html"
    options = ("--resume", str(tmp_path / "kept.jsonl"), "--report", str(report), "--workers", "1")
    out, _ = called("locate", *paths, "--index", town.index, "--format", "jsonl", *options)
    assert out == kept
    photos = photos_in(report.read_text())
    assert (photos["lat"], photos["stage"]) == ([47.25] * 2, ["rerank"] * 2)
    assert all(photos["thumbnail"])


def test_an_interruption_leaves_a_map_of_what_is_done(
    called: Any, town: SmallTown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(LineWriter):
        def write(self, answer: Fix | Failure) -> None:
            super().write(answer)
            if answer.photo == town.strangers[0].path:
                raise KeyboardInterrupt

    monkeypatch.setattr(output, "LineWriter", Interrupted)
    paths = [town.queries[0].path, town.strangers[0].path, town.queries[1].path, town.queries[2].path]
    report = tmp_path / "report.html"
    shown = ["--index", town.index, "--workers", "1", "--report", str(report), "--thumbnails", "1"]
    out, err = called("locate", *paths, *shown, status=130)
    assert [json.loads(line)["photo"] for line in out.splitlines()] == paths[:2]
    page = report.read_text()
    assert photos_in(page)["status"] == ["ok", "unlocated"]
    assert "interrupted before it came to 2 more." in page
    assert "report.html is written of what is done" in err
    assert err.endswith("geoloc: interrupted; what was finished is kept.\n")
