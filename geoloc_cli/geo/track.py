"""The way of one camera through what its photographs say of their places, some of which are wrong.

1. The motion is learned from the places themselves (`geo/motion.py`), whatever share of them is wrong.
2. The best path chooses one hypothesis of each photograph, or none (`geo/viterbi.py`).
3. A smoother joins what was chosen (`geo/smoother.py`); each photograph is judged by what the *others* say of it, a
   misfit is refused, a photograph refused before that fits is taken, and so again until nothing changes.

Photographs without a place of their own, or with a refused one, get the place that the way gives them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo.motion import Floats, Motion, learn
from geoloc_cli.geo.smoother import smooth, without
from geoloc_cli.geo.viterbi import Hypotheses, Paths, Rules, best_paths

Ints = NDArray[np.int64]
State = Literal["used", "refused", "unsure", "absent"]

# What being on the way is worth beyond a photograph's own certainty (log odds). With the odds of a certain one, 99 to
# 1, a misfit of five standard deviations is refused; an uncertain one, even odds, at four.
_GAIN = 8.0
_MOST_ODDS = math.log(99.0)
_HYPOTHESES = 4
# Where the best path through a refused photograph earns almost as much as the best of all, nobody can tell which of
# them is wrong (log odds of 20 to 1).
_UNSURE = 3.0
# Neighbours are located by the same references, whose own errors they share: this share of a variance is not averaged.
_SHARED = 0.5
# A motion is never quite the one that was learned: so much wider, nine in ten bridged places lie inside for walkers on
# a grid of streets and for drones over a field, who do not move as the model does.
_BRIDGE_VARIANCE = 1.3
_ROUNDS = 5
# A motion that held for ten seconds says something of half a minute, and nothing of an hour.
_BEYOND_HORIZON = 3.0


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one photograph says of its own place: k >= 1 hypotheses, each a Gaussian, and `spread`, that all are wrong.

    position: (k, D) metres in one plane or space for all photographs; covariance: (k, D, D) m^2; weight: (k,).
    """

    position: Floats
    covariance: Floats
    weight: Floats
    spread: float


@dataclass(frozen=True, slots=True)
class Point:
    """One photograph on the way.

    state: its own place was `used`, `refused`, or there is none (`absent`); `unsure` where it contradicts others and
    nobody can tell which is wrong. `hypothesis` is the one that was used. position (D,) and covariance (D, D) are what
    all of the way says, None where it says nothing. `doubt` is the probability that this is wrong altogether. `before`
    and `after` are the nearest photographs in time that were used, by their numbers.
    """

    state: State
    hypothesis: int | None = None
    position: Floats | None = None
    covariance: Floats | None = None
    doubt: float = 1.0
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """One point for each photograph, in their order; `motion` is None where no photograph says anything."""

    points: tuple[Point, ...]
    motion: Motion | None


def track(
    sightings: Sequence[Sighting | None],
    time_s: Floats | None = None,
    *,
    clock_std_s: float = 0.0,
    max_speed: float | None = None,
) -> Track:
    """The way of a camera whose photographs are given in the order of time; None is one without a place.

    time_s: (n,) seconds, never falling; None where only the order is known, so that one photograph is the unit of
    time. clock_std_s: the error of a time. max_speed: metres in a unit of time that it never exceeds, where known.
    """
    seen = [i for i, sighting in enumerate(sightings) if sighting is not None]
    if not seen:
        return Track(tuple(Point("absent") for _ in sightings), None)
    in_seconds = time_s is not None
    time = np.arange(len(sightings), dtype=np.float64) if time_s is None else np.asarray(time_s, np.float64)
    if np.any(np.diff(time) < 0.0):
        raise ValueError("the photographs of a track are given in the order of time")
    hypotheses, number = _flat(sightings, seen, time)
    first = np.flatnonzero(np.append(True, np.diff(hypotheses.owner) != 0))  # each photograph's weightiest
    noise = np.trace(hypotheses.covariance[first], axis1=1, axis2=2) / hypotheses.position.shape[1]
    motion = learn(
        hypotheses.position[first],
        (1.0 - _SHARED) * noise,
        hypotheses.time[first],
        in_seconds=in_seconds,
        clock_std=clock_std_s,
        max_speed=max_speed,
    )
    way = _Way(hypotheses, time, motion, clock_std_s)
    way.choose(best_paths(hypotheses, Rules(motion, in_seconds, clock_std_s, max_speed)))
    way.settle()
    return Track(tuple(way.point(i, number) for i in range(len(time))), motion)


