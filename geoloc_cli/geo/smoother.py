"""Places along a way from places that are known on it: a Kalman filter, and back by Rauch, Tung and Striebel (1965).

The state is (position, velocity) in D dimensions, its first D numbers metres; `geo/motion.py` gives its steps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo.motion import Floats, Motion

Bools = NDArray[np.bool_]
# Variances in m^2 beyond which a place is not known at all: a thousand kilometres.
_UNKNOWN_M2 = 1e12
# What is left of a difference of inverses is rounding below this share of them.
_ROUNDING = 1e-9


def smooth(motion: Motion, time: Floats, place: Floats, noise: Floats, known: Bools) -> tuple[Floats, Floats]:
    """The positions (n, D) and covariances (n, D, D) of one way at times (n,) in order, from those that are `known`.

    place: (n, D) metres; noise: (n, D, D) m^2; both count only where known, which must hold somewhere. Before the first
    known place the way is followed backwards: the process is the same in both directions of time.
    """
    n, dims = place.shape
    first = int(np.flatnonzero(known)[0])
    mean, cov = np.zeros((n, 2 * dims)), np.zeros((n, 2 * dims, 2 * dims))
    steps: list[tuple[Floats, Floats, Floats]] = []  # transition, predicted mean and covariance of the steps
    mean[first, :dims] = place[first]
    cov[first, :dims, :dims] = noise[first]
    cov[first, dims:, dims:] = motion.speed**2 * np.eye(dims)
    for k in range(first + 1, n):
        transition, extra = _step(motion, time[k] - time[k - 1], dims)
        ahead = transition @ mean[k - 1]
        wide = transition @ cov[k - 1] @ transition.T + extra
        steps.append((transition, ahead, wide))
        mean[k], cov[k] = _updated(ahead, wide, place[k], noise[k]) if known[k] else (ahead, wide)
    for k in range(n - 2, first - 1, -1):
        transition, ahead, wide = steps[k - first]
        back = np.linalg.solve(wide, transition @ cov[k]).T
        mean[k] = mean[k] + back @ (mean[k + 1] - ahead)
        cov[k] = _even(cov[k] + back @ (cov[k + 1] - wide) @ back.T)
    for k in range(first - 1, -1, -1):
        transition, extra = _step(motion, time[k + 1] - time[k], dims)
        turn = np.diag(np.repeat([1.0, -1.0], dims))
        backwards = turn @ transition @ turn
        mean[k] = backwards @ mean[k + 1]
        cov[k] = backwards @ cov[k + 1] @ backwards.T + turn @ extra @ turn
    return np.array(mean[:, :dims]), np.array(cov[:, :dims, :dims])


def without(mean: Floats, cov: Floats, place: Floats, noise: Floats) -> tuple[Floats, Floats] | None:
    """What the others alone say of a place: the smoothed (mean, cov) without its own measurement (place, noise).

    In information form: P^-1 - R^-1. None where the others say nothing.
    """
    value, axes = np.linalg.eigh(np.linalg.inv(cov) - np.linalg.inv(noise))
    if value[0] < max(1.0 / _UNKNOWN_M2, _ROUNDING / float(np.linalg.eigvalsh(noise)[0])):
        return None
    left: Floats = (axes / value) @ axes.T
    shift: Floats = left @ np.linalg.solve(noise, mean - place)
    return mean + shift, left


def _step(motion: Motion, dt: float, dims: int) -> tuple[Floats, Floats]:
    transition, extra = motion.step(float(dt))
    eye = np.eye(dims)
    return np.asarray(np.kron(transition, eye), np.float64), np.asarray(np.kron(extra, eye), np.float64)


def _updated(mean: Floats, cov: Floats, place: Floats, noise: Floats) -> tuple[Floats, Floats]:
    """The state after a place was measured, by Joseph's form, which keeps the covariance positive."""
    dims = len(place)
    gain = np.linalg.solve(cov[:dims, :dims] + noise, cov[:dims, :]).T
    kept = np.eye(2 * dims)
    kept[:, :dims] -= gain
    moved: Floats = mean + gain @ (place - mean[:dims])
    return moved, _even(kept @ cov @ kept.T + gain @ noise @ gain.T)


def _even(cov: Floats) -> Floats:
    symmetric: Floats = (cov + cov.T) / 2.0
    return symmetric
