"""How far the sea level lies above the WGS84 ellipsoid, by EGM96: what stands between a fix's heights and a map's.

The grid has 15', as its makers publish it, in steps of 5 cm (`scripts/make_geoid.py`); between its points heights are
interpolated by cubic convolution (Keys 1981). Over the Earth that is within 3 cm (1 cm RMS) of the same in the grid as
published, and within 2 cm of the makers' six check values; bilinear, it would be up to 0.9 m off. The geoid itself is
known to 0.5 to 1 m by EGM96, and the heights of a country count from a level of its own.
"""

from __future__ import annotations

import zlib
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geoloc_cli.geo.earth import Floats

_ROWS, _COLUMNS = 721, 1440
_PER_DEGREE = 4
_STEP_M = 0.05


def undulation_m(lat: ArrayLike, lon: ArrayLike) -> Floats:
    """Metres by which EGM96's geoid is above the ellipsoid, of the shape to which the arguments broadcast.

    -107 (south of India) to 85 (New Guinea). Longitudes may be of any turn. ValueError off the Earth.
    """
    at_lat, at_lon = np.broadcast_arrays(np.asarray(lat, np.float64), np.asarray(lon, np.float64))
    if not (np.all(np.abs(at_lat) <= 90.0) and np.all(np.isfinite(at_lon))):
        raise ValueError("latitudes are within -90 to 90, and longitudes are numbers")
    down, along = (90.0 - at_lat) * _PER_DEGREE, at_lon % 360.0 * _PER_DEGREE
    row = np.minimum(down.astype(np.int64), _ROWS - 2)
    column = np.minimum(along.astype(np.int64), _COLUMNS - 1)  # a hair west of 0 is 360.0 by rounding
    grid, across = _grid(), _weights(along - column)
    found = np.zeros(at_lat.shape)
    for i, weight in enumerate(_weights(down - row)):
        found += weight * sum(across[j] * grid[row + i, column + j] for j in range(4))
    return found[()] * _STEP_M


def above_sea_m(lat: ArrayLike, lon: ArrayLike, alt_m: ArrayLike) -> Floats:
    """Heights above the sea (EGM96) of places whose `alt_m` counts from the ellipsoid."""
    return np.subtract(alt_m, undulation_m(lat, lon))


def above_ellipsoid_m(lat: ArrayLike, lon: ArrayLike, sea_m: ArrayLike) -> Floats:
    """Heights above the ellipsoid of places whose `sea_m` counts from the sea; the inverse of `above_sea_m`."""
    return np.add(sea_m, undulation_m(lat, lon))


def _weights(f: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Those of the points at -1, 0, 1 and 2 for a place at `f`, 0 to 1 (Keys 1981, a = -1/2)."""
    return (
        ((1.0 - 0.5 * f) * f - 0.5) * f,
        (1.5 * f - 2.5) * f * f + 1.0,
        ((2.0 - 1.5 * f) * f + 0.5) * f,
        (0.5 * f - 0.5) * f * f,
    )


@cache
def _grid() -> NDArray[np.int16]:
    """Steps of 5 cm (rows + 2, columns + 3): one more row beyond each pole, on the far meridian, and the columns round.

    Reading takes 15 ms and 2 MB.
    """
    content = zlib.decompress(files("geoloc_cli.geo").joinpath("data/egm96.z").read_bytes())
    first = np.frombuffer(content, "<i2", 1)
    differences = np.frombuffer(content, np.int8, offset=2).reshape(_ROWS, _COLUMNS)
    steps = differences.cumsum(0, dtype=np.int16).cumsum(1, dtype=np.int16) + first
    beyond = [np.roll(steps[row], _COLUMNS // 2) for row in (1, -2)]
    return np.pad(np.vstack([beyond[0], steps, beyond[1]]), ((0, 0), (1, 2)), mode="wrap").astype(np.int16)
