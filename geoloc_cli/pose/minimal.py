"""Samples of pairs -> hypotheses of a pose: which minimal solver fits what is known of the camera.

An unknown focal length is drawn for each sample, and P3P solved with it; local optimisation then finds the length. A
closed form for four pairs (P4Pf: Bujnak, Kukelova and Pajdla 2008) has ten roots, that is an eigenvalue problem of size
ten for each sample, which costs more than a hundred of P3P's, and needs a fourth right pair: among 70 % wrong pairs one
sample in 120 is good in place of one in 37, of which one in ten has the right length. Drawn lengths found all of twenty
poses among 50, 70 and 80 % wrong pairs, with the length to 0.03 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from geoloc_cli.geometry.p3p import p3p_by_component
from geoloc_cli.geometry.up2p import up2p_by_component
from geoloc_cli.pose.problems import Batch

# Focal lengths that are unknown are drawn between half and four times the given one, even in octaves.
_OCTAVES = (-1.0, 2.0)
# Of the four roots of P3P fewer than two are solutions on average; the third costs more than another sample.
_ROOTS = 2


@dataclass(frozen=True, slots=True)
class Kind:
    """What a problem's samples are solved by; size: pairs in a sample."""

    gravity: bool
    focal: bool

    @property
    def size(self) -> int:
        return 2 if self.gravity else 3


def hypotheses(batch: Batch, kind: Kind, rows: Tensor, chance: Tensor) -> tuple[Tensor, Tensor]:
    """rows: (B, H, K) of the pairs of each sample; chance: (H,) in [0, 1), from which unknown focal lengths are drawn.

    Returns (B, H x roots, 12) float32 poses as of `pose/robust.py` `packed`, and which are solutions.
    """
    count, samples, size = rows.shape
    flat = rows.transpose(1, 2).flatten(1)

    def drawn(values: Tensor) -> Tensor:
        """(B, C, N) -> (K, C, B x H)."""
        picked = values.gather(2, flat[:, None].expand(-1, values.shape[1], -1))
        return picked.unflatten(2, (size, samples)).permute(2, 1, 0, 3).flatten(2)

    rays, points = drawn(batch.rays.float()), drawn(batch.points.float())
    chance = chance.float()
    scale = torch.ones_like(chance)
    if kind.focal:
        scale = torch.exp2(_OCTAVES[0] + (_OCTAVES[1] - _OCTAVES[0]) * chance)
        rays = rays / scale.repeat(count)
    directions = torch.cat([rays, torch.ones_like(rays[:, :1])], 1)
    if kind.gravity:
        known = (batch.up_in_cam, batch.up_in_map)
        up = [given.float().t()[:, :, None].expand(-1, -1, samples).flatten(1) for given in known]
        rotation, translation, valid = up2p_by_component(directions, points, *up)
    else:
        rotation, translation, valid = p3p_by_component(directions, points)
    if valid.shape[0] > _ROOTS:
        rotation, translation, valid = _first_valid(rotation, translation, valid)
    zoom = torch.stack([scale, scale, torch.ones_like(scale)]).repeat(1, count)[:, None]
    poses = torch.cat([rotation, translation[:, None]], 1) * zoom[:, :, None]
    # (3, 4, roots, B x H) -> (B, H x roots, 12)
    roots = poses.shape[2]
    poses = poses.flatten(0, 1).unflatten(2, (count, samples)).permute(2, 3, 1, 0)
    valid = valid.unflatten(1, (count, samples)).permute(1, 2, 0)
    poses = torch.where(valid[..., None], poses, 0.0)
    return poses.reshape(count, samples * roots, 12), valid.reshape(count, samples * roots)


def _first_valid(rotation: Tensor, translation: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(3, 3, 4, T), (3, 4, T), (4, T): the first two solutions of each, where there are so many."""
    rank = valid.cumsum(0) * valid
    number = torch.arange(len(valid), device=valid.device)[:, None]
    hits = [rank == k for k in range(1, _ROOTS + 1)]
    at = torch.stack([(hit * number).sum(0) for hit in hits])
    return (
        rotation.gather(2, at.expand(3, 3, -1, -1)),
        translation.gather(1, at.expand(3, -1, -1)),
        torch.stack([hit.any(0) for hit in hits]),
    )
