"""Maps of the sphere, equal-area but for two, and the cutting of outlines and lines where a map tears them apart.

A map's plane has the Earth's radius for its unit: x to the right, y up, and any area on it times R^2 is the area on the
Earth. Before they are laid flat, places are *turned*: (N, 2) arrays of an angle `along` in degrees, which goes round
without end, and an angle `up`, -90 to 90. For Equal Earth these are the longitude from the middle meridian and the
latitude; for the azimuthal map they are such as if its middle were the north pole. In both, cutting is cutting along
straight lines (Sutherland and Hodgman 1974).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geoloc_cli.geo.earth import EARTH_RADIUS_M, Floats, bearing_deg, haversine_m, places_of_units, unit_vectors

# Equal Earth's polynomial (Šavrič, Patterson and Jenny 2018): A1 to A4.
EQUAL_EARTH = (1.340264, -0.081106, 0.000893, 0.003796)
_STEP_DEG = 2.0  # a great circle, or a map's edge, is drawn by chords of so much


@dataclass(frozen=True, slots=True)
class EqualEarth:
    """The whole Earth by Equal Earth, torn along the meridian opposite to `lon0`; 5.41 wide and 2.63 high."""

    lon0: float = 0.0

    def turned(self, lat: ArrayLike, lon: ArrayLike) -> Floats:
        along = (np.asarray(lon, dtype=np.float64) - self.lon0 + 180.0) % 360.0 - 180.0
        return np.stack(np.broadcast_arrays(along, np.asarray(lat, dtype=np.float64)), axis=-1)

    def flat(self, turned: Floats) -> Floats:
        """(N, 2) turned places, `along` within -180 to 180 -> (N, 2) of x and y."""
        a1, a2, a3, a4 = EQUAL_EARTH
        along, up = np.radians(turned[:, 0]), np.radians(turned[:, 1])
        theta = np.arcsin(math.sqrt(3.0) / 2.0 * np.sin(up))
        slope = 9.0 * a4 * theta**8 + 7.0 * a3 * theta**6 + 3.0 * a2 * theta**2 + a1
        x = 2.0 * math.sqrt(3.0) / 3.0 * along * np.cos(theta) / slope
        return np.stack([x, a4 * theta**9 + a3 * theta**7 + a2 * theta**3 + a1 * theta], axis=-1)

    def _cut(self, polygon: Floats) -> list[Floats]:
        """The parts of a turned polygon on the sheet, brought from all the sheets on which it lies."""
        low, high = polygon[:, 0].min(), polygon[:, 0].max()
        parts = []
        for sheet in range(math.ceil((low - 180.0) / 360.0), math.floor((high + 180.0) / 360.0) + 1):
            part = polygon - np.array([360.0 * sheet, 0.0])
            parts.append(_clipped(_clipped(part, 0, -180.0, above=True), 0, 180.0, above=False))
        return [part for part in parts if len(part) > 2]

    def _split(self, line: Floats) -> list[Floats]:
        """The parts of a turned line, which may run on over several sheets, each on the sheet."""
        sheet = np.floor((line[:, 0] + 180.0) / 360.0)
        parts, start = [], line[:1]
        first = 0
        for last in np.flatnonzero(np.diff(sheet)):
            border = 360.0 * max(sheet[last], sheet[last + 1]) - 180.0
            crossing = _crossings(line[last : last + 1], line[last + 1 : last + 2], 0, border)
            parts.append((np.concatenate([start, line[first + 1 : last + 1], crossing]), sheet[last]))
            first, start = int(last), crossing
        parts.append((np.concatenate([start, line[first + 1 :]]), sheet[-1]))
        return [part - np.array([360.0 * on, 0.0]) for part, on in parts]


@dataclass(frozen=True, slots=True)
class PlateCarree(EqualEarth):
    """Longitude from the middle meridian for x and latitude for y, both in degrees, as files have them.

    Its areas are not equal.
    """

    def flat(self, turned: Floats) -> Floats:
        return turned


@dataclass(frozen=True, slots=True)
class Azimuthal:
    """The country about a place by Lambert's azimuthal equal-area map (1772), torn along a circle of `reach_deg`.

    True to scale at the middle; at 30 degrees from it lengths are 3.5 % off.
    """

    lat0: float
    lon0: float
    reach_deg: float = 90.0

    def turned(self, lat: ArrayLike, lon: ArrayLike) -> Floats:
        away = np.degrees(haversine_m(self.lat0, self.lon0, lat, lon) / EARTH_RADIUS_M)
        # From a north pole longitudes run against the clock, and bearings with it.
        along = 180.0 - bearing_deg(self.lat0, self.lon0, lat, lon)
        return np.stack(np.broadcast_arrays(along, 90.0 - away), axis=-1)

    def flat(self, turned: Floats) -> Floats:
        """(N, 2) turned places -> (N, 2) of x (east at the middle) and y (north at the middle)."""
        bearing, away = np.radians(180.0 - turned[:, 0]), np.radians(90.0 - turned[:, 1])
        radius = 2.0 * np.sin(away / 2.0)
        return np.stack([radius * np.sin(bearing), radius * np.cos(bearing)], axis=-1)

    def _cut(self, polygon: Floats) -> list[Floats]:
        part = _clipped(polygon, 1, 90.0 - self.reach_deg, above=True)
        return [part] if len(part) > 2 else []

    def _split(self, line: Floats) -> list[Floats]:
        edge = 90.0 - self.reach_deg
        inside = line[:, 1] >= edge
        turns = np.flatnonzero(inside[1:] != inside[:-1])
        crossings = _crossings(line[turns], line[turns + 1], 1, edge)
        parts, first = [], line[:1] if inside[0] else line[:0]
        start = 0
        for last, crossing in zip(turns, crossings, strict=True):
            if inside[last]:
                parts.append(np.concatenate([first, line[start + 1 : last + 1], crossing[None]]))
            start, first = int(last), crossing[None]
        if inside[-1]:
            parts.append(np.concatenate([first, line[start + 1 :]]))
        return parts


@dataclass(frozen=True, slots=True)
class Orthographic(Azimuthal):
    """The half of the Earth about a place, as it looks from afar; its edge is a circle of radius 1.

    Its areas are not equal, and nothing lies farther from the middle than 90 degrees.
    """

    def flat(self, turned: Floats) -> Floats:
        bearing, away = np.radians(180.0 - turned[:, 0]), np.radians(90.0 - turned[:, 1])
        radius = np.sin(away)
        return np.stack([radius * np.sin(bearing), radius * np.cos(bearing)], axis=-1)


Projection = EqualEarth | Azimuthal


def placed(projection: Projection, lat: ArrayLike, lon: ArrayLike) -> Floats:
    """(N, 2) of x and y of places."""
    return projection.flat(projection.turned(np.atleast_1d(lat), np.atleast_1d(lon)))


def areas(projection: Projection, lat: ArrayLike, lon: ArrayLike) -> list[Floats]:
    """What a ring encloses, as polygons (N, 2) on the map; several rings are to be filled together by even and odd.

    The inside lies on the right of who walks along the ring: this tells a ring about a pole from one about the rest of
    the Earth. The ring's points lie close enough for straight lines between them.
    """
    turned = projection.turned(lat, lon)
    steps = _short(np.diff(turned[:, 0], append=turned[0, 0]))
    polygon = turned.copy()
    polygon[1:, 0] = turned[0, 0] + np.cumsum(steps[:-1])
    round_the_pole = round(float(steps.sum()) / 360.0)
    parts: list[Floats] = []
    if round_the_pole:
        pole, first = -90.0 * round_the_pole, turned[0]
        end = first[0] + 360.0 * round_the_pole
        polygon = np.concatenate([polygon, [[end, first[1]], [end, pole], [first[0], pole]]])
    elif _signed_area(polygon) > 0.0:  # against the clock: all but what the ring goes round
        low, left, right = -90.0, -180.0, 180.0
        parts += projection._cut(np.array([[left, low], [left, 90.0], [right, 90.0], [right, low]]))
    parts += projection._cut(polygon)
    return [projection.flat(_smooth_edges(part)) for part in parts]


def strands(projection: Projection, lat: ArrayLike, lon: ArrayLike) -> list[Floats]:
    """The parts (N, 2) of a line on the map, whose points lie close enough for straight lines between them."""
    turned = projection.turned(lat, lon)
    turned[1:, 0] = turned[0, 0] + np.cumsum(_short(np.diff(turned[:, 0])))
    return [projection.flat(part) for part in projection._split(turned) if len(part) > 1]


def great_circle(a: tuple[float, float], b: tuple[float, float]) -> tuple[Floats, Floats]:
    """Latitudes and longitudes along the shortest way from place a to place b, at most 2 degrees apart.

    Between antipodes, where every way is as short, that over (0, 0) or near it.
    """
    start, end = unit_vectors(*a), unit_vectors(*b)
    angle = float(haversine_m(*a, *b)) / EARTH_RADIUS_M
    share = np.linspace(0.0, 1.0, 2 + int(math.degrees(angle) / _STEP_DEG))[:, None]
    if angle > math.pi - 1e-6:
        aside = np.array([1.0, 0.0, 0.0]) - start * start[0]
        aside = aside if np.linalg.norm(aside) > 1e-6 else np.array([0.0, 1.0, 0.0])
        aside = aside / np.linalg.norm(aside)
        return places_of_units(np.cos(share * math.pi) * start + np.sin(share * math.pi) * aside)
    if angle < 1e-9:
        return np.array([a[0], b[0]]), np.array([a[1], b[1]])
    return places_of_units(np.sin((1.0 - share) * angle) * start + np.sin(share * angle) * end)


def _short(step: Floats) -> Floats:
    """Differences of angles the short way round, -180 to 180."""
    return (step + 180.0) % 360.0 - 180.0


def _signed_area(polygon: Floats) -> float:
    """Twice the area of a plane polygon, positive where it runs against the clock."""
    x, y = polygon.T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def _crossings(a: Floats, b: Floats, axis: int, border: float) -> Floats:
    """Where the lines from a to b (N, 2) meet a border, their coordinate there exactly the border's."""
    share = (border - a[:, axis]) / (b[:, axis] - a[:, axis])
    at = a + share[:, None] * (b - a)
    at[:, axis] = border
    return at


