"""The sun's height against published examples, and where astronomy leaves no choice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from geoloc_cli.geo.sun import sun_altitude_deg


def test_height_of_a_published_example() -> None:
    # Reda and Andreas, Solar Position Algorithm (NREL/TP-560-34302), A.5: 39.872046 degrees before refraction.
    moment = datetime(2003, 10, 17, 12, 30, 30, tzinfo=timezone(timedelta(hours=-7)))
    assert float(sun_altitude_deg(moment, 39.742476, -105.1786)) == pytest.approx(39.872, abs=0.02)


def test_place_under_the_sun_of_a_published_example() -> None:
    # Meeus, Astronomical Algorithms, example 25.a: on 13 October 1992, 0h TT (59 s before UTC's), right ascension
    # 198.38083 and declination -7.78507 degrees. Greenwich's sidereal time then is 21.8015 degrees by his formula 12.4.
    moment = datetime(1992, 10, 12, 23, 59, 1, tzinfo=UTC)
    lon = 198.38083 - 21.8015 + 59.0 / 240.0
    assert float(sun_altitude_deg(moment, -7.78507, lon)) == pytest.approx(90.0, abs=0.1)


@pytest.mark.parametrize(
    ("when", "lat", "lon", "altitude_deg"),
    [
        # The equinox of 2024 (20 March, 3:06 UTC): noon height is 90 - |latitude| where it is noon, 136 E (the sun is
        # 7.5 minutes behind the mean one).
        ("2024-03-20T03:06:00+00:00", 48.0, 135.4, 42.0),
        # The solstice of 2024 (20 June, 20:51 UTC): over the northern tropic, and 23.4 degrees at the pole all day.
        ("2024-06-20T20:51:00+00:00", 23.44, -132.3, 90.0),
        ("2024-06-20T03:00:00+00:00", 90.0, 0.0, 23.44),
        ("2024-06-20T03:00:00+00:00", -90.0, 0.0, -23.44),
        # Sunset of Greenwich on 1 January 2024, 16:02 by every almanac: half a disc and refraction under the horizon.
        ("2024-01-01T16:02:00+00:00", 51.48, 0.0, -0.83),
    ],
)
def test_height_where_and_when_it_is_known(when: str, lat: float, lon: float, altitude_deg: float) -> None:
    assert float(sun_altitude_deg(datetime.fromisoformat(when), lat, lon)) == pytest.approx(altitude_deg, abs=0.5)


def test_half_of_the_earth_is_lit_at_any_moment() -> None:
    rng = np.random.default_rng(5)
    lat, lon = np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, 20_000))), rng.uniform(-180.0, 180.0, 20_000)
    for hours in (0, 2000, 4001, 60_007):
        up = sun_altitude_deg(datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=hours), lat, lon) > 0.0
        # Five standard deviations of so many places.
        assert np.mean(up) == pytest.approx(0.5, abs=0.018)


def test_both_sides_of_the_antimeridian_see_the_same_sun() -> None:
    moment = datetime(2022, 8, 9, 23, 0, tzinfo=UTC)
    west, east = sun_altitude_deg(moment, np.array([-17.0, -17.0]), np.array([-180.0, 180.0]))
    assert west == pytest.approx(east, abs=1e-9)
