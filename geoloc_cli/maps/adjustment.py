"""Iteratively re-weighted Gauss-Newton for a similarity: seven unknowns, and what receivers err by together.

Beside the similarity: a drift of the altitudes in the order of the photographs, the smoothest parts of a random walk
(its Karhunen-Loève expansion less the mean: cos(k pi t) with variance 2 S^2 / (k pi)^2), and, where control points show
it, an offset that all receivers share. Both are held near zero by priors as wide as the noise, or as the values
themselves once these stand out (MacKay 1992, automatic relevance), so that what the positions cannot tell from a tilt
or a shift stands in the covariance. Errors that hang together from one photograph to the next count as fewer: n / (1
+ 2 sum r_k) with their correlations r_k at k photographs' distance, up to the first that is none (Geyer 1992).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.maps.level import Held
from geoloc_cli.maps.plumb import Plumb
from geoloc_cli.maps.similarity import derivatives, rotation_of

Floats = NDArray[np.float64]

_ROUNDS = 30
_SETTLED = 1e-9
# The least share of its stated deviation that noise is believed to be; 3 m of a consumer receiver become 1 cm.
_LEAST_NOISE = 0.003
# Cauchy's scale in squared standard deviations: residuals beyond three begin to count less.
_CAUCHY = 9.0
# No angle is less sure than one drawn from the whole circle: 180 / sqrt(3) degrees.
_ANY_ANGLE_RAD = math.pi / math.sqrt(3.0)
# Parts of the drift; the sixth has 3 % of the first one's variance, and the rest of a walk looks like noise.
_PARTS = 6
# Correlated errors are never taken for fewer independent ones than these.
_LEAST_INDEPENDENT = 4.0


@dataclass(frozen=True, slots=True)
class Observed:
    """`photos` rows of camera centres with their positions, then rows of control points.

    source: (K, 3) in map, target: (K, 3) in enu, base: (K, 2) stated standard deviations, horizontal and vertical [m],
    map_std: (K,) of the source per axis, known: (K,) whether the target has a height.
    """

    source: Floats
    target: Floats
    base: Floats
    map_std: Floats
    known: NDArray[np.bool_]
    photos: int

    @property
    def waves(self) -> Floats:
        """(photos, parts) cos(k pi t) at each photograph, in their order."""
        t = (np.arange(self.photos) + 0.5) / max(1, self.photos)
        return np.cos(np.pi * np.outer(t, np.arange(1, _PARTS + 1)))

    def residual(self, solution: Solution) -> Floats:
        """(K, 3) target less moved source, less what the receivers err by together; 0 where there is no height."""
        left: Floats = self.target - solution.scale * self.source @ solution.rotation.T - solution.translation
        left[: self.photos] -= solution.common
        left[: self.photos, 2] -= self.waves @ solution.drift
        left[~self.known, 2] = 0.0
        return left


@dataclass(slots=True)
class Solution:
    """The similarity and its (7, 7) covariance; drift: (parts,) of the altitudes; common: (3,) their offset [m].

    drift_covariance: (parts, parts).
    sigma: (K, 3) standard deviations of the residuals; sigma_shared: horizontal and vertical, of one control point, or
    of one position where there are none.
    """

    scale: float
    rotation: Floats
    translation: Floats
    covariance: Floats
    drift: Floats
    drift_covariance: Floats
    common: Floats
    sigma: Floats
    sigma_shared: tuple[float, float]


def converged(
    observed: Observed, start: tuple[float, Floats, Floats], upright: Held | Plumb | None, bend_m: float
) -> Solution:
    """From a start to the minimum; upright: what cameras say of up; bend_m: how far the map itself may be bent."""
    count, total = observed.photos, len(observed.source)
    none = np.zeros((_PARTS, _PARTS))
    solution = Solution(*start, np.eye(7), none[0], none, np.zeros(3), np.ones((total, 3)), (1.0, 1.0))
    if count and total > count:  # from where the control points say, as far as the photographs leave that open
        solution.common = -np.median(observed.residual(solution)[count:], axis=0)
        solution.translation = solution.translation - solution.common
    seen = np.zeros(_PARTS + 3)
    for _ in range(_ROUNDS):
        residual = observed.residual(solution)
        factors = _factors(observed, residual)
        solution.sigma = _sigma(observed, solution.scale, factors)
        solution.sigma_shared = _shared(observed, factors)
        whitened = residual / solution.sigma
        weight = 1.0 / (1.0 + (whitened**2).sum(axis=1) / _CAUCHY)
        counted = np.hypot(solution.sigma, bend_m)
        counted[:count] *= _together(whitened[:count], observed.known[:count])
        rows = _rows(observed, solution) / counted[:, :, None]
        rows[~observed.known, 2] = 0.0
        weighted = rows * weight[:, None, None]
        flat = rows.reshape(-1, rows.shape[2])
        normal = weighted.reshape(-1, rows.shape[2]).T @ flat
        gradient = np.einsum("kij,ki->j", weighted, residual / counted)
        if upright is not None:
            jacobian, tilt, sure = upright.rows(solution.rotation)
            normal[1:4, 1:4] += (jacobian * sure[:, None]).T @ jacobian
            gradient[1:4] += jacobian.T @ (sure * tilt)
        prior = _prior(observed, seen, factors)
        nuisance = np.concatenate([solution.drift, solution.common])[: len(prior)]
        normal[7:, 7:] += np.diag(1.0 / prior)
        gradient[7:] -= nuisance / prior
        normal[1:4, 1:4] += np.eye(3) / _ANY_ANGLE_RAD**2
        covariance = np.linalg.pinv(normal + 1e-12 * np.diag(np.diag(normal)), hermitian=True)
        step = covariance @ gradient
        solution.covariance = covariance[:7, :7]
        parts = slice(7, 7 + _PARTS)
        solution.drift_covariance = covariance[parts, parts]
        solution.drift = solution.drift + step[parts]
        if total > count:
            solution.common = solution.common + step[7 + _PARTS :]
        seen[: len(prior)] = (nuisance + step[7:]) ** 2 + np.diag(covariance)[7:]
        solution.scale *= math.exp(float(np.clip(step[0], -0.5, 0.5)))
        turn = step[1:4] * min(1.0, 0.3 / max(1e-9, float(np.linalg.norm(step[1:4]))))
        solution.rotation = rotation_of(turn) @ solution.rotation
        solution.translation = solution.translation + step[4:7]
        if float(np.abs(step[:4]).max()) < _SETTLED:
            break
    return solution


def _rows(observed: Observed, solution: Solution) -> Floats:
    """(K, 3, 7 + parts, and 3 more with control points): derivatives of each place by all unknowns."""
    count, total = observed.photos, len(observed.source)
    rows = np.zeros((total, 3, 7 + _PARTS + (3 if total > count else 0)))
    rows[:, :, :7] = derivatives(solution.scale * observed.source @ solution.rotation.T)
    rows[:count, 2, 7 : 7 + _PARTS] = observed.waves
    if total > count:
        rows[:count, :, 7 + _PARTS :] = np.eye(3)
    return rows


def _factors(observed: Observed, residual: Floats) -> Floats:
    """(2, 2): noise over stated noise, of photographs and control points, horizontal and vertical."""
    count, base = observed.photos, observed.base
    known = observed.known
    found = np.ones((2, 2))
    for kind, part in enumerate((slice(0, count), slice(count, None))):
        across = (residual[part, :2] / base[part, :1]).ravel()
        upwards = (residual[part, 2] / base[part, 1])[known[part]]
        found[kind] = (
            _noise(across, len(across) // 2, surveyed=kind == 1),
            _noise(upwards, len(upwards), surveyed=kind == 1),
        )
    return found


def _sigma(observed: Observed, scale: float, factors: Floats) -> Floats:
    kinds = (np.arange(len(observed.source)) >= observed.photos).astype(int)
    sigma = (observed.base * factors[kinds])[:, [0, 0, 1]]
    with_map: Floats = np.hypot(sigma, scale * observed.map_std[:, None])
    return with_map


def _shared(observed: Observed, factors: Floats) -> tuple[float, float]:
    """Of one typical position: stated deviations weighted as the fit does, by their inverse squares."""
    kind = 1 if len(observed.source) > observed.photos else 0
    base = observed.base[observed.photos :] if kind else observed.base
    inverse = 1.0 / base
    typical = inverse.sum(axis=0) / (inverse**2).sum(axis=0) * factors[kind]
    return float(typical[0]), float(typical[1])


def _prior(observed: Observed, seen: Floats, factors: Floats) -> Floats:
    """Variances of the drift and the offset: of the receivers' own noise, or of what was seen where it stands out."""
    base = 1.0 / observed.base[: observed.photos] if observed.photos else np.ones((1, 2))
    across, upwards = base.sum(axis=0) / (base**2).sum(axis=0) * factors[0]
    parts = 2.0 / (np.pi * np.arange(1, _PARTS + 1)) ** 2
    walk = max(float(upwards) ** 2, float((seen[:_PARTS] / parts).mean()))
    if len(observed.source) == observed.photos:
        return np.asarray(walk * parts)
    offset = np.maximum(np.array([across, across, upwards]) ** 2, seen[_PARTS:])
    return np.concatenate([walk * parts, offset])


