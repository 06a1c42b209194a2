"""Paired comparisons of runs, and the probabilities of many tests at once."""

from __future__ import annotations

import numpy as np
import pytest

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.compared import adjusted, compare
from geoloc_cli.evaluate.distances import Sureness
from geoloc_cli.evaluate.joined import Joined, join
from geoloc_cli.evaluate.predicted import Predictions
from geoloc_cli.evaluate.score import How, measured
from geoloc_cli.evaluate.truth import Truth
from geoloc_cli.geo.earth import destination

SURE = Sureness(replicates=200)
COUNT = 60


def truth(names: list[str], lat: float = 40.0) -> Truth:
    nothing = np.full(len(names), np.nan)
    lats, lons = np.full(len(names), lat), np.array([float(name) for name in names])
    return Truth("truth.csv", names, lats, lons, nothing, nothing, [None] * len(names))


def run(path: str, true: Truth, errors_m: np.ndarray) -> Joined:
    lat, lon = destination(true.lat, true.lon, 10.0, errors_m)
    nothing = np.full(len(true), np.nan)
    return join(Predictions(path, list(true.photos), lat, lon, nothing, nothing), true)


def test_probabilities_of_several_tests_are_raised_by_holm() -> None:
    # Sorted 0.01, 0.02, 0.03, 0.5 times 4, 3, 2, 1; the third may not fall below the second.
    assert adjusted([0.03, 0.5, 0.01, 0.02]).tolist() == pytest.approx([0.06, 0.5, 0.04, 0.06])
    assert adjusted([0.4, 0.9]).tolist() == pytest.approx([0.8, 0.9])
    assert adjusted([]).size == 0


def test_a_run_that_is_always_nearer_is_told_from_chance_and_one_that_is_the_same_is_not() -> None:
    true = truth([str(n) for n in range(COUNT)])
    errors = np.random.default_rng(0).lognormal(10.0, 1.0, COUNT)
    near, far, same = measured(
        [run("near", true, errors), run("far", true, errors * 2.0), run("same", true, errors)], How(sure=SURE)
    )
    against_far, against_same, _ = compare([near, far, same], SURE)
    assert (against_far.one, against_far.other, against_far.photos) == ("near", "far", COUNT)
    assert (against_far.nearer, against_far.farther) == (1.0, 0.0)
    assert against_far.errors.difference == pytest.approx(-np.median(errors), rel=1e-6)
    assert against_far.adjusted["errors"] == pytest.approx(3.0 * against_far.errors.p_value)
    assert against_far.adjusted["errors"] < 1e-8
    assert against_far.geoscore.difference.low > 0.0
    only_near = np.sum((errors <= 25e3) & (errors * 2.0 > 25e3))
    assert against_far.within["25 km"].pairs == only_near
    assert (against_same.nearer, against_same.errors.p_value, against_same.adjusted["errors"]) == (0.0, 1.0, 1.0)


def test_runs_with_truths_of_their_own_are_compared_on_what_both_name() -> None:
    names = [str(n) for n in range(COUNT)]
    one, other = truth(names), truth(names[20:][::-1])
    errors = np.arange(1.0, COUNT + 1.0) * 1e3
    scores = measured([run("one", one, errors), run("other", other, errors[20:][::-1])], How(sure=SURE))
    (found,) = compare(scores, SURE)
    assert (found.photos, found.errors.pairs) == (40, 0)  # the same 40 errors, in another order

    moved = measured([run("one", one, errors), run("other", truth(names, 40.1), errors)], How(sure=SURE))
    with pytest.raises(UsageError, match="say two true places of 0, and of 60 photographs in all"):
        compare(moved, SURE)
    strange = measured([run("one", one, errors), run("other", truth(["100", "101"]), errors[:2])], How(sure=SURE))
    with pytest.raises(UsageError, match="are scored on no photograph in common; give one truth for both"):
        compare(strange, SURE)
