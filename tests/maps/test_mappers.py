"""Photo by photo or all at once: both mappers find the cameras of a rendered street, and hold what is known of them."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import kill_map
import numpy as np
import pytest
from kill_map import PHOTOS
from numpy.typing import NDArray

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.errors import UsageError
from geoloc_cli.maps import colmap, mapping
from geoloc_cli.maps.folder import index_of, open_map, read_manifest
from geoloc_cli.maps.global_mapping import MAPPERS
from geoloc_cli.maps.inspect import info
from geoloc_cli.maps.model import SparseModel
from geoloc_cli.pipeline.map import MapOptions, build_map
from geoloc_cli.types import Camera

if TYPE_CHECKING:
    from conftest import SmallTown

Floats = NDArray[np.float64]


@pytest.mark.parametrize("mapper", MAPPERS)
def test_both_mappers_find_the_cameras_of_a_street(town: SmallTown, mapped: Path, tmp_path: Path, mapper: str) -> None:
    if mapper == MapOptions().mapper:
        folder, told = mapped, json.loads((mapped / "told.json").read_text())
    else:
        folder, told = tmp_path, []
        shutil.copytree(town.index, index_of(folder))
        options = MapOptions(mapper=mapper)
        report = build_map(folder, LocalPool(1), options, tell=lambda stage, done: told.append((stage, done)))
        assert (report.registered, report.left_out) == ((14,), ())
    manifest = read_manifest(folder)
    assert (manifest["photos"], manifest["left_out"]) == (14, [])
    assert manifest["mapper"] == info(folder)["mapper"] == mapper
    # Each photo is told at least once: a walk that is tried again is told twice.
    assert sum(done for stage, done in told if stage == "mapping") >= 12
    (component,) = open_map(folder)
    assert len(component.model.images) == 14
    assert component.georeference is not None
    truth = {photo.path: (photo.pose.rotation_cam_from_enu(), photo.pose.center_in_enu) for photo in town.photos}
    away_m, turned_deg = errors(component.model, truth)
    # 640 pixels at 18 m: a pixel is 3.5 cm of wall. The walk of 28 m bends by half a degree, which its ends show.
    assert np.median(away_m) < 0.35
    assert away_m.max() < 0.7
    assert np.median(turned_deg) < 0.5


def errors(model: SparseModel, truth: dict[str, tuple[Floats, tuple[float, float, float]]]) -> tuple[Floats, Floats]:
    """Metres and degrees of the cameras from rotations cam_from_enu and centres, the map laid over these.

    By its rotations first, for a street is a line, about which centres leave the map free to roll.
    """
    images = list(model.images.values())
    turn = sum(truth[image.path][0].T @ image.rotation for image in images)
    u, _, vt = np.linalg.svd(turn)
    enu_from_map = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    cosines = [(np.trace(image.rotation @ enu_from_map.T @ truth[image.path][0].T) - 1.0) / 2.0 for image in images]
    moved = np.stack([enu_from_map @ image.center_in_map for image in images])
    true = np.stack([np.array(truth[image.path][1]) for image in images])
    moved, true = moved - moved.mean(axis=0), true - true.mean(axis=0)
    scale = (moved * true).sum() / (moved**2).sum()
    return np.linalg.norm(scale * moved - true, axis=1), np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)))


@pytest.mark.parametrize("mapper", MAPPERS)
@pytest.mark.parametrize("known", [PHOTOS, PHOTOS // 2, 0], ids=["all", "half", "none"])
def test_held_intrinsics_stay_and_others_are_found(tmp_path: Path, mapper: str, known: int) -> None:
    """A room of points seen by two lenses of 520 px, of which one is stated as 500 within 5 %."""
    paths = [tmp_path / f"{number}.made" for number in range(PHOTOS)]
    for path in paths:
        path.touch()
    photos = [kill_map.made_photo(str(path)) for path in paths]
    held = Camera("SIMPLE_PINHOLE", 640, 480, (520.0, 320.0, 240.0), "user", 0.0)
    stated = Camera("SIMPLE_PINHOLE", 640, 480, (500.0, 320.0, 240.0), "exif_35mm", 0.05)
    mapped = [
        colmap.MapPhoto(photo.path, photo.features.keypoints, held if number < known else stated, str(number < known))
        for number, photo in enumerate(photos)
    ]
    # The rows of all photographs are the same points, those outside of a picture moved to its rim.
    inside = [
        (photo.features.keypoints[:, 0] > 1)
        & (photo.features.keypoints[:, 0] < 639)
        & (photo.features.keypoints[:, 1] > 1)
        & (photo.features.keypoints[:, 1] < 479)
        for photo in photos
    ]
    matches = [
        (i, j, np.repeat(np.flatnonzero(inside[i] & inside[j])[:, None], 2, axis=1).astype(np.int32))
        for i, j in itertools.combinations(range(PHOTOS), 2)
    ]
    database = tmp_path / "database.db"
    listed, fixed, guessed = colmap.write_database(database, mapped, matches)
    (found,) = mapping.reconstruct(
        database, listed, fixed, guessed, PHOTOS, tmp_path, lambda: None, lambda model: 0.0, mapper=mapper
    )
    model = colmap.read_model(found)
    assert len(model.images) == PHOTOS
    poses = [kill_map.camera(number) for number in range(PHOTOS)]
    truth = {f"{n:06d}": (pose.rotation_cam_from_enu(), pose.center_in_enu) for n, pose in enumerate(poses)}
    away_m, turned_deg = errors(model, truth)
    # 0.3 px of noise at 9 m and 520 px are 5 mm a ray; a free focal length trades with the distance.
    assert np.median(away_m) < (0.01 if known == PHOTOS else 0.1)
    assert turned_deg.max() < 0.3
    for name, image in model.images.items():
        if int(name) < known:
            assert image.camera.params == held.params
        else:
            assert image.camera.focal_px == pytest.approx(520.0, rel=0.02)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> kill_map.Ground:
    return kill_map.prepare(tmp_path_factory.mktemp("global"), "global")


@pytest.mark.parametrize("again", [False, True], ids=["first", "again"])
def test_a_killed_global_mapping_is_finished(ground: kill_map.Ground, again: bool) -> None:
    assert kill_map.trial(ground, "mapping", 0, again) == []


def test_an_unknown_mapper_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no mapper 'glomap'; give one of incremental, global"):
        build_map(tmp_path, LocalPool(1), MapOptions(mapper="glomap"))
