"""UTM to latitude and longitude on WGS84: Krüger's series for the transverse Mercator projection."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_A = 6378137.0
_F = 1.0 / 298.257223563
_E2 = _F * (2.0 - _F)
_E = np.sqrt(_E2)
_N = _F / (2.0 - _F)
_K0 = 0.9996
_FALSE_EASTING_M = 500_000.0
_FALSE_NORTHING_M = 10_000_000.0
_RECTIFYING_M = _A / (1.0 + _N) * (1.0 + _N**2 / 4.0 + _N**4 / 64.0)
_BETA = (
    _N / 2.0 - 2.0 * _N**2 / 3.0 + 37.0 * _N**3 / 96.0 - _N**4 / 360.0,
    _N**2 / 48.0 + _N**3 / 15.0 - 437.0 * _N**4 / 1440.0,
    17.0 * _N**3 / 480.0 - 37.0 * _N**4 / 840.0,
    4397.0 * _N**4 / 161280.0,
)


def geodetic_from_utm(easting_m: ArrayLike, northing_m: ArrayLike, zone: int, south: bool) -> tuple[Floats, Floats]:
    """Latitudes and longitudes in degrees of places in a zone (1 to 60) of the northern or southern half.

    Krüger (1912) to the fourth order in the third flattening, with the formulas of Karney (2011, equations 7 to 21 and
    36): good to a micrometre within 20 degrees of the zone's middle.
    """
    northing = np.asarray(northing_m, dtype=np.float64) - (_FALSE_NORTHING_M if south else 0.0)
    xi = northing / (_K0 * _RECTIFYING_M)
    eta = (np.asarray(easting_m, dtype=np.float64) - _FALSE_EASTING_M) / (_K0 * _RECTIFYING_M)
    xi1, eta1 = xi, eta
    for j, beta in enumerate(_BETA, 1):
        xi1 = xi1 - beta * np.sin(2 * j * xi) * np.cosh(2 * j * eta)
        eta1 = eta1 - beta * np.cos(2 * j * xi) * np.sinh(2 * j * eta)
    conformal = np.sin(xi1) / np.hypot(np.sinh(eta1), np.cos(xi1))
    tangent = conformal
    for _ in range(4):  # Newton's method gains twice the digits a round, and two rounds reach the last
        secant = np.sqrt(1.0 + tangent**2)
        sigma = np.sinh(_E * np.arctanh(_E * tangent / secant))
        seen = tangent * np.sqrt(1.0 + sigma**2) - sigma * secant
        slope = (1.0 - _E2) * np.sqrt(1.0 + seen**2) * secant / (1.0 + (1.0 - _E2) * tangent**2)
        tangent = tangent + (conformal - seen) / slope
    lon = np.degrees(np.arctan2(np.sinh(eta1), np.cos(xi1))) + (6.0 * zone - 183.0)
    return np.degrees(np.arctan(tangent)), (lon + 180.0) % 360.0 - 180.0
