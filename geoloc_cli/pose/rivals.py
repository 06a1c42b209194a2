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

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.contracts import PoseSolver

Floats = NDArray[np.float64]

# Poses that gather half of their pairs have none: the costs of the search are spared.
_WEAK = 0.5
_WINS = 1.2
# Lengths that are wrong by a factor of 1.2 to 2.5 are nearer to the truth with one of these.
_FACTORS = (0.55, 0.75, 1.35, 1.8)
# A rival that wins is seen among so many; of twice as many pairs, the search takes twice as long (20 ms each).
_PAIRS = 200


def rival(
    rays: Floats,
    points: Floats,
    solved: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    focal_px: float,
    max_error_px: float,
    focal_known: bool,
    solver: PoseSolver,
) -> Literal["mirrored", "focal_length"] | None:
    """What explains the pairs better than a pose, or None; rays, points: (N, ...) as it was solved from.

    solved: (N,) its inliers as the solver found them, inside: after refinement. Rivals are not refined, and so compete
    with the former: refining a wrong pose doubles its inliers. Other focal lengths are tried where focal_known; where
    it is not, the solver has tried them.
    """
    if inside.mean() >= _WEAK:
        return None
    some = np.linspace(0, len(rays) - 1, min(len(rays), _PAIRS)).astype(int)
    rays, points = rays[some], points[some]
    enough = _WINS * max(int(solved[some].sum()), 1)

    def gathered(turned: Floats, focal: float) -> int:
        found = solver.solve(turned, points, focal, max_error_px, True)
        return 0 if found is None else int(found.inliers.sum())

    if focal_known and max(gathered(rays / factor, focal_px * factor) for factor in _FACTORS) >= enough:
        return "focal_length"
    return "mirrored" if gathered(rays * [-1.0, 1.0], focal_px) >= enough else None
