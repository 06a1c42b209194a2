"""Database of matches -> sparse models: incremental or global mapping, triangulation from known poses, adjustment."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.maps.colmap import MIN_MATCHES, SEED, as_sparse, library, read_reconstruction
from geoloc_cli.maps.global_mapping import global_draws
from geoloc_cli.maps.model import SparseModel

Floats = NDArray[np.float64]
# A lens's centre is looked for where so many photos share it, and believed within this share of the longer side.
_CENTRE_IMAGES = 5
_CENTRE_SHARE = 0.05
# First pairs that are tried where a dozen photos are all there is; COLMAP's own 200 take ten seconds of them.
_FEW_TRIALS = 20
# Of pairs with less than a quarter of right matches; they add little to a small map, and take most of its time.
_FEW_SAMPLES = 1000
# Draws of a map that bends, and the share of the most photos that counts as as many.
_DRAWS = 3
_AS_MANY = 0.95


def reconstruct(
    database: Path,
    pairs: Sequence[tuple[str, str]],
    held: set[int],
    guessed: set[int],
    photos: int,
    folder: Path,
    on_image: Callable[[], None],
    judge: Callable[[SparseModel], float],
    *,
    one: bool = False,
    mapper: str = "incremental",
) -> list[Path]:
    """Verifies the pairs and maps them; one folder for each component, the largest first.

    mapper `global`: all at once (`maps/global_mapping.py`). `incremental`: photo by photo; where less than two thirds
    of them are registered, it is tried again with what a walk straight ahead needs: a first pair of small angle, few
    inliers, and intrinsics that stay as they were stated. Such a map may bend with the samples that were drawn, and a
    global one may be turned inside out: of three draws that register as many, the one of the least judge(component) is
    taken.
    held, guessed: ids of cameras whose intrinsics are known, or of which nothing is. one: the first component alone,
    without much searching for where to begin.
    """
    _verify(database, pairs, _FEW_SAMPLES if one else None)
    if mapper == "global":
        drawn = global_draws(database, held, guessed, folder, on_image)
    else:
        drawn = _incremental_draws(database, held, photos, folder, on_image, one=one)
    most = max(_registered(models) for models in drawn)
    if most == 0:
        return _written([], folder)
    rivals = [models for models in drawn if _registered(models) >= _AS_MANY * most]
    best = rivals[0] if len(rivals) == 1 else min(rivals, key=lambda models: judge(as_sparse(_by_size(models)[0])))
    for model in best.values():
        _find_centres(model, guessed)
    return _written(_by_size(best), folder)


def _incremental_draws(
    database: Path, held: set[int], photos: int, folder: Path, on_image: Callable[[], None], *, one: bool
) -> list[dict[int, Any]]:
    """Components by number, of the usual mapping, and where that maps too few, of the draws for a walk ahead."""
    pycolmap = library()
    drawn: list[dict[int, Any]] = []
    for ahead, seed in ((False, SEED), *((True, SEED + draw) for draw in range(1 if one else _DRAWS))):
        options = _options(held, seed, photos, ahead=ahead, one=one)
        output = folder / f"{'ahead' if ahead else 'usual'}-{seed}"
        output.mkdir(parents=True, exist_ok=True)
        drawn.append(pycolmap.incremental_mapping(database, folder, output, options, next_image_callback=on_image))
        if not ahead and _registered(drawn[0]) >= 2 * photos / 3:
            break
    return drawn


def _options(held: set[int], seed: int, photos: int, *, ahead: bool, one: bool) -> Any:
    pycolmap = library()
    options = pycolmap.IncrementalPipelineOptions()
    options.extract_colors = False
    options.min_model_size = 3
    options.random_seed = seed
    options.constant_cameras = held
    options.num_threads = len(os.sched_getaffinity(0))
    # Houses of the same build match by up to 25 keypoints, and one such pair twists a town.
    options.min_num_matches = 30
    if one:
        options.multiple_models = False
        options.min_model_size = 2
        options.triangulation.ignore_two_view_tracks = photos > 2
        options.init_num_trials = _FEW_TRIALS
        options.ba_global_max_refinements = 2
        options.mapper.max_reg_trials = 1
    if ahead:
        options.min_num_matches = MIN_MATCHES
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
    return options


def _by_size(models: dict[int, Any]) -> list[Any]:
    return sorted(models.values(), key=lambda model: -int(model.num_reg_images()))


def _verify(database: Path, pairs: Sequence[tuple[str, str]], samples: int | None) -> None:
    """Two-view geometries of the pairs in a database; samples: at most so many for each."""
    pycolmap = library()
    listed = database.with_suffix(".pairs")
    listed.write_text("".join(f"{a} {b}\n" for a, b in pairs))
    options = pycolmap.TwoViewGeometryOptions()
    options.ransac.random_seed = SEED
    if samples is not None:
        options.ransac.max_num_trials = samples
    pycolmap.verify_matches(database, listed, options)


def _written(models: Sequence[Any], folder: Path) -> list[Path]:
    # Whatever an interrupted build left there is no part of this one.
    shutil.rmtree(folder / "sparse", ignore_errors=True)
    (folder / "sparse").mkdir()
    targets = []
    (folder / "sparse").mkdir(exist_ok=True)
    for rank, model in enumerate(models):
        target = folder / "sparse" / str(rank)
        target.mkdir(parents=True, exist_ok=True)
        model.write_binary(target)
        targets.append(target)
    return targets


def _find_centres(model: Any, guessed: set[int]) -> None:
    """Adjusts the principal points of guessed cameras that took enough of the photos to tell them.

    A centre that is off by 12 pixels of 1280 turns every pose by half a degree.
    """
    pycolmap = library()
    images = [(image_id, image.camera_id) for image_id, image in model.images.items() if image.has_pose]
    took = Counter(camera_id for _, camera_id in images)
    free = {camera_id for camera_id in guessed if took[camera_id] >= _CENTRE_IMAGES}
    if not free:
        return
    before = {camera_id: model.cameras[camera_id].params.copy() for camera_id in free}
    config = pycolmap.BundleAdjustmentConfig()
    for image_id, camera_id in images:
        config.add_image(image_id)
        if camera_id not in free:
            config.set_constant_cam_intrinsics(camera_id)
    config.fix_gauge(pycolmap.BundleAdjustmentGauge.TWO_CAMS_FROM_WORLD)
    options = pycolmap.BundleAdjustmentOptions()
    options.print_summary = False
    options.refine_principal_point = True
    pycolmap.create_default_bundle_adjuster(options, config, model).solve()
    for camera_id in free:
        camera = model.cameras[camera_id]
        off = np.array([camera.principal_point_x - camera.width / 2, camera.principal_point_y - camera.height / 2])
        if np.abs(off).max() > _CENTRE_SHARE * max(camera.width, camera.height):
            camera.params = before[camera_id]
    model.update_point_3d_errors()


def triangulate(
    database: Path, pairs: Sequence[tuple[str, str]], poses: Mapping[str, tuple[Floats, Floats]], folder: Path
) -> list[Path]:
    """Points seen from cameras whose poses are known; poses: by name, cam_from_map rotation and translation."""
    pycolmap = library()
    opened = pycolmap.Database.open(database)
    known = all(camera.has_prior_focal_length for camera in opened.read_all_cameras())
    opened.close()
    # No pose hangs on a pair here, what disagrees with the poses is filtered, and of known lenses a thousand samples
    # of five find a third of right matches 98 times in 100. Samples of seven, for lenses that are guessed, do not.
    _verify(database, pairs, _FEW_SAMPLES if known else None)
    model = pycolmap.Reconstruction()
    opened = pycolmap.Database.open(database)
    try:
        for camera in opened.read_all_cameras():
            model.add_camera_with_trivial_rig(camera)
        for image in opened.read_all_images():
            rotation, translation = poses[image.name]
            posed = pycolmap.Image(name=image.name, camera_id=image.camera_id, image_id=image.image_id)
            keypoints = opened.read_keypoints(image.image_id)[:, :2].astype(np.float64)
            posed.points2D = pycolmap.Point2DList([pycolmap.Point2D(xy) for xy in keypoints])
            model.add_image_with_trivial_frame(posed, pycolmap.Rigid3d(pycolmap.Rotation3d(rotation), translation))
    finally:
        opened.close()
    output = folder / "triangulated"
    output.mkdir(parents=True, exist_ok=True)
    return _written([pycolmap.triangulate_points(model, database, folder, output)], folder)


def _registered(models: dict[int, Any]) -> int:
    """Photos in the largest component."""
    return max((int(model.num_reg_images()) for model in models.values()), default=0)


def adjust(
    folder: Path,
    enu_from_map: Floats,
    positions: dict[str, tuple[float, float, float]],
    std_m: tuple[float, float],
    held: Collection[str],
) -> None:
    """Bundle adjustment of a model on disk with its images' positions as priors; the model is in enu afterwards.

    enu_from_map: (3, 4) similarity; positions: metres in enu by image name; std_m: horizontal and vertical standard
    deviation of a position; held: names of images whose intrinsics stay. Both losses are robust: one position on
    another continent moves nothing.
    """
    pycolmap = library()
    model = read_reconstruction(folder)
    model.transform(pycolmap.Sim3d(np.ascontiguousarray(enu_from_map)))
    config, priors = with_priors(model, held, positions, std_m)
    options = pycolmap.BundleAdjustmentOptions()
    options.print_summary = False
    options.ceres.loss_function_type = pycolmap.LossFunctionType.SOFT_L1
    prior_options = pycolmap.PosePriorBundleAdjustmentOptions()
    prior_options.alignment_ransac.random_seed = SEED
    prior_options.ceres.prior_position_loss_function_type = pycolmap.LossFunctionType.CAUCHY
    adjuster = pycolmap.create_pose_prior_bundle_adjuster(options, prior_options, config, priors, model)
    adjuster.solve()
    model.update_point_3d_errors()
    model.write_binary(folder)


def with_priors(
    model: Any, held: Collection[str], positions: Mapping[str, tuple[float, float, float]], std_m: tuple[float, float]
) -> tuple[Any, list[Any]]:
    """A bundle adjustment of all of a model's images, and what receivers said of where they stood.

    held: paths of the images whose intrinsics stay; positions: by path, in the model's frame; std_m: their
    horizontal and vertical deviation.
    """
    pycolmap = library()
    config = pycolmap.BundleAdjustmentConfig()
    covariance = np.diag([std_m[0] ** 2, std_m[0] ** 2, std_m[1] ** 2])
    priors: list[Any] = []
    for image_id, image in model.images.items():
        if not image.has_pose:
            continue
        config.add_image(image_id)
        if image.name in held:
            config.set_constant_cam_intrinsics(image.camera_id)
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
    return config, priors
