"""`geoloc show`: the pictures are of the comparison that gave the answer, and go where they are to go."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from geoloc_cli.cli.app import main
from geoloc_cli.export.explaining import folder_of
from geoloc_cli.records import dumps
from geoloc_cli.types import Belief, Candidate, Component, Failure, Fix

if TYPE_CHECKING:
    from conftest import SmallTown


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


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def drawn(path: Path, kind: str) -> int:
    """Lines of a kind in an SVG."""
    root = ElementTree.parse(path).getroot()
    return sum(str(e.get("d")).count("M") for e in root.iter() if e.get("class") == kind)


def test_pictures_are_of_the_comparison_that_gave_the_answer(called: Any, town: SmallTown, tmp_path: Path) -> None:
    """The record of `show` is that of `locate`, each inlier that it counts is a line, and a run leaves the same."""
    photo, gone = town.queries[0].path, str(tmp_path / "..a <b>.jpg")
    run, out = tmp_path / "run", tmp_path / "why"
    options = ("--index", town.index, "--workers", "1", "--format", "jsonl", "--explain-to", f"{run}")
    told, _ = called("locate", photo, gone, *options, status=1)
    called("show", photo, "--index", town.index, "--candidates", "2", "--all-matches", "--out", f"{out}/")

    folders = sorted(path.name for path in run.iterdir())
    assert folders == [f"0001-{Path(photo).stem}", "0002-a_b"]
    for folder, line in zip(folders, told.splitlines(), strict=True):
        assert (run / folder / "fix.json").read_text() == f"{line}\n"
    assert files(run / folders[0]) == ["belief.png", "fix.json", "matches.png"]
    assert files(run / folders[1]) == ["fix.json"]
    assert files(out) == ["belief.png", "belief.svg", "fix.json", "matches.png", "matches.svg"]
    with Image.open(run / folders[0] / "matches.png") as picture:
        assert picture.width == 1600
        assert picture.height > 1000  # two candidates, one below the other

    record, located = json.loads((out / "fix.json").read_text()), json.loads(told.splitlines()[0])
    assert len(located["candidates"]) > 5
    assert {**record, "timing_ms": {}} == {**located, "timing_ms": {}}
    both = record["candidates"][:2]
    assert drawn(out / "matches.svg", "inlier") == sum(min(c["inliers"], 200) for c in both) > 40
    assert drawn(out / "matches.svg", "keypoint") == 2 * sum(c["inliers"] for c in both)
    assert drawn(out / "matches.svg", "rejected") == sum(min(c["matches"] - c["inliers"], 200) for c in both)
    _, said = called("locate", photo, *options, status=2)
    assert "is there already" in said


def test_an_answer_that_stands_is_drawn_without_an_index(called: Any, tmp_path: Path) -> None:
    belief = Belief((Component(47.25, 8.5, 12.5, 0.9),), 0.1)
    fixes = [Fix(f"{d}/a.jpg", "ok", "rerank", 47.25, 8.5, None, 12.5, 0.9, belief) for d in ("x", "y")]
    file, out = tmp_path / "fixes.jsonl", tmp_path / "b.svg"
    file.write_text("".join(f"{dumps(answer)}\n" for answer in (*fixes, Failure("z.jpg", "not_found", "It is gone."))))
    called("show", "x/a.jpg", "--fix", str(file), "--out", str(out))
    assert "47.25000, 8.50000 ± 12 m" in out.read_text()
    _, said = called("show", "a.jpg", "--fix", str(file), "--out", str(out), status=2)
    assert "has 2 photos of the name of a.jpg" in said
    _, said = called("show", "b.jpg", "--fix", str(file), "--out", str(out), status=2)
    assert "has no answer for b.jpg" in said
    _, said = called("show", "z.jpg", "--fix", str(file), "--out", str(out), status=1)
    assert "It is gone." in said
    _, said = called("show", "x/a.jpg", "--fix", str(file), "--picture", "matches", "--out", str(out), status=2)
    assert "There is no picture 'matches' of this answer; there is belief." in said


def test_what_is_not_told_is_not_drawn(called: Any, town: SmallTown, tmp_path: Path) -> None:
    """The belief alone, in the cell that is told; pictures of matches and maps would show the place."""
    place = Component(47.2512345, 8.5012345, 12.5, 0.9)
    seen = Candidate("secret/b.jpg", 47.2512344, 8.5012344, 0.9, matches=9, inliers=8)
    fix = Fix("x/a.jpg", "ok", "rerank", place.lat, place.lon, None, 12.5, 0.9, Belief((place,), 0.1))
    file, out = tmp_path / "fixes.jsonl", tmp_path / "why"
    file.write_text(dumps(replace(fix, candidates=(seen,))) + "\n")
    called("show", "x/a.jpg", "--fix", str(file), "--disclose", "city", "--out", f"{out}/")
    assert files(out) == ["belief.png", "belief.svg", "fix.json"]
    written = (out / "belief.svg").read_text() + (out / "fix.json").read_text()
    assert "47.2512" not in written
    assert "8.5012" not in written
    assert "secret" not in written
    options = ("--index", town.index, "--disclose", "city", "--explain-to", str(tmp_path / "run"))
    _, said = called("locate", town.queries[0].path, *options, status=2)
    assert "--explain-to shows the places themselves" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--out", "x.jpg"), "as .png or .svg, not as '.jpg'"),
        ((), "Say where the picture is to go"),
        (("--out", "x.png", "--index", "i"), "leave --index and --map out"),
    ],
)
def test_wrong_calls_are_refused(called: Any, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    file = tmp_path / "fixes.jsonl"
    file.write_text(dumps(Fix("a.jpg", "unlocated", None, None, None, None, None, 0.0, Belief())) + "\n")
    _, told = called("show", "a.jpg", "--fix", str(file), *arguments, status=2)
    assert said in told
    assert not Path("x.jpg").exists()


def test_names_of_folders_are_harmless() -> None:
    assert folder_of(7, "a/b/IMG_0448.jpg") == "0007-IMG_0448"
    assert folder_of(12, "/x/../..") == "0012-photo"
    assert folder_of(1, 'x/"><img src=x>\n.jpg') == "0001-img_src_x"
    assert len(folder_of(1, "x/" + "a" * 250 + ".jpg")) == 65
