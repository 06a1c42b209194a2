"""Exports for COLMAP, OpenDroneMap and Mapillary's tools: frames, angles, times and accuracies are those they mean."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from exported import FIX, HOSTILE, POSE, POSED, SEA_M, picture, write

from geoloc_cli.errors import UsageError
from geoloc_cli.export.formats import FORMATS, Asked
from geoloc_cli.export.located import Located
from geoloc_cli.export.odm import yaw_pitch_roll
from geoloc_cli.photos.intrinsics import CameraOverride, parse_camera
from geoloc_cli.pose.answer import angles_deg
from geoloc_cli.types import Lens

if TYPE_CHECKING:
    from geoloc_cli.types import Fix

NED_FROM_ENU = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])


def turned(axis: int, degrees: float) -> Any:
    """The right-handed rotation (3, 3) about an axis."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    rotation = np.eye(3)
    rotation[i, i], rotation[i, j], rotation[j, i], rotation[j, j] = c, -s, s, c
    return rotation


@pytest.mark.parametrize(
    ("held", "odm"),
    [
        ((30.0, -90.0, 0.0), (30.0, 0.0, 0.0)),  # straight down, the picture's top to the north-north-east
        ((90.0, -45.0, 0.0), (90.0, 45.0, 0.0)),
        ((200.0, 0.0, 0.0), (200.0, 90.0, 0.0)),  # at the horizon the picture's top has no direction of its own
        ((10.0, 20.0, 0.0), (10.0, 110.0, 0.0)),  # above the horizon
    ],
)
def test_odm_angles_of_a_level_camera(held: tuple[float, ...], odm: tuple[float, ...]) -> None:
    assert yaw_pitch_roll(*held) == pytest.approx(odm, abs=1e-6)


def test_odm_angles_are_the_same_attitude() -> None:
    """ODM's rotation of a picture whose top points forward and that looks down, beside the attitude of the record."""
    rng = np.random.default_rng(5)
    for _ in range(200):
        ned_from_body = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        ned_from_body *= np.linalg.det(ned_from_body)
        top, right, sight = ned_from_body.T
        cam_from_enu = np.stack([right, -top, sight]) @ NED_FROM_ENU
        yaw, pitch, roll = yaw_pitch_roll(*angles_deg(cam_from_enu))
        assert -90.0 <= roll <= 90.0
        assert turned(2, yaw) @ turned(1, pitch) @ turned(0, roll) == pytest.approx(ned_from_body, abs=1e-6)


def test_odm_has_its_columns_in_its_order() -> None:
    first, line = write("odm", replace(POSED, photo="set/b.jpg")).decode().splitlines()
    assert first == "EPSG:4326"
    name, *values = line.split()
    assert name == "b.jpg"
    assert [float(v) for v in values[:3]] == [-70.25, -33.5, 512.25]
    assert [float(v) for v in values[3:6]] == pytest.approx(yaw_pitch_roll(90.0, -10.0, 5.0), abs=1e-4)
    # Nine in ten within 12.5 m are 5.8 m in each direction; the vertical one is the pose's.
    assert [float(v) for v in values[6:]] == [pytest.approx(12.5 / 2.146, abs=1e-3), 0.9]


def test_odm_has_heights_of_one_source(tmp_path: Path) -> None:
    own = replace(FIX, photo=picture(tmp_path / "own.jpg", alt_m=250.5))
    lines = write("odm", POSED, own, FIX).decode().splitlines()[1:]
    # Beside photos whose fixes have no height, one that has it cannot keep it.
    assert lines[0].split() == ["b.jpg", "-70.25", "-33.5"]
    assert lines[1].split() == ["own.jpg", "8.5", "47.25", "250.5", "nan", "nan", "nan", "5.825", "5.825"]
    assert lines[2].split() == ["a.jpg", "8.5", "47.25"]  # without a height, no column after it has its place


def test_odm_names_each_photo_once_and_none_that_it_would_misread() -> None:
    left_out: Counter[str] = Counter()
    names = ["x/a.jpg", "y/a.jpg", "with space.jpg", "#1.jpg", HOSTILE, "z.jpg"]
    lines = write("odm", *(replace(FIX, photo=name) for name in names), left_out=left_out).decode().splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["a.jpg", "z.jpg"]
    assert sorted(left_out.values()) == [1, 3]


# Of mapillary_tools' image_description_schema.json, for images.
MAPILLARY = {
    "MAPLatitude": float,
    "MAPLongitude": float,
    "MAPAltitude": float,
    "MAPCaptureTime": str,
    "filename": str,
    "filetype": str,
    "MAPCompassHeading": dict,
    "MAPGPSAccuracyMeters": float,
    "MAPFilename": str,
    "MAPOrientation": int,
    "MAPDeviceMake": str,
    "MAPDeviceModel": str,
}


