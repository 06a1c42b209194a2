"""Known camera poses of other programs: COLMAP models, NeRF's transforms.json, 7-Scenes folders, CSV.

Whatever the source's axes, a `PosedPhoto` is in COLMAP's: x right, y down, z forward, cam_from_map.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import UsageError
from geoloc_cli.maps.colmap import posed_images
from geoloc_cli.types import Camera

Floats = NDArray[np.float64]
_SUFFIXES = ("", ".jpg", ".jpeg", ".png", ".JPG", ".PNG")
_MODEL_FILES = ("images.bin", "images.txt")
# A rotation that is this far from one is a mistake in the file, and not rounding.
_NOT_ORTHOGONAL = 0.02
# The colour camera of 7-Scenes, as its users take it: the data set states none.
SEVEN_SCENES = Camera("SIMPLE_PINHOLE", 640, 480, (525.0, 320.0, 240.0), "user", 0.05)
_OPENGL = np.diag([1.0, -1.0, -1.0])


@dataclass(frozen=True, slots=True)
class PosedPhoto:
    """A photograph whose pose is known; rotation: (3, 3), translation: (3,): cam_from_map. camera: None if unstated."""

    path: str
    rotation: Floats
    translation: Floats
    camera: Camera | None

    @property
    def center_in_map(self) -> Floats:
        center: Floats = -self.rotation.T @ self.translation
        return center


@dataclass(frozen=True, slots=True)
class Posed:
    """What a source of poses holds, and what of it cannot be used: one sentence each."""

    photos: tuple[PosedPhoto, ...]
    left_out: tuple[str, ...]


def read_poses(source: str, photos: str) -> Posed:
    """Reads a COLMAP folder (.bin or .txt), a transforms.json, a 7-Scenes folder or a CSV; UsageError where it is none.

    photos: the folder in which the source's names are looked for.
    """
    path, folder = Path(source), Path(photos)
    if not path.exists():
        raise UsageError(f"{source} is not there; give a COLMAP model, a transforms.json, a 7-Scenes folder or a CSV.")
    if path.is_dir() and any((path / name).is_file() for name in _MODEL_FILES):
        rows: Iterator[tuple[str, Any]] = _colmap(path)
    elif path.is_dir():
        rows = _seven_scenes(path)
    elif path.suffix.lower() == ".json":
        rows = _transforms(path)
    elif path.suffix.lower() == ".csv":
        rows = _csv(path)
    else:
        raise UsageError(f"{source} is no source of poses; give a folder, a transforms.json or a CSV.")
    found: dict[str, PosedPhoto] = {}
    wrong = []
    roots = (folder, path.parent) if path.is_file() else (folder, path)
    for name, said in rows:
        at = _file_of(name, roots)
        if at is None:
            wrong.append(f"'{name}' is named in {source} and is not in {photos}")
        elif isinstance(said, str):
            wrong.append(f"'{name}' in {source}: {said}")
        elif str(at) in found:
            wrong.append(f"'{name}' is named twice in {source}; its first pose was taken")
        else:
            found[str(at)] = PosedPhoto(str(at), *said)
    if len(found) < 2:
        why = f" ({wrong[0]})" if wrong else ""
        raise UsageError(f"{source} gives poses of {len(found)} photos in {photos}; a map needs two{why}.")
    return Posed(tuple(found[key] for key in sorted(found)), tuple(wrong))


def _file_of(name: str, roots: tuple[Path, ...]) -> Path | None:
    for root in roots:
        for place in (root / name, root / Path(name).name):
            for suffix in _SUFFIXES:
                candidate = Path(f"{place}{suffix}")
                if candidate.is_file():
                    return candidate
    return None


def _colmap(path: Path) -> Iterator[tuple[str, Any]]:
    for name, camera, rotation, translation in posed_images(path):
        yield name, (rotation, translation, camera)


def _transforms(path: Path) -> Iterator[tuple[str, Any]]:
    """`transform_matrix` is map_from_cam in OpenGL's axes: x right, y up, z back."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        frames = said["frames"]
        names = [str(frame["file_path"]) for frame in frames]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise UsageError(
            f"{path} cannot be read as transforms.json ({type(error).__name__}: {error}); it needs frames with "
            "file_path and transform_matrix."
        ) from error
    for name, frame in zip(names, frames, strict=True):
        try:
            matrix = np.array(frame["transform_matrix"], np.float64)
            rotation, center = _rigid(matrix)
            turned = _OPENGL @ rotation.T
            yield name, (turned, -turned @ center, _nerf_camera({**said, **frame}))
        except (ValueError, KeyError, TypeError) as error:
            yield name, str(error) or type(error).__name__


