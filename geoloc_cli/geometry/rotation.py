"""Rotations in batches: vectors and matrices, for torch tensors of any leading shape."""

from __future__ import annotations

import torch
from torch import Tensor

# Below this angle [rad] the series of the exponential is exact to double precision after three terms.
_SMALL = 1e-4


def cross_matrix(v: Tensor) -> Tensor:
    """(..., 3) -> (..., 3, 3): the matrix of `v x`."""
    x, y, z = v.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))


def rotation_of(v: Tensor) -> Tensor:
    """(..., 3) rotation vectors [rad] -> (..., 3, 3), by Rodrigues' formula; exact about zero."""
    angle2 = (v * v).sum(-1)[..., None, None]
    angle = angle2.clamp_min(_SMALL**2).sqrt()
    small = angle2 < _SMALL**2
    a = torch.where(small, 1.0 - angle2 / 6.0, angle.sin() / angle)
    b = torch.where(small, 0.5 - angle2 / 24.0, (1.0 - angle.cos()) / (angle * angle))
    k = cross_matrix(v)
    return torch.eye(3, dtype=v.dtype, device=v.device) + a * k + b * (k @ k)


def orthonormal(m: Tensor) -> Tensor:
    """(..., 3, 3) nearly rotations -> rotations, by Gram and Schmidt on the rows."""
    a = m[..., 0, :]
    a = a / a.norm(dim=-1, keepdim=True)
    b = m[..., 1, :] - (a * m[..., 1, :]).sum(-1, keepdim=True) * a
    b = b / b.norm(dim=-1, keepdim=True)
    return torch.stack([a, b, torch.linalg.cross(a, b, dim=-1)], dim=-2)
