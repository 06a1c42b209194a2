"""Whether a pose of weak support is that of another camera: of a mirrored picture, or of a wrong focal length.

Façades repeat themselves, so that a picture which is mirrored, or whose focal length is wrong by a factor of two, still
gathers a fifth of its pairs about a pose that is metres off, with a covariance of decimetres. What it really is gathers
more. On one rendered street the best rival gathered, of what the pose did: for a length wrong by a factor of two 1.4 to
3.8 times as many, by a factor of 1.4 1.1 to 3.0 (so that one of eight such was missed), for a mirrored picture 1.4;
and for eight right poses 0.2 to 0.6. On points of one plane the mirrored picture gathers exactly as many (it is the
view from behind), and seen square any focal length does: a rival must win clearly, and a wrong focal length before a
wall seen square is not found out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.pose.solve import PoseProblem, Solved
from geoloc_cli.pose.together import Asking

# Poses that gather half of their pairs have none: the costs of the search are spared.
_WEAK = 0.5
_WINS = 1.2
# Lengths that are wrong by a factor of 1.2 to 2.5 are nearer to the truth with one of these.
_FACTORS = (0.55, 0.75, 1.35, 1.8)
# A rival that wins is seen among so many; of twice as many pairs, the search takes twice as long (20 ms each).
_PAIRS = 200


def rival(
    problem: PoseProblem, solved: NDArray[np.bool_], inside: NDArray[np.bool_]
) -> Asking[Literal["mirrored", "focal_length"] | None]:
    """What explains the pairs of a problem better than its pose, or None; asks a solver for the rivals.

    solved: (N,) its inliers as the solver found them, inside: after refinement. Rivals are not refined, and so compete
    with the former: refining a wrong pose doubles its inliers. Other focal lengths are tried where it is known; where
    it is not, the solver has tried them.
    """
    if inside.mean() >= _WEAK:
        return None
    some = np.linspace(0, len(problem.rays) - 1, min(len(problem.rays), _PAIRS)).astype(int)
    rays, points, focal = problem.rays[some], problem.points[some], problem.focal_px
    enough = _WINS * max(int(solved[some].sum()), 1)
    known = replace(problem, rays=rays, points=points, focal_std=0.0, up_in_cam=None, up_in_map=None)
    if problem.focal_known:
        factors = [replace(known, rays=rays / factor, focal_px=focal * factor) for factor in _FACTORS]
        if _most((yield factors)) >= enough:
            return "focal_length"
    return "mirrored" if _most((yield [replace(known, rays=rays * [-1.0, 1.0])])) >= enough else None


def _most(answers: list[Solved | None]) -> int:
    return max(0 if answer is None else int(answer.inliers.sum()) for answer in answers)