def _flat(sightings: Sequence[Sighting | None], seen: list[int], time: Floats) -> tuple[Hypotheses, Ints]:
    """The hypotheses of all photographs in one table, and the number of each within its photograph."""
    owner, position, covariance, gain, number = [], [], [], [], []
    for i in seen:
        one = sightings[i]
        assert one is not None
        order = np.argsort(-one.weight, kind="stable")[:_HYPOTHESES]
        odds = np.log(np.maximum(one.weight[order], 1e-6)) - math.log(max(one.spread, 1e-6))
        owner += [i] * len(order)
        position.append(one.position[order])
        covariance.append(one.covariance[order])
        gain.append(_GAIN + np.clip(odds, -_MOST_ODDS, _MOST_ODDS))
        number.append(order)
    owners = np.array(owner, np.int64)
    flat = np.concatenate(position), np.concatenate(covariance), time[owners], np.concatenate(gain)
    return Hypotheses(owners, *flat), np.concatenate(number)


class _Way:
    """What was chosen so far, and what follows from it; photographs are numbered 0 to n - 1, hypotheses 0 to m - 1."""

    def __init__(self, hypotheses: Hypotheses, time: Floats, motion: Motion, clock_std: float) -> None:
        self.all, self.time, self.motion = hypotheses, time, motion
        n, dims = len(time), hypotheses.position.shape[1]
        self.mine = [np.zeros(0, np.int64)] * n
        for i in np.unique(hypotheses.owner):
            self.mine[i] = np.flatnonzero(hypotheses.owner == i)
        # A time that is wrong by so much is a place that is wrong by the way made in it.
        blur = (motion.speed * clock_std) ** 2 * np.eye(dims)
        self.own = (1.0 - _SHARED) * hypotheses.covariance + blur
        self.whole = hypotheses.covariance + blur
        self.chosen = np.full(n, -1, np.int64)
        self.unsure = np.zeros(n, bool)
        self.breaks = np.zeros(n, np.int64)  # legs begun up to each photograph
        self.leg = np.zeros(n, np.int64)
        self.before, self.after = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
        self.mean, self.cov = np.zeros((n, dims)), np.zeros((n, dims, dims))
        self.worth = np.full(n, np.nan)  # log odds that a used photograph is right, where others say anything of it

    def choose(self, paths: Paths) -> None:
        """Takes the best path, without what is contested."""
        owner = self.all.owner
        self.chosen[owner[paths.taken]] = paths.taken
        begun = np.zeros(len(self.time), np.int64)
        begun[owner[paths.taken[paths.new_leg]]] = 1
        self.breaks = np.cumsum(begun)
        on_path = set(owner[paths.taken].tolist())
        for i in set(owner.tolist()) - on_path:
            k = int(self.mine[i][paths.through[self.mine[i]].argmax()])
            if paths.through.max() - paths.through[k] < _UNSURE:
                self.unsure[[i, *(on_path - {int(owner[j]) for j in paths.route(k)})]] = True
        self.chosen[self.unsure] = -1

    def settle(self) -> None:
        """Smooths and judges by turns until no photograph is refused or taken any more."""
        for _ in range(_ROUNDS):
            self._smooth()
            if not self._judge():
                return
        self._smooth()

    def _smooth(self) -> None:
        used = np.flatnonzero(self.chosen >= 0)
        if len(used) == 0:
            return
        n = len(self.time)
        # The nearest used photographs on both sides, and the leg of the nearer one where they are of two.
        left = np.searchsorted(used, np.arange(n), side="right") - 1
        right = np.searchsorted(used, np.arange(n), side="left")
        before, after = used[np.maximum(left, 0)], used[np.minimum(right, len(used) - 1)]
        earlier = (right == len(used)) | ((left >= 0) & (self.time - self.time[before] <= self.time[after] - self.time))
        self.leg = self.breaks[np.where(earlier, before, after)]
        left = np.searchsorted(used, np.arange(n), side="left") - 1
        right = np.searchsorted(used, np.arange(n), side="right")
        for found, near, there in (
            (self.before, left, left >= 0),
            (self.after, right, right < len(used)),
        ):
            photo = used[np.clip(near, 0, len(used) - 1)]
            found[:] = np.where(there & (self.breaks[photo] == self.leg), photo, -1)
        for leg in np.unique(self.leg):
            part = np.flatnonzero(self.leg == leg)
            known, k = self.chosen[part] >= 0, np.maximum(self.chosen[part], 0)
            self.mean[part], self.cov[part] = smooth(
                self.motion, self.time[part], self.all.position[k], self.own[k], known
            )

    def _judge(self) -> bool:
        """Whether anything changed: refuses misfits, the worst of neighbours first, and takes what fits after all."""
        self.worth[:] = np.nan
        changed = False
        for i in (i for i, mine in enumerate(self.mine) if len(mine)):
            k = int(self.chosen[i])
            if self.unsure[i]:
                continue
            said = (self.mean[i], self.cov[i])
            if k >= 0:
                others = without(*said, self.all.position[k], self.own[k])
                if others is None:
                    continue
                said = others
            elif not self._reached(i):
                continue
            worth = self._worth(self.mine[i], *said)
            best = int(worth.argmax())
            if k >= 0:
                self.worth[i] = worth[best]
            if (k >= 0 and self.mine[i][best] != k) or (k < 0 and worth[best] > _GAIN / 2.0):
                self.chosen[i], changed = self.mine[i][best], True
        used = np.flatnonzero(self.chosen >= 0)
        worth = np.nan_to_num(self.worth[used], nan=np.inf)
        for j in np.flatnonzero(worth < 0.0):
            if worth[j] == worth[max(0, j - 3) : j + 4].min():
                self.chosen[used[j]], changed = -1, True
        return changed

    def _worth(self, k: Ints, mean: Floats, cov: Floats) -> Floats:
        """The log odds of hypotheses k against what others say."""
        away = self.all.position[k] - mean
        scaled = np.linalg.solve(cov + self.whole[k], away[..., None])[..., 0]
        worth: Floats = self.all.gain[k] - 0.5 * np.sum(away * scaled, axis=1)
        return worth

    def _reached(self, i: int) -> bool:
        """Whether the motion was seen to hold for as long as the gap in which photograph i stands."""
        ends = [self.time[j] for j in (self.before[i], self.after[i]) if j >= 0]
        if not ends:
            return False
        gap = ends[1] - ends[0] if len(ends) == 2 else abs(self.time[i] - ends[0])
        return bool(gap <= _BEYOND_HORIZON * self.motion.horizon)

    def _doubt(self, i: int) -> float:
        """The probability that a used photograph is wrong: by the others, or by itself where they say nothing."""
        odds = self.all.gain[self.chosen[i]] - _GAIN if np.isnan(self.worth[i]) else self.worth[i]
        return float(1.0 / (1.0 + np.exp(odds)))

    def point(self, i: int, number: Ints) -> Point:
        k = int(self.chosen[i])
        before, after = (int(j) if j >= 0 else None for j in (self.before[i], self.after[i]))
        if k >= 0:
            cov = self.cov[i] + _SHARED * self.all.covariance[k]
            return Point("used", int(number[k]), self.mean[i], cov, self._doubt(i), before, after)
        if self.unsure[i]:
            return Point("unsure", before=before, after=after)
        state: State = "refused" if len(self.mine[i]) else "absent"
        ends = [j for j in (before, after) if j is not None]
        if not self._reached(i):
            return Point(state, before=before, after=after)
        shared = _SHARED * self.all.covariance[self.chosen[ends]].mean(axis=0)
        doubt = max(self._doubt(j) for j in ends)
        return Point(state, None, self.mean[i], _BRIDGE_VARIANCE * self.cov[i] + shared, doubt, before, after)
