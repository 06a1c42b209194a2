"""How far poses are from the truth: errors, levels, AUC, what their covariances say, and virtual correspondences.

Poses are cam_from_map in COLMAP's axes: x_in_cam = R x_in_map + t, R (N, 3, 3) and t (N, 3). A photograph without a
pose is a row of NaN; it is wrong at every level and infinitely far in medians. Lengths are those of the map, metres
where it is georeferenced.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from geoloc_cli.evaluate.metrics.resampling import Interval, wilson
from geoloc_cli.geo.earth import Floats

LEVELS = ((0.25, 2.0), (0.5, 5.0), (5.0, 10.0))
"""Metres and degrees of the visual localization benchmark (Sattler et al. 2018)."""
AUC_DEG = (5.0, 10.0, 20.0)

# Map-free's grid: 7 x 4 x 7 points 0.3 m apart, about the axis, from 1.8 m on.
_GRID_COUNTS, _GRID_STEP_M, _GRID_FROM_M = (7, 4, 7), 0.3, 1.8
_AT_ONCE = 256  # photographs whose virtual points are projected together: temporaries of a megabyte


@dataclass(frozen=True, slots=True)
class Poses:
    """cam_from_map of photographs: rotation (N, 3, 3), translation (N, 3); NaN where there is no pose."""

    rotation: Floats
    translation: Floats

    def __post_init__(self) -> None:
        count = len(self.translation)
        if self.rotation.shape != (count, 3, 3) or self.translation.shape != (count, 3):
            raise ValueError(f"{self.rotation.shape} rotations and {self.translation.shape} translations are no poses")

    @property
    def center_in_map(self) -> Floats:
        center: Floats = -np.einsum("nji,nj->ni", self.rotation, self.translation)
        return center


@dataclass(frozen=True, slots=True)
class PoseReport:
    """Errors of poses in numbers: `within` holds the share within each of the levels, of all photographs."""

    photos: int
    posed: float
    within: dict[tuple[float, float], float]
    median_m: float
    median_deg: float


@dataclass(frozen=True, slots=True)
class Consistency:
    """What stated covariances say of the errors: 1 is right for `ratio`, above it errors are larger than stated.

    `held` is the share inside the ellipsoid that is to hold `stated` of them; `ratio` is the root of the median squared
    Mahalanobis distance over that of chi-square: by how much typical standard deviations are too small.
    """

    stated: float
    count: int
    held: Interval
    ratio: float


def position_errors(found: Poses, true: Poses) -> Floats:
    """Distances (N,) of camera centres in the map's unit, NaN without a pose."""
    errors: Floats = np.linalg.norm(found.center_in_map - true.center_in_map, axis=1)
    return errors


def rotation_errors_deg(found: ArrayLike, true: ArrayLike) -> Floats:
    """Angles (...,) in degrees between rotations (..., 3, 3), from 0 to 180, NaN without one.

    atan2 of sine and cosine, which tells angles near 0 and near 180 alike, as the arc cosine of the trace cannot.
    """
    turn = np.swapaxes(np.asarray(true, dtype=np.float64), -1, -2) @ np.asarray(found, dtype=np.float64)
    axis = np.stack(
        [turn[..., 2, 1] - turn[..., 1, 2], turn[..., 0, 2] - turn[..., 2, 0], turn[..., 1, 0] - turn[..., 0, 1]], -1
    )
    cosine = np.trace(turn, axis1=-2, axis2=-1) - 1.0
    angle: Floats = np.degrees(np.arctan2(np.linalg.norm(axis, axis=-1), cosine))
    return angle


def direction_errors_deg(found: ArrayLike, true: ArrayLike, *, either_way: bool = True) -> Floats:
    """Angles (N,) in degrees between directions (N, 3) of any length; `either_way`: to the nearer of v and -v.

    An essential matrix leaves the sign open, and SuperGlue's errors therefore too. NaN for a direction of no length.
    """
    a, b = np.asarray(found, dtype=np.float64), np.asarray(true, dtype=np.float64)
    sine, cosine = np.linalg.norm(np.cross(a, b), axis=-1), np.sum(a * b, axis=-1)
    angle = np.degrees(np.arctan2(sine, np.abs(cosine) if either_way else cosine))
    known: Floats = np.where((sine > 0.0) | (cosine != 0.0), angle, np.nan)
    return known


def localized(errors_m: ArrayLike, errors_deg: ArrayLike, levels: Sequence[tuple[float, float]] = LEVELS) -> Floats:
    """The share of all photographs (N,) within both the metres and the degrees of each level, (L,)."""
    metres, degrees = np.asarray(errors_m, dtype=np.float64), np.asarray(errors_deg, dtype=np.float64)
    if not metres.size:
        raise ValueError("there are no photographs to score")
    return np.array([np.mean((metres <= near) & (degrees <= turned)) for near, turned in levels])


def report(found: Poses, true: Poses, levels: Sequence[tuple[float, float]] = LEVELS) -> PoseReport:
    """All of it; medians are of all photographs, infinite where half have no pose."""
    metres, degrees = position_errors(found, true), rotation_errors_deg(found.rotation, true.rotation)
    shares = localized(metres, degrees, levels).tolist()
    middle = (float(np.quantile(np.nan_to_num(x, nan=np.inf), 0.5, method="inverted_cdf")) for x in (metres, degrees))
    posed = float(np.mean(~np.isnan(metres)))
    return PoseReport(metres.size, posed, dict(zip(levels, shares, strict=True)), *middle)


