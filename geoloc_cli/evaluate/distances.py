"""The field's table of distances: the share of photographs within some kilometres, and the medians."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

LEVELS_M = (1e3, 25e3, 200e3, 750e3, 2500e3)
"""Street, city, region, country and continent (Hays and Efros 2008; the five of Vo, Jacobs and Hays 2017)."""


@dataclass(frozen=True, slots=True)
class Distances:
    """Errors of many photographs in numbers; `within` is the share of all photographs within each of `LEVELS_M`.

    `median_m` is of all of them, one without an answer being infinitely far away; `median_answered_m` and `mean_m` are
    of the answered ones alone, and NaN where there are none.
    """

    photos: int
    answered: float
    within: tuple[float, ...]
    median_m: float
    median_answered_m: float
    mean_m: float


def distances(errors_m: ArrayLike) -> Distances:
    """The table of errors (N,) in metres, NaN where there is no answer. Raises ValueError where there are none."""
    errors = np.asarray(errors_m, dtype=np.float64)
    if not errors.size:
        raise ValueError("there are no photographs to score")
    found = errors[~np.isnan(errors)]
    far = np.sort(np.where(np.isnan(errors), np.inf, errors))
    return Distances(
        photos=errors.size,
        answered=found.size / errors.size,
        within=tuple(float(np.mean(far <= level)) for level in LEVELS_M),
        median_m=float(far[(far.size - 1) // 2]),
        median_answered_m=float(np.median(found)) if found.size else math.nan,
        mean_m=float(np.mean(found)) if found.size else math.nan,
    )
