"""The first pose by our own batched estimator, on the GPU where there is one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.pose.batched import solve_poses
from geoloc_cli.pose.problems import PoseProblem
from geoloc_cli.pose.robust import RobustOptions
from geoloc_cli.pose.solve import Solved

Floats = NDArray[np.float64]
# Of a focal length that is guessed from nothing.
_UNKNOWN_FOCAL_STD = 0.4

__all__ = ["RobustOptions", "TorchSolver"]


class TorchSolver:
    """`contracts.PoseSolver` by `pose/batched.py`; deterministic on one device."""

    name = "torch"

    def __init__(self, options: RobustOptions | None = None) -> None:
        self.options = options or RobustOptions()
        self.options.check()

    def solve(
        self, rays: Floats, points: Floats, focal_px: float, max_error_px: float, focal_known: bool
    ) -> Solved | None:
        """rays: (N, 2) x / z, y / z; points: (N, 3). None where no pose gathers more pairs than it was made of."""
        focal_std = 0.0 if focal_known else _UNKNOWN_FOCAL_STD
        (answer,) = solve_poses([PoseProblem(rays, points, focal_px, max_error_px, focal_std)], self.options)
        if not answer.poses:
            return None
        best = answer.poses[0]
        return Solved(best.rotation, best.center, best.focal_scale, best.inliers)
