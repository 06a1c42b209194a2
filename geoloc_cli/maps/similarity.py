"""Similarities of points in space: x_in_b = scale * R x_in_a + t; closed form, robust start, derivatives."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_TRIPLES = 400
# Of so few points a triple explains the median by itself.
_FEW = 7
# The median of this many residuals is known to 7 %, which chooses a start as well as that of all.
_JUDGES = 300
_SEED = 0


def cross_matrix(v: Floats) -> Floats:
    """(..., 3) -> (..., 3, 3): the matrix that takes the cross product with v from the left."""
    out = np.zeros((*v.shape, 3))
    out[..., 0, 1], out[..., 0, 2], out[..., 1, 2] = -v[..., 2], v[..., 1], -v[..., 0]
    out[..., 1, 0], out[..., 2, 0], out[..., 2, 1] = v[..., 2], -v[..., 1], v[..., 0]
    return out


def rotation_of(vector: Floats) -> Floats:
    """Rodrigues: the rotation by |vector| radians about it."""
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3) + cross_matrix(vector)
    axis = cross_matrix(vector / angle)
    turned: Floats = np.eye(3) + math.sin(angle) * axis + (1 - math.cos(angle)) * axis @ axis
    return turned


def derivatives(turned: Floats) -> Floats:
    """(..., 3, 7) of moved points by (log scale, rotation vector in b, translation); turned = scale * R x, (..., 3)."""
    out = np.empty((*turned.shape, 7))
    out[..., 0] = turned
    out[..., 1:4] = -cross_matrix(turned)
    out[..., 4:] = np.eye(3)
    return out


def umeyama(source: Floats, target: Floats, *, mirrored: bool = False) -> tuple[Floats, Floats, Floats]:
    """Least-squares similarities target = s R source + t of (..., N, 3) points (Umeyama 1991, equations 40 to 42).

    Returns scales (...), rotations (..., 3, 3) and translations (..., 3); the scale is 0 where the source is one spot.
    With `mirrored`, R is the best reflection (determinant -1) in place of the best rotation.
    """
    mean_source, mean_target = source.mean(axis=-2), target.mean(axis=-2)
    a, b = source - mean_source[..., None, :], target - mean_target[..., None, :]
    u, d, vt = np.linalg.svd(np.swapaxes(b, -1, -2) @ a / a.shape[-2])
    sign = np.ones(d.shape)
    sign[..., 2] = np.where(np.linalg.det(u @ vt) > 0, 1.0, -1.0) * (-1.0 if mirrored else 1.0)
    rotation = (u * sign[..., None, :]) @ vt
    spread = (a**2).sum(axis=(-1, -2)) / a.shape[-2]
    scale = np.where(spread > 0, (d * sign).sum(axis=-1) / np.where(spread > 0, spread, 1.0), 0.0)
    return scale, rotation, mean_target - scale[..., None] * np.einsum("...ij,...j->...i", rotation, mean_source)


def robust_start(
    source: Floats, target: Floats, spread_m: Floats, *, mirrored: bool = False
) -> tuple[float, Floats, Floats, float] | None:
    """The similarity of the triple with the least median residual (Rousseeuw 1984), and that median, or None.

    source, target: (N, 3); spread_m: (N,) the standard deviations that residuals are counted in. Fewer than seven
    points are fitted by least squares.
    """
    count = len(source)
    if count < 2:
        return None
    if count < _FEW:
        groups = np.arange(count)[None]
    elif math.comb(count, 3) <= _TRIPLES:
        groups = np.array(list(itertools.combinations(range(count), 3)))
    else:
        rng = np.random.default_rng(_SEED)
        groups = rng.integers(0, count, (_TRIPLES, 3))
        groups = groups[(np.diff(np.sort(groups, axis=1), axis=1) > 0).all(axis=1)]
    scale, rotation, translation = umeyama(source[groups], target[groups], mirrored=mirrored)
    fits = np.isfinite(scale) & (scale > 1e-9)
    if not fits.any():
        return None
    scale, rotation, translation = scale[fits], rotation[fits], translation[fits]
    judges = np.linspace(0, count - 1, min(count, _JUDGES)).astype(int)
    linear = np.swapaxes(scale[:, None, None] * rotation, -1, -2)
    away = np.linalg.norm(target[judges] - source[judges] @ linear - translation[:, None], axis=-1) / spread_m[judges]
    medians = np.median(away, axis=1)
    best = int(medians.argmin())
    return float(scale[best]), rotation[best], translation[best], float(medians[best])
