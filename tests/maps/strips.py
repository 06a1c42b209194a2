"""A long strip of photographs as a COLMAP model that is bent: its lens was taken for one without distortion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pycolmap
from surveys import CAMERA, Floats, Survey, strip

# What the mapping took for the lens of `surveys.CAMERA`.
WRONG = (1000.0, 640.0, 480.0, 0.0)


@dataclass(frozen=True)
class Strip:
    """in_enu of the survey is the truth, in `folder` the bent model, in a frame of its own; marks are 0.5 px."""

    survey: Survey
    folder: Path
    seed: int

    def marks(self, places: Floats) -> list[dict[str, tuple[float, float]]]:
        """Where photographs show places on the ground: pixels by name."""
        rng = np.random.default_rng([self.seed, 2])
        found: list[dict[str, tuple[float, float]]] = [{} for _ in places]
        for name, xy, inside in _shown(self.survey, places):
            for k in np.flatnonzero(inside):
                x, y = xy[k] + rng.normal(0, 0.5, 2)
                found[k][name] = (float(x), float(y))
        return found


def _shown(survey: Survey, places: Floats) -> list[tuple[str, Floats, np.ndarray]]:
    f, cx, cy, k1 = CAMERA.params
    shown = []
    for name, rotation, center in zip(survey.names, survey.cam_from_enu, survey.in_enu, strict=True):
        x, y, z = rotation @ (places - center).T
        x, y = x / z, y / z
        bent = 1.0 + k1 * (x * x + y * y)
        xy = np.column_stack([f * x * bent + cx, f * y * bent + cy])
        inside = (z > 0) & (x * x + y * y < 1) & (xy > 0).all(axis=1) & (xy[:, 0] < 1280) & (xy[:, 1] < 960)
        shown.append((name, xy, inside))
    return shown


def bent_strip(folder: Path, seed: int = 0, *, count: int = 30, length_m: float = 420.0, points: int = 900) -> Strip:
    """Adjusted with the wrong lens held, and free of any place on the Earth, until it fits its keypoints."""
    survey = strip(seed, count, length_m)
    rng = np.random.default_rng([seed, 1])
    ground = np.column_stack(
        [rng.uniform(-35, 35, points), rng.uniform(-25, length_m + 25, points), rng.normal(0, 2.0, points)]
    )
    model = pycolmap.Reconstruction()
    model.add_camera_with_trivial_rig(
        pycolmap.Camera(camera_id=1, model="SIMPLE_RADIAL", width=1280, height=960, params=list(WRONG))
    )
    tracks = [pycolmap.Track() for _ in ground]
    for number, (name, xy, inside) in enumerate(_shown(survey, ground), 1):
        rows = np.flatnonzero(inside)
        image = pycolmap.Image(name=name, camera_id=1, image_id=number)
        seen = xy[rows] + rng.normal(0, 0.3, (len(rows), 2))
        image.points2D = pycolmap.Point2DList([pycolmap.Point2D(row) for row in seen])
        rotation = survey.cam_from_map[number - 1]
        pose = pycolmap.Rigid3d(pycolmap.Rotation3d(rotation), -rotation @ survey.in_map[number - 1])
        model.add_image_with_trivial_frame(image, pose)
        for k, row in enumerate(rows):
            tracks[row].add_element(number, k)
    in_map = (ground - np.array(survey.shift)) @ survey.rotation / survey.scale
    for place, track in zip(in_map, tracks, strict=True):
        if track.length() >= 2:
            model.add_point3D(place, track)
    config = pycolmap.BundleAdjustmentConfig()
    for image_id in model.images:
        config.add_image(image_id)
    config.set_constant_cam_intrinsics(1)
    config.fix_gauge(pycolmap.BundleAdjustmentGauge.TWO_CAMS_FROM_WORLD)
    options = pycolmap.BundleAdjustmentOptions()
    options.print_summary = False
    pycolmap.create_default_bundle_adjuster(options, config, model).solve()
    model.update_point_3d_errors()
    folder.mkdir(parents=True, exist_ok=True)
    model.write_binary(folder)
    return Strip(survey, folder, seed)
