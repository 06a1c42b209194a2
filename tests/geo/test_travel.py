"""Ways to travel: what an album teaches of them, and where a photograph between two others lies."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geoloc_cli.geo.chain import Chain, Evidence
from geoloc_cli.geo.earth import EARTH_RADIUS_M, destination, haversine_m, places_of_units, unit_vectors
from geoloc_cli.geo.smoothed import smoothed
from geoloc_cli.geo.travel import SPEEDS_M_S, Travel, area_of_answers, by_steps, travel

HERE = (41.0, -83.3)


def sharp(east_m: np.ndarray, north_m: np.ndarray, time_s: np.ndarray, silent: int = -1) -> Evidence:
    """Photographs known to 5 m each on an axis, but one that shows nothing."""
    lat, lon = destination(*HERE, np.degrees(np.arctan2(east_m, north_m)), np.hypot(east_m, north_m))
    says = np.arange(len(time_s)) != silent
    first = np.concatenate([[0], np.cumsum(says)])
    log = np.log(np.full(len(time_s), 0.98))
    doubt = np.where(says, np.log(0.02), 0.0)
    return Evidence(first, unit_vectors(lat, lon)[says], np.full(says.sum(), 25.0), log[says], doubt, time_s)


def zigzag(rng: np.random.Generator, n: int, speed: float, turn_s: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    time_s = np.cumsum(rng.uniform(8.0, 12.0, n))
    heading = rng.uniform(0.0, 2.0 * np.pi, math.ceil(time_s[-1] / turn_s) + 1)
    knots = turn_s * np.arange(len(heading) + 1)
    legs = speed * turn_s * np.stack([np.sin(heading), np.cos(heading)])
    walked = np.concatenate([np.zeros((2, 1)), np.cumsum(legs, axis=1)], axis=1)
    east, north = (np.interp(time_s, knots, axis) + rng.normal(0.0, 5.0, n) for axis in walked)
    return east, north, time_s


def test_an_album_teaches_how_it_was_travelled_and_how_its_ways_bend() -> None:
    rng = np.random.default_rng(0)
    names = list(SPEEDS_M_S)
    learned = {}
    for turn_s in (4.0, 400.0):
        chain = Chain(sharp(*zigzag(rng, 80, 6.0, turn_s)), travel("auto", 1e7)).learned()
        assert chain.travel.share.sum() == pytest.approx(1.0)
        learned[turn_s] = chain.travel
    # 6 m/s is a bicycle's; whoever turns each four seconds gets no farther than on foot, and bends by far more.
    assert names[int(learned[400.0].share.argmax())] == "ride"
    assert names[int(learned[4.0].share.argmax())] in ("walk", "ride")
    assert learned[4.0].bend > 4.0 * learned[400.0].bend


def test_a_photograph_that_shows_nothing_lies_where_an_even_motion_leads() -> None:
    # Photographs each ten seconds and 12 m; the third was taken 4 s after the second, and shows nothing.
    time_s = np.array([0.0, 10.0, 14.0, 20.0, 30.0])
    one = sharp(1.2 * time_s, np.zeros(5), time_s, silent=2)
    chain = Chain(one, travel("walk", 1e7))
    made = smoothed(chain, 2, list(chain.shares())[2])
    lat, lon = places_of_units(made.weight @ made.unit)
    truth = destination(*HERE, 90.0, 16.8)
    assert float(haversine_m(lat, lon, *truth)) < 0.01
    assert made.sources == (1, 3)
    assert made.own == pytest.approx([1.0])


def test_a_place_is_joined_with_its_neighbours_as_by_hand() -> None:
    # Two on one spot, one way of travel: s^2 = (1 m/s * 10 s)^2 + 9. Half of 25 m^2 is shared, and not averaged.
    one = sharp(np.zeros(2), np.zeros(2), np.array([0.0, 10.0]))
    way = Travel(np.ones(1), np.ones(1), 1e12, 1e9, 1e-9)
    chain = Chain(one, way)
    made = smoothed(chain, 0, next(iter(chain.shares())))
    assert made.variance[0] == pytest.approx(1.0 / (1.0 / 12.5 + 1.0 / (12.5 + 109.0)) + 12.5, rel=1e-6)


def test_the_area_of_answers_is_that_of_the_places_they_name() -> None:
    # One place, blurred by 500 m: 1 / integral of a Gaussian's square is 4 pi s^2. Ten far apart are ten times that.
    units = unit_vectors(np.linspace(0.0, 45.0, 10), np.zeros(10))
    alone = 4.0 * math.pi * 500.0**2
    assert area_of_answers(units[:1], np.ones(1), np.ones(1)) == pytest.approx(alone, rel=1e-5)
    assert area_of_answers(units, np.ones(10), np.ones(10)) == pytest.approx(10.0 * alone, rel=1e-5)
    assert area_of_answers(units[:1], np.array([1e16]), np.ones(1)) == pytest.approx(4.0 * math.pi * EARTH_RADIUS_M**2)
    many = np.repeat(units, 100, axis=0)
    assert area_of_answers(many, np.ones(1000), np.ones(1000)) == pytest.approx(10.0 * alone, rel=0.03)


def test_without_times_steps_of_any_length_are_thought_of() -> None:
    assert by_steps(1e7).share.sum() == pytest.approx(1.0)
    variance = by_steps(1e7).variance(300.0)
    assert np.sqrt(variance[[0, -1]]) == pytest.approx([math.hypot(3.0, 3.0), 1e5], rel=1e-6)
