"""Bundle adjustment with ground control points: a map that is bent is straightened, where a similarity only lays it.

A long strip that looks down bends into a dome when the lens is not quite known (James and Robson 2014, "Mitigating
systematic error in topographic models derived from UAV and ground-based image networks"); points of which the place is
known take that out. pycolmap weighs the positions of cameras, and holds points constant, but weighs no point. Each
control point is therefore held where the survey says, and then, in turns with the adjustment, where the survey and its
marks together put it: the mean of both weighted by their covariances. The turns descend the sum of squares of all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.maps.colmap import SEED, library, read_reconstruction
from geoloc_cli.maps.control import Triangulated, triangulate
from geoloc_cli.maps.mapping import with_priors
from geoloc_cli.maps.model import MapImage
from geoloc_cli.maps.similarity import umeyama
from geoloc_cli.types import Camera

Floats = NDArray[np.float64]
# Positions are laid over the cameras as they are, all of them: those that are wrong were taken out before.
_ALL_M = 1e6
_LEAST_POSITIONS = 3
# The corners of the frame, by which it is found again after the adjuster has moved it.
_CORNERS = 100.0 * np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


@dataclass(frozen=True, slots=True)
class Survey:
    """A ground control point: (3,) metres in enu and (3,) standard deviations, infinite where a height is not known.

    marks: pixels of the model's cameras by the image's name.
    """

    in_enu: Floats
    std_m: Floats
    marks: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Receivers:
    """What GPS says: metres in enu by image name, and the horizontal and vertical standard deviation of a position.

    An offset, a turn and a scale that all share say nothing against control points, and are taken out.
    """

    positions: Mapping[str, tuple[float, float, float]]
    std_m: tuple[float, float]


def adjust_to_controls(
    source: Path,
    target: Path,
    enu_from_map: Floats,
    receivers: Receivers,
    held: Collection[str],
    surveys: Sequence[Survey],
    used: Collection[int],
    turns: int,
) -> list[Triangulated | None]:
    """Adjusts the model in `source` to the `used` rows of surveys, and writes it to `target`, in enu.

    Returns where the marks of each survey, used or not, put it in the adjusted model; None where they do not agree.
    enu_from_map: (3, 4) similarity, the start. held: names of images whose intrinsics stay. turns: after the first
    adjustment, to the points where the survey says, so many to the points between survey and marks, and to the
    positions. The images keep their keypoints, for the marks are those of a copy. Raises MapDamaged where the source
    is no model.
    """
    pycolmap = library()
    model = read_reconstruction(source)
    model.transform(pycolmap.Sim3d(np.ascontiguousarray(enu_from_map)))
    marked, rows = _with_marks(model, surveys)
    corners = [marked.add_point3D(corner, pycolmap.Track()) for corner in _CORNERS]
    places = {row: surveys[row].in_enu for row in used}
    for turn in range(turns + 1):
        if turn:
            places = {row: _between(surveys[row], _found(marked, surveys[row])) for row in used}
        for row, place in places.items():
            # An unknown height begins where the marks put it.
            at = marked.points3D[rows[row]]
            at.xyz = np.where(np.isfinite(place), place, at.xyz)
        # The positions are laid over the cameras as these begin, and so would hold the bend at first.
        _solve(marked, receivers if turn else None, held, [rows[row] for row in used])
        scale, rotation, shift = umeyama(np.stack([marked.points3D[corner].xyz for corner in corners]), _CORNERS)
        back = np.column_stack([float(scale) * rotation, shift])
        marked.transform(pycolmap.Sim3d(np.ascontiguousarray(back)))
    _take_over(model, marked)
    model.write_binary(target)
    return [_found(marked, survey) for survey in surveys]


def _with_marks(model: Any, surveys: Sequence[Survey]) -> tuple[Any, list[int]]:
    """A copy of the model in which each survey is a point with its marks; and the ids of these points."""
    pycolmap = library()
    copy = pycolmap.Reconstruction()
    for camera in model.cameras.values():
        copy.add_camera_with_trivial_rig(camera)
    tracks = [pycolmap.Track() for _ in surveys]
    for image_id, image in model.images.items():
        if not image.has_pose:
            continue
        pixels = [point.xy for point in image.points2D]
        for track, survey in zip(tracks, surveys, strict=True):
            if image.name in survey.marks:
                track.add_element(image_id, len(pixels))
                pixels.append(np.array(survey.marks[image.name]))
        posed = pycolmap.Image(name=image.name, camera_id=image.camera_id, image_id=image_id)
        posed.points2D = pycolmap.Point2DList([pycolmap.Point2D(xy) for xy in pixels])
        copy.add_image_with_trivial_frame(posed, image.cam_from_world())
    for point_id, point in model.points3D.items():
        copy.add_point3D_with_id(point_id, point)
    ids = []
    for track, survey in zip(tracks, surveys, strict=True):
        found = _found(copy, survey)
        ids.append(copy.add_point3D(survey.in_enu if found is None else found.x_in_map, track))
    return copy, ids


def _found(model: Any, survey: Survey) -> Triangulated | None:
    images = []
    for name in survey.marks:
        image = model.find_image_with_name(name)
        lens, pose = model.cameras[image.camera_id], image.cam_from_world()
        camera = Camera(lens.model_name, lens.width, lens.height, tuple(float(p) for p in lens.params), "map", 0.01)
        rotation = np.asarray(pose.rotation.matrix(), np.float64)
        translation = np.asarray(pose.translation, np.float64)
        images.append(MapImage(name, camera, rotation, translation, np.zeros(0, np.int64)))
    return triangulate(images, np.array(list(survey.marks.values())))


def _between(survey: Survey, found: Triangulated | None) -> Floats:
    """(3,) the mean of the surveyed place and the marked one, weighted by the inverses of their covariances."""
    if found is None:
        return survey.in_enu
    known = np.isfinite(survey.std_m)
    surveyed = np.where(known, survey.std_m, 1.0) ** -2.0 * known
    marked = np.linalg.inv(found.covariance)
    place = np.where(known, survey.in_enu, 0.0)
    mean: Floats = np.linalg.solve(marked + np.diag(surveyed), marked @ found.x_in_map + surveyed * place)
    return mean


def _solve(model: Any, receivers: Receivers | None, held: Collection[str], constant: Sequence[int]) -> None:
    """One bundle adjustment with points held constant, in whatever frame the adjuster leaves the model."""
    pycolmap = library()
    stood = (receivers.positions, receivers.std_m) if receivers else ({}, (1.0, 1.0))
    config, priors = with_priors(model, held, *stood)
    for point_id in constant:
        config.add_constant_point(point_id)
    options = pycolmap.BundleAdjustmentOptions()
    options.print_summary = False
    options.ceres.loss_function_type = pycolmap.LossFunctionType.SOFT_L1
    if len(priors) < _LEAST_POSITIONS:
        pycolmap.create_default_bundle_adjuster(options, config, model).solve()
        return
    prior_options = pycolmap.PosePriorBundleAdjustmentOptions()
    prior_options.alignment_ransac.random_seed = SEED
    prior_options.alignment_ransac.max_error = _ALL_M
    prior_options.ceres.prior_position_loss_function_type = pycolmap.LossFunctionType.CAUCHY
    pycolmap.create_pose_prior_bundle_adjuster(options, prior_options, config, priors, model).solve()


def _take_over(model: Any, adjusted: Any) -> None:
    """Gives the model the cameras, poses and points of its adjusted copy."""
    for camera_id, camera in model.cameras.items():
        camera.params = adjusted.cameras[camera_id].params
    for image_id, image in adjusted.images.items():
        original = model.images[image_id]
        model.frames[original.frame_id].rig_from_world = image.cam_from_world()
    for point_id, point in model.points3D.items():
        point.xyz = adjusted.points3D[point_id].xyz
    model.update_point_3d_errors()
