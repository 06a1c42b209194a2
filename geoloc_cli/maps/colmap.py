"""The one place where maps reach pycolmap: databases, models on disk, lens models (`mapping.py` makes the models)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import MapDamaged
from geoloc_cli.maps.colmap_files import check_whole
from geoloc_cli.maps.model import MapImage, SparseModel
from geoloc_cli.types import Camera

Floats = NDArray[np.float64]
# Fewer matches than this between two photographs are not worth a geometry.
MIN_MATCHES = 15
SEED = 0


def library() -> Any:
    """pycolmap, quiet and seeded."""
    os.environ.setdefault("GLOG_minloglevel", "2")
    import pycolmap

    # Of what it calls errors, that nothing could be mapped is said by us, and the rest it raises too.
    pycolmap.logging.minloglevel = 3
    pycolmap.set_random_seed(SEED)
    pycolmap.logging.minloglevel = 3  # what it says of photos that make no map, we say ourselves
    return pycolmap


@dataclass(frozen=True, slots=True)
class MapPhoto:
    """A photograph to be mapped: keypoints (N, 4) float32 of the described picture, and its camera at that size.

    Photographs with the same `camera_key` share one camera, whose intrinsics are refined together.
    """

    path: str
    keypoints: NDArray[np.float32]
    camera: Camera
    camera_key: str


def scaled(camera: Camera, width: int, height: int) -> Camera:
    """The same lens for the picture at another size."""
    if (camera.width, camera.height) == (width, height):
        return camera
    lens = _lens(camera)
    lens.rescale(width, height)
    return Camera(camera.model, width, height, tuple(float(p) for p in lens.params), camera.source, camera.focal_std)


def undistorted(camera: Camera, xy: Floats) -> Floats:
    """(N, 2) pixels -> (N, 2) x / z and y / z of their rays, the lens's distortion taken out."""
    rays: Floats = np.asarray(_lens(camera).cam_from_img(np.ascontiguousarray(xy, np.float64)), np.float64)
    return rays


def _lens(camera: Camera) -> Any:
    return library().Camera(model=camera.model, width=camera.width, height=camera.height, params=list(camera.params))


def write_database(
    file: Path, photos: Sequence[MapPhoto], matches: Iterable[tuple[int, int, NDArray[np.int32]]]
) -> tuple[list[tuple[str, str]], set[int], set[int]]:
    """A COLMAP database of photos and matches (rows of photos, (M, 2) rows of keypoints).

    Returns the pairs in it, by name, and the ids of the cameras whose intrinsics are held, and of those guessed.
    """
    pycolmap = library()
    # With what a killed process left beside it: SQLite would replay an old log into the new file.
    for suffix in ("", "-wal", "-shm", "-journal"):
        Path(f"{file}{suffix}").unlink(missing_ok=True)
    database = pycolmap.Database.open(file)
    try:
        cameras: dict[str, int] = {}
        held: set[int] = set()
        guessed: set[int] = set()
        ids = []
        for number, photo in enumerate(photos):
            if photo.camera_key not in cameras:
                lens = _lens(_with_distortion(photo.camera))
                lens.has_prior_focal_length = photo.camera.source != "default"
                cameras[photo.camera_key] = database.write_camera(lens)
                if photo.camera.focal_std == 0.0:
                    held.add(cameras[photo.camera_key])
                if photo.camera.source == "default":
                    guessed.add(cameras[photo.camera_key])
            image = pycolmap.Image(name=f"{number:06d}", camera_id=cameras[photo.camera_key])
            ids.append(database.write_image(image))
            database.write_keypoints(ids[-1], np.ascontiguousarray(photo.keypoints))
        pairs = []
        for i, j, rows in matches:
            if len(rows) >= MIN_MATCHES:
                database.write_matches(ids[i], ids[j], rows.astype(np.uint32))
                pairs.append((f"{i:06d}", f"{j:06d}"))
        return pairs, held, guessed
    finally:
        database.close()


def _with_distortion(camera: Camera) -> Camera:
    """A pinhole camera whose intrinsics are not held gets a coefficient to refine: real lenses have one."""
    if camera.model not in ("SIMPLE_PINHOLE", "PINHOLE") or camera.focal_std == 0.0:
        return camera
    cx, cy = camera.params[-2:]
    return Camera(
        "SIMPLE_RADIAL", camera.width, camera.height, (camera.focal_px, cx, cy, 0.0), camera.source, camera.focal_std
    )


def rename_images(folder: Path, names: dict[str, str]) -> None:
    """Gives the images of a model on disk other names."""
    model = read_reconstruction(folder)
    for image in model.images.values():
        image.name = names.get(image.name, image.name)
    model.write_binary(folder)


def read_reconstruction(folder: Path) -> Any:
    """A model on disk as pycolmap's own object. Raises MapDamaged where it is none."""
    pycolmap = library()
    try:
        return pycolmap.Reconstruction(folder)
    except Exception as error:
        raise MapDamaged(
            f"{folder} cannot be read as a COLMAP model ({type(error).__name__}); give a folder with cameras, images "
            "and points3D in .bin or .txt, or build the map again."
        ) from error


def read_model(folder: Path) -> SparseModel:
    """A model on disk as arrays. Raises MapDamaged where it is none."""
    return as_sparse(read_reconstruction(folder))


def as_sparse(model: Any) -> SparseModel:
    """A pycolmap.Reconstruction as arrays."""
    rows = {point_id: row for row, point_id in enumerate(sorted(model.points3D))}
    points = np.array([model.points3D[point_id].xyz for point_id in rows], np.float64).reshape(-1, 3)
    tracks = np.array([model.points3D[point_id].track.length() for point_id in rows], np.int64)
    images = {}
    for image in model.images.values():
        if not image.has_pose:
            continue
        seen = [rows[p.point3D_id] if p.has_point3D() else -1 for p in image.points2D]
        pose = image.cam_from_world()
        lens = model.cameras[image.camera_id]
        camera = Camera(lens.model_name, lens.width, lens.height, tuple(float(p) for p in lens.params), "map", 0.01)
        images[image.name] = MapImage(
            image.name,
            camera,
            np.asarray(pose.rotation.matrix(), np.float64),
            np.asarray(pose.translation, np.float64),
            np.array(seen, np.int64),
        )
    return SparseModel(images, points, tracks, float(model.compute_mean_reprojection_error()))


def posed_images(folder: Path) -> Iterator[tuple[str, Camera, Floats, Floats]]:
    """Name, camera, and cam_from_map rotation (3, 3) and translation (3,) of every posed image of a model on disk.

    Raises MapDamaged where it is none, or was cut short.
    """
    check_whole(folder)
    model = read_reconstruction(folder)
    for image in sorted(model.images.values(), key=lambda found: found.name):
        if image.has_pose:
            lens, pose = model.cameras[image.camera_id], image.cam_from_world()
            params = tuple(float(p) for p in lens.params)
            camera = Camera(lens.model_name, lens.width, lens.height, params, "user", 0.0)
            yield (
                image.name,
                camera,
                np.asarray(pose.rotation.matrix(), np.float64),
                np.asarray(pose.translation, np.float64),
            )


def export_ply(folder: Path, target: Path) -> None:
    """The points of a model as PLY."""
    read_reconstruction(folder).export_PLY(target)
