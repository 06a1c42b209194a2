"""The table of distances, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geoloc_cli.evaluate.distances import distances


def test_shares_and_medians_of_a_case_by_hand() -> None:
    got = distances([500.0, 1000.0, 30e3, 800e3, math.nan])
    assert (got.photos, got.answered) == (5, 0.8)
    assert got.within == (0.4, 0.4, 0.6, 0.6, 0.8)  # a kilometre to the metre is within a kilometre
    assert got.median_m == 30e3  # of all five, the one without an answer last
    assert got.median_answered_m == 15.5e3
    assert got.mean_m == pytest.approx((500.0 + 1000.0 + 30e3 + 800e3) / 4.0)


def test_without_answers_nothing_is_near() -> None:
    got = distances(np.full(3, np.nan))
    assert (got.answered, set(got.within), got.median_m) == (0.0, {0.0}, math.inf)
    assert math.isnan(got.median_answered_m)
    with pytest.raises(ValueError, match="no photographs"):
        distances([])
