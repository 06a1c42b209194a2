"""Shared fixtures: where the real photographs are, and a clean environment for every test."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from geoloc_cli import store
from geoloc_cli.engine.local import LocalPool
from geoloc_cli.maps.folder import index_of
from geoloc_cli.pipeline.build import build_index
from geoloc_cli.pipeline.map import build_map
from geoloc_cli.testing.demo import OTHER_TOWN_AT, TOWN_AT, query_cameras, street_cameras
from geoloc_cli.testing.photos import Noise, TruePhoto, write_photos, write_truth
from geoloc_cli.testing.render import CameraPose
from geoloc_cli.testing.town import Town

REAL_DATA = Path(os.environ.get("GEOLOC_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of real photographs beside the checkout; tests that need it are skipped, visibly, without it."""
    if not (REAL_DATA / "splits.json").exists():
        pytest.skip(f"no real photographs at {REAL_DATA}")
    return REAL_DATA


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this run that all workers have in common."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


Once = Callable[[str, Callable[[Path], None]], Path]


@pytest.fixture(scope="session")
def once(shared: Path) -> Once:
    """Name and maker -> a folder that the maker fills for all workers: whoever comes first, while the others wait."""

    def made(name: str, make: Callable[[Path], None]) -> Path:
        folder, finished = shared / name, shared / f"{name}.finished"
        with FileLock(shared / f"{name}.lock"):
            if not finished.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a maker that failed
                folder.mkdir()
                make(folder)
                finished.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def described(shared: Path) -> str:
    """A cache of features that all workers share: real photographs and the town's are described once for all tests."""
    return str(shared / "described")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No setting of the person who runs the tests leaks into them, and nothing is kept in that person's caches."""
    for name in list(os.environ):
        if name.startswith("GEOLOC_") and name != "GEOLOC_TEST_DATA":
            monkeypatch.delenv(name)
    for name in ("COLUMNS", "LINES"):  # workers of xdist are told of a terminal of 80 columns, which they have not
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GEOLOC_CONFIG", str(tmp_path_factory.getbasetemp() / "no-config.toml"))
    monkeypatch.setenv("GEOLOC_MODELS", str(tmp_path_factory.getbasetemp() / "no-models"))
    kept = tmp_path_factory.mktemp("kept")
    monkeypatch.setattr(store, "usual_folder", lambda name: kept / name)


@dataclass(frozen=True)
class SmallTown:
    """One rendered street, indexed: `photos/`, `queries/`, `elsewhere/` in `folder`, and the index of the photos."""

    folder: Path
    index: str
    photos: list[TruePhoto]
    queries: list[TruePhoto]
    strangers: list[TruePhoto]


@pytest.fixture(scope="session")
def town(once: Once, described: str, tmp_path_factory: pytest.TempPathFactory) -> SmallTown:
    """Fourteen photos along a street, three held-out views of it, and two of another town; not to be changed."""
    folder = once("town", lambda folder: _make_town(folder, described))
    # One of each worker's own, which no other opens while it is copied.
    index = tmp_path_factory.mktemp("town") / "index"
    shutil.copytree(folder / "index", index)
    photos, queries, strangers = (_read_truth(folder / f"{name}.json") for name in ("photos", "queries", "strangers"))
    return SmallTown(folder, str(index), photos, queries, strangers)


def _make_town(folder: Path, described: str) -> None:
    made = Town(0, *TOWN_AT)
    rng = np.random.default_rng(0)
    walk = street_cameras(made, rng)[4:18]
    photos = write_photos(made, walk, folder / "photos", noise=Noise(gps_std_m=1.0, sensor_std=2.0))
    # The views are those of the demo that lie within the part of the street that was walked.
    low, high = walk[0].center_in_enu[1], walk[-1].center_in_enu[1]
    views = [
        camera
        for camera in query_cameras(made, 48, rng)[::4]
        if low + 4 < camera.center_in_enu[1] < high - 4 and abs(camera.heading_deg - 35.0) < 11.0
    ][:3]
    spoiled = Noise(exposure_std=0.25, occluders=1, sensor_std=3.0)
    queries = write_photos(made, views, folder / "queries", noise=spoiled, seed=1, with_position=False, prefix="query")
    other = Town(1000, *OTHER_TOWN_AT)
    strangers = write_photos(
        other, query_cameras(other, 2, rng), folder / "elsewhere", seed=2, with_position=False, prefix="stranger"
    )
    for name, truth in (("photos", photos), ("queries", queries), ("strangers", strangers)):
        write_truth(truth, folder / f"{name}.json")
    build_index(folder / "index", [photo.path for photo in photos], parallel_map=LocalPool(1), cache=described)


@pytest.fixture(scope="session")
def mapped(once: Once, town: SmallTown, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A map of the town's photos by the usual options, and what was told meanwhile; not to be changed."""

    def make(folder: Path) -> None:
        told: list[tuple[str, int]] = []
        shutil.copytree(town.index, index_of(folder / "map"))
        build_map(folder / "map", LocalPool(1), tell=lambda stage, done: told.append((stage, done)))
        (folder / "map" / "told.json").write_text(json.dumps(told))

    # Each worker has its own, as of the town's index.
    return Path(shutil.copytree(once("mapped", make) / "map", tmp_path_factory.mktemp("mapped") / "map"))


def _read_truth(file: Path) -> list[TruePhoto]:
    """What `write_truth` wrote."""
    rows = json.loads(file.read_text())
    for row in rows:
        row["pose"]["center_in_enu"] = tuple(row["pose"]["center_in_enu"])
    return [TruePhoto(**{**row, "pose": CameraPose(**row["pose"])}) for row in rows]
