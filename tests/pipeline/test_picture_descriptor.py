"""A descriptor of pictures in an index: one that a third party's package brings, really installed."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from program import called

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.index.inspect import verify
from geoloc_cli.index.reader import Index
from geoloc_cli.pipeline.batch import locate_photos
from geoloc_cli.pipeline.build import build_index
from geoloc_cli.pipeline.locate import LocateOptions
from geoloc_cli.records import to_record

if TYPE_CHECKING:
    from conftest import SmallTown

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "geoloc-thumbnails"
version = "1.0"
[project.entry-points."geoloc.backends"]
"descriptor.thumbnails" = "geoloc_thumbnails:Thumbnails"
"""
MODULE = '''
from dataclasses import dataclass
import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Options:
    side: int = 8

    def check(self):
        assert self.side > 1


class Thumbnails:
    """The picture at side x side, without its mean."""

    name, identity, Options = "thumbnails", "1.0", Options

    def __init__(self, options):
        self.options, self.dim = options, 3 * options.side**2

    def wanted_px(self):
        return 160

    def embed(self, pictures):
        small = [Image.fromarray(p).resize((self.options.side,) * 2, Image.Resampling.BOX) for p in pictures]
        rows = np.stack([np.asarray(image, np.float32).ravel() for image in small])
        rows -= rows.mean(axis=1, keepdims=True)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
'''


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the package is installed."""
    source, site = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    (source / "pyproject.toml").write_text(PROJECT)
    (source / "geoloc_thumbnails").mkdir()
    (source / "geoloc_thumbnails" / "__init__.py").write_text(MODULE)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*command, "--target", str(site), str(source)], check=True)
    return site


def geoloc(package: Path | None, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The program with the package in its path, or without."""
    with pytest.MonkeyPatch.context() as patched:
        if package:
            patched.syspath_prepend(str(package))
        return called(*arguments, "--workers", "1")


@pytest.fixture(scope="module")
def index(package: Path, town: SmallTown, described: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by two workers, each of which finds the package by itself."""
    folder = tmp_path_factory.mktemp("thumbnails") / "index"
    paths = os.pathsep.join([str(package), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "geoloc_cli", "index", "build", str(town.folder / "photos")]
    command += ["--index", str(folder), "--descriptor", "thumbnails?side=12", "--workers", "2", "--quiet"]
    command += ["--cache", described]
    built = subprocess.run(command, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


def fixes(package: Path, town: SmallTown, index: Path) -> list[dict[str, Any]]:
    asked = geoloc(package, "locate", town.folder / "queries", "--index", index, "--format", "jsonl")
    assert asked.returncode == 0, asked.stderr
    return [json.loads(line) for line in asked.stdout.splitlines()]


def test_an_index_holds_its_vectors_and_finds_by_them(package: Path, town: SmallTown, index: Path) -> None:
    with Index.open(index) as reader:
        ordered = reader.gathered()
        looks = [reader.local(int(row)).look for row in ordered.row_ids]
    assert ordered.vectors.shape == (len(town.photos), 3 * 12 * 12)
    # Nothing was learned, so that a photo's vector is its look.
    assert all((look == vector).all() for look, vector in zip(looks, ordered.vectors, strict=True))
    assert verify(index).faults == ()
    for fix, true in zip(fixes(package, town, index), town.queries, strict=True):
        assert fix["status"] == "ok"
        assert haversine_m(fix["lat"], fix["lon"], true.lat, true.lon) < 10.0


def test_fewer_numbers_are_learned_from_the_photos(package: Path, town: SmallTown, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    wanted = ("--descriptor", "thumbnails", "--dim", "4", "--cache", tmp_path / "cache")
    built = geoloc(package, "index", "build", town.folder / "photos", "--index", folder, *wanted)
    assert built.returncode == 0, built.stderr
    with Index.open(folder) as reader:
        vectors = reader.gathered().vectors
        assert reader.local(1).look is not None
    # A third of the fourteen photos bounds what is learned.
    assert vectors.shape == (14, 4)
    assert abs((vectors**2).sum(axis=1) - 1.0).max() < 1e-5
    assert all(fix["status"] == "ok" for fix in fixes(package, town, folder))
    # From the cache the same index is made again.
    again = geoloc(package, "index", "build", town.folder / "photos", "--index", tmp_path / "again", *wanted)
    assert again.returncode == 0, again.stderr
    with Index.open(tmp_path / "again") as reader:
        assert (reader.gathered().vectors == vectors).all()


def test_looks_that_are_found_ahead_are_the_same(
    package: Path, town: SmallTown, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU: this process describes the pictures, and the workers take what it found."""
    monkeypatch.syspath_prepend(str(package))
    torn = tmp_path / "torn.jpg"
    torn.write_bytes(Path(town.photos[0].path).read_bytes()[:2000])
    with Index.open(index) as reader:
        describer, expected = reader.manifest.describer, reader.gathered().vectors
    paths = [str(torn), *(photo.path for photo in town.photos)]
    report = build_index(tmp_path / "index", paths, parallel_map=LocalPool(1), describer=describer, ahead=True)
    assert [(path, code) for path, code, _ in report.left_out] == [(str(torn), "not_a_photo")]
    with Index.open(tmp_path / "index") as reader:
        assert (reader.gathered().vectors == expected).all()
    asked = [photo.path for photo in town.queries] + [str(torn)]
    found = [list(locate_photos(index, asked, LocateOptions(), LocalPool(1), ahead=ahead)) for ahead in (False, True)]
    plain = [[to_record(answer) | {"timing_ms": None} for answer in answers] for answers in found]
    assert plain[0] == plain[1]
    assert [record["status"] for record in plain[1]] == ["ok", "ok", "ok", "error"]


def test_other_options_and_a_missing_package_are_refused(package: Path, town: SmallTown, index: Path) -> None:
    photos = town.folder / "photos"
    other = geoloc(package, "index", "build", photos, "--index", index, "--descriptor", "thumbnails?side=6")
    assert other.returncode != 0
    assert "another describer or other options" in other.stderr
    same = geoloc(package, "index", "build", photos, "--index", index, "--descriptor", "thumbnails?side=12")
    assert same.returncode == 0, same.stderr
    lost = geoloc(None, "locate", town.folder / "queries", "--index", index)
    assert lost.returncode != 0
    assert "There is no descriptor 'thumbnails'" in lost.stderr
    wrong = geoloc(
        package, "index", "build", photos, "--index", index.parent / "x", "--descriptor", "thumbnails?sides=6"
    )
    assert "no option 'sides'; did you mean 'side'?" in wrong.stderr


def test_an_index_from_before_looks_is_read_and_grows(town: SmallTown, tmp_path: Path) -> None:
    index = tmp_path / "index"
    shutil.copytree(town.index, index)
    database = sqlite3.connect(index / "index.sqlite")
    database.execute("ALTER TABLE photos DROP COLUMN look_dim")
    database.commit()
    database.close()
    with Index.open(index) as reader:
        assert all(reader.local(int(row)).look is None for row in reader.gathered().row_ids)
    command = ("index", "add", town.folder / "photos", "--index", index)
    assert "14 unchanged" in geoloc(None, *command).stderr
    assert verify(index).faults == ()
