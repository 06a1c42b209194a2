"""Poses of many photographs at once, out of the files in which sets state them: matrices, quaternions, NVM models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.datasets.cells import numbers
from geoloc_cli.evaluate.datasets.labelled import Labelled, Poses
from geoloc_cli.evaluate.datasets.lookup import read_lines
from geoloc_cli.photos.opening import shown
from geoloc_cli.types import Camera

Floats = NDArray[np.float64]

# A matrix that is this far from a rotation is a mistake in the file, and not rounding.
_NOT_ORTHOGONAL = 0.02


def rotations_of(wxyz: Floats) -> Floats:
    """The rotations (N, 3, 3) of quaternions (N, 4), w first, of any length; NaN where that is zero."""
    length = np.linalg.norm(wxyz, axis=1, keepdims=True)
    w, x, y, z = (wxyz / np.where(length < 1e-9, np.nan, length)).T
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.moveaxis(np.array(rows), -1, 0)


def poses_of_centers(wxyz: Floats, centers_in_map: Floats) -> Poses:
    """From quaternions (N, 4) of cam_from_map and the cameras' places (N, 3)."""
    rotation = rotations_of(wxyz)
    return Poses(rotation, -np.einsum("nij,nj->ni", rotation, centers_in_map))


def poses_of_matrices(files: Sequence[Path]) -> Poses:
    """From files of 4 x 4 numbers each, map_from_cam in COLMAP's axes; NaN where one is no rigid motion."""
    cells = [_cells(file) for file in files]
    matrices = np.array(cells, np.float64).reshape(-1, 4, 4)
    linear = matrices[:, :3, :3]
    sound = np.asarray(np.isfinite(matrices).all(axis=(1, 2)))
    u, values, vt = np.linalg.svd(np.where(sound[:, None, None], linear, np.eye(3)))
    rotation = u @ vt
    sound &= (np.abs(values - 1.0).max(axis=1) < _NOT_ORTHOGONAL) & (np.linalg.det(rotation) > 0.0)
    cam_from_map = np.where(sound[:, None, None], rotation.transpose(0, 2, 1), np.nan)
    center = np.where(sound[:, None], matrices[:, :3, 3], np.nan)
    return Poses(cam_from_map, -np.einsum("nij,nj->ni", cam_from_map, center))


def _cells(file: Path) -> list[float]:
    found: list[float] = numbers(" ".join(read_lines(file)).split()).tolist()
    if len(found) != 16:
        raise UsageError(f"{shown(str(file))} holds {len(found)} numbers, and a pose 4 x 4; fetch the scene again.")
    return found


@dataclass(frozen=True, slots=True)
class Part:
    """Photographs of one scene: names under the set's folder, and their poses and cameras."""

    group: str
    names: list[str]
    poses: Poses
    cameras: list[Camera | None]


def joined(folder: Path, parts: Sequence[Part]) -> tuple[Labelled, int]:
    """The photographs of all scenes that have a pose, and how many have none and are left out."""
    if not parts:
        return Labelled.none(folder), 0
    rotation = np.concatenate([part.poses.rotation for part in parts])
    translation = np.concatenate([part.poses.translation for part in parts])
    posed = np.isfinite(rotation).all(axis=(1, 2)) & np.isfinite(translation).all(axis=1)
    rows = np.flatnonzero(posed).tolist()
    names = [name for part in parts for name in part.names]
    groups = [part.group for part in parts for _ in part.names]
    cameras = [camera for part in parts for camera in part.cameras]
    nowhere = np.full(len(rows), np.nan)
    labelled = Labelled(
        folder,
        [names[row] for row in rows],
        nowhere,
        nowhere,
        groups=[groups[row] for row in rows],
        poses=Poses(rotation[posed], translation[posed]),
        cameras=[cameras[row] for row in rows],
    )
    return labelled, len(names) - len(rows)


def left_out_note(count: int) -> tuple[str, ...]:
    return (f"{count} photographs have no valid pose in the set's files and were left out.",) if count else ()


@dataclass(frozen=True, slots=True)
class Model:
    """The cameras of an NVM file of VisualSFM: names, focal lengths [px], poses."""

    names: list[str]
    focal_px: Floats
    poses: Poses


def read_nvm(path: Path) -> Model:
    """Lines `name focal qw qx qy qz x y z radial 0`: x, y, z is the camera's place. The points are not read."""
    rows = []
    try:
        with path.open(encoding="utf-8", errors="surrogateescape") as file:
            lines = (line for line in file if line.strip() and not line.startswith("NVM_V3"))
            rows = [next(lines).split() for _ in range(int(next(lines)))]
        cells = np.array([row[-10:] for row in rows], np.float64).reshape(-1, 10)
    except (OSError, ValueError, StopIteration, RuntimeError) as error:
        raise UsageError(f"{shown(str(path))} cannot be read as NVM ({error!r}); fetch it again.") from error
    names = [" ".join(row[:-10]).removeprefix("./") for row in rows]
    return Model(names, cells[:, 0], poses_of_centers(cells[:, 1:5], cells[:, 5:8]))


def read_intrinsics(path: Path) -> dict[str, Camera]:
    """Lines `name MODEL width height params...` in COLMAP's names and order, as hloc and Aachen have them."""
    found = {}
    for number, line in enumerate(read_lines(path), 1):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        try:
            params = tuple(float(cell) for cell in fields[4:])
            camera = Camera(fields[1], int(fields[2]), int(fields[3]), params, "user", 0.0)
            if not params:
                raise ValueError("no focal length")
        except (ValueError, IndexError) as error:
            said = f"{shown(str(path))}, line {number}, is not `name MODEL width height ...` ({error})."
            raise UsageError(said) from error
        found[fields[0].removeprefix("./")] = camera
    return found


def sized(camera: Camera, picture: Path) -> Camera | None:
    """A camera with its principal point in the middle of a picture, by its header; None where that is not there."""
    try:
        with Image.open(picture) as opened:
            width, height = opened.size
    except OSError:
        return None
    return replace(camera, width=width, height=height, params=(camera.params[0], width / 2.0, height / 2.0))


def fields_of(path: Path, count: int) -> Iterator[tuple[str, Floats]]:
    """The lines of a name and `count` numbers; others, such as headings, are passed over."""
    for line in read_lines(path):
        name, *cells = line.split() or [""]
        values = numbers(cells)
        if len(values) == count and np.isfinite(values).all() and not name.startswith("#"):
            yield name, values
