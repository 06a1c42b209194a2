"""The one place where maps call pycolmap: databases, mapping, models on disk, lens models."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import MapDamaged
from geoloc_cli.maps.model import MapImage, SparseModel
from geoloc_cli.types import Camera

Floats = NDArray[np.float64]
# Fewer matches than this between two photographs are not worth a geometry.
_MIN_MATCHES = 15
_SEED = 0


def _pycolmap() -> Any:
    os.environ.setdefault("GLOG_minloglevel", "2")
    import pycolmap

    pycolmap.set_random_seed(_SEED)
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
    return _pycolmap().Camera(model=camera.model, width=camera.width, height=camera.height, params=list(camera.params))


def write_database(
    file: Path, photos: Sequence[MapPhoto], matches: Iterable[tuple[int, int, NDArray[np.int32]]]
) -> list[tuple[str, str]]:
    """A COLMAP database of photos and matches (rows of photos, (M, 2) rows of keypoints); returns the pairs in it."""
    pycolmap = _pycolmap()
    file.unlink(missing_ok=True)
    database = pycolmap.Database.open(file)
    try:
        cameras: dict[str, int] = {}
        ids = []
        for number, photo in enumerate(photos):
            if photo.camera_key not in cameras:
                lens = _lens(_with_distortion(photo.camera))
                lens.has_prior_focal_length = photo.camera.source != "guess"
                cameras[photo.camera_key] = database.write_camera(lens)
            image = pycolmap.Image(name=f"{number:06d}", camera_id=cameras[photo.camera_key])
            ids.append(database.write_image(image))
            database.write_keypoints(ids[-1], np.ascontiguousarray(photo.keypoints))
        pairs = []
        for i, j, rows in matches:
            if len(rows) >= _MIN_MATCHES:
                database.write_matches(ids[i], ids[j], rows.astype(np.uint32))
                pairs.append((f"{i:06d}", f"{j:06d}"))
        return pairs
    finally:
        database.close()


def _with_distortion(camera: Camera) -> Camera:
    """A pinhole camera gets a coefficient to refine: real lenses have one."""
    if camera.model not in ("SIMPLE_PINHOLE", "PINHOLE"):
        return camera
    cx, cy = camera.params[-2:]
    return Camera(
        "SIMPLE_RADIAL", camera.width, camera.height, (camera.focal_px, cx, cy, 0.0), camera.source, camera.focal_std
    )


def reconstruct(
    database: Path, pairs: Sequence[tuple[str, str]], photos: int, folder: Path, on_image: Callable[[], None]
) -> list[Path]:
    """Verifies the pairs and maps incrementally; one folder for each component, the largest first.

    Where less than two thirds of the photos are registered, it is tried again with what a walk straight ahead needs: a
    first pair of small angle, few inliers, and intrinsics that stay as they were stated.
    """
    pycolmap = _pycolmap()
    listed = database.with_suffix(".pairs")
    listed.write_text("".join(f"{a} {b}\n" for a, b in pairs))
    pycolmap.verify_matches(database, listed)
    best: dict[int, Any] = {}
    for attempt in ("usual", "ahead"):
        options = pycolmap.IncrementalPipelineOptions()
        options.extract_colors = False
        options.min_model_size = 3
        options.random_seed = _SEED
        options.num_threads = len(os.sched_getaffinity(0))
        # Houses of the same build match by up to 25 keypoints, and one such pair twists a town.
        options.min_num_matches = 30
        if attempt == "ahead":
            options.min_num_matches = _MIN_MATCHES
            options.mapper.init_min_tri_angle = 2.0
            options.mapper.init_max_forward_motion = 1.0
            options.mapper.init_min_num_inliers = 40
            options.mapper.abs_pose_min_num_inliers = 15
            options.mapper.abs_pose_min_inlier_ratio = 0.1
            options.mapper.filter_min_tri_angle = 0.2
            options.triangulation.min_angle = 0.2
            # Straight ahead, a longer lens and a longer way look the same: the stated focal length must hold.
            options.ba_refine_focal_length = False
            options.ba_refine_extra_params = False
        output = folder / attempt
        output.mkdir(parents=True, exist_ok=True)
        found = pycolmap.incremental_mapping(database, folder, output, options, next_image_callback=on_image)
        if _registered(found) > _registered(best):
            best = found
        if _registered(best) >= 2 * photos / 3:
            break
    written = []
    for rank, key in enumerate(sorted(best, key=lambda k: -best[k].num_reg_images())):
        target = folder / "sparse" / str(rank)
        target.mkdir(parents=True, exist_ok=True)
        best[key].write_binary(target)
        written.append(target)
    return written


def _registered(models: dict[int, Any]) -> int:
    """Photos in the largest component."""
    return max((int(model.num_reg_images()) for model in models.values()), default=0)


def rename_images(folder: Path, names: dict[str, str]) -> None:
    """Gives the images of a model on disk other names."""
    model = _read(folder)
    for image in model.images.values():
        image.name = names.get(image.name, image.name)
    model.write_binary(folder)


def _read(folder: Path) -> Any:
    pycolmap = _pycolmap()
    try:
        return pycolmap.Reconstruction(folder)
    except Exception as error:
        raise MapDamaged(
            f"{folder} cannot be read as a COLMAP model ({type(error).__name__}); give a folder with cameras, images "
            "and points3D in .bin or .txt, or build the map again."
        ) from error


def read_model(folder: Path) -> SparseModel:
    """A model on disk as arrays. Raises MapDamaged where it is none."""
    model = _read(folder)
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


def adjust(
    folder: Path,
    enu_from_map: Floats,
    positions: dict[str, tuple[float, float, float]],
    std_m: tuple[float, float],
) -> None:
    """Bundle adjustment of a model on disk with its images' positions as priors; the model is in enu afterwards.

    enu_from_map: (3, 4) similarity; positions: metres in enu by image name; std_m: horizontal and vertical standard
    deviation of a position. Both losses are robust: one position on another continent moves nothing.
    """
    pycolmap = _pycolmap()
    model = _read(folder)
    model.transform(pycolmap.Sim3d(np.ascontiguousarray(enu_from_map)))
    config = pycolmap.BundleAdjustmentConfig()
    covariance = np.diag([std_m[0] ** 2, std_m[0] ** 2, std_m[1] ** 2])
    priors: list[Any] = []
    for image_id, image in model.images.items():
        if not image.has_pose:
            continue
        config.add_image(image_id)
        if image.name in positions:
            priors.append(
                pycolmap.PosePrior(
                    pose_prior_id=len(priors),
                    corr_data_id=image.data_id,
                    position=np.array(positions[image.name]),
                    position_covariance=covariance,
                    coordinate_system=pycolmap.PosePriorCoordinateSystem.CARTESIAN,
                )
            )
    options = pycolmap.BundleAdjustmentOptions()
    options.print_summary = False
    options.ceres.loss_function_type = pycolmap.LossFunctionType.SOFT_L1
    prior_options = pycolmap.PosePriorBundleAdjustmentOptions()
    prior_options.alignment_ransac.random_seed = _SEED
    prior_options.ceres.prior_position_loss_function_type = pycolmap.LossFunctionType.CAUCHY
    adjuster = pycolmap.create_pose_prior_bundle_adjuster(options, prior_options, config, priors, model)
    adjuster.solve()
    model.update_point_3d_errors()
    model.write_binary(folder)


def export_ply(folder: Path, target: Path) -> None:
    """The points of a model as PLY."""
    _read(folder).export_PLY(target)
