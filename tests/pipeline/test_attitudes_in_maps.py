"""A street whose camera leans on its mount: its map, and poses in it, upright by what a gimbal says in XMP."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from geoloc_cli.cli.app import app
from geoloc_cli.engine.local import LocalPool
from geoloc_cli.index.reader import Index
from geoloc_cli.maps.folder import index_of, open_map
from geoloc_cli.maps.georeference import Georeference
from geoloc_cli.pipeline.batch import locate_photos
from geoloc_cli.pipeline.build import build_index
from geoloc_cli.pipeline.georeference import in_order
from geoloc_cli.pipeline.locate import LocateOptions
from geoloc_cli.pipeline.map import MapOptions, build_map
from geoloc_cli.pipeline.placing import placed
from geoloc_cli.pipeline.posing import stage_spec
from geoloc_cli.testing.demo import TOWN_AT, query_cameras, street_cameras
from geoloc_cli.testing.photos import Noise, TruePhoto, write_photos
from geoloc_cli.testing.render import CameraPose
from geoloc_cli.testing.town import Town
from geoloc_cli.types import Fix

LEAN_DEG, STD_DEG = 5.0, 0.5


@dataclass(frozen=True)
class LeaningStreet:
    """What was made of the street; the last of the queries says it was held quite otherwise than it was."""

    folder: Path
    queries: list[TruePhoto]
    fixes: list[Fix]

    @property
    def map(self) -> Path:
        return self.folder / "map"


def small(camera: CameraPose, roll_deg: float) -> CameraPose:
    return replace(camera, roll_deg=roll_deg, focal_px=390.0, width=480, height=360)


def rotation_of(fix: Fix) -> np.ndarray:
    """(3, 3) cam_from_map."""
    assert fix.pose is not None
    w, x, y, z = fix.pose.rotation_wxyz
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + 2 * w * cross + 2 * cross @ cross)


def turn_deg(cam_from_map: np.ndarray, frame: Georeference, truth: TruePhoto) -> float:
    off = cam_from_map @ frame.rotation.T @ truth.pose.rotation_cam_from_enu().T
    return float(np.degrees(np.arccos(np.clip((np.trace(off) - 1) / 2, -1, 1))))


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> LeaningStreet:
    folder = tmp_path_factory.mktemp("leaning")
    made, rng = Town(0, *TOWN_AT), np.random.default_rng(0)
    walk = [small(camera, LEAN_DEG + float(rng.normal(0, 1))) for camera in street_cameras(made, rng)[:12]]
    low, high = walk[0].center_in_enu[1], walk[-1].center_in_enu[1]
    views = [
        small(camera, camera.roll_deg)
        for camera in query_cameras(made, 120, rng)[::4]
        if low + 6 < camera.center_in_enu[1] < high - 6 and abs(camera.heading_deg - 35.0) < 11.0
    ][:4]
    gimbal, broken = Noise(attitude_std_deg=STD_DEG), Noise(attitude_std_deg=25.0)
    photos = write_photos(made, walk, folder / "photos", noise=gimbal)
    queries = [
        *write_photos(made, views[:3], folder / "queries", noise=gimbal, seed=1, with_position=False),
        *write_photos(made, views[3:], folder / "queries", noise=broken, seed=2, with_position=False, prefix="wrong"),
    ]
    index = index_of(folder / "map")
    build_index(index, [photo.path for photo in photos], parallel_map=LocalPool(1))
    build_map(folder / "map", LocalPool(1), MapOptions(alike=4, near=4))
    paths, stage = [query.path for query in queries], stage_spec(str(folder / "map"), None)
    answers = list(locate_photos(index, paths, LocateOptions(), LocalPool(1), pose=stage))
    return LeaningStreet(folder, queries, [answer for answer in answers if isinstance(answer, Fix)])


def test_a_street_is_upright_by_its_gimbals_and_leans_by_level_cameras(street: LeaningStreet) -> None:
    part = open_map(street.map)[0]
    frame = part.georeference
    assert frame is not None
    with Index.open(index_of(street.map)) as index:
        photos = index.all_photos()
    plain = placed(part.model, in_order(photos)).georeference
    assert plain is not None
    assert not any("rolled" in note for note in frame.notes)
    assert any("rolled" in note for note in plain.notes)
    fixes = list(zip(street.fixes[:3], street.queries[:3], strict=True))
    errors = np.median([turn_deg(rotation_of(fix), frame, query) for fix, query in fixes])
    without = np.median([turn_deg(rotation_of(fix), plain, query) for fix, query in fixes])
    # Half a degree over the root of twelve is 0.15; a pixel of the picture is the same.
    assert errors < 0.5
    assert without > LEAN_DEG - 1.0
    for fix, query in fixes:
        assert fix.reason is None
        assert fix.pose is not None
        assert fix.pose.roll_deg == pytest.approx(query.pose.roll_deg, abs=0.8)
        assert fix.pose.pitch_deg == pytest.approx(query.pose.pitch_deg, abs=0.8)


def test_a_photo_that_lies_about_how_it_was_held_is_posed_by_what_it_shows(street: LeaningStreet) -> None:
    fix, query = street.fixes[3], street.queries[3]
    assert (fix.status, fix.stage, fix.reason) == ("ok", "pose", "pose_without_gravity")
    assert fix.pose is not None
    assert fix.pose.roll_deg == pytest.approx(query.pose.roll_deg, abs=0.8)


def test_an_altitude_counts_only_where_the_position_was_asked_for(street: LeaningStreet) -> None:
    """A photo whose GPS is 50 m too high: its 5 m across are 4.7 m upwards, and the pairs know to centimetres."""
    pose = street.queries[0].pose
    lifted = replace(pose, center_in_enu=(*pose.center_in_enu[:2], pose.center_in_enu[2] + 50.0))
    made = Town(0, *TOWN_AT)
    (true,) = write_photos(made, [pose], street.folder / "lifted", prefix="true")
    (wrong,) = write_photos(made, [lifted], street.folder / "lifted", prefix="wrong")
    with Image.open(true.path) as picture, Image.open(wrong.path) as above:
        picture.save(wrong.path + ".jpg", quality=95, exif=above.getexif())
    stage = stage_spec(str(street.map), None)
    for priors, path, reason in (
        (("exif",), wrong.path + ".jpg", "pose_without_altitude"),
        (("exif",), true.path, None),
        ((), wrong.path + ".jpg", None),
    ):
        (fix,) = locate_photos(index_of(street.map), [path], LocateOptions(), LocalPool(1), priors=priors, pose=stage)
        assert isinstance(fix, Fix)
        assert (fix.stage, fix.reason) == ("pose", reason)


def test_inspect_shows_how_a_photo_says_it_was_held(street: LeaningStreet) -> None:
    path, truth = street.queries[0].path, street.queries[0].pose
    done = CliRunner().invoke(app, ["inspect", path, "--json"])
    held = json.loads(done.stdout)["attitude"]
    assert (held["source"], held["std_deg"], held["heading_ref"]) == ("dji", 1.0, "true")
    assert held["pitch_deg"] == pytest.approx(truth.pitch_deg, abs=4 * STD_DEG)
    assert held["roll_deg"] == pytest.approx(truth.roll_deg, abs=4 * STD_DEG)
    assert "(dji, 1" in CliRunner().invoke(app, ["inspect", path]).stdout
