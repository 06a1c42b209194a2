"""The last word on a pose: robust Levenberg-Marquardt on rays, and the covariance of place and rotation.

With `x_in_cam = R (x_in_map - center)`, a ray's error is `focal * (x / z - u, y / z - v)` in pixels, (u, v) being the
observed ray with the lens's distortion taken out. Unknowns: a rotation vector in the camera frame, the centre in the
map frame, and the logarithm of the focal length where that is not known. The covariance is (J^T W J)^-1 times the
robust variance of the residuals, with the evidence of neighbouring inliers discounted (`INDEPENDENT_SHARE`). Priors
(`pose/priors.py`) stand beside the pairs at their whole weight, unless the pairs alone contradict them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.maps.similarity import rotation_of
from geoloc_cli.pose.priors import PosePrior, contradicted

Floats = NDArray[np.float64]

_ROUNDS = 30
_FIRST_DAMPING = 1e-4
_MOST_DAMPING = 1e6
# A step that lowers the cost by less than this share is the last.
_SAME_COST = 1e-9
# A point's own error is shared by all who use it, and keypoints of one spot share theirs: two in three count.
INDEPENDENT_SHARE = 0.67
_LEAST_SIGMA_PX = 0.2
# The median length of a vector of two Gaussian axes over the deviation of one: sqrt(2 ln 2).
_MEDIAN_PER_SIGMA = 1.1774


@dataclass(frozen=True, slots=True)
class RefinedPose:
    """rotation: (3, 3) cam_from_map; center: (3,) in map; focal_scale: the focal length over the given one.

    covariance: (6, 6) of (rotation vector in cam [rad], centre in map). residuals_px: (N,) of all pairs given.
    dropped: names of priors that the pairs contradict.
    """

    rotation: Floats
    center: Floats
    focal_scale: float
    covariance: Floats
    residuals_px: Floats
    dropped: tuple[str, ...] = ()


def refine(
    rays: Floats,
    points: Floats,
    rotation: Floats,
    center: Floats,
    focal_px: float,
    max_error_px: float,
    focal_std: float = 0.0,
    priors: Sequence[PosePrior] = (),
) -> RefinedPose | None:
    """rays: (N, 2) x / z, y / z; points: (N, 3) in map; None where pairs and priors do not determine a pose.

    focal_std: relative standard deviation of the focal length; it is refined above 0, with that as its prior.
    """
    pairs = rays, points, rotation, center, focal_px, max_error_px, focal_std
    alone = _refined(*pairs, ())
    if not priors:
        return alone
    believed, dropped = list(priors), []
    if alone is not None:
        wrong = [contradicted(prior, alone.rotation, alone.center, alone.covariance) for prior in priors]
        believed = [prior for prior, bad in zip(priors, wrong, strict=True) if not bad]
        dropped = [prior.name for prior, bad in zip(priors, wrong, strict=True) if bad]
    found = _refined(*pairs, believed)
    return None if found is None else replace(found, dropped=tuple(dropped))


def _refined(
    rays: Floats,
    points: Floats,
    rotation: Floats,
    center: Floats,
    focal_px: float,
    max_error_px: float,
    focal_std: float,
    priors: Sequence[PosePrior],
) -> RefinedPose | None:
    size = 7 if focal_std > 0 else 6
    state = _State(rotation, center, 1.0)
    damping, cost, sigma = _FIRST_DAMPING, np.inf, 0.0
    normal, gradient = np.zeros((size, size)), np.zeros(size)
    fresh = True
    for _ in range(_ROUNDS):
        if fresh:
            residual, jacobian, valid = _linearised(rays, points, state, focal_px, size)
            length = np.where(valid, np.linalg.norm(residual, axis=1), np.inf)
            near = length < max_error_px
            if near.sum() < 4:
                return None
            sigma = max(_LEAST_SIGMA_PX, float(np.median(length[near])) / _MEDIAN_PER_SIGMA)
            weight = np.where(near, 1.0 / (1.0 + (length / (3.0 * sigma)) ** 2), 0.0) / sigma**2
            normal = np.einsum("nij,n,nik->jk", jacobian, weight, jacobian)
            gradient = np.einsum("nij,n,ni->j", jacobian, weight, residual)
            if size == 7:
                normal[6, 6] += 1.0 / focal_std**2
                gradient[6] -= np.log(state.focal_scale) / focal_std**2
            for prior in priors:
                off, by_pose = prior.rows(state.rotation, state.center)
                normal[:6, :6] += by_pose.T @ by_pose / INDEPENDENT_SHARE
                gradient[:6] += by_pose.T @ off / INDEPENDENT_SHARE
            if not np.isfinite(normal).all() or np.linalg.cond(normal) > 1e16:
                return None
            cost = _cost(length, state, sigma, max_error_px, focal_std, priors)
        step = np.asarray(np.linalg.solve(normal + damping * np.diag(np.diag(normal)), gradient), np.float64)
        moved = state.moved(step)
        away, _, valid = _linearised(rays, points, moved, focal_px, size)
        length_after = np.where(valid, np.linalg.norm(away, axis=1), np.inf)
        after = _cost(length_after, moved, sigma, max_error_px, focal_std, priors)
        fresh = after <= cost
        if fresh:
            state, damping = moved, damping / 10.0
            if cost - after < _SAME_COST * cost:
                break
        else:
            damping *= 10.0
            if damping > _MOST_DAMPING:
                break
    residual, jacobian, valid = _linearised(rays, points, state, focal_px, size)
    length = np.where(valid, np.linalg.norm(residual, axis=1), np.inf)
    covariance = np.asarray(np.linalg.inv(normal)[:6, :6] / INDEPENDENT_SHARE, np.float64)
    return RefinedPose(state.rotation, state.center, state.focal_scale, covariance, length)


@dataclass(frozen=True, slots=True)
class _State:
    rotation: Floats
    center: Floats
    focal_scale: float

    def moved(self, step: Floats) -> _State:
        scale = self.focal_scale * float(np.exp(np.clip(step[6], -0.3, 0.3))) if len(step) == 7 else self.focal_scale
        return _State(rotation_of(step[:3]) @ self.rotation, self.center + step[3:6], scale)


def _cost(
    length: Floats,
    state: _State,
    sigma: float,
    max_error_px: float,
    focal_std: float,
    priors: Sequence[PosePrior],
) -> float:
    """Cauchy's loss at 3 sigma, truncated at the largest error of an inlier, and the priors.

    The evidence of pairs is counted in full here, and that of priors is raised by as much instead.
    """
    reach = 3.0 * sigma
    bounded = np.minimum(length, max_error_px)
    prior = (np.log(state.focal_scale) / focal_std) ** 2 if focal_std > 0 else 0.0
    prior += sum(float((p.rows(state.rotation, state.center)[0] ** 2).sum()) / INDEPENDENT_SHARE for p in priors)
    return float((reach / sigma) ** 2 * np.log1p((bounded / reach) ** 2).sum() + prior)


def _linearised(
    rays: Floats, points: Floats, state: _State, focal_px: float, size: int
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Observed minus predicted (N, 2) pixels, its Jacobian's (N, 2, size), and which points lie before the camera."""
    rotation, center, scale = state.rotation, state.center, state.focal_scale
    x_in_cam = (points - center) @ rotation.T
    valid = x_in_cam[:, 2] > 1e-9
    z = np.where(valid, x_in_cam[:, 2], 1.0)
    predicted = x_in_cam[:, :2] / z[:, None]
    # Rays were made with the focal length as given: a longer one narrows them.
    residual = focal_px * (rays - scale * predicted)
    by_point = np.zeros((len(points), 2, 3))
    by_point[:, 0, 0] = by_point[:, 1, 1] = 1.0 / z
    by_point[:, 0, 2], by_point[:, 1, 2] = -predicted[:, 0] / z, -predicted[:, 1] / z
    by_point *= focal_px * scale
    turn = np.zeros((len(points), 3, 3))
    a, b, c = x_in_cam.T
    turn[:, 0, 1], turn[:, 0, 2], turn[:, 1, 2] = c, -b, a
    turn[:, 1, 0], turn[:, 2, 0], turn[:, 2, 1] = -c, b, -a
    jacobian = np.empty((len(points), 2, size))
    jacobian[:, :, :3] = by_point @ turn
    jacobian[:, :, 3:6] = -by_point @ rotation
    if size == 7:
        jacobian[:, :, 6] = focal_px * scale * predicted
    return residual, jacobian, valid
