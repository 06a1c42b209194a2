"""Calibration: figures worked by hand, beliefs that mean what they say, and some that do not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geoloc_cli.evaluate.metrics.calibration import (
    area_under_risk,
    brier_score,
    excess_area_under_risk,
    expected_calibration_error,
    log_losses,
    radius_coverage,
    region_coverage,
    reliability,
    risk_coverage,
    selective_risk,
)
from geoloc_cli.evaluate.metrics.regions import Regions, denser_regions
from geoloc_cli.geo.belief import from_components, log_density, sample, uniform
from geoloc_cli.types import Component

SURE = np.array([0.95, 0.9, 0.9, 0.6, 0.2, 0.2])
RIGHT = np.array([1, 1, 0, 1, 0, 1], dtype=bool)


def test_coverage_of_radii_leaves_out_who_states_none() -> None:
    found = radius_coverage([10.0, 90.0, 100.0, 101.0, np.nan, 5.0], [100.0, 100.0, 100.0, 100.0, np.nan, np.nan])
    assert (found.stated, found.count, found.held.value) == (0.9, 4, 0.75)
    assert 0.3 < found.held.low < 0.75 < found.held.high < 0.96
    assert math.isnan(radius_coverage([np.nan], [1.0]).held.value)


def test_the_regions_of_honest_beliefs_hold_what_they_state_and_those_of_boasters_less() -> None:
    honest, boasting = (
        [from_components([Component(10.0, 20.0, factor * radius, 1.0)], 0.1) for radius in [1e4, 1e6] * 400]
        for factor in (1.0, 0.5)
    )
    rng = np.random.default_rng(0)
    places = np.array([[float(x[0]) for x in sample(belief, 1, rng)] for belief in honest])
    held = region_coverage(denser_regions(honest, *places.T))
    assert [one.stated for one in held] == [0.5, 0.7, 0.9]
    # Of 800 the standard error at a half is 0.018.
    assert [one.held.value for one in held] == pytest.approx([0.5, 0.7, 0.9], abs=0.05)
    assert all(one.held.low < one.held.value < one.held.high and one.count == 800 for one in held)
    assert region_coverage(denser_regions(boasting, *places.T))[0].held.value < 0.35


def test_a_truth_among_ties_is_in_the_region_with_their_share() -> None:
    """Of an even belief the region of 70 % holds each place with 0.7; of 0.8 and a tied fifth the half of it at 0.9."""
    even = denser_regions([uniform()] * 3, [0.0, 10.0, 90.0], [0.0, 10.0, 90.0])
    assert [one.held.value for one in region_coverage(even)] == pytest.approx([0.5, 0.7, 0.9])
    part = Regions(*(np.array([value]) for value in (1.0, 5.0, 0.8, 0.2)))
    assert [one.held.value for one in region_coverage(part)] == pytest.approx([0.0, 0.0, 0.5])


def test_a_diagram_by_hand() -> None:
    wide = reliability(SURE, RIGHT, bins=5)
    assert wide.count.tolist() == [2, 1, 3]  # 0.2 is the first bin's edge, and 0.6 the third's
    assert wide.confidence.tolist() == pytest.approx([0.2, 0.6, 2.75 / 3])
    assert wide.accuracy.tolist() == pytest.approx([0.5, 1.0, 2 / 3])
    assert expected_calibration_error(wide) == pytest.approx((2 * 0.3 + 1 * 0.4 + 3 * 0.25) / 6)
    even = reliability(SURE, RIGHT, bins=3, equal_mass=True)
    # Two each by rank, but the two of 0.9 stay together: with the most confident one.
    assert even.count.tolist() == [2, 1, 3]
    assert reliability([0.0, 1.0], [0, 1], bins=4).confidence.tolist() == [0.0, 1.0]


def test_bins_of_equal_mass_hold_as_many_each() -> None:
    rng = np.random.default_rng(1)
    stated = rng.beta(5.0, 1.0, 1000)
    found = reliability(stated, rng.random(1000) < stated, equal_mass=True)
    assert found.count.sum() == 1000
    assert found.count == pytest.approx(1000 / 15, abs=1.0)
    assert np.all(np.diff(found.confidence) > 0.0)


def test_the_calibration_error_of_the_honest_is_noise_and_that_of_boasters_is_not() -> None:
    rng = np.random.default_rng(2)
    stated = rng.random(20_000)
    right = rng.random(20_000) < stated
    for equal_mass in (False, True):
        assert expected_calibration_error(reliability(stated, right, equal_mass=equal_mass)) < 0.02
    # sqrt(u) overstates u by 2/3 - 1/2 on average.
    assert expected_calibration_error(reliability(np.sqrt(stated), right)) == pytest.approx(1 / 6, abs=0.01)


def test_brier_by_hand() -> None:
    assert brier_score(SURE, RIGHT) == pytest.approx((0.0025 + 0.01 + 0.81 + 0.16 + 0.04 + 0.64) / 6)
    assert brier_score([0.5, 0.5], [0, 1]) == 0.25


@pytest.mark.parametrize("confidence", [[1.2], [-0.1], [np.nan], [0.5, 0.5], []])
def test_what_is_no_confidence_is_refused(confidence: list[float]) -> None:
    with pytest.raises(ValueError, match="confidence"):
        brier_score(confidence, [1])


def test_log_losses_are_the_beliefs_own_densities() -> None:
    beliefs = [
        uniform(),
        from_components([Component(1.0, 2.0, 5e3, 1.0)], 0.2),
        from_components([Component(1.0, 2.0, 5e3, 1.0), Component(1.1, 2.0, 1e6, 3.0)]),
    ]
    said = [float(log_density(belief, 1.05, 2.02)) + math.log(1e6) for belief in beliefs]
    assert log_losses(beliefs, [1.05] * 3, [2.02] * 3) == pytest.approx(-np.array(said), rel=1e-9)
    assert log_losses(beliefs[:1], 0.0, 0.0)[0] == pytest.approx(math.log(510.066e6), abs=1e-5)
    assert log_losses(beliefs[:1], 0.0, 0.0)[0] == pytest.approx(20.05, abs=0.005)


def test_a_curve_of_abstaining_by_hand() -> None:
    """Wrong are one of the two of 0.9, and one of the two of 0.2: each half of its tie."""
    coverage, risk = risk_coverage(SURE, ~RIGHT)
    assert coverage.tolist() == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1.0])
    by_hand = [0.0, 0.5 / 2, 1 / 3, 1 / 4, 1.5 / 5, 2 / 6]
    assert risk.tolist() == pytest.approx(by_hand)
    assert area_under_risk(SURE, ~RIGHT) == pytest.approx(np.mean(by_hand))
    # The best order has its two mistakes last: 0, 0, 0, 0, 1/5, 2/6.
    assert excess_area_under_risk(SURE, ~RIGHT) == pytest.approx(np.mean(by_hand) - (1 / 5 + 2 / 6) / 6)
    assert selective_risk(SURE, ~RIGHT, 0.5) == pytest.approx(1 / 3)
    assert selective_risk(SURE, ~RIGHT, 0.51) == pytest.approx(1 / 4)
    assert selective_risk(SURE, ~RIGHT, 1.0) == pytest.approx(2 / 6)


def test_ties_are_the_mean_over_their_orders() -> None:
    rng = np.random.default_rng(3)
    sure, risk = rng.integers(0, 3, 20).astype(float), rng.exponential(1.0, 20)
    drawn = []
    for _ in range(2000):
        order = np.lexsort((rng.random(20), -sure))
        drawn.append((np.cumsum(risk[order]) / np.arange(1, 21)).mean())
    assert area_under_risk(sure, risk) == pytest.approx(np.mean(drawn), abs=4.0 * np.std(drawn) / math.sqrt(2000))
    mixed = rng.permutation(20)
    assert area_under_risk(sure[mixed], risk[mixed]) == pytest.approx(area_under_risk(sure, risk))


def test_to_abstain_from_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no answers"):
        risk_coverage([], [])
    with pytest.raises(ValueError, match="coverage"):
        selective_risk([1.0], [0.0], 0.0)
