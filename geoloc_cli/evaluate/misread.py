"""Places that were written otherwise than they are read: swapped, in radians, in another grid; and the guess at which.

Each way of misreading is tried on the answers, and is believed where it brings them far nearer to the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo.earth import HALF_EARTH_M, haversine_m
from geoloc_cli.geo.utm import geodetic_from_utm

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# A guess is believed where the median error drops so far, and the rows agree; chance does not bring half the Earth's
# width (10 000 km, the median of answers drawn at random) below 2000 km.
_DROP = 5.0
_DROP_OF_FEW, _FEW, _LEAST = 10.0, 9, 3
_SIGMAS = 3.0
# Part of the rows are misread where so many come this much nearer, and many more than answers to other photographs do.
_NEARER, _SHARE, _ROWS, _BEYOND_CHANCE = 10.0, 0.03, 5, 3.0
_ELSEWHERE_M, _ENOUGH_ELSEWHERE = 1e6, 0.2
_WITHIN_GRID = 0.9
_LARGEST_MINUTES = 0.6 + 1e-9
_MERCATOR_RADIUS_M = 6378137.0
_UNITS = (
    (1e7, "e7", "lat and lon are degrees times 10 000 000 (E7)"),
    (1e6, "microdegrees", "lat and lon are microdegrees"),
    *((10.0**n, "scaled", f"lat and lon are degrees times {10**n}") for n in (2, 3, 4, 5)),
    (2.0**31 / 180.0, "semicircles", "lat and lon are semicircles (2^31 for 180 degrees)"),
    (3600.0, "arc_seconds", "lat and lon are seconds of arc"),
    (3.6e6, "arc_seconds", "lat and lon are thousandths of a second of arc"),
)


@dataclass(frozen=True, slots=True)
class Guess:
    """A misreading that explains the answers: medians before and after, of the `rows` of `of` that it brings nearer.

    `before_m` is infinite where half of these answers are nowhere on the Earth as they stand.
    """

    code: str
    words: str
    before_m: float
    after_m: float
    rows: int
    of: int


@dataclass(frozen=True, slots=True)
class _Misreading:
    """`read` gives latitudes and longitudes as they were meant, of those that are written."""

    code: str
    words: str
    lat: Floats
    lon: Floats


def errors_as_written(lat: Floats, lon: Floats, true_lat: Floats, true_lon: Floats) -> Floats:
    """Distances (N,) in metres, infinite where an answer is nowhere on the Earth."""
    on_earth = (np.abs(lat) <= 90.0) & (np.abs(lon) <= 180.0)
    away = haversine_m(np.where(on_earth, lat, 0.0), np.where(on_earth, lon, 0.0), true_lat, true_lon)
    return np.where(on_earth, away, np.inf)


def guess(lat: Floats, lon: Floats, true_lat: Floats, true_lon: Floats) -> Guess | None:
    """How the answers (N,) were misread, all of them or part of them; None where nothing explains them better."""
    if len(np.unique(np.stack([lat, lon]), axis=1).T) < _LEAST:
        return None
    before = errors_as_written(lat, lon, true_lat, true_lon)
    tried = [
        (misread, errors_as_written(misread.lat, misread.lon, true_lat, true_lon))
        for misread in _all_ways(lat, lon, true_lat, true_lon)
    ]
    fits = [(misread, after) for misread, after in tried if _explains(before, after)]
    if fits:
        misread, after = min(fits, key=lambda fit: float(np.median(fit[1])))
        medians = float(np.median(before)), float(np.median(after))
        return Guess(misread.code, misread.words, *medians, len(lat), len(lat))
    return _of_part(before, lat, lon, true_lat, true_lon)


def _explains(before: Floats, after: Floats) -> bool:
    """Whether the median falls far enough, and the rows that come nearer are beyond chance (a sign test)."""
    count, old, new = len(before), float(np.median(before)), float(np.median(after))
    if count < _LEAST or not np.isfinite(new):
        return False
    nearer, farther = int(np.count_nonzero(after < before)), int(np.count_nonzero(after > before))
    if count < _FEW:
        return nearer == count and new < old / _DROP_OF_FEW
    return new < old / _DROP and (nearer - farther) / np.sqrt(count) >= _SIGMAS


def _of_part(before: Floats, lat: Floats, lon: Floats, true_lat: Floats, true_lon: Floats) -> Guess | None:
    """The misreading of some rows alone, the one that explains the most of them.

    How many come nearer by chance is told by the answers to other photographs, taken elsewhere, each read both ways.
    """
    best: Guess | None = None
    shift = len(lat) // 2
    others = np.roll(true_lat, shift), np.roll(true_lon, shift)
    elsewhere = haversine_m(true_lat, true_lon, *others) > _ELSEWHERE_M
    before_others = errors_as_written(lat, lon, *others)
    for way in _SOME_ROWS:
        misread = way(lat, lon)
        if misread is None:
            continue
        after = errors_as_written(misread.lat, misread.lon, true_lat, true_lon)
        nearer = _far_nearer(before, after)
        by_chance = _far_nearer(before_others, errors_as_written(misread.lat, misread.lon, *others))
        chance = float(np.mean(by_chance[elsewhere])) if np.mean(elsewhere) > _ENOUGH_ELSEWHERE else 0.0
        rows = int(np.count_nonzero(nearer))
        least = max(_ROWS, max(_SHARE, _BEYOND_CHANCE * chance) * len(lat))
        if rows >= least and (best is None or rows > best.rows):
            medians = float(np.median(before[nearer])), float(np.median(after[nearer]))
            best = Guess(misread.code, misread.words, *medians, rows, len(lat))
    return best


def _far_nearer(before: Floats, after: Floats) -> Bools:
    """Where an answer comes ten times nearer; nowhere on the Earth is as far as its other side."""
    nearer: Bools = after < np.minimum(before, HALF_EARTH_M) / _NEARER
    return nearer


def _swapped(lat: Floats, lon: Floats) -> _Misreading:
    return _Misreading("swapped", "lat and lon are swapped (in one of the two files)", lon, lat)


def _lon_turned(lat: Floats, lon: Floats) -> _Misreading:
    lost = " (no lon is negative: was the W lost?)" if np.all(lon >= 0.0) else ""
    return _Misreading("lon_sign", f"the sign of lon is turned{lost}", lat, -lon)


def _lat_turned(lat: Floats, lon: Floats) -> _Misreading:
    lost = " (no lat is negative: was the S lost?)" if np.all(lat >= 0.0) else ""
    return _Misreading("lat_sign", f"the sign of lat is turned{lost}", -lat, lon)


def _from_0_to_360(lat: Floats, lon: Floats) -> _Misreading | None:
    if not (np.all(lon >= 0.0) and np.any(lon > 180.0) and np.all(lon <= 360.0)):
        return None
    return _Misreading("lon_0_360", "lon runs from 0 to 360", lat, np.where(lon > 180.0, lon - 360.0, lon))


_SOME_ROWS: tuple[Callable[[Floats, Floats], _Misreading | None], ...] = (
    _swapped,
    _lon_turned,
    _lat_turned,
    _from_0_to_360,
)


def _all_ways(lat: Floats, lon: Floats, true_lat: Floats, true_lon: Floats) -> Iterator[_Misreading]:
    """Every way in which all of the answers may be meant that their sizes allow."""
    yield _swapped(lat, lon)
    yield _lon_turned(lat, lon)
    yield _lat_turned(lat, lon)
    yield _Misreading("both_signs", "the signs of lat and lon are turned", -lat, -lon)
    largest = float(max(np.max(np.abs(lat)), np.max(np.abs(lon))))
    if largest <= np.pi:
        yield _Misreading("radians", "lat and lon are in radians", np.degrees(lat), np.degrees(lon))
    if np.all(_past_point(lat) < _LARGEST_MINUTES) and np.all(_past_point(lon) < _LARGEST_MINUTES):
        words = "what stands after the point are minutes (48.51 for 48°51')"
        meant_lat, meant_lon = (np.trunc(written) + np.fmod(written, 1.0) / 0.6 for written in (lat, lon))
        yield _Misreading("minutes_as_decimals", words, meant_lat, meant_lon)
    if largest > 180.0:
        yield from _scaled(lat, lon)
        yield from _on_grids(lat, lon, true_lat, true_lon)


def _past_point(written: Floats) -> Floats:
    return np.abs(np.fmod(written, 1.0))


def _scaled(lat: Floats, lon: Floats) -> Iterator[_Misreading]:
    """Whole numbers that stand for fractions of a degree."""
    for factor, code, words in _UNITS:
        yield _Misreading(code, words, lat / factor, lon / factor)
    yield _Misreading(
        "degrees_minutes",
        "lat and lon are degrees and minutes run together, as in NMEA (4851.4 for 48°51.4')",
        np.trunc(lat / 100.0) + np.fmod(lat, 100.0) / 60.0,
        np.trunc(lon / 100.0) + np.fmod(lon, 100.0) / 60.0,
    )


def _on_grids(lat: Floats, lon: Floats, true_lat: Floats, true_lon: Floats) -> Iterator[_Misreading]:
    """Metres of a map grid, east and north in either order; UTM's zones are those in which the truth lies."""
    for east, north, order in ((lon, lat, "north, east"), (lat, lon, "east, north")):
        across = np.degrees(east / _MERCATOR_RADIUS_M)
        with np.errstate(over="ignore"):
            up = np.degrees(2.0 * np.arctan(np.exp(north / _MERCATOR_RADIUS_M)) - np.pi / 2.0)
        yield _Misreading("web_mercator", f"lat and lon are metres of Web Mercator ({order})", up, across)
        in_utm = (east > 1e5) & (east < 9e5) & (north >= 0.0) & (north <= 1e7)
        if np.mean(in_utm) >= _WITHIN_GRID:
            places = _from_utm(east, north, true_lat, true_lon)
            yield _Misreading("utm", f"lat and lon are metres of UTM ({order}), in the truth's zones", *places)


def _from_utm(east: Floats, north: Floats, true_lat: Floats, true_lon: Floats) -> tuple[Floats, Floats]:
    zones = np.clip(np.floor((true_lon + 180.0) / 6.0).astype(int) + 1, 1, 60)
    lat, lon = np.full(len(east), np.nan), np.full(len(east), np.nan)
    for zone in np.unique(zones):
        for south in (False, True):
            rows = (zones == zone) & ((true_lat < 0.0) == south)
            if np.any(rows):
                lat[rows], lon[rows] = geodetic_from_utm(east[rows], north[rows], int(zone), south)
    return lat, lon
