"""UTM against PROJ."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest

from geoloc_cli.geo.utm import geodetic_from_utm


@pytest.mark.parametrize(("zone", "south"), [(1, False), (32, False), (33, True), (60, True)])
def test_utm_agrees_with_proj_to_a_micrometre(zone: int, south: bool) -> None:
    rng = np.random.default_rng(zone)
    lat = rng.uniform(0.0, 84.0, 500) * (-1 if south else 1)
    lon = 6.0 * zone - 183.0 + rng.uniform(-5.0, 5.0, 500)
    lon = (lon + 180.0) % 360.0 - 180.0
    projected = pyproj.Transformer.from_crs(4326, (32700 if south else 32600) + zone, always_xy=True)
    easting, northing = projected.transform(lon, lat)
    found_lat, found_lon = geodetic_from_utm(easting, northing, zone, south)
    # A micrometre is 9e-12 degrees of latitude.
    assert np.abs(found_lat - lat).max() < 2e-11
    assert (np.abs((found_lon - lon + 180.0) % 360.0 - 180.0) * np.cos(np.radians(lat))).max() < 2e-11
