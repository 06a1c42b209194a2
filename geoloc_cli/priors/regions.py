"""Circles, boxes, areas and lines -> places that lie evenly in them, some `spacing_m` apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import UsageError
from geoloc_cli.geo.cells import FINEST, cells_of, reach_m
from geoloc_cli.geo.earth import (
    EARTH_RADIUS_M,
    Floats,
    destination,
    haversine_m,
    places_of_units,
    unit_vectors,
    wrap_lon,
)
from geoloc_cli.geo.fisher import rise_of_angle

# What a place encoder makes of 200 000 places takes 400 MB.
MOST = 200_000
# Where nobody says how far apart they should be: a place encoder's finest waves lose step over 12 km, and a wide region
# is looked at more closely afterwards anyway.
_USUAL_M, _USUAL_COUNT = 5_000.0, 100_000
# Places and sides that are compared at once: 8 MB of float64.
_AT_ONCE = 1 << 20
Box = tuple[float, float, float, float]
"""South, west, north, east in degrees; the west is greater than the east across the antimeridian."""


def grid(lat: float, lon: float, radius_m: float, count: int) -> tuple[Floats, Floats, float]:
    """Latitudes and longitudes (count,) spread evenly over a circle, and how far they lie from each other in metres.

    A sunflower's spiral: each has the same share of the circle's area, and there is no seam and no pole.
    """
    nth = np.arange(count)
    rise = float(rise_of_angle(min(radius_m / EARTH_RADIUS_M, np.pi)))
    arc = 2.0 * np.arcsin(np.sqrt(rise * (nth + 0.5) / count / 2.0)) * EARTH_RADIUS_M
    golden = 180.0 * (3.0 - np.sqrt(5.0))
    lats, lons = destination(lat, lon, golden * nth % 360.0, arc)
    return lats, lons, float(np.sqrt(2.0 * np.pi * rise / count)) * EARTH_RADIUS_M


def in_circle(lat: float, lon: float, radius_m: float, spacing_m: float) -> tuple[Floats, Floats]:
    """spacing_m: 0 for the usual one. Raises UsageError where there would be too many."""
    area = 2.0 * np.pi * EARTH_RADIUS_M**2 * float(rise_of_angle(min(radius_m / EARTH_RADIUS_M, np.pi)))
    count = max(1, round(area / _spacing(area, spacing_m) ** 2))
    return grid(lat, lon, radius_m, count)[:2]


def in_box(box: Box, spacing_m: float) -> tuple[Floats, Floats]:
    """The same of a box, in rows of latitude."""
    south, west, north, east = box
    width = (east - west) % 360.0 or 360.0
    area = EARTH_RADIUS_M**2 * np.radians(width) * float(np.sin(np.radians(north)) - np.sin(np.radians(south)))
    step = np.degrees(_spacing(area, spacing_m) / EARTH_RADIUS_M)
    rows = max(1, round((north - south) / step))
    lats, lons = [], []
    for lat in south + (north - south) * (np.arange(rows) + 0.5) / rows:
        across = max(1, round(width * float(np.cos(np.radians(lat))) / step))
        lons.append(west + width * (np.arange(across) + 0.5) / across)
        lats.append(np.full(across, lat))
    return np.concatenate(lats), wrap_lon(np.concatenate(lons))


def in_area(rings: Sequence[Floats], spacing_m: float) -> tuple[Floats, Floats]:
    """The same of what lies inside an odd number of closed rings (n, 2) of latitudes and longitudes, the outer first.

    Sides are straight on the plate carrée, as GeoJSON's are; a ring that crosses the antimeridian is followed across.
    """
    sides, outer = _sides(rings)
    if not len(sides):
        return np.zeros(0), np.zeros(0)
    low, high = outer.min(axis=0), outer.max(axis=0)
    east = high[1] if high[1] - low[1] < 360.0 else low[1]
    lat, lon = in_box((low[0], float(wrap_lon(low[1])), high[0], float(wrap_lon(east))), spacing_m)
    x = lon + _turns(lon, outer)
    y0, x0, y1, x1 = sides.T
    inside = np.zeros(len(lat), dtype=bool)
    for row in np.unique(lat):
        cut = (y0 > row) != (y1 > row)
        met = np.sort(x0[cut] + (x1[cut] - x0[cut]) * (row - y0[cut]) / (y1[cut] - y0[cut]))
        here = lat == row
        inside[here] = np.searchsorted(met, x[here]) % 2 == 1
    return lat[inside], lon[inside]


def within(rings: Sequence[Floats], lat: Floats, lon: Floats) -> NDArray[np.bool_]:
    """(n,) whether any places lie inside an odd number of closed rings, as those of `in_area` do."""
    inside = np.zeros(len(lat), dtype=bool)
    sides, outer = _sides(rings)
    if not len(sides):
        return inside
    x = lon + _turns(lon, outer)
    y0, x0, y1, x1 = sides.T
    step = max(1, _AT_ONCE // len(sides))
    for first in range(0, len(lat), step):
        here, row = x[first : first + step, None], lat[first : first + step, None]
        cut = (y0 > row) != (y1 > row)
        met = x0 + (x1 - x0) * (row - y0) / np.where(cut, y1 - y0, 1.0)
        inside[first : first + step] = np.count_nonzero(cut & (met < here), axis=1) % 2 == 1
    return inside


def area_m2(rings: Sequence[Floats]) -> float:
    """Square metres inside the first ring and outside of the others, whose sides are straight on the plate carrée.

    The integral of sin(latitude) over longitude about each ring, in closed form on each side.
    """
    found = []
    for ring in (_followed(ring) for ring in rings if len(ring) > 2):
        (a, b), (c, d) = np.radians(ring).T, np.radians(np.roll(ring, -1, axis=0)).T
        rise = c - a
        flat = np.abs(rise) < 1e-9
        mean = np.where(flat, np.sin((a + c) / 2.0), (np.cos(a) - np.cos(c)) / np.where(flat, 1.0, rise))
        found.append(abs(float(np.sum((d - b) * mean))) * EARTH_RADIUS_M**2)
    return max(found[0] - sum(found[1:]), 0.0) if found else 0.0


def _sides(rings: Sequence[Floats]) -> tuple[Floats, Floats]:
    """The sides (n, 4) of rings as y0, x0, y1, x1, all beside the outer one, which comes with them."""
    followed = [_followed(ring) for ring in rings if len(ring) > 2]
    if not followed:
        return np.zeros((0, 4)), np.zeros((0, 2))
    sides = []
    for ring in followed:
        ring = np.stack((ring[:, 0], ring[:, 1] + _turns(_middle_lon(ring), followed[0])), axis=1)
        sides.append(np.concatenate([ring, np.roll(ring, -1, axis=0)], axis=1))
    return np.concatenate(sides), followed[0]


def _turns(lon: Floats | float, outer: Floats) -> Floats:
    """What brings longitudes to the same turn about the Earth as a ring."""
    turned: Floats = 360.0 * np.round((_middle_lon(outer) - lon) / 360.0)
    return turned


def _middle_lon(ring: Floats) -> float:
    return float(ring[:, 1].min() + ring[:, 1].max()) / 2.0


def _followed(ring: Floats) -> Floats:
    """With longitudes that take the shorter way from corner to corner, but for a ring that goes about a pole."""
    lon = np.unwrap(ring[:, 1], period=360.0)
    goes_about = abs(lon[-1] + (ring[0, 1] - ring[-1, 1] + 180.0) % 360.0 - 180.0 - lon[0]) > 180.0
    return ring if goes_about else np.stack((ring[:, 0], lon), axis=1)


def along(lines: Sequence[Floats], spacing_m: float) -> tuple[Floats, Floats]:
    """Places along lines (n, 2) of latitudes and longitudes, at most `spacing_m` apart on each, its ends among them.

    Where lines are denser than that, as roads in a town, one place is kept of each cell of half the spacing.
    """
    step = spacing_m or _USUAL_M
    lats, lons, count = [], [], 0
    for line in lines:
        reached = np.concatenate([[0.0], np.cumsum(haversine_m(*line[:-1].T, *line[1:].T))])
        wanted = np.linspace(0.0, reached[-1], 1 + int(np.ceil(reached[-1] / step)))
        count += len(wanted)
        if count > 10 * MOST:
            raise _too_many(step)
        units = unit_vectors(*line.T)
        if len(line) > 1:
            after = np.clip(np.searchsorted(reached, wanted), 1, len(line) - 1)
            length = reached[after] - reached[after - 1]
            share = ((wanted - reached[after - 1]) / np.where(length > 0.0, length, 1.0))[:, None]
            units = units[after - 1] * (1.0 - share) + units[after] * share
        lat, lon = places_of_units(units)
        lats.append(lat)
        lons.append(lon)
    lat, lon = np.concatenate(lats), np.concatenate(lons)
    resolution = next((r for r in range(FINEST) if reach_m(r) <= step / 2.0), FINEST)
    _, first = np.unique(cells_of(lat, lon, resolution), return_index=True)
    if len(first) > MOST:
        raise _too_many(step)
    return lat[first], lon[first]


def _spacing(area_m2: float, spacing_m: float) -> float:
    step = spacing_m or max(_USUAL_M, float(np.sqrt(area_m2 / _USUAL_COUNT)))
    if area_m2 / step**2 > MOST:
        raise _too_many(step)
    return step


def _too_many(step_m: float) -> UsageError:
    return UsageError(
        f"A gallery with a place every {step_m / 1000.0:g} km has more than {MOST} of them there; give a larger "
        "spacing_km, or a smaller region."
    )
