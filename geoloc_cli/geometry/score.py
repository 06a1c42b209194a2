"""How well hypotheses of a pose explain matches: MSAC's score of all with all, for many problems at once.

A match's error is e = |W (x / z - u)|, with x_in_cam = R X + t, the observed ray u, and W its (2, 2) Jacobian of pixels
by ray over the tolerance in pixels, so that 1 is the tolerance, whatever the lens does there. The score of a hypothesis
is the sum of max(0, 1 - e^2) over the matches before the camera: Torr and Zisserman's MSAC (2000), turned upside down.

W (R X + t - u z) is linear in the twelve numbers of the pose: two products of matrices give it for all hypotheses and
matches. TF32 would round their factors to 11 bits, half a pixel in a thousand: `pose/batched.py` switches it off.

On a GPU what lies between these products and their sums would be written to its memory and read again, six times: there
`geometry/score_triton.py` takes the place of what is below, which is the truth that it is tested against.
"""

from __future__ import annotations

import logging
from functools import cache
from types import ModuleType

import torch
from torch import Tensor

# What stands for a depth that is none, and what is added to squares, so that behind the camera even no error is huge.
_NO_DEPTH = 1e-15
_LEAST_SQUARE = 1e-12
# Numbers of an array that stay in the cache of one core: 1 MB.
_CACHED = 1 << 18
# The fused kernel is for these devices, and for so many pairs of a hypothesis and a match of one problem: for fewer the
# kernels' launches are all there is. The company of a problem has no say, since the last bits depend on the choice.
_FUSED_ON = ("cuda",)
_WORTH = 1 << 14
# What weighs the twelve numbers of a pose, and the last four of them: see `design`.
Design = tuple[Tensor, Tensor]
# Where padding is said to be seen: outside every tolerance.
OUTSIDE = 1e4


def design(rays: Tensor, points: Tensor, whiten: Tensor) -> Design:
    """rays (B, 2, N), points (B, 3, N), whiten (B, 4, N) rows of (2, 2) -> (B, 12, 2, N) and (B, 4, N), float32.

    They weigh the twelve numbers of a pose, the rows of [R t], and the last four of them: the products are z times the
    whitened error along x and along y, and z itself.
    """
    homogeneous = torch.cat([points, torch.ones_like(points[:, :1])], 1)
    along = []
    for k in (0, 2):
        a, b = whiten[:, k : k + 1], whiten[:, k + 1 : k + 2]
        seen = a * rays[:, :1] + b * rays[:, 1:]
        along.append(torch.cat([a * homogeneous, b * homogeneous, -seen * homogeneous], 1))
    return torch.stack(along, 2).float(), homogeneous.float()


def part_of(by: Design, rows: Tensor) -> Design:
    """The design of some matches alone; rows: (B, S)."""
    return (
        by[0].gather(-1, rows[:, None, None].expand(-1, 12, 2, -1)),
        by[1].gather(-1, rows[:, None].expand(-1, 4, -1)),
    )


def squared_errors(poses: Tensor, by: Design) -> Tensor:
    """poses: (B, H, 12) float32 rows of [R t]; by: as of `design`. Returns (B, H, N) e^2, huge behind the camera."""
    away = torch.bmm(poses, by[0].flatten(2)).square_().unflatten(2, (2, -1))
    depth = torch.bmm(poses[..., 8:], by[1]).clamp_min_(_NO_DEPTH)
    return (away[:, :, 0] + away[:, :, 1]).add_(_LEAST_SQUARE).div_(depth).div_(depth)


def msac(poses: Tensor, by: Design, *, fused: bool = True) -> Tensor:
    """As `squared_errors`. Returns (B, H): the sum of max(0, 1 - e^2)."""
    if kernel := _kernel_for(poses, by, fused):
        return kernel.msac_and_count(poses, by)[0]
    parts = [squared_errors(*part).clamp_max_(1.0).sum(-1) for part in _parts(poses, by)]
    return torch.cat(parts).neg_().add_(by[1].shape[-1])


def msac_and_count(poses: Tensor, by: Design, *, fused: bool = True) -> tuple[Tensor, Tensor]:
    """`msac` of a few poses, and (B, H) how many matches lie within the tolerance."""
    if kernel := _kernel_for(poses, by, fused):
        score, count = kernel.msac_and_count(poses, by)
        return score, count
    error = squared_errors(poses, by)
    return (1.0 - error).clamp_min_(0.0).sum(-1), (error < 1.0).sum(-1)


def msac_and_rest(poses: Tensor, by: Design, valid: Tensor, *, fused: bool = True) -> tuple[Tensor, Tensor]:
    """`msac`, and the same over the matches that the best of the poses does not explain; -1 where not valid (B, H)."""
    if kernel := _kernel_for(poses, by, fused):
        score, rest = kernel.msac_and_rest(poses, by, valid)
        return score, rest
    scores, rests = [], []
    for part, usable in zip(_parts(poses, by), _in_parts(valid, poses, by), strict=True):
        gain = squared_errors(*part).clamp_max_(1.0).neg_().add_(1.0)
        score = gain.sum(-1).masked_fill_(~usable, -1.0)
        best = score.argmax(1)[:, None, None].expand(-1, 1, gain.shape[-1])
        left = (gain.gather(1, best) <= 0.0).to(gain.dtype).transpose(1, 2)
        scores.append(score)
        rests.append(torch.bmm(gain, left)[..., 0].masked_fill_(~usable, -1.0))
    return torch.cat(scores), torch.cat(rests)


def _parts(poses: Tensor, by: Design) -> list[tuple[Tensor, Design]]:
    """On a CPU a few problems at a time: what is between a product and its sum then stays in the cache."""
    columns = zip(_in_parts(by[0], poses, by), _in_parts(by[1], poses, by), strict=True)
    return list(zip(_in_parts(poses, poses, by), columns, strict=True))


def _in_parts(values: Tensor, poses: Tensor, by: Design) -> tuple[Tensor, ...]:
    problems = max(1, _CACHED // (poses.shape[1] * by[1].shape[-1])) if poses.device.type == "cpu" else len(values)
    parts: tuple[Tensor, ...] = values.split(problems)
    return parts


def _kernel_for(poses: Tensor, by: Design, fused: bool) -> ModuleType | None:
    small = poses.shape[1] * by[1].shape[-1] < _WORTH
    return None if small or not fused or poses.device.type not in _FUSED_ON else _kernel(str(poses.device))


@cache
def _kernel(device: str) -> ModuleType | None:
    """The fused kernel, once it has scored a few poses on this device as the plain path does; else a warning says why
    it has not, since what takes its place is slower.
    """
    chance = torch.Generator().manual_seed(0)
    rays, points, poses = (torch.rand(1, *shape, generator=chance).to(device) for shape in ((2, 70), (3, 70), (20, 12)))
    by = design(rays, points, torch.tensor([2.0, 0.0, 0.0, 2.0], device=device)[None, :, None].expand(-1, -1, 70))
    valid = torch.arange(20, device=device)[None] % 5 > 0
    expected = msac_and_rest(poses, by, valid, fused=False)
    try:
        from geoloc_cli.geometry import score_triton

        for found, plain in zip(score_triton.msac_and_rest(poses, by, valid), expected, strict=True):
            torch.testing.assert_close(found, plain, rtol=1e-4, atol=1e-3)
    except Exception as error:  # it takes a compiler, an assembler and a driver, each with errors of its own
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        logging.getLogger(__name__).warning("poses are scored by torch alone, without the kernel for GPUs: %s", reason)
        return None
    return score_triton
