"""Poses of answers against a data set's own: levels, medians, areas under curves, and the paths that they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.evaluate.metrics import pose, trajectory
from geoloc_cli.evaluate.metrics.pose import AUC_DEG, PoseReport, Poses
from geoloc_cli.evaluate.metrics.trajectory import TrajectoryReport
from geoloc_cli.geo.earth import Floats
from geoloc_cli.maps.poses import rotation_of_quaternion
from geoloc_cli.types import Pose


@dataclass(frozen=True, slots=True)
class Frame:
    """How a map lies in the frame of the true poses: x_in_set = scale * rotation x_in_map + translation.

    `photos` is of how many common photographs it was fitted, 0 where the map was made in that frame; `rms` is what the
    fit left of them, in the set's unit.
    """

    scale: float
    rotation: Floats
    translation: Floats
    photos: int = 0
    rms: float = 0.0


@dataclass(frozen=True, slots=True)
class PoseFigures:
    """The report of all photographs, of those of each scene, and of the angles alone; lengths in the set's unit.

    `auc_deg` is of the rotations' errors, by the most degrees. `path` is None where fewer than three have a pose.
    `errors_m` and `errors_deg` (N,) are NaN without one.
    """

    report: PoseReport
    by_scene: Mapping[str, PoseReport]
    auc_deg: Mapping[float, float]
    path: TrajectoryReport | None
    fitted: Mapping[str, tuple[int, float]]
    errors_m: Floats = field(repr=False, metadata={"told": False})
    errors_deg: Floats = field(repr=False, metadata={"told": False})


def pose_figures(
    found: Sequence[Pose | None], true: Poses, scenes: Sequence[str] | None, frames: Mapping[str, Frame]
) -> PoseFigures:
    """Poses of answers (N) against the true ones (N); a pose in a map of which no frame is known counts as none."""
    posed = in_frames(found, frames)
    of = np.array(scenes if scenes is not None else [""] * len(found))
    names = np.unique(of).tolist()
    turned = pose.rotation_errors_deg(posed.rotation, true.rotation)
    enough = int(np.isfinite(posed.translation).all(axis=1).sum()) >= 3
    single = len(names) == 1
    parts = {} if single else {name: (_part(posed, of == name), _part(true, of == name)) for name in names}
    return PoseFigures(
        report=pose.report(posed, true),
        by_scene={name: pose.report(*both) for name, both in parts.items()},
        auc_deg=dict(zip(AUC_DEG, pose.pose_auc(turned).tolist(), strict=True)),
        path=trajectory.absolute_errors(posed.center_in_map, true.center_in_map) if enough and single else None,
        fitted={name: (frame.photos, frame.rms) for name, frame in frames.items() if frame.photos},
        errors_m=pose.position_errors(posed, true),
        errors_deg=turned,
    )


def in_frames(found: Sequence[Pose | None], frames: Mapping[str, Frame]) -> Poses:
    """Poses in the set's frame (N); NaN where there is none.

    The camera's centre goes with the similarity and its rotation with the similarity's rotation: cam_from_set =
    cam_from_map rotation^T, and the translation is that of the centre, in the set's unit.
    """
    rotation, translation = np.full((len(found), 3, 3), np.nan), np.full((len(found), 3), np.nan)
    for row, each in enumerate(found):
        frame = frames.get(each.map) if each is not None else None
        if each is None or frame is None:
            continue
        rotation[row] = rotation_of_quaternion(_unit(each.rotation_wxyz)) @ frame.rotation.T
        center = frame.scale * frame.rotation @ np.array(each.center_in_map) + frame.translation
        translation[row] = -rotation[row] @ center
    return Poses(rotation, translation)


def _unit(wxyz: Sequence[float]) -> Floats:
    """Records round their quaternions."""
    values = np.array(wxyz, np.float64)
    length: Floats = values / np.linalg.norm(values)
    return length


def _part(poses: Poses, rows: NDArray[np.bool_]) -> Poses:
    return Poses(poses.rotation[rows], poses.translation[rows])
