"""Intervals hold the truth as often as they say, and tests say what scipy's say."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from geoloc_cli.evaluate.metrics.resampling import (
    bootstrap,
    mcnemar,
    paired_bootstrap,
    wilcoxon_signed_rank,
    wilson,
)


def mean(rows: np.ndarray) -> float:
    return float(rows.mean())


def median(rows: np.ndarray) -> float:
    return float(np.median(rows))


def test_wilson_by_hand() -> None:
    """8 of 10 with z = 1.96: (0.8 + 0.19207 -+ 1.96 sqrt(0.016 + 0.0096036)) / 1.384146."""
    found = wilson(8, 10)
    assert (found.value, found.low, found.high) == pytest.approx((0.8, 0.49016, 0.94332), abs=1e-5)
    assert wilson(0, 5).low == 0.0
    assert wilson(0, 5).high == pytest.approx(0.4345, abs=1e-4)
    assert wilson(5, 5).high == 1.0
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)
    with pytest.raises(ValueError, match="no share"):
        wilson(4, 3)


def test_wilson_is_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    for hits, count, level in ((1, 7, 0.95), (45, 50, 0.9), (500, 1000, 0.99)):
        theirs = stats.binomtest(hits, count).proportion_ci(level, method="wilson")
        ours = wilson(hits, count, level)
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=1e-9)


def test_wilson_holds_the_true_share_as_often_as_it_says() -> None:
    drawn = np.random.default_rng(0).binomial(40, 0.9, 2000)
    held = [wilson(int(hits), 40, 0.9).low <= 0.9 <= wilson(int(hits), 40, 0.9).high for hits in drawn]
    # Few different counts make the coverage jump: 0.87 to 0.93 at this share.
    assert np.mean(held) == pytest.approx(0.9, abs=0.035)


def test_the_interval_of_a_mean_is_the_textbooks() -> None:
    rows = np.random.default_rng(1).normal(5.0, 2.0, 400)
    found = bootstrap(rows, mean)
    error = 1.96 * rows.std() / 20.0
    assert found.value == rows.mean()
    assert (found.low, found.high) == pytest.approx((rows.mean() - error, rows.mean() + error), abs=0.12 * error)
    assert bootstrap(rows, mean) == found
    assert bootstrap(rows, mean, seed=1) != found


def test_of_many_rows_a_few_are_drawn_and_the_interval_is_as_narrow_as_of_all() -> None:
    rows = np.random.default_rng(2).normal(0.0, 3.0, 500_000)
    found = bootstrap(rows, mean, replicates=300)
    error = 1.96 * 3.0 / math.sqrt(500_000)
    assert (found.low, found.high) == pytest.approx((rows.mean() - error, rows.mean() + error), abs=0.3 * error)


def test_the_interval_of_a_median_holds_it_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    held = 0
    for seed in range(150):
        found = bootstrap(rng.exponential(1.0, 80), median, level=0.9, replicates=150, seed=seed)
        held += found.low <= math.log(2.0) <= found.high
    assert held / 150 == pytest.approx(0.9, abs=0.08)  # three standard errors


def test_rows_may_have_columns() -> None:
    rows = np.stack([np.arange(50.0), 2.0 * np.arange(50.0)], axis=1)
    found = bootstrap(rows, lambda table: float((table[:, 1] / table[:, 0].clip(1.0)).mean()), replicates=50)
    assert found.low <= found.value <= found.high <= 2.0


def test_bca_is_scipys_and_leans_where_the_percentiles_do_not() -> None:
    stats = pytest.importorskip("scipy.stats")
    rows = np.random.default_rng(4).exponential(1.0, 60)
    ours = bootstrap(rows, mean, method="bca", replicates=4000)
    theirs = stats.bootstrap((rows,), np.mean, n_resamples=4000, method="BCa", rng=5).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)
    plain = bootstrap(rows, mean, replicates=4000)
    assert ours.low > plain.low + 0.01
    assert ours.high > plain.high + 0.02


def test_a_figure_that_never_changes_has_no_width() -> None:
    for method in ("percentile", "bca"):
        found = bootstrap(np.ones(30), mean, method=method, replicates=20)
        assert (found.low, found.value, found.high) == (1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="no photographs"):
        bootstrap([], mean)


def test_mcnemar_by_hand() -> None:
    """a alone hits 7, b alone 1: 2 (1 + 8) / 2^8."""
    a = np.array([1] * 7 + [0] + [1] * 5 + [0] * 3, dtype=bool)
    b = np.array([0] * 7 + [1] + [1] * 5 + [0] * 3, dtype=bool)
    found = mcnemar(a, b)
    assert (found.difference, found.pairs) == (6 / 16, 8)
    assert found.p_value == pytest.approx(18 / 256)
    assert mcnemar(b, a).p_value == pytest.approx(18 / 256)
    assert mcnemar(a, a).p_value == 1.0
    with pytest.raises(ValueError, match="same photographs"):
        mcnemar(a, b[1:])


def test_mcnemar_is_the_binomial_test_also_of_very_many() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(6)
    a, b = rng.random(300_000) < 0.502, rng.random(300_000) < 0.5
    assert mcnemar(a, b).p_value == pytest.approx(
        stats.binomtest(int((a & ~b).sum()), int((a ^ b).sum())).pvalue, rel=1e-6
    )


def test_wilcoxon_counts_all_signs() -> None:
    apart = np.array([1.0, -2.0, 3.5, 4.0, 5.5, 7.0, 0.0])
    found = wilcoxon_signed_rank(apart, np.zeros(7))
    sums = [np.dot(signs, range(1, 7)) for signs in itertools.product((0, 1), repeat=6)]
    by_hand = 2.0 * np.mean(np.array(sums) <= 2)  # only the second smallest is negative: ranks of 2 against 19
    assert (found.p_value, found.pairs, found.difference) == (pytest.approx(by_hand), 6, 3.5)


def test_wilcoxon_is_scipys_exact_normal_and_tied() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(7)
    for count, method, digits in ((20, "exact", 9), (50, "exact", 9), (200, "asymptotic", 9), (300, "asymptotic", 1)):
        a, b = (rng.normal(middle, 1.0, count).round(digits) for middle in (0.2, 0.0))
        theirs = stats.wilcoxon(a, b, method=method, correction=True).pvalue
        ours = wilcoxon_signed_rank(a, b).p_value
        assert ours == pytest.approx(theirs, rel=1e-9)


def test_no_answer_is_worse_than_any_and_no_worse_than_none() -> None:
    a = np.array([np.nan, np.nan, 3.0, 4.0, 5.0])
    b = np.array([np.nan, 9e6, 2.0, 2.0, 1.0])
    found = wilcoxon_signed_rank(a, b)
    assert (found.pairs, found.difference) == (4, 2.0)
    assert found.p_value == pytest.approx(2 / 16)
    assert wilcoxon_signed_rank(a, a).p_value == 1.0


def test_a_paired_bootstrap_sees_what_two_intervals_do_not() -> None:
    """Both runs err by kilometres that they share, and differ by metres."""
    rng = np.random.default_rng(8)
    shared = rng.exponential(5e3, 400)
    a, b = shared + rng.normal(40.0, 100.0, 400), shared + rng.normal(0.0, 100.0, 400)
    found = paired_bootstrap(a, b, mean)
    assert 20.0 < found.difference.low < found.difference.value < found.difference.high < 70.0
    assert found.p_value < 0.01
    assert bootstrap(a, mean).low < b.mean()
    assert paired_bootstrap(a, a, mean).p_value == 1.0


def test_chance_is_called_a_difference_as_rarely_as_it_says() -> None:
    rng = np.random.default_rng(9)
    found = []
    for _ in range(400):
        hits, errors = rng.random((2, 150)) < 0.6, rng.exponential(1.0, (2, 150))
        found.append([mcnemar(*hits).p_value, wilcoxon_signed_rank(*errors).p_value])
    called = (np.array(found) < 0.1).mean(axis=0)
    # The exact test of counts is at most 0.1; three standard errors are 0.045.
    assert 0.02 < called[0] < 0.13
    assert called[1] == pytest.approx(0.1, abs=0.045)
