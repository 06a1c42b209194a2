"""The pose of a camera that knows which way is up, from two points, in closed form.

With gravity known in both frames, the rotation is one about the vertical: with axes turned upright, the difference of
the two points, d = (horizontal h, height v), is seen as l1 y1 - l2 y2 = R(yaw) d for the depths l1 and l2 along the
rays y1 and y2. Its height is linear in the depths, the length of its horizontal part quadratic: two roots (Kukelova,
Bujnak and Pajdla, "Closed-form solutions to minimal absolute pose problems with known vertical direction", ACCV 2010).
"""

from __future__ import annotations

import torch
from torch import Tensor


def up2p(rays: Tensor, points: Tensor, up_in_cam: Tensor, up_in_map: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """rays, points: (..., 2, 3), up_in_cam, up_in_map: (..., 3) unit vectors.

    Returns cam_from_map rotations (..., 2, 3, 3), translations (..., 2, 3), and (..., 2) bool of those that are
    solutions: real, in front of the camera, of two points that are not one above the other.
    """
    leading = rays.shape[:-2]
    y, x = (given.reshape(-1, 2, 3).permute(1, 2, 0) for given in (rays, points))
    ups = (given.reshape(-1, 3).t() for given in (up_in_cam, up_in_map))
    rotation, translation, valid = up2p_by_component(y, x, *ups)
    return (
        rotation.permute(3, 2, 0, 1).reshape(*leading, 2, 3, 3),
        translation.permute(2, 1, 0).reshape(*leading, 2, 3),
        valid.t().reshape(*leading, 2),
    )


def up2p_by_component(
    rays: Tensor, points: Tensor, up_in_cam: Tensor, up_in_map: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """rays, points: (2, 3, T), up: (3, T). Returns rotations (3, 3, 2, T), translations (3, 2, T), valid (2, T)."""
    in_cam, in_map = _upright(up_in_cam), _upright(up_in_map)
    rays = rays * (rays * rays).sum(1, keepdim=True).rsqrt()
    y1, y2 = (_turned(in_cam, ray) for ray in rays)
    d = _turned(in_map, points[0] - points[1])
    # Depths (l1, l2) = at + tau along, on the line l1 y1_z - l2 y2_z = d_z.
    normal = torch.stack([y1[2], -y2[2]])
    length2 = (normal * normal).sum(0)
    at = normal * (d[2] / length2)
    along = torch.stack([-normal[1], normal[0]])
    fixed = at[0] * y1[:2] - at[1] * y2[:2]
    moved = along[0] * y1[:2] - along[1] * y2[:2]
    a, b = (moved * moved).sum(0), (fixed * moved).sum(0)
    c = (fixed * fixed).sum(0) - (d[:2] * d[:2]).sum(0)
    q = -(b + torch.copysign((b * b - a * c).sqrt(), b))
    tau = torch.stack([q / a, c / q])
    depth = at[:, None] + tau * along[:, None]
    seen = depth[0] * y1[:2, None] - depth[1] * y2[:2, None]
    # The turn about the vertical takes the horizontal part of d to what is seen of it.
    flat2 = (d[:2] * d[:2]).sum(0)
    cos = (seen[0] * d[0] + seen[1] * d[1]) / flat2
    sin = (seen[1] * d[0] - seen[0] * d[1]) / flat2
    zero, one = torch.zeros_like(cos), torch.ones_like(cos)
    yaw = torch.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one]).unflatten(0, (3, 3))
    right = (yaw[:, :, None] * in_map[None, :, :, None]).sum(1)
    rotation = (in_cam[:, :, None, None] * right[:, None]).sum(0)
    translation = depth[0] * rays[0][:, None] - (rotation * points[0][None, :, None]).sum(1)
    whole = (rotation.sum((0, 1)) + translation.sum(0)).isfinite()
    return rotation, translation, (depth > 0).all(0) & whole


def _upright(up: Tensor) -> Tensor:
    """(3, T) unit vectors -> (3 rows, 3, T): rotations that turn each to the z axis (Duff et al. 2017)."""
    x, y, z = up
    sign = torch.copysign(torch.ones_like(z), z)
    a = -1 / (sign + z)
    xy = x * y * a
    return torch.stack(
        [
            torch.stack([1 + sign * x * x * a, sign * xy, -sign * x]),
            torch.stack([xy, sign + y * y * a, -y]),
            torch.stack([x, y, z]),
        ]
    )


def _turned(rows: Tensor, v: Tensor) -> Tensor:
    return (rows * v).sum(1)
