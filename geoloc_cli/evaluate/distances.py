"""The field's table of distances with the ends between which each figure lies if other photographs had been taken."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.metrics.distance import DistanceReport, geoscore, report
from geoloc_cli.evaluate.metrics.resampling import LEVEL, Interval, Statistic, bootstrap, wilson
from geoloc_cli.geo.earth import Floats, haversine_m

FIELD_LEVELS: Mapping[str, float] = {f"{km:g} km": km * 1e3 for km in (1.0, 25.0, 200.0, 750.0, 2500.0)}
"""Street, city, region, country and continent (Hays and Efros 2008; the five of Vo, Jacobs and Hays 2017)."""
LOCAL_LEVELS: Mapping[str, float] = {"1 m": 1.0, "5 m": 5.0, "10 m": 10.0, "25 m": 25.0, "100 m": 100.0}
"""For photographs of one place, of which all answers are within a kilometre: 25 m is what place recognition counts."""

# Stands for infinity while figures are resampled: no two places are farther apart than 20 016 km.
_NOWHERE_M = 1e12
_FARTHEST_M = 2.01e7
_ONE_PLACE_M = 10e3
_UNITS = {"m": 1.0, "km": 1e3}


@dataclass(frozen=True, slots=True)
class Sureness:
    """How intervals and tests are made: the level of confidence, the resamples drawn, and the seed of the drawing."""

    level: float = LEVEL
    replicates: int = 1000
    seed: int = 0

    def check(self) -> None:
        if not 0.5 <= self.level < 1.0:
            raise UsageError(f"A confidence of {self.level:g} is none to go by; give one from 0.5 to below 1, as 0.95.")


@dataclass(frozen=True, slots=True)
class Distances:
    """The figures, and the interval of each by its name: of shares Wilson's, of the others by resampling."""

    report: DistanceReport
    levels_m: Mapping[str, float]
    answered: Interval
    within: Mapping[str, Interval]
    lengths: Mapping[str, Interval]
    geoscore: Interval


def distances(errors_m: ArrayLike, levels_m: Mapping[str, float], sure: Sureness) -> Distances:
    """Of errors (N,) in metres, NaN where there is no answer; ValueError where there are none.

    The interval of the median of all reaches to infinity where half of a resample may be without an answer.
    """
    errors = np.asarray(errors_m, dtype=np.float64)
    found = report(errors, levels_m)
    count = errors.size
    answered = errors[~np.isnan(errors)]
    far = np.where(np.isnan(errors), _NOWHERE_M, errors)
    shares = {name: wilson(round(share * count), count, sure.level) for name, share in found.within.items()}
    lengths = {
        "median_m": _resampled(far, _lower_median, sure),
        "median_answered_m": _resampled(answered, _median, sure),
        "mean_m": _resampled(answered, _mean, sure),
    }
    points = bootstrap(geoscore(errors), _mean, level=sure.level, replicates=sure.replicates, seed=sure.seed)
    return Distances(found, levels_m, wilson(answered.size, count, sure.level), shares, lengths, points)


def parse_levels(text: str) -> dict[str, float]:
    """`25m,1km` -> {"25 m": 25.0, "1 km": 1000.0}, nearest first. Raises UsageError where it is none such."""
    levels = dict(sorted(_levels(text), key=lambda level: level[1]))
    if not levels:
        raise UsageError("--levels is empty; give distances such as 25m,1km.")
    return levels


def _levels(text: str) -> Iterator[tuple[str, float]]:
    for part in text.split(","):
        word = part.strip().lower().replace(" ", "")
        unit = "km" if word.endswith("km") else "m"
        try:
            number = float(word.removesuffix(unit))
        except ValueError:
            number = math.nan
        if not word.endswith(unit) or not 0.0 < number < math.inf:
            raise UsageError(f"--levels has {part.strip()!r}, which is no distance; give them as in 25m,1km.")
        yield f"{number:g} {unit}", number * _UNITS[unit]


def levels_for(lat: Floats, lon: Floats) -> Mapping[str, float]:
    """The field's levels; the local ones where the true places (N,), in degrees, are within 10 km of the first."""
    away_m = haversine_m(lat, lon, lat[:1], lon[:1])
    return LOCAL_LEVELS if float(np.max(away_m)) <= _ONE_PLACE_M else FIELD_LEVELS


def _resampled(values: Floats, statistic: Statistic, sure: Sureness) -> Interval:
    if not values.size:
        return Interval(math.nan, math.nan, math.nan)
    drawn = bootstrap(values, statistic, level=sure.level, replicates=sure.replicates, seed=sure.seed)
    return Interval(*(end if end <= _FARTHEST_M else math.inf for end in (drawn.value, drawn.low, drawn.high)))


def _lower_median(values: Floats) -> float:
    """The lower of the middle two, as `metrics.distance.quantile_m` has it."""
    middle = (len(values) - 1) // 2
    return float(np.partition(values, middle)[middle])


def _median(values: Floats) -> float:
    return float(np.median(values))


def _mean(values: Floats) -> float:
    return float(np.mean(values))
