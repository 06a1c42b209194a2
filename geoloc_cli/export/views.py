"""The part of the Earth that a map shows, and where a place is on the picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geoloc_cli.geo.earth import EARTH_RADIUS_M, Floats, destination, places_of_units, unit_vectors
from geoloc_cli.geo.projections import Azimuthal, EqualEarth, Projection, placed, strands

Place = tuple[float, float]

WIDTH = 960.0  # units of every picture; it scales to any width
_MARGIN = 2.0  # room for the line about the Earth
_WORLD_FROM_DEG = 50.0  # places further than this from their middle are shown on the whole Earth
_LEAST_HALF_M = 50.0  # one place is shown with the street that it is in
_ROOM = 1.15  # between the outermost places and the edge
_FLATTEST, _TALLEST = 2.0, 1.3  # width over height


@dataclass(frozen=True, slots=True)
class View:
    """A part of a projection's plane: its left and upper edge there, and how many units of the picture a radius is."""

    projection: Projection
    left: float
    top: float
    scale: float
    height: float

    @property
    def whole(self) -> bool:
        return isinstance(self.projection, EqualEarth)

    @property
    def metres(self) -> float:
        """What the picture's width is on the Earth, in the middle of a regional map."""
        return WIDTH / self.scale * EARTH_RADIUS_M

    def drawn(self, plane: Floats) -> Floats:
        """(N, 2) of x and y on the plane -> (N, 2) of the picture, y down."""
        return np.stack([(plane[:, 0] - self.left) * self.scale, (self.top - plane[:, 1]) * self.scale], axis=-1)

    def point(self, lat: float, lon: float) -> Floats | None:
        """A place on the picture (1, 2); None where it is outside."""
        at = self.drawn(placed(self.projection, lat, lon))
        x, y = at[0]
        return at if 0.0 <= x <= WIDTH and 0.0 <= y <= self.height else None

    def line(self, lat: Floats, lon: Floats) -> list[Floats]:
        """The parts of a line on the picture, those left out that cannot touch it."""
        parts = [self.drawn(part) for part in strands(self.projection, lat, lon)]
        return [part for part in parts if self._may_show(part)]

    def _may_show(self, part: Floats) -> bool:
        low, high = part.min(axis=0), part.max(axis=0)
        return bool(high[0] >= 0.0 and low[0] <= WIDTH and high[1] >= 0.0 and low[1] <= self.height)


def whole_earth(lon0: float = 0.0) -> View:
    """All of the Earth by Equal Earth, `lon0` in the middle."""
    projection = EqualEarth(lon0)
    right = abs(float(placed(projection, 0.0, lon0 + 180.0)[0, 0]))
    top = float(placed(projection, 90.0, lon0)[0, 1])
    scale = (WIDTH / 2.0 - _MARGIN) / right
    margin = _MARGIN / scale
    return View(projection, -right - margin, top + margin, scale, 2.0 * (top * scale + _MARGIN))


def around(places: Sequence[Place], *, room_m: float = 0.0) -> View:
    """The region that holds places (lat, lon), with some room; the whole Earth where they are far apart, or none.

    `room_m` is how far beyond the places it reaches at least, for circles about them.
    """
    if not places:
        return whole_earth()
    lats, lons = np.array(places, dtype=np.float64).T
    units = unit_vectors(lats, lons)
    toward = units.mean(axis=0)
    if np.linalg.norm(toward) < 0.1:
        return whole_earth()
    toward = toward / np.linalg.norm(toward)
    if np.any(units @ toward < math.cos(math.radians(_WORLD_FROM_DEG))):
        return whole_earth()
    lat, lon = (float(v) for v in places_of_units(toward))
    # The middle of their extent, rather than where most of them are.
    plane = placed(Azimuthal(lat, lon), lats, lons)
    x, y = (float(v) for v in (plane.min(axis=0) + plane.max(axis=0)) / 2.0)
    away_m = 2.0 * math.asin(min(math.hypot(x, y) / 2.0, 1.0)) * EARTH_RADIUS_M
    lat, lon = (float(v) for v in destination(lat, lon, math.degrees(math.atan2(x, y)), away_m))
    extent = np.abs(placed(Azimuthal(lat, lon), lats, lons)).max(axis=0)
    across, up = (max(float(v) * _ROOM, float(v) + room_m / EARTH_RADIUS_M) for v in extent)
    across, up = max(across, _LEAST_HALF_M / EARTH_RADIUS_M), max(up, 1e-9)
    ratio = min(max(across / up, _TALLEST), _FLATTEST)
    across = max(across, up * ratio)
    corner = math.degrees(2.0 * math.asin(min(math.hypot(across, across / ratio) / 2.0, 1.0)))
    # A tenth more than the corners, since the edge of what is reached is drawn by chords.
    projection = Azimuthal(lat, lon, min(1.1 * corner, 170.0))
    return View(projection, -across, across / ratio, WIDTH / 2.0 / across, WIDTH / ratio)
