"""The place from verified neighbours: injected truth must be recovered, and false neighbours must not win."""

from __future__ import annotations

import numpy as np
import pytest

from geoloc_cli.geo.earth import destination, haversine_m
from geoloc_cli.retrieval.position import Neighbour, places

LAT, LON = 41.0, -83.3


def seen_from_the_air(
    rng: np.random.Generator, n: int, *, gps_m: float, lat: float = LAT, lon: float = LON
) -> list[Neighbour]:
    """Neighbours round (lat, lon) over a plane: 0.07 m a pixel, camera heading 30 degrees, GPS noise per axis."""
    found = []
    for _ in range(n):
        east, north = rng.uniform(-40, 40, 2)
        heading = np.radians(30.0)
        right = east * np.cos(heading) - north * np.sin(heading)
        up = east * np.sin(heading) + north * np.cos(heading)
        e, m = east + rng.normal(0, gps_m), north + rng.normal(0, gps_m)
        at = destination(lat, lon, np.degrees(np.arctan2(e, m)), np.hypot(e, m))
        found.append(Neighbour(float(at[0]), float(at[1]), 200, 300.0, (right / 0.07, -up / 0.07)))
    return found


def error_m(place: object, lat: float = LAT, lon: float = LON) -> float:
    return float(haversine_m(place.lat, place.lon, lat, lon))  # type: ignore[attr-defined]


def test_plane_recovers_the_place_exactly_without_noise() -> None:
    (place,) = places(seen_from_the_air(np.random.default_rng(0), 5, gps_m=0.0), 1280)
    assert place.method == "plane"
    assert error_m(place) < 0.02


@pytest.mark.parametrize(("lat", "lon"), [(41.0, -83.3), (-33.0, 179.9999), (89.99, 10.0)])
def test_plane_beats_the_mean_and_its_radius_holds_nine_in_ten(lat: float, lon: float) -> None:
    rng = np.random.default_rng(1)
    inside, errors, mean_errors = 0, [], []
    for _ in range(200):
        neighbours = seen_from_the_air(rng, 6, gps_m=8.0, lat=lat, lon=lon)
        (place,) = places(neighbours, 1280)
        (mean,) = places([Neighbour(n.lat, n.lon, n.inliers, n.evidence) for n in neighbours], 1280)
        errors.append(error_m(place, lat, lon))
        mean_errors.append(error_m(mean, lat, lon))
        inside += errors[-1] <= place.radius_m
    # The query's own tilt is not made here, so that more than nine in ten may lie inside, but not fewer.
    assert inside >= 180
    assert np.median(errors) < 0.6 * np.median(mean_errors)


def test_one_false_position_among_six_does_not_pull_the_place() -> None:
    rng = np.random.default_rng(2)
    neighbours = seen_from_the_air(rng, 6, gps_m=1.0)
    away = destination(neighbours[0].lat, neighbours[0].lon, 45.0, 300.0)
    neighbours[0] = Neighbour(float(away[0]), float(away[1]), 200, 300.0, neighbours[0].center_in_query)
    (place,) = places(neighbours, 1280)
    assert error_m(place) < 8.0


def test_neighbours_a_thousand_kilometres_apart_are_two_answers_with_shares() -> None:
    rng = np.random.default_rng(3)
    here = seen_from_the_air(rng, 4, gps_m=1.0)
    there = Neighbour(48.0, 2.0, 50, 100.0)
    first, second = places([*here, there], 1280)
    assert first.share == pytest.approx(1200 / 1300)
    assert error_m(first) < 8.0
    assert (second.lat, second.lon) == pytest.approx((48.0, 2.0))


def test_a_street_gives_the_weighted_middle_and_one_neighbour_an_honest_radius() -> None:
    ahead = destination(LAT, LON, 0.0, 7.0)
    behind = destination(LAT, LON, 180.0, 7.0)
    street = [Neighbour(float(ahead[0]), float(ahead[1]), 100, 90.0), Neighbour(float(behind[0]), float(behind[1]), 100, 90.0)]  # fmt: skip  # noqa: E501
    (middle,) = places(street, 1024)
    assert middle.method == "surround"
    assert error_m(middle) < 0.01
    (alone,) = places(street[:1], 1024)
    assert alone.radius_m > 30.0
    (vague,) = places([Neighbour(LAT, LON, 100, 90.0, None, radius_m=200.0)], 1024)
    assert vague.radius_m > 200.0  # a neighbour that admits 200 m cannot give a better place than that


def test_neighbours_at_one_spot_determine_no_similarity() -> None:
    same = [Neighbour(LAT, LON, 100, 90.0, (5.0, 5.0)) for _ in range(4)]
    (place,) = places(same, 1024)
    assert place.method == "surround"
    assert error_m(place) < 0.01
