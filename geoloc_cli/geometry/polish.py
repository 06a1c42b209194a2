"""Robust Levenberg-Marquardt on many poses at once, and their covariances.

What `pose/refine.py` does for one pose, for a batch: with x_in_cam = R (x_in_map - center), a match's error is
W (u - s x / z), s the focal length over the given one, whitened so that 1 is the tolerance (`geometry/score.py`). Each
pose has its own damping, scale of residuals, and end; none waits for, or is changed by, another.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from geoloc_cli.geometry.rotation import rotation_of

_FIRST_DAMPING = 1e-4
_SAME_COST = 1e-9
# The median length of a vector of two Gaussian axes over the deviation of one: sqrt(2 ln 2).
_MEDIAN_PER_SIGMA = 1.1774
_DEPTH = 1e-9


@dataclass(frozen=True, slots=True)
class Polished:
    """rotation (P, 3, 3) cam_from_map, center (P, 3) in map, focal_scale (P,), errors (P, N) in tolerances.

    normal: (P, 7, 7) J^T W J of (rotation vector in cam, centre in map, log focal scale); ok: (P,) bool.
    """

    rotation: Tensor
    center: Tensor
    focal_scale: Tensor
    errors: Tensor
    normal: Tensor
    ok: Tensor


def polish(
    rays: Tensor,
    points: Tensor,
    whiten: Tensor,
    start: tuple[Tensor, Tensor, Tensor],
    focal_precision: Tensor,
    least_sigma: Tensor,
    rounds: int,
) -> Polished:
    """rays (P, 2, N), points (P, 3, N), whiten (P, 4, N) rows of (2, 2).

    start: rotation, center and focal_scale as in `Polished`.
    focal_precision: (P,) one over the squared deviation of the log of the focal length; infinity holds it.
    least_sigma: (P,) the least deviation, in tolerances, that residuals are taken to have.
    """
    rotation, center, scale = start
    held = focal_precision.isinf()
    prior = torch.where(held, 1.0, focal_precision)
    damping = torch.full_like(scale, _FIRST_DAMPING)
    residual, length = _residual(rays, points, whiten, rotation, center, scale)
    going = torch.ones_like(held)
    for _ in range(rounds):
        near = length < 1.0
        sigma = _spread(length, near, least_sigma)
        weight = _weight(length, near, sigma)
        normal, gradient = _normal(points, whiten, rotation, center, scale, residual, weight)
        normal[:, 6, 6] += prior
        gradient[:, 6] -= prior * scale.log()
        _hold(normal, gradient, held)
        cost = _cost(length, sigma) + prior * scale.log() ** 2
        damped = normal + damping[:, None, None] * torch.diag_embed(normal.diagonal(dim1=-2, dim2=-1))
        step = _solve(damped, gradient)
        moved_rotation = rotation_of(step[:, :3]) @ rotation
        moved_center = center + step[:, 3:6]
        moved_scale = scale * step[:, 6].clamp(-0.3, 0.3).exp()
        away, away_length = _residual(rays, points, whiten, moved_rotation, moved_center, moved_scale)
        after = _cost(away_length, sigma) + prior * moved_scale.log() ** 2
        better = going & (after <= cost)
        rotation = torch.where(better[:, None, None], moved_rotation, rotation)
        center = torch.where(better[:, None], moved_center, center)
        scale = torch.where(better, moved_scale, scale)
        residual = torch.where(better[:, None, None], away, residual)
        length = torch.where(better[:, None], away_length, length)
        damping = torch.where(better, damping / 10.0, damping * 10.0)
        going = going & ~(better & (cost - after < _SAME_COST * cost))
        if not bool(going.any()):
            break
    near = length < 1.0
    sigma = _spread(length, near, least_sigma)
    normal, _ = _normal(points, whiten, rotation, center, scale, residual, _weight(length, near, sigma))
    normal[:, 6, 6] += prior
    _hold(normal, torch.zeros_like(normal[:, 0]), held)
    ok = (near.sum(-1) >= 4) & normal.isfinite().all(-1).all(-1) & center.isfinite().all(-1)
    return Polished(rotation, center, scale, length, normal, ok)


def covariance_of(polished: Polished) -> Tensor:
    """(P, 6, 6) of (rotation vector in cam, centre in map), the focal length marginal; NaN where undetermined."""
    diagonal = polished.normal.diagonal(dim1=-2, dim2=-1).clamp_min(1e-300).rsqrt()
    whitened = diagonal[:, :, None] * polished.normal * diagonal[:, None, :]
    inverse, failed = torch.linalg.inv_ex(torch.where(polished.ok[:, None, None], whitened, torch.eye(7).to(whitened)))
    inverse = diagonal[:, :, None] * inverse * diagonal[:, None, :]
    bad = (failed != 0) | ~polished.ok
    return torch.where(bad[:, None, None], torch.nan, inverse)[:, :6, :6]


def _in_cam(points: Tensor, rotation: Tensor, center: Tensor) -> Tensor:
    return torch.baddbmm(-rotation @ center[..., None], rotation, points)


def _residual(
    rays: Tensor, points: Tensor, whiten: Tensor, rotation: Tensor, center: Tensor, scale: Tensor
) -> tuple[Tensor, Tensor]:
    """Whitened observed minus predicted (P, 2, N), and its length (P, N), infinite behind the camera."""
    x_in_cam = _in_cam(points, rotation, center)
    depth = x_in_cam[:, 2]
    before = depth > _DEPTH
    away = rays - x_in_cam[:, :2] * (scale[:, None] / torch.where(before, depth, 1.0))[:, None]
    residual = whiten[:, 0::2] * away[:, :1] + whiten[:, 1::2] * away[:, 1:]
    length = (residual * residual).sum(1).sqrt()
    return residual, torch.where(before & length.isfinite(), length, torch.inf)


def _spread(length: Tensor, near: Tensor, least: Tensor) -> Tensor:
    """(P,): the robust deviation of the residuals that are near, from their median."""
    median = torch.where(near, length, torch.nan).nanmedian(-1).values
    return (median / _MEDIAN_PER_SIGMA).nan_to_num(1.0).clamp_min(least)


def _weight(length: Tensor, near: Tensor, sigma: Tensor) -> Tensor:
    """Cauchy's at three sigma, and none beyond the tolerance."""
    share = torch.where(near, length, 0.0) / (3.0 * sigma[:, None])
    return torch.where(near, 1.0 / (1.0 + share * share), 0.0) / (sigma * sigma)[:, None]


