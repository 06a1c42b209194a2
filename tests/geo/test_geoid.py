"""The geoid: its makers' check values, its extremes, and that it has no seam at the poles or a meridian."""

from __future__ import annotations

import numpy as np
import pytest

from geoloc_cli.geo.geoid import above_ellipsoid_m, above_sea_m, undulation_m

# The test points of NGA's own program for the grid of 15' (OUTINTPT.DAT of EGM96): latitude, longitude, metres.
CHECKED = np.array(
    [
        (38.6281550, 269.7791550, -31.628),
        (-14.6212170, 305.0211140, -2.969),
        (46.8743190, 102.4487290, -43.575),
        (-23.6174460, 133.8747120, 15.871),
        (38.6254730, 359.9995000, 50.066),
        (-0.4667440, 0.0023000, 17.329),
    ]
)


def test_the_makers_check_values_are_met_to_two_centimetres() -> None:
    """Steps of 5 cm alone are 1.4 cm off (RMS); their program's splines are 1 cm from a cubic convolution."""
    lat, lon, truth = CHECKED.T
    assert undulation_m(lat, lon) == pytest.approx(truth, abs=0.02)
    assert undulation_m(lat, lon - 360.0) == pytest.approx(undulation_m(lat, lon), abs=1e-9)
    assert float(undulation_m(*CHECKED[0, :2])) == pytest.approx(-31.628, abs=0.02)


def test_the_whole_earth_is_as_deep_as_high_and_as_uneven_as_egm96() -> None:
    lat, lon = np.meshgrid(np.arange(-90.0, 91.0), np.arange(-180.0, 180.0), indexing="ij")
    found, area = undulation_m(lat, lon), np.cos(np.radians(lat))
    assert np.sqrt((area * found**2).sum() / area.sum()) == pytest.approx(30.6, abs=0.1)
    assert (found.min(), found.max()) == (pytest.approx(-107.0, abs=0.5), pytest.approx(85.4, abs=3.0))
    # The deepest and the highest point of the grid as published: south of India, and New Guinea.
    assert undulation_m([4.75, -8.25], [78.75, 147.25]) == pytest.approx([-106.99, 85.39], abs=0.026)


@pytest.mark.parametrize("lon", [0.0, 180.0, -180.0, 359.75, 77.3])
def test_there_is_no_seam_at_a_meridian(lon: float) -> None:
    lat = np.linspace(-90.0, 90.0, 1001)
    west, here, east = (undulation_m(lat, lon + step) for step in (-1e-7, 0.0, 1e-7))
    assert np.abs(west - here).max() < 1e-5
    assert np.abs(east - here).max() < 1e-5
    assert np.array_equal(undulation_m(lat, np.nextafter(lon, lon - 1.0)).round(6), here.round(6))


@pytest.mark.parametrize(("pole", "height_m"), [(90.0, 13.61), (-90.0, -29.53)])
def test_a_pole_is_one_place_and_the_grid_goes_on_beyond_it(pole: float, height_m: float) -> None:
    lon = np.arange(-180.0, 180.0, 7.3)
    assert undulation_m(pole, lon) == pytest.approx(height_m, abs=0.026)
    # Half-way from the pole to the first parallel: cubic convolution has the weights (-1, 9, 9, -1) / 16 there, and the
    # point beyond the pole is that of the meridian opposite.
    lon = np.arange(-180.0, 180.0, 5.0)
    step = np.sign(pole) * 0.25
    beyond, on, first, second = (
        undulation_m(lat, at)
        for lat, at in ((pole - step, lon + 180), (pole, lon), (pole - step, lon), (pole - 2 * step, lon))
    )
    assert undulation_m(pole - step / 2, lon) == pytest.approx((9 * (on + first) - beyond - second) / 16, abs=1e-9)


def test_heights_go_to_the_sea_and_back() -> None:
    """Zurich: the sea is 47 m above the ellipsoid, so that a lake at 406 m above it is at 453 m by GPS."""
    assert float(above_sea_m(47.35, 8.54, 453.3)) == pytest.approx(406.0, abs=1.0)
    lat, lon = np.array([[47.35], [-33.5]]), np.array([8.54, -70.25, 179.99])
    assert undulation_m(lat, lon).shape == (2, 3)
    assert above_ellipsoid_m(lat, lon, above_sea_m(lat, lon, 512.25)) == pytest.approx(512.25)


@pytest.mark.parametrize("place", [(90.1, 0.0), (float("nan"), 0.0), (0.0, float("inf"))])
def test_what_is_no_place_has_no_geoid(place: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="latitudes are within"):
        undulation_m(*place)