def test_mapillary_is_described_as_its_schema_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    picture(Path("a.jpg"), "2024:05:01 12:00:00", "+02:00")
    picture(Path("b.jpg"), "2024:05:01 12:00:00")
    picture(Path("c.jpg"))
    left_out: Counter[str] = Counter()
    names = [replace(FIX, photo=name) for name in ("a.jpg", "c.jpg", "gone.jpg")]
    found = json.loads(write("mapillary", *names, POSED, left_out=left_out))
    assert left_out.total() == 2
    plain, posed = found
    for described in found:
        assert {name: type(value) for name, value in described.items()}.items() <= MAPILLARY.items()
        assert described.keys() >= {"MAPCaptureTime", "MAPLatitude", "MAPLongitude", "filename", "filetype"}
        assert re.fullmatch(r"[0-9]{4}(_[0-9]{2}){5}_[0-9]+", described["MAPCaptureTime"])
    assert (plain["MAPLatitude"], plain["MAPLongitude"], plain["MAPGPSAccuracyMeters"]) == (47.25, 8.5, 12.5)
    assert plain["filename"] == str(tmp_path / "a.jpg")
    assert plain["MAPCaptureTime"] == "2024_05_01_10_00_00_000"  # of UTC
    assert posed["MAPCaptureTime"] == "2024_05_01_12_00_00_000"  # by its clock, since nobody says how far that was off
    assert (posed["MAPAltitude"], "MAPAltitude" in plain) == (SEA_M, False)
    assert posed["MAPCompassHeading"] == {"TrueHeading": 90.0, "MagneticHeading": 90.0}
    assert (plain["MAPDeviceMake"], plain["MAPOrientation"]) == ("Maker", 1)


def colmap(folder: Path, *fixes: Fix, asked: Asked | None = None, left_out: Counter[str] | None = None) -> Any:
    """The model as pycolmap reads it."""
    pycolmap = pytest.importorskip("pycolmap")
    counted = Counter[str]() if left_out is None else left_out
    files = FORMATS["colmap"].write([Located(fix) for fix in fixes], counted, asked or Asked())
    assert isinstance(files, dict)
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return pycolmap.Reconstruction(str(folder))


def test_colmap_reads_the_poses_back_in_the_frame_of_the_map(tmp_path: Path) -> None:
    one, two = (replace(POSED, photo=picture(tmp_path / name)) for name in ("a.jpg", "b.jpg"))
    model = colmap(tmp_path / "model", one, replace(two, lat=None, lon=None))  # in a map that is nowhere, too
    assert [image.name for _, image in sorted(model.images.items())] == [one.photo, two.photo]
    pose = model.images[1].cam_from_world()
    x, y, z, w = pose.rotation.quat
    assert (w, x, y, z) == POSE.rotation_wxyz
    assert tuple(pose.translation) == POSE.translation
    assert tuple(model.images[1].projection_center()) == pytest.approx(POSE.center_in_map)
    (camera,) = model.cameras.values()  # the same lens, once
    assert (camera.model_name, camera.width, camera.height) == ("SIMPLE_PINHOLE", 64, 48)
    # 24 mm of 43.27 mm on a diagonal of 80 pixels.
    assert tuple(camera.params) == pytest.approx((24.0 / 43.27 * 80.0, 32.0, 24.0), rel=1e-4)


def test_colmap_takes_the_camera_of_the_pose_unless_one_is_stated(tmp_path: Path) -> None:
    lens = Lens("SIMPLE_RADIAL", 64, 48, (51.5, 32.0, 24.0, -0.05))
    posed = replace(POSED, photo="gone.jpg", pose=replace(POSE, camera=lens))
    (camera,) = colmap(tmp_path / "model", posed).cameras.values()
    assert (camera.model_name, camera.width, camera.height, *camera.params) == ("SIMPLE_RADIAL", 64, 48, *lens.params)
    stated = Asked(camera=CameraOverride(camera=parse_camera("SIMPLE_PINHOLE,64,48,50,32,24")))
    (camera,) = colmap(tmp_path / "stated", posed, asked=stated).cameras.values()
    assert tuple(camera.params) == (50.0, 32.0, 24.0)


def test_colmap_takes_the_camera_that_is_stated(tmp_path: Path) -> None:
    stated = Asked(camera=CameraOverride(camera=parse_camera("SIMPLE_RADIAL,128,96,100,64,48,0.1")))
    here = replace(POSED, photo=picture(tmp_path / "a.jpg"))
    model = colmap(tmp_path / "model", here, replace(POSED, photo="gone.jpg"), asked=stated)
    cameras = [model.cameras[image.camera_id] for _, image in sorted(model.images.items())]
    assert [(camera.width, *camera.params) for camera in cameras] == [(64, 50, 32, 24, 0.1), (128, 100, 64, 48, 0.1)]


def test_colmap_is_of_one_map_and_leaves_out_what_it_would_misread(tmp_path: Path) -> None:
    said = CameraOverride(camera=parse_camera("SIMPLE_PINHOLE,64,48,50,32,24"))
    other = replace(POSED, photo="o.jpg", pose=replace(POSE, map="maps/city#1"))
    with pytest.raises(UsageError, match=r"in 2 maps, as maps/city#0 \(1\), maps/city#1 \(1\); name one with --map"):
        colmap(tmp_path / "none", POSED, other, asked=Asked(camera=said))
    with pytest.raises(UsageError, match="None of the photos has a pose"):
        colmap(tmp_path / "none", FIX)
    left_out: Counter[str] = Counter()
    fixes = (POSED, other, FIX, replace(POSED, photo="a b.jpg"), replace(POSED, photo=HOSTILE))
    model = colmap(tmp_path / "model", *fixes, asked=Asked(map="maps/city#0", camera=said), left_out=left_out)
    assert [image.name for image in model.images.values()] == ["b.jpg"]
    assert sorted(left_out.values()) == [1, 1, 2]
    without: Counter[str] = Counter()
    colmap(tmp_path / "gone", POSED, left_out=without)
    assert without == {"not where the record says, or of another shape than --camera": 1}