def _cost(length: Tensor, sigma: Tensor) -> Tensor:
    reach = 3.0 * sigma[:, None]
    return (9.0 * torch.log1p((length.clamp_max(1.0) / reach) ** 2)).sum(-1)


def _normal(
    points: Tensor,
    whiten: Tensor,
    rotation: Tensor,
    center: Tensor,
    scale: Tensor,
    residual: Tensor,
    weight: Tensor,
) -> tuple[Tensor, Tensor]:
    """J^T W J (P, 7, 7) and J^T W r (P, 7), J by (rotation vector in cam, centre, log focal scale)."""
    x, y, z = _in_cam(points, rotation, center).unbind(1)
    used = weight > 0
    inverse = torch.where(used, 1.0, 0.0) / torch.where(used, z, 1.0)
    s = scale[:, None]
    du, dv = x * inverse, y * inverse
    u, v, zoom = s * du, s * dv, s * inverse
    # d (u, v) by x_in_cam; x_in_cam moves by w cross x_in_cam where the camera turns by w, and by -R where it goes.
    go = rotation[:, :, :, None]
    by_u = [-u * dv, s + u * du, -v, *(zoom[:, None] * (du[:, None] * go[:, 2] - go[:, 0])).unbind(1), u]
    by_v = [-s - v * dv, v * du, u, *(zoom[:, None] * (dv[:, None] * go[:, 2] - go[:, 1])).unbind(1), v]
    rows_u, rows_v = torch.stack(by_u, 1), torch.stack(by_v, 1)
    rows = torch.cat([whiten[:, k : k + 1] * rows_u + whiten[:, k + 1 : k + 2] * rows_v for k in (0, 2)], 2)
    both = torch.cat([weight, weight], 1)[:, None]
    weighted = (rows * both).transpose(1, 2)
    observed = torch.where(used[:, None], residual, 0.0).flatten(1)
    return torch.bmm(rows, weighted), torch.bmm(observed[:, None], weighted)[:, 0]


def _hold(normal: Tensor, gradient: Tensor, held: Tensor) -> None:
    """Takes the focal length out of the unknowns where it is held."""
    free = torch.where(held, 0.0, 1.0).to(normal)
    mask = torch.ones_like(gradient)
    mask[:, 6] = free
    normal *= mask[:, :, None] * mask[:, None, :]
    normal[:, 6, 6] += 1.0 - free
    gradient *= mask


def _solve(matrix: Tensor, right: Tensor) -> Tensor:
    """Symmetric systems (P, 7, 7), each scaled to a unit diagonal; zero where one has no solution."""
    scale = matrix.diagonal(dim1=-2, dim2=-1).clamp_min(1e-30).rsqrt()
    scaled = (scale[:, :, None] * matrix * scale[:, None, :]).nan_to_num(0.0, 0.0, 0.0)
    lower, failed = torch.linalg.cholesky_ex(scaled + 1e-12 * torch.eye(7).to(scaled))
    good = (failed == 0)[:, None, None]
    lower = torch.where(good, lower, torch.eye(7).to(lower))
    solution = torch.cholesky_solve((scale * right).nan_to_num(0.0, 0.0, 0.0)[..., None], lower)[..., 0] * scale
    return torch.where(good[:, 0], solution, 0.0)
