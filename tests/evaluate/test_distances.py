"""The table of distances with its intervals, and the levels that it counts by."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.distances import (
    FIELD_LEVELS,
    LOCAL_LEVELS,
    Sureness,
    distances,
    levels_for,
    parse_levels,
)
from geoloc_cli.evaluate.metrics.resampling import wilson


def test_figures_lie_within_their_intervals_and_say_who_is_unanswered() -> None:
    errors = np.where(np.arange(200) % 10 == 9, np.nan, np.random.default_rng(0).lognormal(11.0, 1.5, 200))
    found = distances(errors, FIELD_LEVELS, Sureness())
    answered = errors[~np.isnan(errors)]
    assert found.report.median_answered_m == np.median(answered)
    assert found.lengths["median_m"].value == np.sort(answered)[99]  # the 100th of 200, the unanswered last
    assert found.within["25 km"] == wilson(int(np.sum(answered <= 25e3)), 200)
    assert found.within["1 km"].high == pytest.approx(0.0188, abs=1e-4)  # none of 200, which is not never
    for interval in (found.answered, *list(found.within.values())[1:], *found.lengths.values(), found.geoscore):
        assert interval.low < interval.value < interval.high


def test_the_interval_of_a_mean_is_as_wide_as_its_standard_error_says() -> None:
    errors = np.random.default_rng(1).normal(5e5, 1e5, 400)
    mean = distances(errors, FIELD_LEVELS, Sureness()).lengths["mean_m"]
    # 2 x 1.96 x 1e5 / sqrt(400) = 19.6 km, of which a thousand resamples tell a few per cent.
    assert mean.high - mean.low == pytest.approx(19.6e3, rel=0.12)
    surer = distances(errors, FIELD_LEVELS, Sureness(level=0.5)).lengths["mean_m"]
    assert surer.high - surer.low == pytest.approx(2 * 0.6745 * 5e3, rel=0.15)
    assert distances(errors, FIELD_LEVELS, Sureness()).lengths["mean_m"] == mean
    assert distances(errors, FIELD_LEVELS, Sureness(seed=1)).lengths["mean_m"] != mean


def test_a_median_that_may_be_unanswered_reaches_to_infinity() -> None:
    errors = np.array([1e3, 2e3, 3e3, 4e3, 5e3, 6e3, *[np.nan] * 5])
    median = distances(errors, FIELD_LEVELS, Sureness()).lengths["median_m"]
    assert (median.value, median.high) == (6e3, math.inf)
    assert median.low < 6e3
    nothing = distances([np.nan, np.nan], FIELD_LEVELS, Sureness()).lengths
    assert nothing["median_m"].value == math.inf
    assert math.isnan(nothing["mean_m"].value)


def test_levels_are_read_from_a_text_nearest_first() -> None:
    assert parse_levels("1km, 25m,0.5 km") == {"25 m": 25.0, "0.5 km": 500.0, "1 km": 1000.0}
    for text in ("25", "x m", "-1km", "infm", "25m,,1km"):
        with pytest.raises(UsageError, match="is no distance"):
            parse_levels(text)
    with pytest.raises(UsageError, match=r"give one from 0\.5 to below 1"):
        Sureness(level=95.0).check()


def test_photographs_of_one_place_are_counted_by_metres() -> None:
    lat = np.array([48.0, 48.05, 48.08])  # 9 km from end to end
    assert levels_for(lat, np.full(3, 2.0)) is LOCAL_LEVELS
    assert levels_for(np.array([48.0, 48.05, 48.1]), np.full(3, 2.0)) is FIELD_LEVELS
