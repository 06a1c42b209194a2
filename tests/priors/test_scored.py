"""Scores of places -> a belief: known modes come back, an even answer says nothing, and calibration finds the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from geoloc_cli.geo.belief import mass_within, mode
from geoloc_cli.geo.earth import destination, haversine_m
from geoloc_cli.priors.gallery import Gallery, made_gallery
from geoloc_cli.priors.regions import grid
from geoloc_cli.priors.scored import Reading, believed, learn, refined

READING = Reading(temperature=1.0, doubt=0.15, reach_m=300_000.0, floor_m=12_000.0, most=16)
ROME, FIJI, SVALBARD = (41.9, 12.5), (-17.0, 179.99), (89.0, 30.0)


@pytest.fixture(scope="module")
def world() -> Gallery:
    """20 000 places spread evenly over the Earth, 160 km apart."""
    return made_gallery(*grid(0.0, 0.0, 2.1e7, 20_000)[:2])


def bump(gallery: Gallery, place: tuple[float, float], sigma_m: float) -> NDArray[np.float64]:
    """The shares of a normal distribution about a place, which add up to one."""
    share = np.exp(-0.5 * (haversine_m(*place, gallery.lat, gallery.lon) / sigma_m) ** 2)
    return share / share.sum()


@pytest.mark.parametrize("places", [(ROME, FIJI), (SVALBARD, ROME), (FIJI, SVALBARD)])
def test_two_modes_come_back_with_their_shares_and_radii(
    world: Gallery, places: tuple[tuple[float, float], ...]
) -> None:
    """Sigma 200 km, seen through places 160 km apart: the 90 % radius is 2.15 sigma with the spacing folded in."""
    first, second = places
    shares = 0.6 * bump(world, first, 200_000.0) + 0.4 * bump(world, second, 200_000.0)
    belief = believed(world, np.log(shares + 1e-12), READING)
    one, two = belief.components[:2]
    assert one.weight + two.weight > 0.98 * 0.97 * 0.85
    assert one.weight / two.weight == pytest.approx(1.5, rel=0.05)
    assert haversine_m(one.lat, one.lon, *first) < 30_000.0
    assert haversine_m(two.lat, two.lon, *second) < 30_000.0
    for component in (one, two):
        assert 0.9 < component.radius_m / (2.146 * 200_000.0) < 1.15


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.1])
def test_an_even_answer_is_no_confident_point(world: Gallery, noise: float) -> None:
    scores = np.random.default_rng(0).normal(0.0, noise, len(world.lat)) if noise else np.zeros(len(world.lat))
    belief = believed(world, scores, READING)
    assert belief.spread > 0.9
    assert all(c.weight < 0.01 for c in belief.components)


def test_a_gallery_of_one_place_tells_nothing() -> None:
    assert believed(made_gallery([1.0], [2.0]), np.array([30.0]), READING).spread == 1.0


def test_the_options_matter(world: Gallery) -> None:
    scores = np.log(0.6 * bump(world, ROME, 2e5) + 0.4 * bump(world, FIJI, 2e5) + 1e-7)
    told = {t: 1 - believed(world, scores, replace(READING, temperature=t)).spread for t in (0.5, 1.0, 3.0)}
    assert told[0.5] > told[1.0] > told[3.0]
    doubted = believed(world, scores, replace(READING, doubt=0.5))
    assert 1 - doubted.spread == pytest.approx(told[1.0] * 0.5 / 0.85)
    assert len(believed(world, scores, replace(READING, most=1)).components) == 1
    assert min(c.radius_m for c in believed(world, scores, replace(READING, floor_m=1e6)).components) > 0.9e6


def test_a_closer_look_finds_what_lies_between_the_places(world: Gallery) -> None:
    """A peak of 30 km amid places 160 km apart: the gallery alone is tens of kilometres off, two grids are within 3."""
    peak = destination(*ROME, 40.0, 70_000.0)

    def score(lat: NDArray[np.float64], lon: NDArray[np.float64]) -> NDArray[np.float64]:
        return 40.0 / (1.0 + (haversine_m(*peak, lat, lon) / 60_000.0) ** 2)

    coarse = believed(world, score(world.lat, world.lon), READING)
    finer = refined(coarse, score, READING, 2)
    assert haversine_m(*mode(coarse), *peak) > 10_000.0
    assert haversine_m(*mode(finer), *peak) < 3_000.0
    assert finer.spread == pytest.approx(coarse.spread)
    assert mass_within(finer, *peak, 100_000.0) > mass_within(coarse, *peak, 100_000.0)


def test_a_closer_look_at_even_scores_changes_nothing(world: Gallery) -> None:
    coarse = believed(world, np.log(bump(world, ROME, 2e5) + 1e-12), READING)
    same = refined(coarse, lambda lat, lon: np.zeros(len(lat)), READING, 2)
    assert [(c.lat, c.radius_m) for c in same.components] == [(c.lat, c.radius_m) for c in coarse.components]


def test_temperature_and_doubt_are_learned_from_labelled_scores() -> None:
    """Truths drawn from the softmax at temperature 2, but one in five anywhere: 120 photos say so, give or take 4."""
    gallery = made_gallery(*grid(0.0, 0.0, 2.1e7, 2_000)[:2])
    rng = np.random.default_rng(0)
    reading = replace(READING, reach_m=1e6)
    scores, truths = [], []
    for _ in range(120):
        center = rng.integers(len(gallery.lat))
        away = haversine_m(gallery.lat[center], gallery.lon[center], gallery.lat, gallery.lon)
        scores.append(-2.0 * 0.5 * (away / 1e6) ** 2)
        share = np.exp(scores[-1] / 2.0)
        drawn = rng.choice(len(share), p=None if rng.random() < 0.2 else share / share.sum())
        truths.append((gallery.lat[drawn], gallery.lon[drawn]))
    lat, lon = np.array(truths).T
    temperature, doubt = learn(gallery, scores, lat, lon, reading)
    assert 1.6 < temperature < 2.5
    learned = replace(reading, temperature=temperature, doubt=doubt)
    spread = np.mean([believed(gallery, row, learned).spread for row in scores])
    assert 0.0 < doubt < spread == pytest.approx(0.2, abs=0.08)
