"""How a camera moves between its photographs: a velocity that persists for a while, learned from the places themselves.

Each axis is an integrated Ornstein-Uhlenbeck process (Uhlenbeck and Ornstein 1930; the "Singer" model of tracking,
Singer 1970): the velocity has the standard deviation v and is forgotten with the time constant tau. With x = dt / tau
and e = exp(-x) a step of dt is

    position += tau (1 - e) velocity,   velocity *= e,   with the noise
    Q_pp = 2 v^2 tau^2 (x - 2 (1 - e) + (1 - e^2) / 2),   Q_pv = v^2 tau (1 - e)^2,   Q_vv = v^2 (1 - e^2).

Over short times that is a constant velocity, over long ones a random walk: a camera that turns at street corners is
not carried straight on, and the doubt about a long gap grows with its root and not with its third power.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# Below it the closed form of Q_pp cancels: its error is 3e-16 / x^2 of the whole.
_SERIES_BELOW = 1e-3
# Standing still on a tripod up to a train, per axis; persistences from a turn at every corner to a motorway.
_SPEEDS_M_S = np.geomspace(0.02, 60.0, 41)
_PERSISTENCES_S = np.geomspace(2.0, 640.0, 7)
# Without times the unit is the step from one photograph to the next, and metres range from a desk to a flight.
_SPEEDS_M_STEP = np.geomspace(0.05, 2000.0, 41)
_PERSISTENCES_STEP = np.geomspace(0.5, 16.0, 6)
# Pairs this many sightings apart tell how long a velocity persists; more of them say little that is new.
_LAGS = (1, 2, 4, 8)
# A pair is false where either of its places is; false ones lie anywhere, by a Cauchy distribution of this width.
_FALSE_PAIRS = 0.2
_FALSE_WIDTH_M = 1000.0
# Of a stated highest speed, the widest v that is thought of: 86 in 100 speeds of two such axes stay below twice it.
_AXIS_PER_MAX_SPEED = 0.5
_STATED_PERSISTENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Motion:
    """v in metres and tau, each in the clock's unit of time; `horizon` is the time it was seen to hold for."""

    speed: float
    persistence: float
    horizon: float

    def variance(self, dt: ArrayLike) -> Floats:
        """Variance in m^2, on each axis, of the way made in dt by a camera whose velocity nobody knows (broadcasts)."""
        x = np.abs(np.asarray(dt, dtype=np.float64)) / self.persistence
        variance: Floats = 2.0 * (self.speed * self.persistence) ** 2 * (x + np.expm1(-x))
        return variance

    def step(self, dt: float) -> tuple[Floats, Floats]:
        """Transition (2, 2) and noise (2, 2) of (position, velocity) on one axis over dt >= 0."""
        x = dt / self.persistence
        lost = -math.expm1(-x)
        if x < _SERIES_BELOW:
            spread = x**3 * (1.0 / 3.0 - x * (1.0 / 4.0 - x * (7.0 / 60.0)))
        else:
            spread = x - 2.0 * lost - math.expm1(-2.0 * x) / 2.0
        v2, tau = self.speed**2, self.persistence
        pv = v2 * tau * lost**2
        transition = np.array([[1.0, tau * lost], [0.0, 1.0 - lost]])
        return transition, np.array([[2.0 * v2 * tau**2 * spread, pv], [pv, -v2 * math.expm1(-2.0 * x)]])


def learn(
    position: Floats,
    noise: Floats,
    time: Floats,
    *,
    in_seconds: bool,
    clock_std: float = 0.0,
    max_speed: float | None = None,
) -> Motion:
    """The motion that places tell of, some of which may be altogether wrong.

    position: (n, D) metres, in the order of time; noise: (n,) m^2 on each axis; time: (n,), its error clock_std.

    tau has the highest marginal likelihood on a grid, v^2 is its mean over the grid given tau, each speed's logarithm
    being as likely as another's before: from few pairs v comes out high, and what is bridged by it wide. The
    likelihood is a composite one (Varin, Reid and Firth 2011) of displacements at four lags, each a mixture of what
    this motion gives and of a Cauchy distribution that the false ones follow.
    """
    speeds = _SPEEDS_M_S if in_seconds else _SPEEDS_M_STEP
    persistences = _PERSISTENCES_S if in_seconds else _PERSISTENCES_STEP
    if max_speed is not None:
        speeds = np.geomspace(min(speeds[0], 0.01 * max_speed), _AXIS_PER_MAX_SPEED * max_speed, len(speeds))
    i, j, share = _pairs(len(position))
    dt = time[j] - time[i]
    # The time between the photographs farthest apart that were compared, in the midst of all such: not a pause.
    horizon = float(np.median(dt[j - i == (j - i).max()])) if len(dt) and max_speed is None else math.inf
    apart = dt > 0.0
    i, j, share, dt = i[apart], j[apart], share[apart], dt[apart]
    if len(dt) == 0:
        horizon = 0.0 if max_speed is None else math.inf
        tau = _STATED_PERSISTENCE_S if in_seconds else float(persistences[-1])
        return Motion(float(speeds[-1] if max_speed is not None else np.median(speeds)), tau, horizon)
    dims = position.shape[1]
    square = np.sum((position[j] - position[i]) ** 2, axis=1)
    false = math.log(_FALSE_PAIRS) + _log_cauchy(square, dims)
    log = np.empty((len(persistences), len(speeds)))
    for row, tau in enumerate(persistences):
        way = Motion(1.0, float(tau), 0.0).variance(dt) + 2.0 * clock_std**2
        variance = speeds[:, None] ** 2 * way + (noise[i] + noise[j])
        true = math.log1p(-_FALSE_PAIRS) - 0.5 * (dims * np.log(2.0 * np.pi * variance) + square / variance)
        log[row] = np.logaddexp(true, false) @ share
    weight = np.exp(log - log.max())
    best = int(weight.sum(axis=1).argmax())
    v2 = float((weight[best] * speeds**2).sum() / weight[best].sum())
    return Motion(math.sqrt(v2), float(persistences[best]), horizon)


def _pairs(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Pairs (i, j) at the lags, and their shares: what several lags say of one stretch of the way counts once."""
    lags = [lag for lag in _LAGS if lag < n]
    i = np.concatenate([np.arange(n - lag) for lag in lags] or [np.zeros(0, np.int64)])
    j = np.concatenate([np.arange(lag, n) for lag in lags] or [np.zeros(0, np.int64)])
    return i, j, np.full(len(i), 1.0 / max(1, len(lags)))


def _log_cauchy(square: Floats, dims: int) -> Floats:
    """Logarithm of the Cauchy density in `dims` dimensions at squared distances."""
    half = (dims + 1) / 2.0
    peak = math.lgamma(half) - half * math.log(math.pi) + math.log(_FALSE_WIDTH_M)
    log: Floats = peak - half * np.log(_FALSE_WIDTH_M**2 + square)
    return log
