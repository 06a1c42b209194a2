"""The first pose by our own batched estimator, on the GPU where there is one."""

from __future__ import annotations

from collections.abc import Sequence

from geoloc_cli.pose.batched import solve_poses
from geoloc_cli.pose.robust import RobustOptions
from geoloc_cli.pose.solve import PoseProblem, Solved

__all__ = ["RobustOptions", "TorchSolver"]


class TorchSolver:
    """`contracts.PoseSolver` by `pose/batched.py`, all problems at once; deterministic on one device."""

    name = "torch"

    def __init__(self, options: RobustOptions | None = None) -> None:
        self.options = options or RobustOptions()
        self.options.check()

    def solve(self, problems: Sequence[PoseProblem]) -> list[Solved | None]:
        """None where no pose gathers more pairs than poses of wrong pairs do by chance."""
        found: list[Solved | None] = []
        for answer in solve_poses(problems, self.options):
            poses = [Solved(pose.rotation, pose.center, pose.focal_scale, pose.inliers) for pose in answer.poses]
            if not poses:
                found.append(None)
                continue
            weights = [pose.weight / answer.poses[0].weight for pose in answer.poses]
            others = tuple(zip(weights[1:], poses[1:], strict=True))
            found.append(Solved(poses[0].rotation, poses[0].center, poses[0].focal_scale, poses[0].inliers, others))
        return found