def _together(whitened: Floats, known: NDArray[np.bool_]) -> Floats:
    """(3,) factors by which deviations grow since the errors of neighbouring photographs hang together."""
    grown = np.ones(3)
    clipped = np.clip(whitened, -3.0, 3.0)
    for axes, rows in (([0, 1], clipped), ([2], clipped[known])):
        count = len(rows)
        if count < 3 * _LEAST_INDEPENDENT:
            continue
        values = rows[:, axes] - rows[:, axes].mean(axis=0)
        power = (np.abs(np.fft.rfft(values, 2 * count, axis=0)) ** 2).sum(axis=1)
        correlation = np.fft.irfft(power)[:count]
        if correlation[0] <= 0.0:
            continue
        correlation = correlation / correlation[0]
        # The correlation of unrelated residuals scatters by one over the root of their number.
        ends = np.flatnonzero(correlation < 2.0 / math.sqrt(count * len(axes)))
        apart = 1.0 + 2.0 * float(correlation[1 : ends[0] if len(ends) else count].sum())
        grown[axes] = math.sqrt(min(apart, count / _LEAST_INDEPENDENT))
    return grown


def _noise(values: Floats, count: int, *, surveyed: bool) -> float:
    """Robust standard deviation of residuals over their stated one: 1.4826 times the median absolute value.

    Seven unknowns fit three positions exactly whatever their noise: few residuals are pooled with the stated one.
    Few surveyed points are taken for as good as they are said to be, and many for no better.
    """
    seen = 1.4826 * float(np.median(np.abs(values))) if len(values) else 1.0
    trust = min(1.0, max(0.0, (count - 3) / 9.0))
    few = 1.0 if surveyed else max(1.0, seen)
    return max(1.0 if surveyed else _LEAST_NOISE, math.sqrt(trust * seen**2 + (1.0 - trust) * few**2))
