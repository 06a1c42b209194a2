"""Distances, directions and frames on the Earth, in float64, over arrays of any shapes that broadcast.

Distances, bearings and destinations are on the sphere of `EARTH_RADIUS_M`, which differs from the WGS84 geodesic by at
most 0.56 %. ECEF and ENU are on the WGS84 ellipsoid itself. Angles are degrees, latitude first; longitudes come out
within -180 to 180.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

EARTH_RADIUS_M = 6371008.8  # mean radius (2a + b) / 3 of WGS84
HALF_EARTH_M = np.pi * EARTH_RADIUS_M  # from a place to its antipode

_A = 6378137.0
_F = 1.0 / 298.257223563
_B = _A * (1.0 - _F)
_E2 = _F * (2.0 - _F)
_EP2 = _E2 / (1.0 - _E2)

_BLOCK = 1 << 15  # distances worked on at once: temporaries of 256 kB stay in the second-level cache
_THREADED = 1 << 20  # below a million distances starting threads costs more than it saves
_MAX_THREADS = 4  # more would only wait for memory


def haversine_m(lat1: ArrayLike, lon1: ArrayLike, lat2: ArrayLike, lon2: ArrayLike) -> Floats:
    """Great-circle distances in metres, of the shape to which the four arguments broadcast.

    h = sin^2(dlat / 2) + cos lat1 cos lat2 sin^2(dlon / 2), distance = 2 R asin(sqrt h). Good to a nanometre for near
    places and, as asin is steep at one, to 0.2 m for antipodes. Large results are worked in blocks on several threads.
    """
    given = [np.asarray(x, dtype=np.float64) for x in (lat1, lon1, lat2, lon2)]
    shape = np.broadcast_shapes(*(x.shape for x in given))
    size = int(np.prod(shape))
    if size <= _BLOCK:
        return _haversine(*given)
    axis = int(np.argmax(shape))
    parts = [np.moveaxis(x.reshape((1,) * (len(shape) - x.ndim) + x.shape), axis, 0) for x in given]
    out = np.empty(shape)
    rows_out = np.moveaxis(out, axis, 0)
    step = max(1, _BLOCK * shape[axis] // size)

    def fill(start: int, stop: int) -> None:
        for first in range(start, stop, step):
            block = slice(first, min(first + step, stop))
            rows_out[block] = _haversine(*(x[block] if len(x) > 1 else x for x in parts))

    if size < _THREADED:
        fill(0, shape[axis])
        return out
    threads = min(_MAX_THREADS, os.cpu_count() or 1)
    edges = [shape[axis] * i // threads for i in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, edges[:-1], edges[1:]))
    return out


def _haversine(lat1: Floats, lon1: Floats, lat2: Floats, lon2: Floats) -> Floats:
    h = np.sin((lon2 - lon1) * (np.pi / 360.0)) ** 2
    h = h * (np.cos(np.radians(lat1)) * np.cos(np.radians(lat2)))
    h = h + np.sin((lat2 - lat1) * (np.pi / 360.0)) ** 2
    metres: Floats = np.arcsin(np.sqrt(np.minimum(h, 1.0))) * (2.0 * EARTH_RADIUS_M)
    return metres


def bearing_deg(lat1: ArrayLike, lon1: ArrayLike, lat2: ArrayLike, lon2: ArrayLike) -> Floats:
    """Directions of departure from place 1 to place 2 along the great circle, clockwise from true north, 0 to 360.

    Zero for a place and itself. The first line is sin(lat2 - lat1) with the rest factored out, so that near places
    lose no digits.
    """
    a, b = np.radians(lat1), np.radians(lat2)
    d = np.radians(np.subtract(lon2, lon1))
    north = np.sin(b - a) + 2.0 * np.sin(a) * np.cos(b) * np.sin(d / 2.0) ** 2
    turned = np.degrees(np.arctan2(np.sin(d) * np.cos(b), north)) % 360.0
    bearing: Floats = np.where(turned == 360.0, 0.0, turned)[()]
    return bearing


def destination(lat: ArrayLike, lon: ArrayLike, bearing: ArrayLike, distance_m: ArrayLike) -> tuple[Floats, Floats]:
    """The places reached from (lat, lon) by `distance_m` along the great circle that departs at `bearing` degrees.

    At a pole a bearing counts from the meridian `lon`, as the limit of places that come near to the pole along it.
    """
    phi, theta = np.radians(lat), np.radians(bearing)
    arc = np.divide(distance_m, EARTH_RADIUS_M)
    along, aside = np.sin(arc) * np.cos(theta), np.sin(arc) * np.sin(theta)
    outward = np.cos(phi) * np.cos(arc) - np.sin(phi) * along  # from the axis, in the meridian plane of `lon`
    up = np.sin(phi) * np.cos(arc) + np.cos(phi) * along
    to_lat = np.degrees(np.arctan2(up, np.hypot(outward, aside)))
    return to_lat, wrap_lon(lon + np.degrees(np.arctan2(aside, outward)))


def wrap_lon(lon: ArrayLike) -> Floats:
    """Longitudes brought to -180 to 180; those already there are returned as they are, to the last bit."""
    lon = np.asarray(lon, dtype=np.float64)
    wrapped: Floats = np.where(np.abs(lon) <= 180.0, lon, (lon + 180.0) % 360.0 - 180.0)[()]
    return wrapped


def unit_vectors(lat: ArrayLike, lon: ArrayLike) -> Floats:
    """Unit vectors (..., 3) on the sphere: x to (0, 0), y to (0, 90 east), z to the north pole."""
    phi, lam = np.broadcast_arrays(np.radians(lat), np.radians(lon))
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)


def places_of_units(units: ArrayLike) -> tuple[Floats, Floats]:
    """Latitudes and longitudes of vectors (..., 3) of any length but zero; the inverse of `unit_vectors`."""
    v = np.asarray(units, dtype=np.float64)
    lat = np.degrees(np.arctan2(v[..., 2], np.hypot(v[..., 0], v[..., 1])))
    return lat, np.degrees(np.arctan2(v[..., 1], v[..., 0]))


def ecef_from_geodetic(lat: ArrayLike, lon: ArrayLike, alt_m: ArrayLike) -> Floats:
    """Earth-centred coordinates (..., 3) in metres of places whose `alt_m` counts from the WGS84 ellipsoid."""
    phi, lam, alt = np.broadcast_arrays(np.radians(lat), np.radians(lon), np.asarray(alt_m, dtype=np.float64))
    n = _A / np.sqrt(1.0 - _E2 * np.sin(phi) ** 2)
    across = (n + alt) * np.cos(phi)
    return np.stack([across * np.cos(lam), across * np.sin(lam), (n * (1.0 - _E2) + alt) * np.sin(phi)], axis=-1)


def geodetic_from_ecef(xyz: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Latitude, longitude and height over the WGS84 ellipsoid of Earth-centred coordinates (..., 3) in metres.

    Bowring's formula (1976), iterated three times: exact to a few nanometres from 5 000 km under the ground to the
    Moon. Its height, p cos lat + z sin lat - a sqrt(1 - e^2 sin^2 lat), is as good at the poles as at the equator.
    """
    v = np.asarray(xyz, dtype=np.float64)
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    p = np.hypot(x, y)
    reduced = np.arctan2(_A * z, _B * p)
    for _ in range(3):
        phi = np.arctan2(z + _EP2 * _B * np.sin(reduced) ** 3, p - _E2 * _A * np.cos(reduced) ** 3)
        reduced = np.arctan2(_B * np.sin(phi), _A * np.cos(phi))
    alt = p * np.cos(phi) + z * np.sin(phi) - _A * np.sqrt(1.0 - _E2 * np.sin(phi) ** 2)
    return np.degrees(phi), np.degrees(np.arctan2(y, x)), alt


