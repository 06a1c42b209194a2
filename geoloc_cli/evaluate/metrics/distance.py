"""How far answers are from the truth: accuracy at the field's levels, quantiles, GeoScore, Dis@K and SDM@K.

Errors are great-circle distances in metres, NaN where a photograph has no answer. Such a photograph counts as wrong at
every level, scores nothing, and lies infinitely far away in quantiles.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from geoloc_cli.geo.earth import Floats, haversine_m

LEVELS_M: Mapping[str, float] = {
    "street": 1e3,
    "city": 25e3,
    "region": 200e3,
    "country": 750e3,
    "continent": 2500e3,
}
"""Im2GPS's levels (Hays and Efros 2008; the five of Vo, Jacobs and Hays 2017)."""

_FULL_SCORE, _SCORE_M = 5000.0, 1_492_700.0
_SDM_PER_M = 0.001


@dataclass(frozen=True, slots=True)
class DistanceReport:
    """Errors of many photographs in numbers; `within` holds the share within each level, of all photographs.

    `median_m` and `q90_m` are of all photographs too, and infinite where too few are answered; `median_answered_m` and
    `mean_m` are of the answered ones alone, NaN where there are none.
    """

    photos: int
    answered: float
    within: dict[str, float]
    median_m: float
    median_answered_m: float
    mean_m: float
    q90_m: float
    geoscore: float


def errors_m(lat: ArrayLike, lon: ArrayLike, true_lat: ArrayLike, true_lon: ArrayLike) -> Floats:
    """Great-circle distances (N,) in metres from answers to the truth; NaN where an answer's place is NaN.

    ValueError where a true place is not finite: a photograph without truth cannot be scored.
    """
    if not (np.all(np.isfinite(true_lat)) and np.all(np.isfinite(true_lon))):
        raise ValueError("a photograph without a true place cannot be scored")
    return haversine_m(lat, lon, true_lat, true_lon)


def accuracy_within(errors: ArrayLike, thresholds_m: Sequence[float] = tuple(LEVELS_M.values())) -> Floats:
    """The share of all photographs (N,) that lie within each threshold in metres, (T,)."""
    return np.searchsorted(_sorted(errors), thresholds_m, side="right") / np.size(errors)


def quantile_m(errors: ArrayLike, share: float) -> float:
    """The distance within which the share of all photographs lies: the least that suffices (the inverse of accuracy).

    Infinite where fewer are answered. For an even number of photographs the median is the lower of the middle two.
    """
    ordered = _sorted(errors)
    return float(ordered[max(math.ceil(share * len(ordered) - 1e-9), 1) - 1])


def geoscore(errors: ArrayLike) -> Floats:
    """GeoGuessr's points of each photograph, 0 to 5000: 5000 exp(-d / 1492.7 km) (Haas et al. 2024, PIGEON).

    Their mean is the GeoScore of OpenStreetView-5M (Astruc et al. 2024).
    """
    scores: Floats = _FULL_SCORE * np.exp(-_far(errors) / _SCORE_M)
    return scores


def report(errors: ArrayLike, levels_m: Mapping[str, float] = LEVELS_M) -> DistanceReport:
    """All of it, of errors (N,) in metres; levels_m: by name, in metres. ValueError where there are no photographs."""
    values = np.asarray(errors, dtype=np.float64)
    found = values[~np.isnan(values)]
    return DistanceReport(
        photos=values.size,
        answered=found.size / values.size if values.size else math.nan,
        within=dict(zip(levels_m, accuracy_within(values, tuple(levels_m.values())).tolist(), strict=True)),
        median_m=quantile_m(values, 0.5),
        median_answered_m=float(np.median(found)) if found.size else math.nan,
        mean_m=float(found.mean()) if found.size else math.nan,
        q90_m=quantile_m(values, 0.9),
        geoscore=float(geoscore(values).mean()),
    )


def distance_at(ranked_m: ArrayLike, k: int) -> Floats:
    """Dis@K of each query, (Q,): the mean distance in metres of its first K candidates (Ji et al. 2025, GTA-UAV).

    ranked_m: (Q, N) distances of the candidates from the truth, best candidate first, NaN where there are no more; a
    query with fewer than K is given the mean of those it has, and NaN where it has none.
    """
    first = _first(ranked_m, k)
    there = ~np.isnan(first)
    count = there.sum(axis=1)
    total = np.where(there, first, 0.0).sum(axis=1)
    mean: Floats = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean


def sdm_at(ranked_m: ArrayLike, k: int, per_m: float = _SDM_PER_M) -> Floats:
    """SDM@K of each query, (Q,), 0 to 1: the first K candidates' nearness, the earlier ones counting for more.

    sum of (K - i) exp(-s d_i) over sum of (K - i), for i = 0 to K - 1 (Dai et al. 2024, DenseUAV; s = 0.001 per metre
    as in GTA-UAV, Ji et al. 2025. DenseUAV's own s = 5000 is per degree: 0.045 per metre of latitude). A missing
    candidate (NaN) is infinitely far away.
    """
    nearness = np.exp(-per_m * _far(_first(ranked_m, k)))
    rank = k - np.arange(nearness.shape[1], dtype=np.float64)
    scored: Floats = nearness @ rank / (k * (k + 1) / 2.0)
    return scored


def _first(ranked_m: ArrayLike, k: int) -> Floats:
    if k < 1:
        raise ValueError(f"the first {k} candidates are none")
    table: Floats = np.asarray(ranked_m, dtype=np.float64)[:, :k]
    return table


def _far(errors: ArrayLike) -> Floats:
    values = np.asarray(errors, dtype=np.float64)
    far: Floats = np.where(np.isnan(values), np.inf, values)
    return far


def _sorted(errors: ArrayLike) -> Floats:
    ordered: Floats = np.sort(_far(errors), axis=None)
    if not ordered.size:
        raise ValueError("there are no photographs to score")
    return ordered
