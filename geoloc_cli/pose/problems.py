"""Pose problems of any sizes -> padded tensors: finite pairs alone, in a frame of their own size, the best first.

A problem is padded to a length that follows from its own number of pairs, never from its neighbours', so that what is
computed for it is the same numbers in the same order whoever else is in the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from geoloc_cli.device import uploaded
from geoloc_cli.geometry.score import OUTSIDE
from geoloc_cli.pose.solve import PoseProblem

Floats = NDArray[np.float64]
_SHORTEST = 32


@dataclass(frozen=True, slots=True)
class Batch:
    """B problems of N pairs each, component by component, in normalised frames: x = (x_in_map - origin) / size.

    rays (B, 2, N), points (B, 3, N), whiten (B, 4, N) rows of (2, 2) pixels by ray over the tolerance; count (B,) live
    pairs, which come first; ranked (B,): whether they are in order of quality; alpha (B,): the chance that a wrong
    pair falls within the tolerance of a pose; focal_std, tolerance_px (B,).
    up_in_cam, up_in_map (B, 3), zero where gravity is unknown. which: (B,) rows of the problems that were given.
    rows: for each problem, where its live pairs stand among those that it was given.
    """

    rays: Tensor
    points: Tensor
    whiten: Tensor
    count: Tensor
    ranked: Tensor
    alpha: Tensor
    focal_std: Tensor
    tolerance_px: Tensor
    up_in_cam: Tensor
    up_in_map: Tensor
    origin: Tensor
    size: Tensor
    which: list[int]
    rows: list[NDArray[np.int64]] = field(default_factory=list)

    def __len__(self) -> int:
        return int(self.rays.shape[0])

    def take(self, rows: Tensor) -> Batch:
        """The problems of these rows."""
        kept = {name: getattr(self, name)[rows] for name in _TENSORS}
        order = rows.tolist()
        return Batch(**kept, which=[self.which[i] for i in order], rows=[self.rows[i] for i in order])


_TENSORS = (
    *("rays", "points", "whiten", "count", "ranked", "alpha"),
    *("focal_std", "tolerance_px", "up_in_cam", "up_in_map", "origin", "size"),
)


def padded(count: int) -> int:
    """The length to which `count` pairs are padded: the next of 32, 48, 64, 96, 128, 192, ..."""
    length = _SHORTEST
    while length < count:
        length = length * 3 // 2 if length & (length - 1) == 0 else length * 4 // 3
    return length


def usable(problem: PoseProblem) -> NDArray[np.int64]:
    """Rows of the pairs whose numbers are numbers, the likeliest first where their quality is known."""
    n = len(problem.rays)
    if problem.rays.shape != (n, 2) or problem.points.shape != (n, 3):
        return np.zeros(0, np.int64)
    whole = np.isfinite(problem.rays).all(axis=1) & np.isfinite(problem.points).all(axis=1)
    tolerance = np.broadcast_to(np.asarray(problem.max_error_px, np.float64), n)
    whole &= np.isfinite(tolerance) & (tolerance > 0)
    # Numbers near the end of the scale are no places, and their squares are not finite.
    whole &= (np.abs(problem.rays) < OUTSIDE).all(axis=1) & (np.abs(problem.points) < 1e12).all(axis=1)
    rows = np.flatnonzero(whole)
    if problem.quality is None:
        return rows
    quality = np.nan_to_num(np.asarray(problem.quality, np.float64)[rows], nan=-np.inf)
    return rows[np.argsort(-quality, kind="stable")]


def batched(problems: Sequence[PoseProblem], which: Sequence[int], device: str) -> Batch:
    """These problems, which all have the same padded length, as one batch."""
    rows = [usable(problems[i]) for i in which]
    length = padded(max(len(kept) for kept in rows))
    count = len(which)
    rays = np.full((count, 2, length), OUTSIDE)
    points, whiten = np.zeros((count, 3, length)), np.zeros((count, 4, length))
    whiten[:, 0] = whiten[:, 3] = 1.0
    origin, size = np.zeros((count, 3)), np.ones(count)
    facts, up = np.zeros((count, 4)), np.zeros((2, count, 3))
    for b, (i, kept) in enumerate(zip(which, rows, strict=True)):
        problem, n = problems[i], len(kept)
        x = problem.points[kept]
        # Wrong points may lie anywhere: medians are not moved by them.
        origin[b] = np.median(x, axis=0)
        size[b] = np.median(np.linalg.norm(x - origin[b], axis=1)) or 1.0
        rays[b, :, :n] = problem.rays[kept].T
        points[b, :, :n] = ((x - origin[b]) / size[b]).T
        tolerance = np.broadcast_to(np.asarray(problem.max_error_px, np.float64), len(problem.rays))[kept]
        jacobian = np.eye(2)[None] if problem.pixel_from_ray is None else problem.pixel_from_ray[kept]
        whiten[b, :, :n] = (problem.focal_px * jacobian / tolerance[:, None, None]).reshape(-1, 4).T
        typical = float(np.median(tolerance))
        alpha = _alpha(problem.rays[kept] * problem.focal_px / typical)
        facts[b] = problem.quality is not None, alpha, problem.focal_std, typical
        if problem.up_in_cam is not None and problem.up_in_map is not None:
            up[:, b] = problem.up_in_cam, problem.up_in_map
    counts = np.array([len(kept) for kept in rows])
    arrays = [rays, points, whiten, counts, facts[:, 0] > 0, *facts[:, 1:].T, up[0], up[1], origin, size]
    tensors = [uploaded(array, device) for array in arrays]
    return Batch(**dict(zip(_TENSORS, tensors, strict=True)), which=list(which), rows=rows)


def _alpha(seen: Floats) -> float:
    """seen: (N, 2) pixels over the tolerance. Of the rectangle that holds most of them, the share of a unit disc."""
    low, high = np.percentile(seen, [5, 95], axis=0)
    area = float(np.prod(np.maximum(high - low, 1.0))) / 0.9**2
    return min(0.5, np.pi / area)
