"""A hidden Markov model of one camera's photographs: which of the places that each names is the right one, or none.

A photograph is in one of its components' states, or *elsewhere*: all that it says is wrong. A path through the chain
weighs the product of the shares of what it chose, and of one likelihood ratio for each two successive photographs that
are not elsewhere (`geo/travel.py`); between these, a photograph that is elsewhere does not break the chain, since its
neighbours on both sides are linked over the whole gap. Forward-backward (Baum and others 1970) gives the share of all
paths that lead through a state, Viterbi (1967) the weightiest path.

The state that is carried forward is the last photograph on the path that said something, its *anchor*. A component far
wider than what is known from the anchor weighs the path, but does not become its anchor: a photograph that says "this
country" does not make forgotten on which street the one before it stood. (With such components forward and backward
passes are no longer exactly of one model; without them they are.) No more than `keep` anchors are carried; the
rest is added to the paths that have none yet, and so counts as knowing nothing. Time is O(n keep K), memory O(n keep).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo.travel import Floats, Travel

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

KEEP = 128


@dataclass(frozen=True, slots=True)
class Evidence:
    """What n photographs in the order of time say: m components in one table, and the doubt of each photograph.

    Photograph i has the components first[i] to first[i + 1]; first: (n + 1,). unit: (m, 3), where; variance: (m,) m^2
    on one axis; log_weight: (m,); log_doubt: (n,), the share of elsewhere; time: (n,) seconds, never falling.
    """

    first: Ints
    unit: Floats
    variance: Floats
    log_weight: Floats
    log_doubt: Floats
    time: Floats

    def __post_init__(self) -> None:
        if np.any(np.diff(self.time) < 0.0):
            raise ValueError("the photographs of a chain are given in the order of time")

    def reversed(self) -> Evidence:
        """The same chain, the last photograph first: component k is m - 1 - k of it."""
        return Evidence(
            self.first[-1] - self.first[::-1],
            self.unit[::-1],
            self.variance[::-1],
            self.log_weight[::-1],
            self.log_doubt[::-1],
            -self.time[::-1],
        )


@dataclass(frozen=True, slots=True)
class Carried:
    """What paths bring to a photograph: anchors (components' numbers), their logarithms, and that of having none."""

    anchor: Ints
    log: Floats
    none: float

    def most(self, count: int) -> Carried:
        """The weightiest anchors, the others as none."""
        if len(self.anchor) <= count:
            return self
        order = np.argsort(-self.log, kind="stable")
        kept, rest = order[:count], order[count:]
        none = float(np.logaddexp(self.none, np.logaddexp.reduce(self.log[rest])))
        return Carried(self.anchor[kept], self.log[kept], none)


@dataclass(frozen=True, slots=True)
class Shares:
    """Of all paths, the share that has anchor a before a photograph, chooses k of it, and has anchor b after it.

    joint: (A + 1, K + 1, B + 1); the last of the first and third is "no anchor", the last of the second elsewhere.
    before: (A,) and after: (B,), the numbers of the anchors.
    """

    before: Ints
    after: Ints
    joint: Floats

    @property
    def own(self) -> Floats:
        """The posterior of each of the photograph's components, and last of elsewhere: (K + 1,)."""
        shares: Floats = self.joint.sum(axis=(0, 2))
        return shares


class Chain:
    """The model over one chain of n >= 1 photographs."""

    def __init__(self, evidence: Evidence, travel: Travel, keep: int = KEEP) -> None:
        self.evidence, self.travel, self.keep = evidence, travel, keep
        self._axes = np.ascontiguousarray(evidence.unit.T)
        self._when = evidence.time[np.repeat(np.arange(len(evidence.time)), np.diff(evidence.first))]

    def links(self, a: Ints, b: Ints) -> Floats:
        """The log likelihood ratios between components a and b, of the shape to which their numbers broadcast."""
        return self.travel.log_ratio(*self.between(a, b))

    def between(self, a: Ints, b: Ints) -> tuple[Floats, Floats, Floats]:
        """What the travel asks of components a and b: rise, variance in m^2, and seconds."""
        one = self.evidence
        return self._rise(a, b), one.variance[a] + one.variance[b], np.abs(self._when[a] - self._when[b])

    def _rise(self, a: Ints, b: Ints) -> Floats:
        x, y = self._axes[:, a], self._axes[:, b]
        rise: Floats = 0.5 * ((x[0] - y[0]) ** 2 + (x[1] - y[1]) ** 2 + (x[2] - y[2]) ** 2)
        return rise

    def photo_of(self, component: int) -> int:
        """The photograph that names a component."""
        return int(np.searchsorted(self.evidence.first, component, side="right")) - 1

    def time_of(self, component: int) -> float:
        """The time of its photograph."""
        return float(self._when[component])

    def shares(self, near: int = 16) -> Iterator[Shares]:
        """For each photograph in turn what all of the paths make of it, by `near` anchors at most on either side."""
        backwards = Chain(self.evidence.reversed(), self.travel, self.keep)
        last = len(self._when) - 1
        after = [Carried(last - c.anchor, c.log, c.none) for c in backwards._carried()]
        for i, (before, behind) in enumerate(zip(self._carried(), after[::-1], strict=True)):
            yield self._joint(i, before.most(near), behind.most(near))

    def best_path(self) -> Ints:
        """The component that the weightiest path chooses of each photograph (n,), -1 for elsewhere."""
        one, n = self.evidence, len(self.evidence.time)
        origin = np.full(len(self._when), -1, np.int64)
        carried = _NOTHING
        for i in range(n):
            k, through, arrive = self._reach(carried, i)
            row = arrive.argmax(axis=0)
            origin[k] = np.append(carried.anchor, -1)[row]
            stay = np.maximum(carried.log + one.log_doubt[i], through.max(axis=1, initial=-np.inf))
            fresh = arrive[row, np.arange(len(k))]
            ahead = Carried(np.append(carried.anchor, k), np.append(stay, fresh), carried.none + one.log_doubt[i])
            carried = replace(ahead.most(self.keep), none=ahead.none)
        path = np.full(n, -1, np.int64)
        if not len(carried.log) or carried.log.max() <= carried.none:
            return path
        at, end = int(carried.anchor[carried.log.argmax()]), n
        while at >= 0:
            owner = self.photo_of(at)
            for i in range(owner + 1, end):
                k, through, _ = self._reach(Carried(np.array([at]), np.zeros(1), -np.inf), i)
                if len(k) and through.max() > one.log_doubt[i]:
                    path[i] = k[through[0].argmax()]
            path[owner], end, at = at, owner, int(origin[at])
        return path

    def learned(self) -> Chain:
        """The same with the ways of travel, and how they bend, that its own best path shows."""
        path = self.best_path()
        steps = path[path >= 0]
        if len(steps) < 2:
            return self
        counts = self.travel.ways(*self.between(steps[:-1], steps[1:]))[:, :-1].sum(axis=0)
        seen = Chain(self.evidence, self.travel.learned(counts), self.keep)
        return Chain(self.evidence, seen.travel.bent(*seen._bends(steps)), self.keep) if len(steps) > 2 else seen

    def _bends(self, steps: Ints) -> tuple[Floats, Floats, Floats, Floats]:
        """Of each photograph on a path between two others: how far it is from where an even motion leads, as 1 - cos of
        the angle (t,); the variance of that by all three places; the ways of travel between the two (t, M); and the
        product of the seconds to either (t,)."""
        one, (a, k, b) = self.evidence, (steps[:-2], steps[1:-1], steps[2:])
        to, on = self._when[k] - self._when[a], self._when[b] - self._when[k]
        share = (np.maximum(to, 1e-3) / np.maximum(to + on, 2e-3))[:, None]
        line = (1.0 - share) * one.unit[a] + share * one.unit[b]
        line /= np.linalg.norm(line, axis=1, keepdims=True)
        share = share[:, 0]
        noise = one.variance[k] + (1.0 - share) ** 2 * one.variance[a] + share**2 * one.variance[b]
        rise = 0.5 * np.sum((one.unit[k] - line) ** 2, axis=1)
        return rise, noise, self.travel.ways(*self.between(a, b)), to * on

    def _carried(self) -> Iterator[Carried]:
        """What is carried to each photograph from those before it."""
        carried = _NOTHING
        for i in range(len(self.evidence.time)):
            yield carried
            k, through, arrive = self._reach(carried, i)
            doubt = self.evidence.log_doubt[i]
            stay = np.logaddexp(carried.log + doubt, np.logaddexp.reduce(through, axis=1))
            fresh = np.logaddexp.reduce(arrive, axis=0)
            ahead = Carried(np.append(carried.anchor, k), np.append(stay, fresh), carried.none + doubt)
            carried = ahead.most(self.keep)

    def _reach(self, carried: Carried, i: int) -> tuple[Ints, Floats, Floats]:
        """The components of photograph i, what anchors bring to those that are no anchors after them (A, K), and what
        anchors and last none bring to those that are (A + 1, K)."""
        k = np.arange(self.evidence.first[i], self.evidence.first[i + 1])
        weight, variance, anchor = self.evidence.log_weight[k], self.evidence.variance, carried.anchor[:, None]
        dt = self.evidence.time[i] - self._when[anchor]
        reach = self.travel.log_ratio(self._rise(anchor, k[None]), variance[anchor] + variance[k], np.abs(dt))
        reach += carried.log[:, None] + weight
        wide = self.wide(carried.anchor, k)
        arrive = np.concatenate([np.where(wide, -np.inf, reach), carried.none + weight[None]])
        return k, np.where(wide, reach, -np.inf), arrive

    def wide(self, anchor: Ints, k: Ints) -> Bools:
        """Whether components k, all of one photograph, say less of their place than the anchors do (A, K)."""
        dt = np.abs(self._when[k][None, :1] - self._when[anchor][:, None])
        known = self.evidence.variance[anchor][:, None] + self.travel.usual_variance(dt)
        wide: Bools = self.evidence.variance[k][None] > known
        return wide

    def _joint(self, i: int, before: Carried, after: Carried) -> Shares:
        one, a, b = self.evidence, before.anchor, after.anchor
        k = np.arange(one.first[i], one.first[i + 1])
        to, on = np.zeros((len(a) + 1, len(k))), np.zeros((len(k), len(b) + 1))
        to[:-1], on[:, :-1] = self.links(a[:, None], k[None]), self.links(k[:, None], b[None])
        over = np.zeros((len(a) + 1, len(b) + 1))
        over[:-1, :-1] = self.links(a[:, None], b[None])
        wide_a, wide_b = np.zeros(to.shape, bool), np.zeros(on.shape, bool)
        wide_a[:-1], wide_b[:, :-1] = self.wide(a, k), self.wide(b, k).T
        # A wide component is no link between its anchors: they are linked over it, and the nearer one weighs it.
        gap_a = np.append(one.time[i] - self._when[a], np.inf)[:, None, None]
        gap_b = np.append(self._when[b] - one.time[i], np.inf)[None, None]
        by_a = wide_a[:, :, None] & ~(wide_b[None] & (gap_b < gap_a))
        by_b = wide_b[None] & ~by_a
        linked = np.where(by_a, to[:, :, None], 0.0) + np.where(by_b, on[None], 0.0)
        linked += np.where(by_a | by_b, over[:, None], to[:, :, None] + on[None])
        chosen = np.concatenate([linked + one.log_weight[k][None, :, None], over[:, None] + one.log_doubt[i]], axis=1)
        chosen += np.append(before.log, before.none)[:, None, None] + np.append(after.log, after.none)
        joint = np.exp(chosen - chosen.max())
        return Shares(a, b, joint / joint.sum())


_NOTHING = Carried(np.zeros(0, np.int64), np.zeros(0), 0.0)