def _rigid(map_from_cam: Floats) -> tuple[Floats, Floats]:
    """The rotation and the place of a (3, 4) or (4, 4) matrix; a common scale is taken out. Raises ValueError."""
    if map_from_cam.shape not in ((3, 4), (4, 4)):
        raise ValueError(f"its matrix is {map_from_cam.shape}, and not 4 x 4")
    if not np.isfinite(map_from_cam).all():
        raise ValueError("its matrix holds a number that is not finite")
    linear, center = map_from_cam[:3, :3], map_from_cam[:3, 3]
    volume = float(np.linalg.det(linear))
    if volume < -1e-12:
        raise ValueError("its matrix mirrors the picture")
    scale = max(volume, 0.0) ** (1.0 / 3.0)
    if scale < 1e-6:
        raise ValueError("its matrix has scale zero")
    u, values, vt = np.linalg.svd(linear / scale)
    if np.abs(values - 1.0).max() > _NOT_ORTHOGONAL:
        raise ValueError("its matrix is no rotation")
    return u @ vt, center


def _nerf_camera(said: dict[str, Any]) -> Camera | None:
    width, height = int(said.get("w", 0)), int(said.get("h", 0))
    focal = said.get("fl_x")
    if focal is None and "camera_angle_x" in said and width:
        focal = 0.5 * width / math.tan(0.5 * float(said["camera_angle_x"]))
    if focal is None or not width or not height:
        return None
    fx = float(focal)
    fy = float(said.get("fl_y", fx))
    cx, cy = float(said.get("cx", width / 2)), float(said.get("cy", height / 2))
    k1, k2, k3, k4, p1, p2 = (float(said.get(key, 0.0)) for key in ("k1", "k2", "k3", "k4", "p1", "p2"))
    numbers = (fx, fy, cx, cy, k1, k2, k3, k4, p1, p2)
    if not all(map(math.isfinite, numbers)) or min(fx, fy) <= 0:
        raise ValueError("its intrinsics hold a number that is not finite or not above zero")
    if str(said.get("camera_model", "")).upper() == "OPENCV_FISHEYE":
        return Camera("OPENCV_FISHEYE", width, height, (fx, fy, cx, cy, k1, k2, k3, k4), "user", 0.0)
    if k3 or k4:
        return Camera("FULL_OPENCV", width, height, (fx, fy, cx, cy, k1, k2, p1, p2, k3, 0, 0, 0), "user", 0.0)
    return Camera("OPENCV", width, height, (fx, fy, cx, cy, k1, k2, p1, p2), "user", 0.0)


def _seven_scenes(path: Path) -> Iterator[tuple[str, Any]]:
    """`frame-000000.pose.txt`, map_from_cam in COLMAP's axes, beside `frame-000000.color.png`."""
    poses = sorted(path.rglob("*.pose.txt"))
    if not poses:
        raise UsageError(f"{path} holds neither a COLMAP model (images.bin or .txt) nor poses as of 7-Scenes.")
    for file in poses:
        name = str(file.relative_to(path)).removesuffix(".pose.txt") + ".color"
        try:
            rotation, center = _rigid(np.array([line.split() for line in file.read_text().splitlines()], np.float64))
            yield name, (rotation.T, -rotation.T @ center, SEVEN_SCENES)
        except ValueError as error:
            yield name, str(error)


def _csv(path: Path) -> Iterator[tuple[str, Any]]:
    """Columns path, qw, qx, qy, qz of cam_from_map, and its tx, ty, tz or the camera's place in the map x, y, z."""
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read as CSV ({error}).") from error
    columns = set(rows[0]) if rows else set()
    place = next((p for p in (("tx", "ty", "tz"), ("x", "y", "z")) if set(p) <= columns), None)
    if place is None or not {"path", "qw", "qx", "qy", "qz"} <= columns:
        raise UsageError(f"{path} needs the columns path, qw, qx, qy, qz, and tx, ty, tz or x, y, z.")
    for row in rows:
        try:
            q = np.array([float(row[c]) for c in ("qw", "qx", "qy", "qz")])
            at = np.array([float(row[c]) for c in place])
            length = float(np.linalg.norm(q))
            if not np.isfinite(at).all() or not math.isfinite(length) or abs(length - 1.0) > _NOT_ORTHOGONAL:
                raise ValueError("its quaternion is not of length one, or a number is not finite")
            rotation = rotation_of_quaternion(q / length)
            yield row["path"], (rotation, at if place[0] == "tx" else -rotation @ at, None)
        except (ValueError, TypeError) as error:
            yield str(row["path"]), str(error)


def rotation_of_quaternion(wxyz: Floats) -> Floats:
    """The rotation (3, 3) of a unit quaternion, w first."""
    w, x, y, z = wxyz
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turned: Floats = np.eye(3) + 2.0 * w * cross + 2.0 * cross @ cross
    return turned
