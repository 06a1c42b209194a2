"""Where the sun stands, from any place at any moment."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from numpy.typing import ArrayLike

from geoloc_cli.geo.earth import Floats

_J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)


def sun_altitude_deg(moment: datetime, lat: ArrayLike, lon: ArrayLike) -> Floats:
    """Degrees of the sun's centre above the horizon, without refraction, of the shape to which lat and lon broadcast.

    The low-precision formulae of the Astronomical Almanac (section C; the US Naval Observatory's "approximate solar
    coordinates"): one arc minute from 1800 to 2200. Refraction lifts the sun by half a degree at the horizon. `moment`
    carries its zone; UTC stands for UT1, 0.9 s from it at most, which is 14 arc seconds.
    """
    days = (moment - _J2000).total_seconds() / 86400.0
    anomaly = np.radians(357.529 + 0.98560028 * days)
    mean_longitude = 280.459 + 0.98564736 * days
    longitude = np.radians(mean_longitude + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2.0 * anomaly))
    tilt = np.radians(23.439 - 0.00000036 * days)
    ascension = np.arctan2(np.cos(tilt) * np.sin(longitude), np.cos(longitude))
    declination = np.arcsin(np.sin(tilt) * np.sin(longitude))
    sidereal_deg = 15.0 * (18.697374558 + 24.06570982441908 * days)
    hour_angle = np.radians(sidereal_deg + np.asarray(lon, dtype=np.float64)) - ascension
    phi = np.radians(np.asarray(lat, dtype=np.float64))
    sine = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(hour_angle)
    return np.asarray(np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0))))
