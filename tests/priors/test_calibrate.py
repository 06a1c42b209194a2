"""Calibration: shares that were drawn are found again, and stated radii hold what they state."""

from __future__ import annotations

import numpy as np
import pytest

from geoloc_cli.errors import UsageError
from geoloc_cli.geo.belief import sample
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.priors.calibrate import Scales, coverage, fit_groups, fit_scales, folds

TRUE = Scales((1e4, 5e5), (0.3, 0.5), 0.2)


def errors_of(scales: Scales, count: int, seed: int) -> np.ndarray:
    lat, lon = sample(scales.about(40.0, 20.0), count, np.random.default_rng(seed))
    return np.asarray(haversine_m(40.0, 20.0, lat, lon))


def test_the_shares_of_a_source_are_found_again() -> None:
    found = fit_scales(errors_of(TRUE, 4000, 1), radii_m=TRUE.radii_m)
    # A share of 0.3 among 4000 is known to 0.007.
    assert found.weights == pytest.approx(TRUE.weights, abs=0.03)
    assert found.spread == pytest.approx(TRUE.spread, abs=0.03)


@pytest.mark.parametrize("seed", range(3))
def test_other_errors_of_the_source_lie_within_the_stated_radii_as_often_as_stated(seed: int) -> None:
    fitted = fit_scales(errors_of(TRUE, 1500, seed))
    held = coverage(errors_of(TRUE, 1500, seed + 100), [fitted] * 1500)
    assert held == pytest.approx([0.5, 0.7, 0.9], abs=0.04)  # 1500 and 1500 draws: a standard error of 0.018 at a half


def test_likelihood_of_the_fitted_shares_is_not_beaten_by_the_true_ones() -> None:
    errors = errors_of(TRUE, 800, 5)
    fitted = fit_scales(errors, radii_m=TRUE.radii_m)
    assert fitted.log_density(errors).sum() >= TRUE.log_density(errors).sum() - 1e-6


def test_a_liar_is_left_with_an_even_share() -> None:
    rng = np.random.default_rng(3)
    lat = np.degrees(np.arcsin(rng.uniform(-1, 1, 2000)))
    fitted = fit_scales(haversine_m(10.0, 10.0, lat, rng.uniform(-180, 180, 2000)))
    assert fitted.spread > 0.8


def test_a_perfect_source_keeps_a_doubt() -> None:
    fitted = fit_scales(np.full(100, 3.0))
    assert fitted.spread == pytest.approx(0.005)
    assert fitted.radius_m(0.9) < 1000.0


def test_groups_differ_and_a_small_one_leans_on_the_whole() -> None:
    errors = np.concatenate([np.full(300, 5e3), np.full(300, 2e6), np.full(2, 5e3)])
    groups = ["city"] * 300 + ["country"] * 300 + ["street"] * 2
    fitted = fit_groups(errors, groups)
    assert fitted["city"].radius_m(0.5) < 50e3 < fitted["country"].radius_m(0.5)
    # Two photographs are no reason to believe in 5 km: the whole says that every other answer is off by 2000 km.
    assert fitted["street"].radius_m(0.9) > 500e3


@pytest.mark.parametrize("errors", [[], [np.nan], [-1.0], [np.inf]])
def test_errors_that_are_none_are_refused(errors: list[float]) -> None:
    with pytest.raises(UsageError):
        fit_scales(errors)


def test_a_split_is_the_same_for_every_source() -> None:
    assert np.array_equal(folds(101, 2), folds(101, 2))
    assert not np.array_equal(folds(101, 2), folds(101, 2, seed=1))
    assert np.bincount(folds(101, 2)).tolist() == [51, 50]