def enu_axes(lat: float, lon: float) -> Floats:
    """The rotation (3, 3) from ECEF to ENU at a place: its rows are east, north and up."""
    phi, lam = np.radians(lat), np.radians(lon)
    sp, cp, sl, cl = np.sin(phi), np.cos(phi), np.sin(lam), np.cos(lam)
    return np.array([[-sl, cl, 0.0], [-sp * cl, -sp * sl, cp], [cp * cl, cp * sl, sp]])


def enu_from_geodetic(lat: ArrayLike, lon: ArrayLike, alt_m: ArrayLike, origin: tuple[float, float, float]) -> Floats:
    """East, north, up (..., 3) in metres from `origin` (lat, lon, height over the ellipsoid), a right-handed frame."""
    away = ecef_from_geodetic(lat, lon, alt_m) - ecef_from_geodetic(*origin)
    enu: Floats = away @ enu_axes(origin[0], origin[1]).T
    return enu


def geodetic_from_enu(enu: ArrayLike, origin: tuple[float, float, float]) -> tuple[Floats, Floats, Floats]:
    """Latitude, longitude and height of east, north, up (..., 3); the inverse of `enu_from_geodetic`."""
    away = np.asarray(enu, dtype=np.float64) @ enu_axes(origin[0], origin[1])
    return geodetic_from_ecef(away + ecef_from_geodetic(*origin))