def _clipped(polygon: Floats, axis: int, border: float, *, above: bool) -> Floats:
    """The part of a polygon (N, 2) on one side of a border; what it loses is replaced by ways along the border."""
    if not len(polygon):
        return polygon
    following = np.roll(polygon, -1, axis=0)
    inside = polygon[:, axis] >= border if above else polygon[:, axis] <= border
    crosses = inside != np.roll(inside, -1)
    both = np.stack([polygon, polygon], axis=1)
    both[crosses, 1] = _crossings(polygon[crosses], following[crosses], axis, border)
    kept: Floats = both.reshape(-1, 2)[np.stack([inside, crosses], axis=1).ravel()]
    return kept


def _smooth_edges(polygon: Floats) -> Floats:
    """The polygon with points enough where it follows an edge of the map, which is bent on the plane."""
    following = np.roll(polygon, -1, axis=0)
    step = following - polygon
    follows: NDArray[np.bool_] = np.any(step == 0.0, axis=1)
    count = np.where(follows, np.ceil(np.abs(step).max(axis=1) / _STEP_DEG), 1).astype(np.int64)
    count = np.maximum(count, 1)
    which = np.repeat(np.arange(len(polygon)), count)
    share = (np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)) / count[which]
    dense: Floats = polygon[which] + share[:, None] * step[which]
    return dense
