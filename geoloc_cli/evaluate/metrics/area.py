"""Recall versus Area (RvA): how many square kilometres are searched until the truth is found.

Bianco, Eigen and Gormish 2024 ("Enhancing Worldwide Image Geolocation by Ensembling Satellite-Based Ground-Level
Attribute Predictors"): regions are searched from the best on, and their area is added up until one holds the truth.
Recall as a function of that area tells what a budget of search finds. Here the regions are places of a belief in the
order of its density (`regions.py`), cells with scores, or circles about a single answer. Among regions of one score
the truth is found halfway, in expectation, whatever their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from geoloc_cli.evaluate.metrics.mixtures import EARTH_KM2
from geoloc_cli.evaluate.metrics.regions import Regions, denser_regions
from geoloc_cli.geo import fisher
from geoloc_cli.geo.earth import EARTH_RADIUS_M, Floats
from geoloc_cli.types import Belief

BUDGETS_KM2 = (1.0, 1e2, 1e4, 1e6)
"""Areas of a neighbourhood, a city, a region and a large country."""


@dataclass(frozen=True, slots=True)
class AreaReport:
    """Areas until the truth is found, of many photographs, in numbers.

    `recall` holds the share of photographs within each budget in km2, `earth_searched` the mean share of the Earth
    (the area over the curve), `log_recall` the area under the curve over the logarithm of the area, from 1 km2 to the
    whole Earth, as a share (1 where all is found at once; the axis is our choice).
    """

    photos: int
    recall: dict[float, float]
    median_km2: float
    q90_km2: float
    earth_searched: float
    log_recall: float


def belief_areas_km2(beliefs: Sequence[Belief], lat: ArrayLike, lon: ArrayLike) -> Floats:
    """The area (N,) in km2 of the places that each belief holds denser than the true one (N,), and half of the ties.

    Half of the Earth for a belief that is even; for its accuracy see `regions.denser_regions`.
    """
    return areas_of(denser_regions(beliefs, lat, lon))


def areas_of(regions: Regions) -> Floats:
    """The same (N,) of the regions of true places that are there already."""
    return regions.area_km2 + regions.tied_km2 / 2.0


def point_areas_km2(errors_m: ArrayLike) -> Floats:
    """The area in km2 that is searched outwards from single answers until the truth is found, of the errors' shape.

    errors_m: great-circle errors in metres; half of the Earth where one is NaN: there is no answer.
    """
    rise = fisher.rise_of_angle(np.divide(errors_m, EARTH_RADIUS_M))
    areas: Floats = EARTH_KM2 * np.nan_to_num(rise / 2.0, nan=0.5)
    return areas


def cell_areas_km2(scores: ArrayLike, cells_km2: ArrayLike, truth: ArrayLike) -> Floats:
    """The area (N,) in km2 of the cells with better scores, of the true cell, and half of the others of its score.

    scores: (N, C) of each photograph's cells, better ones higher; cells_km2: (C,); truth: (N,) which cell holds the
    truth, -1 where none does: then the whole area is searched, and half of the rest of the Earth.
    """
    table, sizes, true = np.asarray(scores), np.asarray(cells_km2, dtype=np.float64), np.asarray(truth)
    rows = np.arange(len(table))
    own = table[rows, true][:, None]
    found: Floats = (table > own) @ sizes + ((table == own) @ sizes + sizes[true]) / 2.0
    total = float(sizes.sum())
    areas: Floats = np.where(true >= 0, found, total + max(EARTH_KM2 - total, 0.0) / 2.0)
    return areas


def recall_at(areas_km2: ArrayLike, budgets_km2: ArrayLike) -> Floats:
    """The share of photographs (N,) that are found within each area in km2, (B,)."""
    ordered = np.sort(np.asarray(areas_km2, dtype=np.float64))
    return np.searchsorted(ordered, budgets_km2, side="right") / ordered.size


def curve(areas_km2: ArrayLike) -> tuple[Floats, Floats]:
    """The areas (M,) in km2 at which recall rises, each once and sorted, and the recall (M,) from there on."""
    areas, counts = np.unique(np.asarray(areas_km2, dtype=np.float64), return_counts=True)
    return areas, np.cumsum(counts) / counts.sum()


def report(areas_km2: ArrayLike, budgets_km2: Sequence[float] = BUDGETS_KM2) -> AreaReport:
    """All of it, of areas (N,) in km2; ValueError where there are none."""
    areas = np.asarray(areas_km2, dtype=np.float64)
    if not areas.size:
        raise ValueError("there are no photographs to score")
    median, most = np.quantile(areas, [0.5, 0.9], method="inverted_cdf")
    # The area under a step curve is the mean of what each photograph leaves of the axis.
    left = 1.0 - np.log(np.clip(areas, 1.0, EARTH_KM2)) / np.log(EARTH_KM2)
    return AreaReport(
        photos=areas.size,
        recall=dict(zip(budgets_km2, recall_at(areas, budgets_km2).tolist(), strict=True)),
        median_km2=float(median),
        q90_km2=float(most),
        earth_searched=float(areas.mean() / EARTH_KM2),
        log_recall=float(left.mean()),
    )
