"""A first pose among wrong pairs: LO-RANSAC by PoseLib, over a ladder of focal lengths where none is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_SEED = 0


def _poselib() -> Any:
    import poselib

    return poselib


@dataclass(frozen=True, slots=True)
class Solved:
    """rotation: (3, 3) cam_from_map; center: (3,) in map; focal_scale over the given; inliers: (N,) bool."""

    rotation: Floats
    center: Floats
    focal_scale: float
    inliers: NDArray[np.bool_]


class PoseLibSolver:
    """`contracts.PoseSolver` by PoseLib, deterministic."""

    name = "poselib"

    def solve(
        self, rays: Floats, points: Floats, focal_px: float, max_error_px: float, focal_known: bool
    ) -> Solved | None:
        """rays: (N, 2) x / z, y / z; points: (N, 3). None where no pose gathers more pairs than it was made of."""
        poselib = _poselib()
        if len(rays) < 5:
            return None
        pixels = np.ascontiguousarray(rays * focal_px)
        size = int(2 * np.abs(pixels).max()) + 2
        camera = {"model": "SIMPLE_PINHOLE", "width": size, "height": size, "params": [focal_px, 0.0, 0.0]}
        # Unknown keys are dropped silently: these four are PoseLib 2.0.5's own.
        ransac = {"max_reproj_error": max_error_px, "seed": _SEED, "min_iterations": 200, "max_iterations": 20_000}
        if focal_known:
            pose, facts = poselib.estimate_absolute_pose(pixels, points, camera, ransac, {})
            scale = 1.0
        else:
            found = _search_focal(poselib, rays, points, focal_px, ransac)
            if found is None:
                return None
            pose, facts, scale = found
        inliers = np.array(facts["inliers"], bool)
        if inliers.sum() < 5:
            return None
        rotation = np.asarray(pose.R, np.float64)
        return Solved(rotation, -rotation.T @ np.asarray(pose.t, np.float64), scale, inliers)


def _search_focal(
    poselib: Any, rays: Floats, points: Floats, focal_px: float, ransac: dict[str, Any]
) -> tuple[Any, dict[str, Any], float] | None:
    """The pose of the focal length that gathers most pairs, of lengths a fourth of an octave apart.

    From half to four times the given one: the usual lens is guessed, and long ones are longer than wide ones are short.
    P3P at thirteen lengths needs three pairs where P4Pf needs four: of 80 % wrong pairs it sees five times as many good
    samples. The refinement finds the length between the steps.
    """
    best: tuple[Any, dict[str, Any], float] | None = None
    for scale in 2.0 ** np.linspace(-1.0, 2.0, 13):
        pixels = np.ascontiguousarray(rays * focal_px)
        size = int(2 * np.abs(pixels).max()) + 2
        camera = {"model": "SIMPLE_PINHOLE", "width": size, "height": size, "params": [focal_px * scale, 0.0, 0.0]}
        pose, facts = poselib.estimate_absolute_pose(pixels, points, camera, ransac, {})
        if best is None or facts["num_inliers"] > best[1]["num_inliers"]:
            best = pose, facts, float(scale)
    return best
