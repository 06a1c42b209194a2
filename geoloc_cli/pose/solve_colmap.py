"""The same first pose by COLMAP, as a second opinion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geometry.colmap import estimate_absolute_pose
from geoloc_cli.pose.solve import Solved, solve_by

Floats = NDArray[np.float64]


class PycolmapSolver:
    """`contracts.PoseSolver` by pycolmap: P3P in LO-RANSAC, then COLMAP's own refinement; deterministic."""

    name = "pycolmap"

    def solve(
        self, rays: Floats, points: Floats, focal_px: float, max_error_px: float, focal_known: bool
    ) -> Solved | None:
        """rays: (N, 2) x / z, y / z; points: (N, 3). None where no pose gathers more pairs than it was made of."""
        return solve_by(estimate_absolute_pose, rays, points, focal_px, max_error_px, focal_known)
