"""Several sources about one photo, joined by how much each has earned: a logarithmic pool, learned from labels.

The product of beliefs takes sources for independent. Models that read the same books err together, so each density is
raised to an exponent first: p(x) ~ prod_s p_s(x) ** w_s (Genest and Zidek 1986). Two copies of one source then share
the weight of one, and a source that is no use has exponent 0. The answer is the best of the places that were named,
never one between them: the area first, then the place inside it, because the source that is best at naming the country
is not the one that is best at naming the street. Pure functions of arrays, no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geoloc_cli.errors import UsageError
from geoloc_cli.geo.earth import Floats, haversine_m
from geoloc_cli.priors.calibrate import LADDER_M, Scales, fit_groups, fit_scales
from geoloc_cli.types import Belief

# The field's thresholds: street, city, region, country, continent.
THRESHOLDS_M = (1e3, 25e3, 200e3, 750e3, 2500e3)
_STREET_M = THRESHOLDS_M[:2]
# A finer peak than these would decide for the source that dares most, not for the one that is right most.
_AREA_RADII_M, _STREET_RADII_M = LADDER_M[3:], LADDER_M[1:]
_FIRST = 0.5  # between the independent sources' 1 and the eight copies' 1 / 8
_TOWARD_FIRST = 1e-3
_ROUNDS = 600
_STEP = 0.05
_AGREE_M = 100_000.0


@dataclass(frozen=True, slots=True)
class Judge:
    """What was learned of sources in a fixed order: their scales, and the exponents of their densities."""

    scales: tuple[Scales, ...]
    exponents: tuple[float, ...]

    def score(self, where: Floats) -> Floats:
        """The pooled log density at each place that is named, up to a constant: (n, sources)."""
        return np.asarray(_features(where, self.scales) @ np.array(self.exponents))


@dataclass(frozen=True, slots=True)
class Pool:
    """The judge that chooses the area, the one that chooses inside it, and how far their answer is off.

    `by_agreement[n]`: the pool's own scales where n sources name the area, that is a place within 100 km.
    """

    area: Judge
    street: Judge
    by_agreement: tuple[Scales, ...]

    def choose(self, places: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """places: (n, sources, 2) latitude and longitude, NaN where a source says nothing.

        Returns the source whose place is the answer, -1 where none says anything, and how many agree: (n,), (n,).
        """
        where = _placed(places, len(self.area.scales))
        near, said = _area(where, self.area)
        best = np.argmax(np.where(near, self.street.score(where), -np.inf), axis=1)
        return np.where(said, best, -1), near.sum(axis=1)

    def believe(self, places: ArrayLike) -> list[Belief]:
        """The belief about each photo, everywhere where no source says anything."""
        where = _placed(places, len(self.area.scales))
        chosen, agreeing = self.choose(where)
        return [
            self.by_agreement[count].about(*where[row, source].tolist()) if source >= 0 else Belief()
            for row, (source, count) in enumerate(zip(chosen.tolist(), agreeing.tolist(), strict=True))
        ]


def fit_pool(places: ArrayLike, truth: ArrayLike) -> Pool:
    """Learns a pool. places as for `Pool.choose`; truth: (n, 2).

    The exponents maximise how many of the field's thresholds the answer is expected to meet (all five for the area, the
    two finest inside it), the choice softened to a softmax of the scores so that it has a gradient.
    """
    where = np.asarray(places, dtype=np.float64)
    true = np.asarray(truth, dtype=np.float64)
    errors = haversine_m(where[..., 0], where[..., 1], true[:, None, 0], true[:, None, 1])
    said = np.isfinite(errors)
    if not said.any(axis=0).all():
        raise UsageError("A source answered about no labelled photo; leave it out of the pool.")
    area = _judge(where, errors, said, _AREA_RADII_M, THRESHOLDS_M)
    street = _judge(where, errors, _area(where, area)[0], _STREET_RADII_M, _STREET_M)
    chosen, agreeing = Pool(area, street, ()).choose(where)
    rows = np.flatnonzero(chosen >= 0)
    own = errors[rows, chosen[rows]]
    fitted, whole = fit_groups(own, agreeing[rows].tolist()), fit_scales(own)
    return Pool(area, street, tuple(fitted.get(count, whole) for count in range(where.shape[1] + 1)))


def _judge(
    where: Floats, errors: Floats, open_: NDArray[np.bool_], radii_m: Sequence[float], thresholds_m: Sequence[float]
) -> Judge:
    """Scales and exponents by which to choose among the open places of each photo."""
    said = np.isfinite(errors)
    scales = tuple(fit_scales(errors[said[:, s], s], radii_m=radii_m) for s in range(where.shape[1]))
    met = np.mean(np.nan_to_num(errors, nan=np.inf)[..., None] <= np.array(thresholds_m), axis=-1)
    return Judge(scales, tuple(_ascended(_features(where, scales), met, open_).tolist()))


def _area(where: Floats, judge: Judge) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which places are in the area of the best one (n, sources), and whether there is any place (n,)."""
    said = np.isfinite(where[..., 0])
    best = np.argmax(np.where(said, judge.score(where), -np.inf), axis=1)
    away = _distances(where)[np.arange(len(where)), best]
    return np.nan_to_num(away, nan=np.inf) <= _AGREE_M, np.any(said, axis=1)


def _placed(places: ArrayLike, sources: int) -> Floats:
    where = np.asarray(places, dtype=np.float64)
    if where.ndim != 3 or where.shape[1:] != (sources, 2):
        raise ValueError(f"places are (n, {sources}, 2), not {where.shape}")
    return where


def _distances(where: Floats) -> Floats:
    """Between the places of a photo, (n, one, other); NaN where a source says nothing."""
    lat, lon = where[..., 0], where[..., 1]
    return np.asarray(haversine_m(lat[:, :, None], lon[:, :, None], lat[:, None], lon[:, None]))


def _features(where: Floats, scales: Sequence[Scales]) -> Floats:
    """Log density, over that of the even share, that each source gives to each named place: (n, place, source)."""
    away = _distances(where)
    found = np.zeros(away.shape)
    for source, scale in enumerate(scales):
        known = np.isfinite(away[:, :, source])
        found[known, source] = scale.log_density(away[:, :, source][known]) + np.log(4.0 * np.pi)
    return found


def _ascended(features: Floats, met: Floats, open_: NDArray[np.bool_]) -> Floats:
    """The exponents that make the softened answer meet the most thresholds, drawn a little toward where they began.

    By Adam's steps (Kingma and Ba 2015), kept at zero or above.
    """
    rows = np.any(open_, axis=1)
    x, gain, free = features[rows], met[rows], open_[rows]
    flat = x.reshape(-1, x.shape[2])
    first = np.full(x.shape[2], _FIRST)
    exponents, mean, square = first.copy(), np.zeros_like(first), np.zeros_like(first)
    for _ in range(_ROUNDS):
        score = np.where(free, x @ exponents, -np.inf)
        share = np.exp(score - score.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        slope = share * (gain - (share * gain).sum(axis=1, keepdims=True))
        gradient = slope.ravel() @ flat / len(x) - _TOWARD_FIRST * (exponents - first)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.99 * square + 0.01 * gradient**2
        exponents = np.maximum(exponents + _STEP * mean / (np.sqrt(square) + 1e-9), 0.0)
    return exponents
