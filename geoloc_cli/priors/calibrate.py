"""From a source's errors over labelled photographs to a belief that means what it says.

A source that names places is off by a street, a city, a country or a continent, each in its share of cases. Its belief
about a named place is therefore a mixture of components of all these radii about it, and an even share for having no
idea; the shares are those under which the observed errors are likeliest. Pure functions of arrays, no I/O.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geoloc_cli.errors import UsageError
from geoloc_cli.geo import fisher
from geoloc_cli.geo.belief import credible_radius_m
from geoloc_cli.geo.earth import EARTH_RADIUS_M, Floats
from geoloc_cli.types import Belief, Component

# Radii that hold 90 % of a component, three a decade from a house to a continent.
LADDER_M: tuple[float, ...] = tuple(round(10.0 ** (exponent / 3.0), 1) for exponent in range(6, 21))
_ROUNDS = 400
# Shares below this are given to the others: so little is not learned from a few thousand photographs.
_LEAST_SHARE = 0.002
# Photographs that the whole collection counts for beside a group's own.
_SHRINK = 20.0


@dataclass(frozen=True, slots=True)
class Scales:
    """How far a source is off: shares (`weights`) of components of `radii_m` about what it names, and an even share."""

    radii_m: tuple[float, ...]
    weights: tuple[float, ...]
    spread: float

    def about(self, lat: float, lon: float, least_radius_m: float = 0.0) -> Belief:
        """The belief of a source that names this place; least_radius_m: what it says itself of its radius."""
        components = (
            Component(lat, lon, max(radius, least_radius_m), weight)
            for radius, weight in zip(self.radii_m, self.weights, strict=True)
        )
        return Belief(tuple(components), self.spread)

    def log_density(self, distance_m: ArrayLike) -> Floats:
        """Natural logarithm of the density per steradian at distances from the named place, of their shape."""
        return np.asarray(np.logaddexp.reduce(_logs(np.asarray(distance_m), self.radii_m) + _log_shares(self), axis=-1))

    def radius_m(self, share: float) -> float:
        """The radius about the named place that holds a share of its belief."""
        return credible_radius_m(self.about(0.0, 0.0), 0.0, 0.0, share)


def _log_shares(scales: Scales) -> Floats:
    with np.errstate(divide="ignore"):
        log: Floats = np.log(np.array([*scales.weights, scales.spread]))
    return log


def _logs(distance_m: Floats, radii_m: Sequence[float]) -> Floats:
    """Log density per steradian of each radius, and last of the even share: (..., len(radii_m) + 1)."""
    kappa = fisher.kappa_from_radius(np.asarray(radii_m))
    rise = fisher.rise_of_angle(np.minimum(distance_m / EARTH_RADIUS_M, np.pi))
    peaked = fisher.log_peak(kappa) - kappa * rise[..., None]
    even = np.full((*distance_m.shape, 1), -np.log(4.0 * np.pi))
    return np.concatenate([peaked, even], axis=-1)


def fit_scales(
    errors_m: ArrayLike,
    weights: ArrayLike | None = None,
    radii_m: Sequence[float] = LADDER_M,
    least_spread: float = 0.005,
) -> Scales:
    """The shares under which the errors are likeliest, by expectation-maximisation; weights: of the errors, or equal.

    The likelihood is concave in the shares, so that there is one answer. least_spread is kept however good the source.
    UsageError where there are no errors, or one that is not a length.
    """
    errors = np.asarray(errors_m, dtype=np.float64).ravel()
    if errors.size == 0 or not np.all(np.isfinite(errors) & (errors >= 0.0)):
        raise UsageError(
            "A source is calibrated on the errors of its answers in metres; give at least one, all finite."
        )
    counts = np.ones(errors.size) if weights is None else np.asarray(weights, dtype=np.float64)
    logs = _logs(errors, radii_m)
    likelihood = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares = np.full(logs.shape[1], 1.0 / logs.shape[1])
    for _ in range(_ROUNDS):
        each = likelihood * shares
        shares = counts @ (each / each.sum(axis=1, keepdims=True)) / counts.sum()
    shares[shares < _LEAST_SHARE] = 0.0
    spread = max(float(shares[-1] / shares.sum()), least_spread)
    peaked = shares[:-1]
    peaked = peaked * (1.0 - spread) / peaked.sum() if peaked.sum() > 0.0 else peaked
    if not peaked.any():
        return Scales((), (), 1.0)
    kept: list[int] = np.flatnonzero(peaked).tolist()
    return Scales(tuple(radii_m[i] for i in kept), tuple(peaked[kept].tolist()), 1.0 - float(peaked.sum()))


def likeliest_share(log_one: Floats, log_other: Floats, pseudo: float = 0.0) -> float:
    """The share s under which sum log((1 - s) exp(one) + s exp(other)) over photographs (N,) is greatest.

    log_one, log_other: of two densities at each true place. By expectation and maximisation, which never leaves 0 to 1,
    and stops a millionth within; pseudo: photographs that count beside these as ones of the first.
    """
    share = 0.5
    for _ in range(200):
        other, one = np.log(share) + log_other, np.log1p(-share) + log_one
        found = float(np.exp(other - np.logaddexp(other, one)).sum()) / (len(log_one) + pseudo)
        share = min(max(found, 1e-6), 1.0 - 1e-6)
    return share


def fit_groups(errors_m: ArrayLike, groups: Sequence[Hashable]) -> dict[Hashable, Scales]:
    """Scales of each group of answers (by the level that they name, by agreement), the small ones leaning on the whole.

    Every error counts in each group: its own in full, the others so that together they count as twenty photographs.
    """
    errors = np.asarray(errors_m, dtype=np.float64)
    fitted: dict[Hashable, Scales] = {}
    for group in dict.fromkeys(groups):
        own = np.array([entry == group for entry in groups])
        others = max(int((~own).sum()), 1)
        fitted[group] = fit_scales(errors, np.where(own, 1.0, min(1.0, _SHRINK / others)))
    return fitted


def coverage(errors_m: ArrayLike, scales: Sequence[Scales], shares: Sequence[float] = (0.5, 0.7, 0.9)) -> list[float]:
    """How often the truth lay within the radius that was to hold each share; scales: of each answer, in their order."""
    errors = np.asarray(errors_m, dtype=np.float64)
    radii: dict[tuple[Scales, float], float] = {}
    found = []
    for share in shares:
        for one in set(scales):
            radii[one, share] = one.radius_m(share)
        found.append(float(np.mean([error <= radii[one, share] for error, one in zip(errors, scales, strict=True)])))
    return found


def folds(count: int, parts: int, seed: int = 0) -> NDArray[np.intp]:
    """The part, 0 to parts - 1, of each photograph in a random split; the same for every source of one seed."""
    return np.random.default_rng(seed).permutation(count) % parts
