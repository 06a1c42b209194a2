"""Distances: the field's levels, quantiles and scores against numbers worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geoloc_cli.evaluate.metrics.distance import (
    LEVELS_M,
    accuracy_within,
    distance_at,
    errors_m,
    geoscore,
    quantile_m,
    report,
    sdm_at,
)

# One a level, one on the edge of the first, one too far for any, and two without an answer.
ERRORS = np.array([0.0, 1e3, 1001.0, 199e3, 700e3, 2.4e6, 9e6, np.nan, np.nan, 30.0])


def test_a_degree_of_the_equator_is_111_km_and_no_answer_is_nan() -> None:
    found = errors_m([0.0, np.nan], [1.0, np.nan], [0.0, 5.0], [0.0, 5.0])
    assert found[0] == pytest.approx(111_195.08, abs=0.01)  # 6371008.8 pi / 180
    assert math.isnan(found[1])


def test_a_photograph_without_truth_is_refused() -> None:
    with pytest.raises(ValueError, match="true place"):
        errors_m([0.0], [0.0], [np.nan], [0.0])


def test_the_levels_count_unanswered_photographs_as_wrong() -> None:
    # Within 1 km: 0, 1000 (the edge counts) and 30; then one more a level.
    assert accuracy_within(ERRORS).tolist() == pytest.approx([0.3, 0.4, 0.5, 0.6, 0.7])
    assert list(LEVELS_M.values()) == [1e3, 25e3, 200e3, 750e3, 2500e3]


def test_quantiles_count_unanswered_photographs_as_infinitely_far() -> None:
    assert quantile_m(ERRORS, 0.5) == 199e3
    assert quantile_m(ERRORS, 0.8) == 9e6
    assert quantile_m(ERRORS, 0.9) == math.inf
    assert quantile_m([1.0, 2.0, 3.0], 0.5) == 2.0
    # 0.1 + 0.2 is more than 0.3 in binary, and three of ten is still three.
    assert quantile_m(np.arange(1.0, 11.0), 0.1 + 0.2) == 3.0


def test_accuracy_at_a_quantile_is_its_share() -> None:
    errors = np.random.default_rng(0).exponential(1e5, 997)
    for share in (0.01, 0.5, 0.9, 1.0):
        assert accuracy_within(errors, [quantile_m(errors, share)])[0] == pytest.approx(share, abs=1 / 997)


def test_geoscore_halves_every_1035_km() -> None:
    half_m = 1_492_700.0 * math.log(2.0)
    assert geoscore([0.0, half_m, 2 * half_m, np.nan]).tolist() == pytest.approx([5000.0, 2500.0, 1250.0, 0.0])


def test_the_report_holds_all_of_it() -> None:
    said = report(ERRORS)
    assert (said.photos, said.answered, said.median_m, said.q90_m) == (10, 0.8, 199e3, math.inf)
    assert said.median_answered_m == (1001.0 + 199e3) / 2.0  # of the eight that are answered
    assert said.mean_m == pytest.approx(np.mean([0.0, 1e3, 1001.0, 199e3, 700e3, 2.4e6, 9e6, 30.0]))
    assert said.within == pytest.approx({"street": 0.3, "city": 0.4, "region": 0.5, "country": 0.6, "continent": 0.7})
    assert said.geoscore == pytest.approx(np.mean([5000 * math.exp(-e / 1492.7e3) if e == e else 0 for e in ERRORS]))


def test_a_report_without_answers_has_no_mean_and_one_without_photographs_is_refused() -> None:
    said = report([np.nan, np.nan])
    assert (said.answered, said.geoscore, said.median_m) == (0.0, 0.0, math.inf)
    assert math.isnan(said.mean_m)
    assert math.isnan(said.median_answered_m)
    with pytest.raises(ValueError, match="no photographs"):
        report([])


RANKED = np.array([[0.0, 100.0, 1000.0], [500.0, np.nan, np.nan], [np.nan, np.nan, np.nan]])


def test_distance_at_k_is_the_mean_of_the_first_k() -> None:
    assert distance_at(RANKED, 1).tolist() == pytest.approx([0.0, 500.0, np.nan], nan_ok=True)
    assert distance_at(RANKED, 3).tolist() == pytest.approx([1100.0 / 3, 500.0, np.nan], nan_ok=True)


def test_sdm_at_k_by_hand() -> None:
    assert sdm_at(RANKED, 1).tolist() == pytest.approx([1.0, math.exp(-0.5), 0.0])
    by_hand = (3 * 1.0 + 2 * math.exp(-0.1) + 1 * math.exp(-1.0)) / 6
    assert sdm_at(RANKED, 3).tolist() == pytest.approx([by_hand, 3 * math.exp(-0.5) / 6, 0.0])
    # Of a list that is shorter than K the rest is missing: the weights still add up to 10.
    assert sdm_at(RANKED, 4)[0] == pytest.approx((4 + 3 * math.exp(-0.1) + 2 * math.exp(-1.0)) / 10)


def test_sdm_and_distance_are_what_a_slow_loop_says() -> None:
    ranked = np.random.default_rng(1).exponential(800.0, (50, 7))
    for k in (1, 3, 5):
        for row, (sdm, mean) in enumerate(zip(sdm_at(ranked, k), distance_at(ranked, k), strict=True)):
            weights = [(k - i, math.exp(-0.001 * ranked[row, i])) for i in range(k)]
            assert sdm == pytest.approx(sum(w * near for w, near in weights) / sum(w for w, _ in weights))
            assert mean == pytest.approx(sum(ranked[row, :k]) / k)
    with pytest.raises(ValueError, match="none"):
        sdm_at(ranked, 0)
