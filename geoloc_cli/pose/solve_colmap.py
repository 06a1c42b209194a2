"""The same first pose by COLMAP, as a second opinion."""

from __future__ import annotations

from collections.abc import Sequence

from geoloc_cli.geometry.colmap import estimate_absolute_pose
from geoloc_cli.pose.solve import PoseProblem, Solved, solve_by


class PycolmapSolver:
    """`contracts.PoseSolver` by pycolmap: P3P in LO-RANSAC, then COLMAP's own refinement; deterministic."""

    name = "pycolmap"

    def solve(self, problems: Sequence[PoseProblem]) -> list[Solved | None]:
        """None where no pose gathers more pairs than it was made of."""
        return [solve_by(estimate_absolute_pose, problem, self.name) for problem in problems]
