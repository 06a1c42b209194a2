"""Where a map lies on the Earth: a robust similarity from camera centres to their GPS, and how sure it is.

`x_in_enu = scale * R x_in_map + t`. Seven unknowns, fitted by iteratively re-weighted Gauss-Newton from a start by
least median of squares over triples (Rousseeuw 1984; Umeyama 1991 for each), with Cauchy weights on the Mahalanobis
length of each residual: horizontal and vertical noise differ, and some positions are wrong by hundreds of metres. The
covariance is that of Gauss-Newton at the solution, with the noise that the residuals show.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ROUNDS = 30
_TRIPLES = 400
# Of so few positions a triple explains the median by itself.
_FEW = 7
_SEED = 0
# A consumer receiver's own noise, below which no scatter of few residuals is believed.
_LEAST_HORIZONTAL_M = 0.01
_LEAST_VERTICAL_M = 0.01
# r90 of a circular Gaussian is sqrt(-2 ln 0.1) sigma.
_R90_PER_SIGMA = math.sqrt(-2.0 * math.log(0.1))
# What a receiver that says nothing of its accuracy is taken for.
_USUAL_M = 3.0
# Residuals beyond this many standard deviations are called wrong positions.
_OUTLIER_SIGMAS = 5.0
# How well photographs are held level, as evidence of last resort for the rotation about a line of positions.
_LEVEL_SIGMA_RAD = math.radians(15.0)
# Positions this much less wide than long lie on a line; a reconstruction bends by this share of its length.
_SLIM = 0.05
_BEND_SHARE = 0.005
# A rotation whose standard deviation is above this is not determined by the positions.
_UNDETERMINED_RAD = math.radians(5.0)


@dataclass(frozen=True, slots=True)
class Georeference:
    """enu_from_map: scale, rotation (3, 3), translation (3,) metres; origin: lat, lon, alt_m of enu's own.

    covariance: (7, 7) of (log scale, rotation vector in enu [rad], translation [m]). horizontal_m, vertical_m:
    standard deviations of one position's residual, per axis. outliers: paths of positions that were not believed.
    """

    origin: tuple[float, float, float]
    scale: float
    rotation: Floats
    translation: Floats
    covariance: Floats
    horizontal_m: float
    vertical_m: float
    residuals_m: dict[str, tuple[float, float, float]]
    outliers: tuple[str, ...]
    notes: tuple[str, ...]

    def in_enu(self, x_in_map: Floats) -> Floats:
        """(..., 3) map -> (..., 3) metres east, north, up."""
        moved: Floats = self.scale * np.asarray(x_in_map) @ self.rotation.T + self.translation
        return moved

    def frame_covariance(self, x_in_map: Floats) -> Floats:
        """(3, 3) m^2: what the frame's own uncertainty does to a point's place in enu."""
        jacobian = _jacobian(self.scale * self.rotation @ np.asarray(x_in_map))
        moved: Floats = jacobian @ self.covariance @ jacobian.T
        return moved


def _jacobian(turned: Floats) -> Floats:
    """(3, 7) of a moved point by (log scale, rotation in enu, translation); turned = scale * R x."""
    jacobian = np.zeros((3, 7))
    jacobian[:, 0] = turned
    jacobian[:, 1:4] = -_cross(turned)
    jacobian[:, 4:] = np.eye(3)
    return jacobian


def _cross(v: Floats) -> Floats:
    return np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])


def umeyama(source: Floats, target: Floats) -> tuple[float, Floats, Floats]:
    """Least-squares similarity target = s R source + t of (N, 3) points (Umeyama 1991, equations 40 to 42)."""
    mean_source, mean_target = source.mean(axis=0), target.mean(axis=0)
    a, b = source - mean_source, target - mean_target
    u, d, vt = np.linalg.svd(b.T @ a / len(a))
    sign = np.diag([1.0, 1.0, 1.0 if np.linalg.det(u @ vt) > 0 else -1.0])
    rotation = u @ sign @ vt
    spread = float((a**2).sum() / len(a))
    scale = float((d * np.diag(sign)).sum()) / spread if spread > 0 else 0.0
    return scale, rotation, mean_target - scale * rotation @ mean_source


def rotation_of(vector: Floats) -> Floats:
    """Rodrigues: the rotation by |vector| radians about it."""
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3) + _cross(vector)
    axis = _cross(vector / angle)
    turned: Floats = np.eye(3) + math.sin(angle) * axis + (1 - math.cos(angle)) * axis @ axis
    return turned


def fit(
    paths: list[str],
    centers: Floats,
    positions: Floats,
    stated_m: Floats,
    up_in_map: Floats,
    origin: tuple[float, float, float],
) -> Georeference | None:
    """None where fewer than three positions are known, or all are at one spot.

    centers: (N, 3) in map; positions: (N, 3) in enu, the third NaN where no altitude is known; stated_m: (N,)
    horizontal standard deviations that the receivers admit, NaN where none; up_in_map: (N, 3) each camera's own
    upwards direction.
    """
    if len(paths) < 3:
        return None
    heights = np.isfinite(positions[:, 2])
    target = positions.copy()
    target[~heights, 2] = float(np.median(positions[heights, 2])) if heights.any() else 0.0
    start = _start(centers, target)
    if start is None:
        return None
    scale, rotation, translation = start
    base = np.where(np.isfinite(stated_m), np.maximum(stated_m, 0.3), _USUAL_M)
    horizontal, vertical, notes = 1.0, 1.0, []
    level, weight_level = _mean_direction(up_in_map), 0.0
    extents = np.linalg.svd(target - target.mean(axis=0), compute_uv=False)
    covariance = np.eye(7)
    for _ in range(_ROUNDS):
        turned = scale * centers @ rotation.T
        residual = target - turned - translation
        horizontal = _noise((residual[:, :2] / base[:, None]).ravel(), len(paths), _LEAST_HORIZONTAL_M)
        vertical = _noise(residual[heights, 2] / base[heights], int(heights.sum()), _LEAST_VERTICAL_M)
        sigma = np.stack([horizontal * base, horizontal * base, vertical * base], axis=1)
        whitened = residual / sigma
        whitened[~heights, 2] = 0.0
        weight = 1.0 / (1.0 + (whitened**2).sum(axis=1) / 9.0)
        normal, gradient = np.zeros((7, 7)), np.zeros(7)
        for i in range(len(paths)):
            jacobian = _jacobian(turned[i]) / sigma[i][:, None]
            if not heights[i]:
                jacobian[2] = 0.0
            normal += weight[i] * jacobian.T @ jacobian
            gradient += weight[i] * jacobian.T @ whitened[i]
        if level is not None and weight_level:
            tilt = _cross(rotation @ level) @ np.array([0.0, 0.0, 1.0])  # rotation vector that would set it upright
            normal[1:3, 1:3] += weight_level * np.eye(2)
            gradient[1:3] += weight_level * tilt[:2]
        covariance = np.linalg.pinv(normal + 1e-12 * np.trace(normal) * np.eye(7))
        step = covariance @ gradient
        scale *= math.exp(float(np.clip(step[0], -0.5, 0.5)))
        turn = rotation_of(step[1:4] * min(1.0, 0.3 / max(1e-9, float(np.linalg.norm(step[1:4])))))
        rotation = turn @ rotation
        translation = translation + step[4:]
        loose = float(np.sqrt(np.linalg.eigvalsh(covariance[1:4, 1:4])[-1]))
        slim = extents[1] < _SLIM * extents[0]
        if (loose > _UNDETERMINED_RAD or slim) and not weight_level and level is not None:
            # What leaves the line by less than the map bends is no evidence against how cameras are held.
            bend = _BEND_SHARE * extents[0] / math.sqrt(len(paths)) / horizontal
            weight_level = max(1.0, bend**2) / _LEVEL_SIGMA_RAD**2
            notes.append(
                "the positions lie almost on a line, and do not say how the map is rolled about it; cameras held level "
                "say so, within 15 degrees"
            )
    residual = target - scale * centers @ rotation.T - translation
    residual[~heights, 2] = 0.0
    away = np.sqrt(((residual / np.stack([horizontal * base] * 2 + [vertical * base], axis=1)) ** 2).sum(axis=1))
    outliers = tuple(path for path, a in zip(paths, away, strict=True) if a > _OUTLIER_SIGMAS)
    # Receivers err by more than their robust deviation more often than a Gaussian does: what nine in ten residuals stay
    # within sets the measure.
    believed = np.sort(np.hypot(residual[:, 0], residual[:, 1])[away <= 2.0 * _OUTLIER_SIGMAS])
    wide = float(believed[_tolerance_rank(len(believed)) - 1]) / _R90_PER_SIGMA if len(believed) else 0.0
    if not heights.any():
        notes.append("no photograph states an altitude: heights count from the cameras' own mean")
    return Georeference(
        origin,
        scale,
        rotation,
        translation,
        covariance,
        max(float(horizontal * np.median(base)), wide),
        float(vertical * np.median(base)),
        {path: (float(e), float(n), float(u)) for path, (e, n, u) in zip(paths, residual, strict=True)},
        outliers,
        tuple(notes),
    )


def _tolerance_rank(count: int) -> int:
    """The rank among sorted values below which nine in ten of all lie, with nine in ten certainty (Wilks 1941).

    The largest value where there are too few for that certainty.
    """
    below = 0.0
    for rank in range(1, count + 1):
        below += math.comb(count, rank - 1) * 0.9 ** (rank - 1) * 0.1 ** (count - rank + 1)
        if below >= 0.9:
            return rank
    return count


def _noise(values: Floats, count: int, least: float) -> float:
    """Robust standard deviation of residuals over their stated one: 1.4826 times the median absolute value.

    Seven unknowns fit three positions exactly whatever their noise: few residuals are pooled with the stated one.
    """
    seen = 1.4826 * float(np.median(np.abs(values))) if len(values) else 1.0
    trust = min(1.0, max(0.0, (count - 3) / 9.0))
    return max(least, math.sqrt(trust * seen**2 + (1.0 - trust) * max(1.0, seen) ** 2))


def _mean_direction(directions: Floats) -> Floats | None:
    """The mean of unit vectors, None where they do not agree on one."""
    mean = directions.mean(axis=0)
    length = float(np.linalg.norm(mean))
    return mean / length if length > 0.8 else None


def _start(centers: Floats, target: Floats) -> tuple[float, Floats, Floats] | None:
    """The similarity of the triple that leaves the smallest median residual; of all, where there are few."""
    if len(centers) < _FEW:
        scale, rotation, translation = umeyama(centers, target)
        return (scale, rotation, translation) if math.isfinite(scale) and scale > 1e-9 else None
    rng = np.random.default_rng(_SEED)
    count = len(centers)
    triples = list(itertools.islice(itertools.combinations(range(count), 3), _TRIPLES))
    if math.comb(count, 3) > _TRIPLES:
        triples = [tuple(rng.choice(count, 3, replace=False)) for _ in range(_TRIPLES)]
    best: tuple[float, float, Floats, Floats] | None = None
    for triple in triples:
        chosen = list(triple)
        scale, rotation, translation = umeyama(centers[chosen], target[chosen])
        if not (math.isfinite(scale) and scale > 1e-9):
            continue
        away = np.linalg.norm(target - scale * centers @ rotation.T - translation, axis=1)
        median = float(np.median(away))
        if best is None or median < best[0]:
            best = median, scale, rotation, translation
    return None if best is None else best[1:]
