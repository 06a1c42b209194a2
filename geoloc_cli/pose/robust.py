"""Robust absolute pose for many problems at once: sample, score, optimise locally, stop each when it is done.

LO-RANSAC (Lebeda, Matas and Chum 2012) over a batch. Every round draws more samples for the problems that are still
open, ranks their hypotheses on a part of the matches (as in preemptive RANSAC: Nistér 2003), the short list on all of
them, and polishes the best few that stand for different answers. All problems are drawn for by the same numbers, so
that an answer depends on its problem, the options and the seed alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from geoloc_cli.errors import UsageError
from geoloc_cli.geometry.polish import Polished, polish
from geoloc_cli.geometry.rotation import orthonormal
from geoloc_cli.geometry.sampling import distinct, pools, uniforms
from geoloc_cli.geometry.score import Design, design, msac, msac_and_count, msac_and_rest, part_of, squared_errors
from geoloc_cli.pose.minimal import Kind, hypotheses
from geoloc_cli.pose.problems import Batch

# Samples drawn for each problem at a time: their hypotheses and a part of the matches fill a few megabytes.
TILE = 512
_MOST_TILES = 4
# Samples after which hypotheses are ranked on more matches: of those that are left, few are right.
_FEW_SAMPLES = TILE, 4096
# The fewest of the best matches that samples are drawn from.
_LEAST_POOL = 8
# The nearest matches that a local optimisation sees; its optimum is as good with them as with thousands.
_LOCAL = 256
_LOCAL_ROUNDS = (3, 4)
# The least deviation that residuals are taken to have: exact pairs would ask for more digits than there are.
_LEAST_SIGMA_PX = 0.2


@dataclass(frozen=True, slots=True)
class RobustOptions:
    """`confidence` that a pose with `rival_share` of the best one's support was sampled, too, before a problem ends.

    `max_samples` ends it anyway. Hypotheses are ranked on `subset` matches, and on four and eight times as many where
    many samples were not enough: of 5 % right matches, 64 hold three, and half of the good hypotheses see none of
    these. The best `shortlist` of a tile are ranked on all matches, and of these the best `modes` that differ are
    polished. `max_memory_mib` bounds the working set; answers do not depend on it. `fused` is for a GPU: scores by a
    kernel of our own, which keeps nothing of hypotheses x matches, in place of torch's; it needs Triton.
    """

    confidence: float = 0.999
    rival_share: float = 0.8
    max_samples: int = 65536
    subset: int = 64
    shortlist: int = 32
    modes: int = 4
    seed: int = 0
    max_memory_mib: int = 1024
    device: str = "auto"
    fused: bool = True

    def check(self) -> None:
        if not 0 < self.confidence < 1 or not 0 < self.rival_share <= 1:
            raise UsageError("confidence lies between 0 and 1, and rival_share above 0 and at most 1.")
        if self.max_samples < TILE:
            raise UsageError(f"max_samples is {self.max_samples}; give at least {TILE}.")
        if not 1 <= self.modes <= 8 or not 16 <= self.shortlist <= TILE or self.subset < 16:
            raise UsageError(f"modes is 1 to 8, shortlist 16 to {TILE}, and subset at least 16.")
        if self.max_memory_mib < 64:
            raise UsageError(f"max_memory_mib is {self.max_memory_mib}; give at least 64.")


@dataclass(slots=True)
class Modes:
    """The best few poses of each problem, the best first: rotation (B, M, 3, 3), center (B, M, 3), scale, score (B, M).

    In the normalised frame; a score of zero stands for none.
    """

    rotation: Tensor
    center: Tensor
    scale: Tensor
    score: Tensor

    def put(self, rows: Tensor, other: Modes) -> None:
        self.rotation[rows], self.center[rows] = other.rotation, other.center
        self.scale[rows], self.score[rows] = other.scale, other.score

    def take(self, rows: Tensor) -> Modes:
        return Modes(self.rotation[rows], self.center[rows], self.scale[rows], self.score[rows])


def search(batch: Batch, kind: Kind, options: RobustOptions) -> Modes:
    """The best poses of each problem of a batch; every problem has the pairs that the minimal solver needs."""
    count, device = len(batch), batch.rays.device
    best = Modes(
        torch.eye(3, dtype=torch.float64, device=device).repeat(count, options.modes, 1, 1),
        torch.zeros(count, options.modes, 3, dtype=torch.float64, device=device),
        torch.ones(count, options.modes, dtype=torch.float64, device=device),
        torch.zeros(count, options.modes, dtype=torch.float32, device=device),
    )
    open_rows = torch.arange(count, device=device)
    part, drawn, tiles = batch, 0, 1
    while drawn < options.max_samples and len(open_rows):
        found, inliers = _round(part, best.take(open_rows), kind, drawn, tiles, options)
        best.put(open_rows, found)
        drawn += tiles * TILE
        # Most problems are done after a tile; those that are not need many more.
        tiles = min(2 * tiles, _MOST_TILES, -(-(options.max_samples - drawn) // TILE))
        share = options.rival_share * inliers / part.count
        needed = math.log1p(-options.confidence) / torch.log1p(-(share**kind.size)).clamp_max(-1e-12)
        # Of ranked pairs, half of the samples are drawn from all.
        still = torch.nonzero(needed > torch.where(part.ranked, 0.5, 1.0) * drawn)[:, 0]
        if len(still) < len(open_rows):
            open_rows, part = open_rows[still], part.take(still)
    return best


def _round(
    batch: Batch, best: Modes, kind: Kind, drawn: int, tiles: int, options: RobustOptions
) -> tuple[Modes, Tensor]:
    """The best poses after these tiles of samples more, and (B,) the number of inliers of the best one."""
    by = design(batch.rays, batch.points, batch.whiten)
    length = batch.rays.shape[-1]
    short = min(options.subset * (1 if drawn < _FEW_SAMPLES[0] else 4 if drawn < _FEW_SAMPLES[1] else 8), length)
    seen = by
    if short < length:
        chance = uniforms(options.seed, 0, short).to(batch.rays) + torch.arange(short).to(batch.rays)
        seen = part_of(by, (chance * (batch.count[:, None] / short)).long())
    listed: list[tuple[Tensor, Tensor]] = []
    for tile in range(tiles):
        begin = drawn + tile * TILE
        chance = uniforms(options.seed, 1 + begin // TILE, TILE, kind.size + 2).to(batch.rays.device)
        ranked = pools(batch.count, chance[:, -2], _LEAST_POOL)
        pool = torch.where(batch.ranked[:, None], ranked, batch.count[:, None])
        made, valid = hypotheses(batch, kind, distinct(chance[:, : kind.size], pool), chance[:, -1])
        score, rest = msac_and_rest(made, seen, valid, fused=options.fused)
        # A second answer would not be heard among the many samples of the first: a fourth of the list is its own.
        own = options.shortlist // 4
        top = torch.cat([score.topk(options.shortlist - own, dim=1).indices, rest.topk(own, dim=1).indices], 1)
        made = made.gather(1, top[..., None].expand(-1, -1, 12))
        score = score.gather(1, top)
        if short < length:
            score = msac(made, by, fused=options.fused).masked_fill_(score < 0, -1.0)
        listed.append((made, score))
    made, score = (torch.cat(parts, 1) for parts in zip(*listed, strict=True))
    seeds = _different(squared_errors(made, by) < 1.0, score, options.modes)
    made = made.gather(1, seeds[..., None].expand(-1, -1, 12))
    if drawn:
        # A pose of few pairs that were right by chance grows with every turn.
        made = torch.cat([made, packed(best.rotation, best.center, best.scale).float()], 1)
    polished = _optimised(batch, made, by)
    return _kept(best, polished, by, options)


def _different(inside: Tensor, score: Tensor, modes: int) -> Tensor:
    """(B, M): the best hypotheses by score, each with at least half of its inliers (B, H, N) to itself."""
    members = inside.to(torch.float32)
    own = members.sum(-1).clamp_min(1.0)
    left, chosen = score.clone(), []
    for _ in range(modes):
        pick = left.argmax(1, keepdim=True)
        chosen.append(pick)
        mine = members.gather(1, pick[..., None].expand(-1, -1, members.shape[-1]))
        shared = torch.bmm(members, mine.transpose(1, 2))[..., 0]
        left = left.masked_fill(shared > 0.5 * own, -2.0).scatter(1, pick, -3.0)
    return torch.cat(chosen, 1)


def _optimised(batch: Batch, made: Tensor, by: Design) -> Modes:
    """Local optimisation of (B, M, 12) poses on their nearest matches: first within two tolerances, then within one."""
    count, modes = made.shape[:2]
    error = squared_errors(made, by)
    near = min(_LOCAL, error.shape[-1])
    rows = error.topk(near, dim=-1, largest=False).indices.flatten(0, 1)
    rays, points, whiten = (
        t.repeat_interleave(modes, 0).gather(2, rows[:, None].expand(-1, t.shape[1], -1))
        for t in (batch.rays, batch.points, batch.whiten)
    )
    rotation, center, scale = unpacked(made.flatten(0, 1).double())
    precision = focal_precision(batch).repeat_interleave(modes)
    least = (_LEAST_SIGMA_PX / batch.tolerance_px).repeat_interleave(modes)
    start = rotation, center, scale
    for width, rounds in zip((2.0, 1.0), _LOCAL_ROUNDS, strict=True):
        found = polish(rays, points, whiten / width, start, precision, least / width, rounds)
        start = found.rotation, found.center, found.focal_scale
    return Modes(
        start[0].unflatten(0, (count, modes)),
        start[1].unflatten(0, (count, modes)),
        start[2].unflatten(0, (count, modes)),
        found.ok.to(torch.float32).unflatten(0, (count, modes)),
    )


def _kept(best: Modes, found: Modes, by: Design, options: RobustOptions) -> tuple[Modes, Tensor]:
    """The best of both that differ, and (B,) the inliers of the first."""
    both = Modes(
        torch.cat([best.rotation, found.rotation], 1),
        torch.cat([best.center, found.center], 1),
        torch.cat([best.scale, found.scale], 1),
        torch.cat([best.score, found.score], 1),
    )
    poses = packed(both.rotation, both.center, both.scale).float()
    score, inside = msac_and_count(poses, by, fused=options.fused)
    score = torch.where(both.score > 0, score, 0.0).nan_to_num(0.0)
    # A pose that another one lies beside, and that explains no more, is that other one.
    same = _beside(both)
    ahead = (score[:, None, :] > score[..., None]) | (
        (score[:, None, :] == score[..., None]) & torch.ones_like(same).tril(-1)
    )
    score = score.masked_fill((same & ahead).any(-1), 0.0)
    order = score.sort(dim=1, descending=True, stable=True).indices[:, : options.modes]
    at = order[..., None]
    kept = Modes(
        both.rotation.gather(1, at[..., None].expand(-1, -1, 3, 3)),
        both.center.gather(1, at.expand(-1, -1, 3)),
        both.scale.gather(1, order),
        score.gather(1, order),
    )
    return kept, torch.where(kept.score[:, 0] > 0, inside.gather(1, order[:, :1])[:, 0], 0)


def _beside(poses: Modes) -> Tensor:
    """(B, P, P) bool: centres within a fiftieth of their distance from the scene, turned by less than 2 degrees."""
    apart = torch.cdist(poses.center, poses.center)
    away = poses.center.norm(dim=-1).clamp_min(0.5)
    matrices = poses.rotation.flatten(-2)
    cosine = (torch.bmm(matrices, matrices.transpose(1, 2)) - 1.0) / 2.0
    return (apart < 0.02 * torch.maximum(away[:, None], away[..., None])) & (cosine > math.cos(math.radians(2.0)))


def finish(batch: Batch, modes: Modes, rows: Tensor, columns: Tensor) -> Polished:
    """The last word on modes (row of the batch, column of its modes), on all pairs and in double precision."""
    rays, points, whiten = (t[rows] for t in (batch.rays, batch.points, batch.whiten))
    start = modes.rotation[rows, columns], modes.center[rows, columns], modes.scale[rows, columns]
    least = _LEAST_SIGMA_PX / batch.tolerance_px
    return polish(rays, points, whiten, start, focal_precision(batch)[rows], least[rows], rounds=12)


def focal_precision(batch: Batch) -> Tensor:
    """(B,): one over the variance of the log of the focal length; infinite where it is known."""
    return torch.where(batch.focal_std > 0, batch.focal_std, 0.0).square().reciprocal()


def packed(rotation: Tensor, center: Tensor, scale: Tensor) -> Tensor:
    """The twelve numbers of each pose (..., 12): the rows of [R t], the first two times the focal scale."""
    rows = torch.cat([rotation, -(rotation @ center[..., None])], -1)
    zoom = torch.stack([scale, scale, torch.ones_like(scale)], -1)
    return (rows * zoom[..., None]).flatten(-2)


def unpacked(poses: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The reverse of `packed`: rotation, center and scale; rotations are ones to the last digit."""
    rows = poses.unflatten(-1, (3, 4))
    scale = rows[..., 0, :3].norm(dim=-1)
    zoom = torch.stack([scale, scale, torch.ones_like(scale)], -1)
    rows = rows / zoom[..., None]
    rotation = orthonormal(rows[..., :3])
    return rotation, -(rotation.transpose(-1, -2) @ rows[..., 3:])[..., 0], scale
