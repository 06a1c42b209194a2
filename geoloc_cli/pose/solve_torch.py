"""The first pose by our own batched estimator, on the GPU where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from geoloc_cli.pose.batched import PoseAnswer, solve_poses
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
        return [_solved(answer) for answer in solve_poses(problems, self.options)]


def _solved(answer: PoseAnswer) -> Solved | None:
    if not answer.poses:
        return None
    best, *rest = (Solved(p.rotation, p.center, p.focal_scale, p.inliers, TorchSolver.name) for p in answer.poses)
    weights = [pose.weight / answer.poses[0].weight for pose in answer.poses[1:]]
    return replace(best, others=tuple(zip(weights, rest, strict=True)))
