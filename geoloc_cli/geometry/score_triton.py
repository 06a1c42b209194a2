"""The scores of `geometry/score.py` in one kernel, by Triton on a GPU: nothing of hypotheses x matches is kept.

A program of the kernel scores a block of the hypotheses of one problem on all of its matches, block by block: each lane
adds up the gains of every `_MATCHES`-th match, and the lanes are added at the end. The order of the sum is that of the
matches alone, so that a score is the same to the last bit whoever else is in the batch and however it was split.

A match is read as nine numbers, its point and what weighs the point in the camera along x and along y, of which the
rows of the design are products: 15 multiplications and additions a match in place of 28. They are made on the lanes
that compute in float32: TF32 has no part here. A match of numbers that are not finite explains nothing.

The kernel reads no clock and is not tuned at run time: sizes that were tried out could differ from one run to another.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

# Hypotheses and matches of a block: 8 poses by one match for each of 128 threads. Their numbers and sums take 168 of a
# thread's 255 registers on sm_90 (218 beside a best pose); of twice as many, some are spilled to memory.
_HYPOTHESES, _MATCHES, _WARPS = 16, 64, 4
# The numbers of a pose and of a match.
_POSE, _MATCH = 12, 9
Design = tuple[Tensor, Tensor]


def msac_and_count(poses: Tensor, by: Design) -> tuple[Tensor, Tensor]:
    """As of `geometry/score.py`: (B, H) float32 scores and (B, H) int32 numbers of matches within the tolerance."""
    poses = poses.contiguous()
    return _scores(poses, _factors(by), poses[:, 0])


def msac_and_rest(poses: Tensor, by: Design, valid: Tensor) -> tuple[Tensor, Tensor]:
    """As of `geometry/score.py`: the second sum is a second pass, which knows what the best pose explains."""
    poses, factors = poses.contiguous(), _factors(by)
    score = _scores(poses, factors, poses[:, 0])[0].masked_fill_(~valid, -1.0)
    best = poses.gather(1, score.argmax(1)[:, None, None].expand(-1, 1, _POSE))[:, 0]
    return score, _scores(poses, factors, best, rest=True)[0].masked_fill_(~valid, -1.0)


def _factors(by: Design) -> Tensor:
    """(B, 9, N): of each match x, y, z, and what weighs x, y, z in the camera along the first axis and the second."""
    along, homogeneous = by
    return torch.cat([homogeneous[:, :3], along[:, 3::4, 0], along[:, 3::4, 1]], 1)


def _scores(poses: Tensor, factors: Tensor, best: Tensor, *, rest: bool = False) -> tuple[Tensor, Tensor]:
    problems, hypotheses = poses.shape[:2]
    score = torch.empty(problems, hypotheses, dtype=torch.float32, device=poses.device)
    count = torch.empty(problems, hypotheses, dtype=torch.int32, device=poses.device)
    programs = problems * triton.cdiv(hypotheses, _HYPOTHESES)
    if programs:
        sizes = {"REST": rest, "HYPOTHESES": _HYPOTHESES, "MATCHES": _MATCHES}
        # Triton launches on the current device, which need not be that of the tensors.
        with torch.cuda.device_of(poses):
            kernel[(programs,)](
                *(poses, factors, best.contiguous(), score, count, hypotheses, factors.shape[-1]),
                **sizes,
                num_warps=_WARPS,
                enable_fp_fusion=True,
            )
    return score, count


@triton.jit  # type: ignore[untyped-decorator]
def _product(
    a: tl.tensor, b: tl.tensor, c: tl.tensor, d: tl.tensor, x: tl.tensor, y: tl.tensor, z: tl.tensor
) -> tl.tensor:
    """A row of [R t] times a point."""
    return a * x + (b * y + (c * z + d))


@triton.jit  # type: ignore[untyped-decorator]
def _gain(
    x: tl.tensor,
    y: tl.tensor,
    z: tl.tensor,
    ax: tl.tensor,
    ay: tl.tensor,
    az: tl.tensor,
    bx: tl.tensor,
    by: tl.tensor,
    bz: tl.tensor,
    live: tl.tensor,
) -> tl.tensor:
    """max(0, 1 - e^2) of a point in the camera; the least depth and the least square are those of the plain path."""
    depth = tl.maximum(z, 1e-15)
    along, across = ax * x + (ay * y + az * z), bx * x + (by * y + bz * z)
    square = (along * along + (across * across + 1e-12)) / (depth * depth)
    return tl.where(live & (square < 1.0), 1.0 - square, 0.0)


@triton.jit(do_not_specialize=["hypotheses", "length"])  # type: ignore[untyped-decorator]
def kernel(
    poses: tl.tensor,
    matches: tl.tensor,
    best: tl.tensor,
    scores: tl.tensor,
    counts: tl.tensor,
    hypotheses: tl.tensor,
    length: tl.tensor,
    REST: tl.constexpr,
    HYPOTHESES: tl.constexpr,
    MATCHES: tl.constexpr,
) -> None:
    """poses (B, H, 12), matches (B, 9, N) -> scores and counts (B, H); with REST of what `best` (B, 12) leaves."""
    blocks = (hypotheses + HYPOTHESES - 1) // HYPOTHESES
    problem = (tl.program_id(0) // blocks).to(tl.int64)
    row = (tl.program_id(0) % blocks) * HYPOTHESES + tl.arange(0, HYPOTHESES)
    there = row < hypotheses
    pose = poses + (problem * hypotheses + row) * 12
    p00 = tl.load(pose + 0, mask=there, other=0.0)[:, None]
    p01 = tl.load(pose + 1, mask=there, other=0.0)[:, None]
    p02 = tl.load(pose + 2, mask=there, other=0.0)[:, None]
    p03 = tl.load(pose + 3, mask=there, other=0.0)[:, None]
    p10 = tl.load(pose + 4, mask=there, other=0.0)[:, None]
    p11 = tl.load(pose + 5, mask=there, other=0.0)[:, None]
    p12 = tl.load(pose + 6, mask=there, other=0.0)[:, None]
    p13 = tl.load(pose + 7, mask=there, other=0.0)[:, None]
    p20 = tl.load(pose + 8, mask=there, other=0.0)[:, None]
    p21 = tl.load(pose + 9, mask=there, other=0.0)[:, None]
    p22 = tl.load(pose + 10, mask=there, other=0.0)[:, None]
    p23 = tl.load(pose + 11, mask=there, other=0.0)[:, None]
    if REST:
        known = best + problem * 12
        b00, b01, b02, b03 = tl.load(known + 0), tl.load(known + 1), tl.load(known + 2), tl.load(known + 3)
        b10, b11, b12, b13 = tl.load(known + 4), tl.load(known + 5), tl.load(known + 6), tl.load(known + 7)
        b20, b21, b22, b23 = tl.load(known + 8), tl.load(known + 9), tl.load(known + 10), tl.load(known + 11)
    total = tl.full((HYPOTHESES, MATCHES), 0.0, tl.float32)
    inside = tl.full((HYPOTHESES, MATCHES), 0, tl.int32)
    for start in range(0, length, MATCHES):
        column = start + tl.arange(0, MATCHES)
        live = (column < length)[None, :]
        match = (matches + problem * 9 * length + column)[None, :]
        x = tl.load(match, mask=live, other=0.0)
        y = tl.load(match + length, mask=live, other=0.0)
        z = tl.load(match + 2 * length, mask=live, other=0.0)
        ax = tl.load(match + 3 * length, mask=live, other=0.0)
        ay = tl.load(match + 4 * length, mask=live, other=0.0)
        az = tl.load(match + 5 * length, mask=live, other=0.0)
        bx = tl.load(match + 6 * length, mask=live, other=0.0)
        by = tl.load(match + 7 * length, mask=live, other=0.0)
        bz = tl.load(match + 8 * length, mask=live, other=0.0)
        if REST:
            u = _product(b00, b01, b02, b03, x, y, z)
            v = _product(b10, b11, b12, b13, x, y, z)
            w = _product(b20, b21, b22, b23, x, y, z)
            live = live & (_gain(u, v, w, ax, ay, az, bx, by, bz, live) <= 0.0)
        u = _product(p00, p01, p02, p03, x, y, z)
        v = _product(p10, p11, p12, p13, x, y, z)
        w = _product(p20, p21, p22, p23, x, y, z)
        gain = _gain(u, v, w, ax, ay, az, bx, by, bz, live)
        total += gain
        inside += (gain > 0.0).to(tl.int32)
    place = problem * hypotheses + row
    tl.store(scores + place, tl.sum(total, 1), mask=there)
    tl.store(counts + place, tl.sum(inside, 1), mask=there)
