"""Poses of other programs: the same cameras in every form are the same poses, and what is broken is named."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
import pytest
from PIL import Image

from geoloc_cli.errors import MapDamaged, UsageError
from geoloc_cli.maps.poses import read_poses
from geoloc_cli.pose.answer import quaternion_wxyz
from geoloc_cli.testing.render import CameraPose

CAMERAS = [CameraPose((2.0 * i, 1.0 - i, 1.5), 40.0 * i, 3.0 * i, 2.0 - i) for i in range(4)]
NAMES = [f"images/{i}.jpg" for i in range(4)]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for name in NAMES:
        Image.new("L", (64, 48)).save(tmp_path / name)
    return tmp_path


def map_from_gl(camera: CameraPose) -> list[list[float]]:
    matrix = np.eye(4)
    matrix[:3, :3] = camera.rotation_cam_from_enu().T @ np.diag([1.0, -1.0, -1.0])
    matrix[:3, 3] = camera.center_in_enu
    return matrix.tolist()


def transforms(photos: Path, **changes: Any) -> Path:
    said = {
        "fl_x": 520.0, "w": 640, "h": 480, "cx": 321.0, "cy": 239.0, "k1": 0.05, "p2": 0.001,
        "frames": [{"file_path": n, "transform_matrix": map_from_gl(c)} for n, c in zip(NAMES, CAMERAS, strict=True)],
    } | changes  # fmt: skip
    path = photos / "transforms.json"
    path.write_text(json.dumps(said))
    return path


def colmap(photos: Path, text: bool) -> Path:
    model = pycolmap.Reconstruction()
    model.add_camera_with_trivial_rig(
        pycolmap.Camera(camera_id=1, model="SIMPLE_RADIAL", width=640, height=480, params=[520.0, 320.0, 240.0, 0.01])
    )
    for i, (name, camera) in enumerate(zip(NAMES, CAMERAS, strict=True), 1):
        rotation = camera.rotation_cam_from_enu()
        rigid = pycolmap.Rigid3d(pycolmap.Rotation3d(rotation), -rotation @ np.array(camera.center_in_enu))
        model.add_image_with_trivial_frame(pycolmap.Image(name=name, camera_id=1, image_id=i), rigid)
    folder = photos / "model"
    folder.mkdir()
    (model.write_text if text else model.write_binary)(folder)
    return folder


def seven_scenes(photos: Path) -> Path:
    folder = photos / "scene"
    folder.mkdir()
    for i, camera in enumerate(CAMERAS):
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = camera.rotation_cam_from_enu().T, camera.center_in_enu
        np.savetxt(folder / f"frame-{i:06d}.pose.txt", matrix)
        Image.new("L", (64, 48)).save(folder / f"frame-{i:06d}.color.png")
    return folder


def table(photos: Path, place: str) -> Path:
    path = photos / f"{place}.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "qw", "qx", "qy", "qz", *(["tx", "ty", "tz"] if place == "t" else ["x", "y", "z"])])
        for name, camera in zip(NAMES, CAMERAS, strict=True):
            rotation, center = camera.rotation_cam_from_enu(), np.array(camera.center_in_enu)
            rows.writerow([name, *quaternion_wxyz(rotation), *(-rotation @ center if place == "t" else center)])
    return path


@pytest.mark.parametrize("form", ["transforms", "colmap-bin", "colmap-txt", "7-scenes", "csv-t", "csv-x"])
def test_every_form_gives_the_same_poses(photos: Path, form: str) -> None:
    made = {
        "transforms": lambda: transforms(photos),
        "colmap-bin": lambda: colmap(photos, text=False),
        "colmap-txt": lambda: colmap(photos, text=True),
        "7-scenes": lambda: seven_scenes(photos),
        "csv-t": lambda: table(photos, "t"),
        "csv-x": lambda: table(photos, "x"),
    }[form]()
    found = read_poses(str(made), str(made if form == "7-scenes" else photos))
    assert found.left_out == ()
    for posed, camera in zip(found.photos, CAMERAS, strict=True):
        assert np.abs(posed.rotation - camera.rotation_cam_from_enu()).max() < 1e-9
        assert np.abs(posed.center_in_map - np.array(camera.center_in_enu)).max() < 1e-9
    lens = found.photos[0].camera
    if form == "transforms":
        assert lens is not None
        assert (lens.model, lens.params) == ("OPENCV", (520.0, 520.0, 321.0, 239.0, 0.05, 0.0, 0.0, 0.001))
    if form.startswith("colmap"):
        assert lens is not None
        assert (lens.model, lens.params) == ("SIMPLE_RADIAL", (520.0, 320.0, 240.0, 0.01))


def matrix_of(change: str) -> Any:
    matrix = np.array(map_from_gl(CAMERAS[1]))
    if change == "nan":
        matrix[0, 3] = np.nan
    elif change == "scale zero":
        matrix[:3, :3] = 0.0
    elif change == "mirrored":
        matrix[:3, 0] *= -1.0
    elif change == "sheared":
        matrix[:3, 0] *= 1.5
    elif change == "flat":
        return [1.0, 2.0]
    return matrix.tolist()


@pytest.mark.parametrize(
    ("change", "why"),
    [("nan", "not finite"), ("scale zero", "scale zero"), ("mirrored", "mirrors"), ("sheared", "no rotation"),
     ("flat", "not 4 x 4")],
)  # fmt: skip
def test_a_broken_frame_is_named_and_the_others_are_kept(photos: Path, change: str, why: str) -> None:
    frames = json.loads(transforms(photos).read_text())["frames"]
    frames[1]["transform_matrix"] = matrix_of(change)
    found = read_poses(str(transforms(photos, frames=frames)), str(photos))
    assert len(found.photos) == 3
    assert len(found.left_out) == 1
    assert NAMES[1] in found.left_out[0]
    assert why in found.left_out[0]


def test_a_missing_picture_is_named_and_the_others_are_kept(photos: Path) -> None:
    (photos / NAMES[2]).unlink()
    found = read_poses(str(transforms(photos)), str(photos))
    assert [Path(p.path).name for p in found.photos] == ["0.jpg", "1.jpg", "3.jpg"]
    assert NAMES[2] in found.left_out[0]


def test_names_without_suffix_and_a_common_scale_are_understood(photos: Path) -> None:
    frames = json.loads(transforms(photos).read_text())["frames"]
    for frame in frames:
        frame["file_path"] = "./" + frame["file_path"].removesuffix(".jpg")
        matrix = np.array(frame["transform_matrix"])
        matrix[:3, :3] *= 3.0
        frame["transform_matrix"] = matrix.tolist()
    found = read_poses(str(transforms(photos, frames=frames)), str(photos))
    assert np.abs(found.photos[3].rotation - CAMERAS[3].rotation_cam_from_enu()).max() < 1e-9


@pytest.mark.parametrize("text", ["", "{", "[]", '{"frames": 3}', '{"frames": [{}]}'])
def test_a_file_that_is_no_transforms_is_refused_with_its_name(photos: Path, text: str) -> None:
    path = photos / "transforms.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"transforms\.json"):
        read_poses(str(path), str(photos))


@pytest.mark.parametrize("file", ["images.bin", "cameras.bin", "points3D.bin"])
def test_a_truncated_model_is_refused_with_its_name(photos: Path, file: str) -> None:
    folder = colmap(photos, text=False)
    data = (folder / file).read_bytes()
    (folder / file).write_bytes(data[: len(data) // 2])
    with pytest.raises(MapDamaged, match="model"):
        read_poses(str(folder), str(photos))


@pytest.mark.parametrize("focal", [0.0, float("nan"), -5.0])
def test_impossible_intrinsics_leave_the_photos_out(photos: Path, focal: float) -> None:
    with pytest.raises(UsageError, match="intrinsics"):
        read_poses(str(transforms(photos, fl_x=focal)), str(photos))


def test_poses_of_nothing_that_is_there_are_refused(photos: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    elsewhere = tmp_path / "poses"
    elsewhere.mkdir()
    path = transforms(photos).rename(elsewhere / "transforms.json")
    with pytest.raises(UsageError, match="0 photos"):
        read_poses(str(path), str(empty))
    with pytest.raises(UsageError, match="not there"):
        read_poses(str(tmp_path / "nothing"), str(photos))
    with pytest.raises(UsageError, match="7-Scenes"):
        read_poses(str(empty), str(photos))
