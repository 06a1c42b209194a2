"""Where a photo is claimed to have been taken: a disc, or an area drawn as polygons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import UsageError
from geoloc_cli.geo import fisher
from geoloc_cli.geo.belief import mass_within
from geoloc_cli.geo.earth import EARTH_RADIUS_M, Floats, destination, haversine_m, places_of_units, unit_vectors
from geoloc_cli.priors.regions import area_m2, within
from geoloc_cli.priors.shapes import read_shapes
from geoloc_cli.types import Belief

_GOLDEN_DEG = 180.0 * (3.0 - 5.0**0.5)
# Of each component, by which its share of an area is told: to about one in a thousand.
_POINTS = 4096
# Nobody claims less than a receiver can tell, and a disc of a quarter of the Earth claims nothing.
_LEAST_M, _MOST_M = 1.0, 1.0e7


class Region(Protocol):
    """A part of the Earth: its middle, its size, and the distance from the middle at which what is near it begins."""

    @property
    def lat(self) -> float: ...

    @property
    def lon(self) -> float: ...

    @property
    def area_m2(self) -> float: ...

    @property
    def near_m(self) -> float: ...

    def holds(self, lat: Floats, lon: Floats) -> NDArray[np.bool_]:
        """(n,) whether places lie inside."""
        ...

    def share_of(self, belief: Belief) -> float:
        """The probability that a belief gives to the inside."""
        ...

    def away_m(self, lat: float, lon: float) -> float:
        """Metres from a place to the rim; 0 inside."""
        ...

    def as_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Disc:
    """All places within `radius_m` of one."""

    lat: float
    lon: float
    radius_m: float

    @property
    def area_m2(self) -> float:
        return 2.0 * np.pi * EARTH_RADIUS_M**2 * float(fisher.rise_of_angle(self.radius_m / EARTH_RADIUS_M))

    @property
    def near_m(self) -> float:
        return self.radius_m

    def holds(self, lat: Floats, lon: Floats) -> NDArray[np.bool_]:
        return np.asarray(haversine_m(self.lat, self.lon, lat, lon) <= self.radius_m)

    def share_of(self, belief: Belief) -> float:
        return float(mass_within(belief, self.lat, self.lon, self.radius_m))

    def away_m(self, lat: float, lon: float) -> float:
        return max(0.0, float(haversine_m(self.lat, self.lon, lat, lon)) - self.radius_m)

    def as_json(self) -> dict[str, Any]:
        return {"lat": self.lat, "lon": self.lon, "radius_m": self.radius_m}


@dataclass(frozen=True, slots=True)
class Area:
    """What lies inside one of some polygons, each its rings (n, 2) of latitudes and longitudes, the outer first.

    `source` names the file.
    """

    polygons: tuple[tuple[Floats, ...], ...]
    source: str

    @property
    def lat(self) -> float:
        return self._middle()[0]

    @property
    def lon(self) -> float:
        return self._middle()[1]

    @property
    def area_m2(self) -> float:
        return sum(area_m2(rings) for rings in self.polygons)

    @property
    def near_m(self) -> float:
        """A third of the radius of the disc of its size: where it is long and thin, its outside comes so near."""
        return float(np.sqrt(self.area_m2 / np.pi)) / 3.0

    def holds(self, lat: Floats, lon: Floats) -> NDArray[np.bool_]:
        inside = np.zeros(len(lat), dtype=bool)
        for rings in self.polygons:
            inside |= within(rings, lat, lon)
        return inside

    def share_of(self, belief: Belief) -> float:
        """By points of equal weight on each component, and by size of its even share."""
        share = belief.spread * self.area_m2 / (4.0 * np.pi * EARTH_RADIUS_M**2)
        for component in belief.components:
            lat, lon = sunflower(component.lat, component.lon, component.radius_m, _POINTS)
            share += component.weight * float(np.mean(self.holds(lat, lon)))
        return min(share, 1.0)

    def away_m(self, lat: float, lon: float) -> float:
        """On the plane about the place, which is good for what is near it."""
        if self.holds(np.array([lat]), np.array([lon]))[0]:
            return 0.0
        return min(_to_sides_m(ring, lat, lon) for rings in self.polygons for ring in rings)

    def as_json(self) -> dict[str, Any]:
        return {"region": self.source, "area_m2": round(self.area_m2, 1)}

    def _middle(self) -> tuple[float, float]:
        corners = np.concatenate([rings[0] for rings in self.polygons])
        lat, lon = places_of_units(unit_vectors(*corners.T).sum(axis=0))
        return float(lat), float(lon)


def _to_sides_m(ring: Floats, lat: float, lon: float) -> float:
    north = np.radians(ring[:, 0] - lat)
    east = np.radians((ring[:, 1] - lon + 180.0) % 360.0 - 180.0) * np.cos(np.radians(lat))
    here = EARTH_RADIUS_M * (east + 1j * north)
    side = np.roll(here, -1) - here
    length = np.maximum(np.abs(side) ** 2, 1e-12)
    along = np.clip(-(here * np.conj(side)).real / length, 0.0, 1.0)
    return float(np.min(np.abs(here + along * side)))


def sunflower(lat: float, lon: float, radius_m: float, count: int) -> tuple[Floats, Floats]:
    """Places (count,) that each stand for the same share of a component, whose 90 % lie within `radius_m`."""
    nth = np.arange(count)
    kappa = fisher.kappa_from_radius(radius_m)
    arc = fisher.angle_holding((nth + 0.5) / count, kappa) * EARTH_RADIUS_M
    return destination(lat, lon, _GOLDEN_DEG * nth % 360.0, arc)


def disc(lat: float, lon: float, radius_m: float) -> Disc:
    """A claimed disc. Raises UsageError where there is no such place, or the radius says nothing."""
    if not abs(lat) <= 90.0:
        swapped = abs(lat) <= 180.0 and abs(lon) <= 90.0
        hint = f"; were they exchanged? The latitude comes first: {lon:g},{lat:g}" if swapped else ""
        raise UsageError(f"The claim's latitude {lat:g} is not within -90 to 90 degrees{hint}.")
    if not abs(lon) <= 180.0:
        raise UsageError(f"The claim's longitude {lon:g} is not within -180 to 180 degrees.")
    if not _LEAST_M <= radius_m <= _MOST_M:
        raise UsageError(f"The claim's radius is {radius_m:g} m; give one from 1 m to 10000 km.")
    return Disc(lat, lon, radius_m)


def area_of_file(path: str) -> Area:
    """The polygons of a GeoJSON file. Raises UsageError where it has none."""
    polygons = [tuple(rings) for rings in read_shapes(Path(path)).areas]
    found = Area(tuple(_usable(polygons)), Path(path).name)
    if not found.polygons or not found.area_m2 > 0.0:
        raise UsageError(f"{path} holds no polygon of any size; draw the claimed region as one.")
    return found


def _usable(polygons: Sequence[tuple[Floats, ...]]) -> list[tuple[Floats, ...]]:
    return [rings for rings in polygons if rings and len(rings[0]) > 3]
