"""Which of the places that photographs are said to have been taken at lie on one way: the best path through them.

Each photograph has several hypotheses, and one more: that all of them are wrong. A path takes at most one hypothesis of
each photograph. It earns the `gain` of each that it takes and pays for each step between two of them (Viterbi 1967):

* moved on: d^T S^-1 d / 2 of the displacement d, with S the covariance of both places and of the motion;
* carried: the camera travelled otherwise, by train or in a pause, once an hour on the whole. That costs
  -log(1 - exp(-dt / 1 h)), a distance that no vehicle makes, and a constant that keeps two wrong photographs from
  making a journey. A carried step begins a new leg.

There is no normalising constant in a step, so that wide and narrow motions refuse alike, at as many standard
deviations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo.motion import Floats, Motion

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Photographs in a row that may all be wrong in the midst of a way; a longer run begins it anew.
_WINDOW = 40
_CARRIED_EVERY_S = 3600.0
# Without a clock a step is a journey once in a thousand.
_CARRIED_PER_STEP = 1e-3
_CARRIED_M_S = 25.0
_ARRIVAL_COST = 8.0
# No photograph is farther than this many standard deviations of its noise beyond the highest speed.
_NOISE_BEYOND = 3.0


@dataclass(frozen=True, slots=True)
class Hypotheses:
    """m hypotheses of photographs in the order of time: `owner` (m,) numbers the photographs, and never falls.

    position: (m, D) metres; covariance: (m, D, D); time: (m,) of the owner; gain: (m,), what taking it earns.
    """

    owner: Ints
    position: Floats
    covariance: Floats
    time: Floats
    gain: Floats

    def reversed(self) -> Hypotheses:
        return Hypotheses(
            self.owner[::-1], self.position[::-1], self.covariance[::-1], self.time[::-1], self.gain[::-1]
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """How a camera may get from one place to the next; the clock's unit is seconds, or one photograph."""

    motion: Motion
    in_seconds: bool
    clock_std: float = 0.0
    max_speed: float | None = None

    def cost(self, one: Hypotheses, a: slice, b: slice) -> tuple[Floats, Bools]:
        """The cost (len a, len b) of each step from a hypothesis of `a` to one of `b`, and whether it is carried."""
        way = one.position[b][None] - one.position[a][:, None]
        noise = one.covariance[b][None] + one.covariance[a][:, None]
        dt = np.abs(one.time[b][None] - one.time[a][:, None])
        slack = 2.0 * self.clock_std**2
        eye = np.eye(way.shape[-1])
        moved = _half_square(
            way, noise + (self.motion.variance(dt) + slack * self.motion.speed**2)[..., None, None] * eye
        )
        if self.in_seconds:
            rare = -np.expm1(-np.maximum(dt, 1e-3) / _CARRIED_EVERY_S)
            reach = _CARRIED_M_S**2 * (dt**2 + slack)
            far = _half_square(way, noise + reach[..., None, None] * eye)
            carried = _ARRIVAL_COST - np.log(rare) + far
        else:
            carried = np.full(moved.shape, _ARRIVAL_COST - math.log(_CARRIED_PER_STEP))
        cost = np.minimum(moved, carried)
        if self.max_speed is not None:
            beyond = np.linalg.norm(way, axis=-1) - self.max_speed * (dt + 2.0 * self.clock_std)
            blurred = _NOISE_BEYOND * np.sqrt(np.trace(noise, axis1=-2, axis2=-1) / way.shape[-1])
            cost = np.where(beyond > blurred, np.inf, cost)
        return cost, carried < moved


@dataclass(frozen=True, slots=True)
class Paths:
    """The best path, and for each hypothesis the best one through it.

    taken: hypotheses of the best path in order; new_leg: whether each was carried to; through: (m,) what the best path
    through each earns, so that `through.max()` is that of the best of all.
    """

    taken: Ints
    new_leg: Bools
    through: Floats
    before: Ints
    after: Ints

    def route(self, k: int) -> set[int]:
        """The hypotheses on the best path through k."""
        met = {k}
        for link in (self.before, self.after):
            at = int(link[k])
            while at >= 0:
                met.add(at)
                at = int(link[at])
        return met


def best_paths(hypotheses: Hypotheses, rules: Rules) -> Paths:
    """Max-product in both directions; m >= 1."""
    m = len(hypotheses.owner)
    there, before, carried = _forward(hypotheses, rules)
    back, after, _ = _forward(hypotheses.reversed(), rules)
    back, after = back[::-1], np.where(after[::-1] < 0, -1, m - 1 - after[::-1])
    taken = [int(there.argmax())]
    while before[taken[-1]] >= 0:
        taken.append(int(before[taken[-1]]))
    path = np.array(taken[::-1], np.int64)
    return Paths(path, carried[path], there + back - hypotheses.gain, before, after)


def _forward(one: Hypotheses, rules: Rules) -> tuple[Floats, Ints, Bools]:
    """What the best path that ends in each hypothesis earns, its last step's origin (-1: none), and whether carried."""
    m = len(one.owner)
    edges = np.append(np.flatnonzero(np.append(True, np.diff(one.owner) != 0)), m)
    score, origin, carried = one.gain.copy(), np.full(m, -1, np.int64), np.zeros(m, bool)
    for k in range(1, len(edges) - 1):
        b = slice(edges[k], edges[k + 1])
        a = slice(edges[max(0, k - _WINDOW)], edges[k])
        cost, by_vehicle = rules.cost(one, a, b)
        reached = score[a][:, None] - cost
        best, columns = reached.argmax(axis=0), np.arange(b.stop - b.start)
        top = reached[best, columns]
        better = top > 0.0
        score[b] += np.where(better, top, 0.0)
        origin[b] = np.where(better, best + a.start, -1)
        carried[b] = better & by_vehicle[best, columns]
    return score, origin, carried


def _half_square(way: Floats, covariance: Floats) -> Floats:
    """way^T covariance^-1 way / 2 over leading axes."""
    half: Floats = 0.5 * np.einsum("...i,...i->...", way, np.linalg.solve(covariance, way[..., None])[..., 0])
    return half
