"""Poses of many problems at once, by torch: what is asked, what is answered, and how much memory that takes.

One Python object a problem goes in and comes out; between them there are tensors alone. Problems of one padded length
and one kind are solved together, in groups that fit `max_memory_mib`: neither the group nor its size changes an answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geoloc_cli.device import choose, full_precision
from geoloc_cli.geometry.polish import covariance_of
from geoloc_cli.pose.minimal import Kind
from geoloc_cli.pose.problems import Batch, batched, padded, usable
from geoloc_cli.pose.refine import INDEPENDENT_SHARE
from geoloc_cli.pose.robust import RobustOptions, finish, search
from geoloc_cli.pose.solve import PoseProblem

Floats = NDArray[np.float64]
Status = Literal["ok", "too_few", "degenerate", "no_consensus"]

# The least pairs beside those that a sample is made of.
_CONFIRMING = 2
# Of two poses of repeated structure, one of 70 % of the other's support is right once in five: their pairs hang
# together, and are no independent votes.
_SUPPORT_POWER = 4.0
# Weights below this are no answers.
_LEAST_WEIGHT = 0.02
# By which the score of a pose that is polished may fall short of the best one's; of 0.4 the weight is 0.02.
_LEAST_SHARE = 0.35
# Bytes that a problem takes whatever its size, and for each of its padded pairs.
_EACH, _EACH_PAIR = 8 << 20, 3000
# On a CPU more problems at once than this do not fit its caches.
_CPU_GROUP = 16


@dataclass(frozen=True, slots=True)
class FoundPose:
    """One answer to a problem: rotation (3, 3) cam_from_map, center (3,) in map, focal_scale over the given.

    inliers: (N,) bool of the pairs given; score: MSAC's, at most the number of inliers; covariance: (6, 6) of (rotation
    vector in cam [rad], centre in map); weight: its share among the answers of its problem.
    """

    rotation: Floats
    center: Floats
    focal_scale: float
    inliers: NDArray[np.bool_]
    score: float
    covariance: Floats
    weight: float


@dataclass(frozen=True, slots=True)
class PoseAnswer:
    """`ok` with at least one pose, the likeliest first; or why there is none.

    `too_few` pairs for a sample and its confirmation, `degenerate` pairs that do not determine a pose (one place, one
    line), or `no_consensus`: no pose gathers more than poses of wrong pairs do by chance.
    """

    status: Status
    poses: tuple[FoundPose, ...] = ()


def solve_poses(problems: Sequence[PoseProblem], options: RobustOptions | None = None) -> list[PoseAnswer]:
    """One answer for each problem, in their order; a problem that has none never costs another its own.

    Raises UsageError on options that are out of range, and ConfigError where the device is not there.
    """
    options = options or RobustOptions()
    options.check()
    device = choose(options.device).name
    answers = [PoseAnswer("too_few")] * len(problems)
    groups = list(_groups(problems, options, device))

    def work(group: tuple[Kind, list[int]]) -> list[PoseAnswer]:
        with torch.inference_mode():
            return _solved(batched(problems, group[1], device), group[0], problems, options)

    for (_, members), found in zip(groups, _spread(work, groups, device), strict=True):
        for i, answer in zip(members, found, strict=True):
            answers[i] = answer
    return answers


def _spread(
    work: Callable[[tuple[Kind, list[int]]], list[PoseAnswer]], groups: list[tuple[Kind, list[int]]], device: str
) -> list[list[PoseAnswer]]:
    """On a CPU, a thread for each group, and of each group's operations one: these are short, and sharing them costs
    more than it saves (ten times, where something else runs on the same cores).
    """
    if device != "cpu":
        # TF32 would round what is scored to half a pixel in a thousand.
        with full_precision():
            return [work(group) for group in groups]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if threads == 1 or len(groups) < 2:
            return [work(group) for group in groups]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(work, groups))
    finally:
        torch.set_num_threads(threads)


def kind_of(problem: PoseProblem) -> Kind:
    """How its samples are solved: with gravity where that is known in both frames, with an unknown focal length."""
    gravity = problem.up_in_cam is not None and problem.up_in_map is not None
    return Kind(gravity, not problem.focal_known)


def _groups(problems: Sequence[PoseProblem], options: RobustOptions, device: str) -> list[tuple[Kind, list[int]]]:
    alike: dict[tuple[Kind, int], list[int]] = {}
    for i, problem in enumerate(problems):
        count, kind = len(usable(problem)), kind_of(problem)
        if count >= kind.size + _CONFIRMING and _sound(problem):
            alike.setdefault((kind, padded(count)), []).append(i)
    groups = []
    for (kind, length), members in alike.items():
        # Groups that are worked out side by side share what there is.
        at_once = torch.get_num_threads() if device == "cpu" else 1
        most = max(1, (options.max_memory_mib << 20) // at_once // (_EACH + _EACH_PAIR * length))
        size = min(most, _CPU_GROUP) if device == "cpu" else most
        groups += [(kind, members[start : start + size]) for start in range(0, len(members), size)]
    return groups


def _sound(problem: PoseProblem) -> bool:
    return math.isfinite(problem.focal_px) and problem.focal_px > 0 and math.isfinite(problem.focal_std)


def _solved(batch: Batch, kind: Kind, problems: Sequence[PoseProblem], options: RobustOptions) -> list[PoseAnswer]:
    modes = search(batch, kind, options)
    count, m = modes.score.shape
    # What cannot weigh beside the best is not looked at again.
    contending = (modes.score > 0) & (modes.score >= _LEAST_SHARE * modes.score[:, :1])
    rows, columns = contending.nonzero(as_tuple=True)
    polished = finish(batch, modes, rows, columns)
    covariance = covariance_of(polished) / INDEPENDENT_SHARE
    reach = covariance[:, 3:, 3:].diagonal(dim1=-2, dim2=-1).sum(-1).sqrt()
    live = torch.arange(batch.rays.shape[2], device=batch.rays.device) < batch.count[:, None]
    errors = torch.full((count, m, live.shape[1]), torch.inf, dtype=torch.float64, device=live.device)
    errors[rows, columns] = torch.where(live[rows], polished.errors, torch.inf)
    sure = torch.zeros_like(contending)
    sure[rows, columns] = polished.ok & (reach < polished.center.norm(dim=-1).clamp_min(1.0))
    inside = errors < 1.0
    score = (1.0 - errors.square()).clamp_min(0.0).sum(-1)
    gathered = _surprising(batch, inside.sum(-1), kind.size)
    weight = _weights(torch.where(gathered & sure, score, 0.0), errors, inside)
    # One transfer for each kind of number, whatever the number of problems.
    at = torch.full(score.shape, -1, device=score.device)
    at[rows, columns] = torch.arange(len(rows), device=score.device)
    facts = [polished.rotation, polished.center, polished.focal_scale, covariance, score, weight, inside, at]
    rotation, center, scale, cov, points, share, inliers, where = (fact.cpu().numpy() for fact in facts)
    held, origin, size = gathered.any(1).tolist(), batch.origin.cpu().numpy(), batch.size.cpu().numpy()
    answers = []
    for b, i in enumerate(batch.which):
        order = [k for k in np.argsort(-share[b], kind="stable") if share[b, k] > 0]
        if not order:
            answers.append(PoseAnswer("degenerate" if held[b] else "no_consensus"))
            continue
        units = np.repeat([1.0, size[b]], 3)
        poses = []
        for k in order:
            p = where[b, k]
            mask = np.zeros(len(problems[i].rays), bool)
            mask[batch.rows[b][inliers[b, k][: len(batch.rows[b])]]] = True
            place = origin[b] + size[b] * center[p]
            spread = cov[p] * np.outer(units, units)
            zoom = float(scale[p])
            poses.append(FoundPose(rotation[p], place, zoom, mask, float(points[b, k]), spread, float(share[b, k])))
        answers.append(PoseAnswer("ok", tuple(poses)))
    return answers


def _surprising(batch: Batch, inliers: Tensor, size: int) -> Tensor:
    """(B, M) bool: whether fewer than one pose is expected to gather so many of a problem's pairs by chance.

    That is C(n, s) C(n - s, k - s) alpha^(k - s) for k of n pairs and samples of s: `retrieval/verify.py` without its
    factor for trying every k, which a handful of pairs cannot pay.
    """
    n, k = batch.count[:, None].double(), inliers.double()
    ways = torch.lgamma(n + 1) - torch.lgamma(n - k + 1) - torch.lgamma(k - size + 1).nan_to_num()
    return (inliers > size) & (ways - math.lgamma(size + 1) + (k - size) * batch.alpha[:, None].log() < 0)


def _weights(score: Tensor, errors: Tensor, inside: Tensor) -> Tensor:
    """(B, M) scores, zero for none, and (B, M, N) errors -> weights that add up to one where there is a score.

    Poses of different pairs weigh as a power of their support. Where the same pairs speak for both, as before a small
    plane, the squares of their errors do, as Gaussians'.
    """
    best = score.argmax(1, keepdim=True)
    most = score.gather(1, best).clamp_min(1e-9)
    at = best[..., None].expand(-1, -1, errors.shape[-1])
    first, common = errors.gather(1, at), inside & inside.gather(1, at)
    square = torch.where(inside.gather(1, at), first.square(), 0.0)
    sigma2 = (square.sum(-1) / (2.0 * inside.gather(1, at).sum(-1).clamp_min(1))).clamp_min(1e-6)
    worse = (torch.where(common, errors.square() - first.square(), 0.0).sum(-1) / (2.0 * sigma2)).clamp_min(0.0)
    weight = (score / most) ** _SUPPORT_POWER * torch.exp(-INDEPENDENT_SHARE * worse)
    total = weight.sum(1, keepdim=True)
    share = torch.where(total > 0, weight / torch.where(total > 0, total, 1.0), 0.0)
    share = torch.where(share >= _LEAST_WEIGHT, share, 0.0)
    total = share.sum(1, keepdim=True)
    return torch.where(total > 0, share / torch.where(total > 0, total, 1.0), 0.0)
