"""Circles, lines and boxes on the Earth in longitude and latitude, cut where the antimeridian or a pole tears them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from geoloc_cli.geo.earth import EARTH_RADIUS_M, Floats, destination
from geoloc_cli.geo.projections import PlateCarree, areas, strands

Ring = list[tuple[float, float]]
"""Corners as (lon, lat) against the clock, the first one once more at the end."""
Box = tuple[float, float, float, float]

# A larger circle is over a quarter of the Earth: no outline shows where to look.
MOST_RADIUS_M = EARTH_RADIUS_M * math.pi / 3.0
# Digits of degrees: a centimetre of what is drawn, and a tenth of a millimetre of what was found.
_DRAWN, _FOUND = 7, 9


def circle(lat: float, lon: float, radius_m: float, *, corners: int = 64) -> list[Ring]:
    """The circle about a place as polygons whose union it is: two across the antimeridian, none above MOST_RADIUS_M.

    One that goes round a pole reaches to it. The corners lie on the circle, so that the polygon is smaller by 1.6 per
    mille with 64 of them.
    """
    if radius_m > MOST_RADIUS_M:
        return []
    bearings = np.linspace(0.0, 360.0, corners, endpoint=False)
    ring_lat, ring_lon = destination(lat, lon, bearings, radius_m)
    if 90.0 - abs(lat) <= math.degrees(radius_m / EARTH_RADIUS_M):
        return [_closed(_round_the_pole(ring_lat, ring_lon, math.copysign(90.0, lat)))]
    rings = [_closed(part[::-1]) for part in areas(PlateCarree(), ring_lat, ring_lon)]
    return [ring for ring in rings if len(ring) > 3]


def _round_the_pole(lat: Floats, lon: Floats, pole: float) -> Floats:
    """The ring as one polygon across the whole width of the map, closed along the pole; it meets each meridian once."""
    order = np.argsort(lon)
    edge = np.array([-180.0, 180.0])
    lon, lat = np.concatenate([edge[:1], lon[order], edge[1:]]), lat[order]
    at_edge = np.interp(180.0, [lon[-2], lon[1] + 360.0], [lat[-1], lat[0]])
    rim = np.stack([lon, np.concatenate([[at_edge], lat, [at_edge]])], axis=-1)
    top = np.stack([edge[::-1], [pole, pole]], axis=-1)
    polygon: Floats = np.concatenate([rim, top])
    return polygon if pole > 0.0 else polygon[::-1]


def line(places: Sequence[tuple[float, float]]) -> list[Ring]:
    """The way through places (lat, lon) as lines of (lon, lat), each on one side of the antimeridian."""
    lat, lon = np.array(places, dtype=np.float64).T
    parts = [[_rounded(corner, _FOUND) for corner in part] for part in strands(PlateCarree(), lat, lon)]
    return [part for part in parts if len(set(part)) > 1] or parts


def box(places: Iterable[tuple[float, float]]) -> Box | None:
    """West, south, east and north of places (lat, lon), west above east across the antimeridian (RFC 7946, 5.2).

    None without places. West and east are the ends of the widest gap between longitudes.
    """
    known = np.array(list(places), dtype=np.float64).reshape(-1, 2)
    if not len(known):
        return None
    lon = np.unique(known[:, 1])
    gaps = np.diff(lon, append=lon[0] + 360.0)
    widest = int(gaps.argmax()) if gaps[-1] < gaps.max() else len(lon) - 1
    west, east = float(lon[(widest + 1) % len(lon)]), float(lon[widest])
    return west, float(known[:, 0].min()), east, float(known[:, 0].max())


def degrees(value: float) -> str:
    """A coordinate without an exponent, which XML's decimals do not have."""
    return f"{value:.{_FOUND}f}".rstrip("0").rstrip(".")


def _closed(polygon: Floats) -> Ring:
    ring: Ring = []
    for corner in (_rounded(corner, _DRAWN) for corner in polygon):
        if not ring or corner != ring[-1]:
            ring.append(corner)
    return ring if ring[0] == ring[-1] else [*ring, ring[0]]


def _rounded(corner: Floats, digits: int) -> tuple[float, float]:
    lon, lat = corner.tolist()
    return round(lon, digits), round(lat, digits)
