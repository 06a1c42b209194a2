"""A first pose among wrong pairs: LO-RANSAC by PoseLib; and the ladder of focal lengths, for every solver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
# Pixels (N, 2) about the optical centre, points (N, 3), focal_px, max_error_px -> cam_from_map rotation (3, 3) and
# translation (3,), and inliers (N,); None where there is no pose.
Attempt = Callable[[Floats, Floats, float, float], tuple[Floats, Floats, Bools] | None]
_SEED = 0
_MIN_PAIRS = 5
# Relative deviation from which a focal length is unknown, and searched for.
UNKNOWN_FOCAL_STD = 0.15
# From half to four times the given length, a fourth of an octave apart: the usual lens is guessed, and long ones are
# longer than wide ones are short.
_LADDER = tuple(float(scale) for scale in 2.0 ** np.linspace(-1.0, 2.0, 13))


@dataclass(frozen=True, slots=True)
class PoseProblem:
    """Pairs of one photo, most of them wrong perhaps.

    rays: (N, 2) x / z, y / z of undistorted pixels; points: (N, 3) in map; max_error_px: one, or (N,) one a pair.
    focal_std: relative deviation of the focal length, 0 where it is held.
    pixel_from_ray: (N, 2, 2) Jacobian of the lens at each ray, over focal_px; None for a lens without distortion.
    quality: (N,) the higher the likelier a pair is right; None where nothing is known.
    up_in_cam, up_in_map: (3,) unit vectors against gravity, both or neither.
    """

    rays: Floats
    points: Floats
    focal_px: float
    max_error_px: float | Floats
    focal_std: float = 0.0
    pixel_from_ray: Floats | None = None
    quality: Floats | None = None
    up_in_cam: Floats | None = None
    up_in_map: Floats | None = None

    @property
    def focal_known(self) -> bool:
        """Whether samples are solved at the given focal length."""
        return self.focal_std < UNKNOWN_FOCAL_STD


@dataclass(frozen=True, slots=True)
class Solved:
    """rotation: (3, 3) cam_from_map; center: (3,) in map; focal_scale over the given; inliers: (N,) bool.

    solver: its name. others: answers that other pairs give, or nearly as well the same, each with its weight over this
    one's.
    """

    rotation: Floats
    center: Floats
    focal_scale: float
    inliers: Bools
    solver: str
    others: tuple[tuple[float, Solved], ...] = ()


def solve_by(attempt: Attempt, problem: PoseProblem, solver: str) -> Solved | None:
    """The pose that gathers most pairs, at the given focal length or at those of the ladder about it.

    P3P at thirteen lengths needs three pairs where P4Pf needs four: of 80 % wrong pairs it sees five times as many good
    samples. The refinement finds the length between the steps. None where no pose gathers more than it was made of.
    """
    if len(problem.rays) < _MIN_PAIRS:
        return None
    max_error_px = float(np.median(problem.max_error_px))
    pixels = np.ascontiguousarray(problem.rays * problem.focal_px)
    best: Solved | None = None
    for scale in (1.0,) if problem.focal_known else _LADDER:
        found = attempt(pixels, problem.points, problem.focal_px * scale, max_error_px)
        if found is None:
            continue
        rotation, translation, inliers = found
        if inliers.sum() >= (_MIN_PAIRS if best is None else best.inliers.sum() + 1):
            best = Solved(rotation, -rotation.T @ translation, scale, inliers, solver)
    return best


class PoseLibSolver:
    """`contracts.PoseSolver` by PoseLib, one problem after the other; deterministic."""

    name = "poselib"

    def solve(self, problems: Sequence[PoseProblem]) -> list[Solved | None]:
        """None where no pose gathers more pairs than it was made of."""
        return [solve_by(poselib_pose, problem, self.name) for problem in problems]


def poselib_pose(
    pixels: Floats, points: Floats, focal_px: float, max_error_px: float
) -> tuple[Floats, Floats, Bools] | None:
    import poselib

    size = int(2 * np.abs(pixels).max()) + 2
    camera = {"model": "SIMPLE_PINHOLE", "width": size, "height": size, "params": [focal_px, 0.0, 0.0]}
    # Unknown keys are dropped silently: these four are PoseLib 2.0.5's own.
    ransac = {"max_reproj_error": max_error_px, "seed": _SEED, "min_iterations": 200, "max_iterations": 20_000}
    found: tuple[Any, dict[str, Any]] = poselib.estimate_absolute_pose(pixels, points, camera, ransac, {})
    pose, facts = found
    return np.asarray(pose.R, np.float64), np.asarray(pose.t, np.float64), np.array(facts["inliers"], bool)
