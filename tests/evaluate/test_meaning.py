"""Stated radii, confidences and beliefs against true places, gathered by photograph."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geoloc_cli.evaluate.distances import Sureness
from geoloc_cli.evaluate.joined import Joined, join
from geoloc_cli.evaluate.meaning import meaning
from geoloc_cli.evaluate.metrics.mixtures import EARTH_KM2
from geoloc_cli.evaluate.predicted import Beliefs, Predictions
from geoloc_cli.evaluate.truth import Truth
from geoloc_cli.geo.earth import destination

SURE = Sureness(replicates=100)
# The third is wrong by 5 km and sure of itself; the fourth has no answer, and says so; the fifth is not there at all.
AWAY_M = np.array([100.0, 900.0, 5e3, np.nan])
RADII = np.array([200.0, 500.0, 6e3, np.nan])
SURENESS = np.array([0.9, 0.8, 0.7, 0.0])


def joined(*, beliefs: bool = True, confidence: np.ndarray = SURENESS) -> Joined:
    names = [f"{number}.jpg" for number in range(5)]
    nothing = np.full(5, np.nan)
    true = Truth("truth", names, np.full(5, 10.0), np.arange(5.0), nothing, nothing, [None] * 5)
    lat, lon = destination(true.lat[:4], true.lon[:4], 90.0, AWAY_M)
    said = None
    if beliefs:
        # One component each where there is an answer, a tenth of it spread; the fourth believes in the whole globe.
        start, spread = np.array([0, 1, 2, 3, 3]), np.array([0.1, 0.1, 0.1, 1.0])
        said = Beliefs(start, lat[:3], lon[:3], RADII[:3], np.full(3, 0.9), spread)
    # In another order than the truth has.
    order = np.array([2, 0, 3, 1])
    if said is not None:
        count = np.diff(said.start)[order]
        rows = [row for row in order if row < 3]
        columns = (column[rows] for column in (said.lat, said.lon, said.radius_m, said.weight))
        said = Beliefs(np.concatenate([[0], np.cumsum(count)]), *columns, spread=said.spread[order])
    shuffled = (column[order] for column in (lat, lon, RADII, confidence))
    return join(Predictions("fixes", [names[row] for row in order], *shuffled, beliefs=said), true)


def test_each_kind_is_judged_on_the_photographs_that_state_it() -> None:
    matched = joined()
    found = meaning(matched, matched.errors_m(), SURE)
    assert found.radius is not None
    assert (found.radius.count, found.radius.held.value) == (3, pytest.approx(2 / 3))  # 900 m are more than 500
    assert found.median_radius_m == 500.0
    sure = found.confidence
    assert sure is not None
    assert (sure.count, sure.right) == (4, 0.5)
    assert sure.brier.value == pytest.approx((0.01 + 0.04 + 0.49 + 0.0) / 4)
    # Each in a bin of its own: gaps of 0.1, 0.2, 0.7 and none.
    assert sure.ece == pytest.approx(1.0 / 4)
    # The least sure is wrong, and so is the one before: of one, two, three and four answers 0, 0, 1/3 and 1/2 are.
    assert sure.aurc == pytest.approx((1 / 3 + 1 / 2) / 4)
    assert sure.excess_aurc == pytest.approx(0.0)


def test_beliefs_are_matched_with_their_photographs_and_the_missing_believe_in_the_globe() -> None:
    matched = joined()
    beliefs = meaning(matched, matched.errors_m(), SURE).beliefs
    assert beliefs is not None
    assert beliefs.count == 5
    # Denser than the truth is 0.9 (1 - 0.1^(d / r)^2) of a belief: 0.39, 0.8995 and 0.72. A belief in the whole globe,
    # which two have, holds the truth in each region with the region's own share.
    held = {coverage.stated: coverage.held.value for coverage in beliefs.regions}
    assert held == pytest.approx({0.5: (1 + 2 * 0.5) / 5, 0.7: (1 + 2 * 0.7) / 5, 0.9: (3 + 2 * 0.9) / 5})
    areas = beliefs.area
    assert areas.recall[1.0] == pytest.approx(1 / 5)  # 100 m about the first: 0.03 km2
    assert areas.recall[1e2] == pytest.approx(3 / 5)  # 79 km2 about the third
    assert areas.earth_searched == pytest.approx(2 * 0.5 / 5, abs=1e-4)
    # The second: 0.9 ln 10 / (pi r^2) 0.1^(d / r)^2 a square kilometre, before two of the whole globe.
    at_second = 0.9 * math.log(10.0) / (math.pi * 0.25) * 0.1**3.24
    assert beliefs.median_log_loss == pytest.approx(-math.log(at_second), abs=1e-4)


def test_a_table_of_another_tool_has_areas_about_its_answers_alone() -> None:
    matched = joined(beliefs=False, confidence=np.array([90.0, 80.0, 70.0, 0.0]))
    found = meaning(matched, matched.errors_m(), SURE)
    assert found.beliefs is None
    assert found.confidence is None  # per cent are no probabilities
    assert found.answers_area.recall[1e2] == pytest.approx(3 / 5)
    assert found.answers_area.q90_km2 == pytest.approx(EARTH_KM2 / 2)
