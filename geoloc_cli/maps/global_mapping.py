"""Global mapping: all rotations of the view graph at once, then all positions, then bundle adjustment.

GLOMAP (Pan, Barath, Pollefeys and Schoenberger 2024, "Global structure-from-motion revisited"), which COLMAP has taken
over. It needs rotations between photographs that are right, and so focal lengths: of cameras of which nothing is known
these come from the fundamental matrices of their pairs (Sweeney et al. 2015, "Optimizing the viewing graph").
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from geoloc_cli.maps.colmap import SEED, library

MAPPERS = ("incremental", "global")
_DRAWS = 3


def global_draws(
    database: Path, held: set[int], guessed: set[int], folder: Path, on_image: Callable[[], None]
) -> list[dict[int, Any]]:
    """Draws of the components of a database of verified pairs, as pycolmap.Reconstruction by number.

    Positions begin at random. Along a street some draws end with the cameras in the reverse order, or apart.
    held, guessed: ids of cameras whose intrinsics are known, or of which nothing is. on_image is called for every
    photograph of the first draw when that is mapped, for none is before another.
    """
    pycolmap = library()
    if guessed:
        calibration = pycolmap.ViewGraphCalibrationOptions()
        calibration.random_seed = SEED
        pycolmap.calibrate_view_graph(database, calibration)
    known = _cameras(database)
    drawn: list[dict[int, Any]] = []
    for seed in range(SEED, SEED + _DRAWS):
        output = folder / f"global-{seed}"
        output.mkdir(parents=True, exist_ok=True)
        models = pycolmap.global_mapping(database, folder, output, _options(seed, known.keys() <= held))
        for model in models.values():
            _restore(model, {camera_id: params for camera_id, params in known.items() if camera_id in held})
            for _ in range(0 if drawn else model.num_reg_images()):
                on_image()
        drawn.append(models)
    return drawn


def _options(seed: int, all_held: bool) -> Any:
    options = library().GlobalPipelineOptions()
    options.min_model_size = 3
    options.random_seed = options.mapper.random_seed = seed
    options.mapper.rotation_averaging.random_seed = options.mapper.global_positioning.random_seed = seed
    options.num_threads = options.mapper.num_threads = len(os.sched_getaffinity(0))
    # Houses of the same build match by up to 25 keypoints, and one such pair twists a town.
    options.min_num_matches = 30
    if all_held:
        options.mapper.bundle_adjustment.refine_focal_length = False
        options.mapper.bundle_adjustment.refine_extra_params = False
    return options


def _cameras(database: Path) -> dict[int, Any]:
    opened = library().Database.open(database)
    try:
        return {camera.camera_id: camera.params.copy() for camera in opened.read_all_cameras()}
    finally:
        opened.close()


def _restore(model: Any, held: dict[int, Any]) -> None:
    """Gives cameras that are held their intrinsics again, and fits the rest of the model to them.

    The mapper refines the intrinsics of all cameras or of none.
    """
    changed = [i for i, params in held.items() if i in model.cameras and (model.cameras[i].params != params).any()]
    if not changed:
        return
    pycolmap = library()
    config = pycolmap.BundleAdjustmentConfig()
    for image_id, image in model.images.items():
        if image.has_pose:
            config.add_image(image_id)
    for camera_id in changed:
        model.cameras[camera_id].params = held[camera_id]
        config.set_constant_cam_intrinsics(camera_id)
    config.fix_gauge(pycolmap.BundleAdjustmentGauge.TWO_CAMS_FROM_WORLD)
    options = pycolmap.BundleAdjustmentOptions()
    options.print_summary = False
    pycolmap.create_default_bundle_adjuster(options, config, model).solve()
    model.update_point_3d_errors()