def pose_auc(errors_deg: ArrayLike, thresholds_deg: Sequence[float] = AUC_DEG) -> Floats:
    """The area under the recall of errors (N,) up to each threshold, as a share (T,) (Sarlin et al. 2020, SuperGlue).

    The error of a relative pose is the larger of that of its rotation and of its direction (`direction_errors_deg`).
    Recall runs in straight lines from 0 at 0 through (n-th smallest error, n / N), and level from the last one below
    the threshold. A pair without a pose (NaN) is never recalled.
    """
    errors = np.sort(np.nan_to_num(np.asarray(errors_deg, dtype=np.float64), nan=np.inf), axis=None)
    if not errors.size:
        raise ValueError("there are no poses to score")
    recall = np.arange(errors.size + 1) / errors.size
    areas = []
    for threshold in thresholds_deg:
        below = int(np.searchsorted(errors, threshold))
        x = np.concatenate([[0.0], errors[:below], [threshold]])
        areas.append(np.trapezoid(np.append(recall[: below + 1], recall[below]), x) / threshold)
    return np.array(areas)


def mahalanobis2(errors: ArrayLike, covariance: ArrayLike) -> Floats:
    """Squared Mahalanobis distances (N,) of errors (N, d) under stated covariances (N, d, d) or variances (N, d)."""
    off, stated = np.asarray(errors, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
    if stated.ndim == off.ndim:
        squares: Floats = np.sum(off**2 / stated, axis=-1)
        return squares
    solved = np.linalg.solve(stated, off[..., None])[..., 0]
    return np.asarray(np.sum(off * solved, axis=-1))


def consistency(squared: ArrayLike, dimensions: int = 3, stated: float = 0.9) -> Consistency:
    """Whether squared Mahalanobis distances (N,) are those of chi-square of so many dimensions; NaN is left out.

    Known in filtering as the test of normalised squared errors (Bar-Shalom, Li and Kirubarajan 2001, section 5.4).
    """
    values = np.asarray(squared, dtype=np.float64)
    values = values[~np.isnan(values)]
    inside = wilson(int(np.sum(values <= chi_square_quantile(stated, dimensions))), values.size)
    ratio = math.sqrt(np.median(values) / chi_square_quantile(0.5, dimensions)) if values.size else math.nan
    return Consistency(stated, values.size, inside, ratio)


def chi_square_quantile(share: float, dimensions: int) -> float:
    """The value below which chi-square of some dimensions (1 to 100) lies with the share; by bisection to 1e-12."""
    low, high = 0.0, 1000.0
    for _ in range(60):
        middle = (low + high) / 2.0
        if 1.0 - _chi_square_beyond(middle, dimensions) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def _chi_square_beyond(value: float, dimensions: int) -> float:
    """Q(d + 2) = Q(d) + (x / 2)^(d / 2) exp(-x / 2) / Gamma(d / 2 + 1), from erfc(sqrt(x / 2)) or exp(-x / 2)."""
    half = value / 2.0
    beyond = math.erfc(math.sqrt(half)) if dimensions % 2 else math.exp(-half)
    for d in range(2 - dimensions % 2, dimensions, 2):
        if half > 0.0:
            beyond += math.exp(d / 2.0 * math.log(half) - half - math.lgamma(d / 2.0 + 1.0))
    return beyond


def virtual_errors_px(found: Poses, true: Poses, intrinsics: ArrayLike, size: ArrayLike) -> Floats:
    """VCRE (N,): mean distances in pixels of virtual points seen from the true pose and from the one found.

    intrinsics: (N, 4) or (4,) fx, fy, cx, cy in pixels; size: (N, 2) or (2,) width and height. The points are a grid of
    7 x 4 x 7, 0.3 m apart, before the true camera from 1.8 m on; both projections are brought to the picture's border
    where they lie outside of it (Arnold et al. 2022, Map-free; the border is that of the benchmark's program, which
    projects points behind the camera like others, as is done here). The map must be in metres. NaN without a pose.
    """
    count = len(true.translation)
    lens = np.broadcast_to(np.asarray(intrinsics, dtype=np.float64), (count, 4))
    edges = np.broadcast_to(np.asarray(size, dtype=np.float64), (count, 2))
    grid = _virtual_points()
    errors = np.empty(count)
    for first in range(0, count, _AT_ONCE):
        block = slice(first, first + _AT_ONCE)
        turn = found.rotation[block] @ np.swapaxes(true.rotation[block], -1, -2)
        shift = found.translation[block] - np.einsum("nij,nj->ni", turn, true.translation[block])
        moved = (turn.reshape(-1, 3) @ grid).reshape(-1, 3, grid.shape[1]) + shift[..., None]
        seen = (_projected(points, lens[block], edges[block]) for points in (grid[None], moved))
        errors[block] = np.sqrt(np.sum(np.subtract(*seen) ** 2, axis=1)).mean(axis=-1)
    return errors


def _virtual_points() -> Floats:
    """The grid (3, 196) in the camera's frame."""
    x, y, z = (np.arange(count) * _GRID_STEP_M for count in _GRID_COUNTS)
    axes = np.meshgrid(x - x.mean(), y - y.mean(), z + _GRID_FROM_M, indexing="ij")
    return np.stack([axis.ravel() for axis in axes])


def _projected(points: Floats, lens: Floats, edges: Floats) -> Floats:
    """Pixels (N, 2, P) of points (N or 1, 3, P), none outside of the picture."""
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels = points[:, :2] * (lens[:, :2, None] / points[:, 2:]) + lens[:, 2:, None]
    inside: Floats = np.clip(pixels, 0.0, edges[..., None])
    return inside
