"""`geoloc inspect`, `demo`, `schema`, `backends` and the program itself, as their user calls them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from program import called

from geoloc_cli import __version__
from geoloc_cli.cli.table import length, printable
from geoloc_cli.photos.scan import common_folder

if TYPE_CHECKING:
    from conftest import SmallTown


def geoloc(*arguments: str, status: int = 0) -> str:
    done = called(*arguments)
    assert done.returncode == status, done.stderr
    return done.stdout


def test_inspect_says_where_when_and_with_what(town: SmallTown, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.jpg")
    lines = geoloc("inspect", town.photos[0].path, missing, "--json", status=1).splitlines()
    said = json.loads(lines[0])
    assert said["position"]["lat"] == pytest.approx(town.photos[0].lat, abs=5e-5)
    assert said["camera"]["params"][0] / said["camera"]["width"] == pytest.approx(520 / 640, rel=0.04)
    assert json.loads(lines[1])["error"]["code"] == "not_found"
    stated = json.loads(geoloc("inspect", town.photos[0].path, "--json", "--focal-px", "500"))
    assert (stated["camera"]["params"][0], stated["camera"]["focal_std"]) == (500.0, pytest.approx(0.0, abs=0.02))
    table = geoloc("inspect", str(town.folder / "photos"))
    assert "photo_000.jpg" in table
    assert f"photos in {town.folder}/photos/" in table


def test_schema_and_version_and_backends() -> None:
    assert json.loads(geoloc("schema"))["title"] == "geoloc.fix/1"
    assert geoloc("--version") == f"geoloc {__version__}\n"
    assert {row["name"] for row in json.loads(geoloc("backends", "--json"))} >= {"sift", "vlad", "mutual-nn", "exif"}


def test_demo_leaves_other_peoples_folders_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("all my work")
    assert geoloc("demo", str(tmp_path), status=2) == ""
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("paths", "folder"),
    [
        (["a/b/c.jpg", "a/b/d.jpg"], "a/b/"),
        (["a/b/c.jpg", "a/bc/d.jpg"], "a/"),
        (["./a/c.jpg", "./a/x/d.jpg"], "./a/"),
        (["/a/c.jpg", "/b/d.jpg"], ""),
        (["/a/c.jpg", "b/d.jpg"], ""),
        (["c.jpg", "a/d.jpg"], ""),
        (["a//c.jpg"], "a//"),
        ([], ""),
    ],
)
def test_common_folder_is_a_beginning_of_every_path(paths: list[str], folder: str) -> None:
    assert common_folder(paths) == folder


def test_names_are_made_fit_for_a_terminal() -> None:
    assert printable("a\nb\x1b[31m") == "a\\nb\\x1b[31m"
    assert printable("\udcff.jpg") == "\\xff.jpg"
    assert printable("Größe 東京.jpg") == "Größe 東京.jpg"
    said = [length(m) for m in (0.05, 9.24, 12.3, 9999.0, 12_345.0)]
    assert said == ["5 cm", "9.2 m", "12 m", "9999 m", "12 km"]
