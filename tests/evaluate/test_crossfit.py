"""What sources are worth is told of no photograph that it was learned of, and holds of those that it is told of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from simulated import anywhere, off, word

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.crossfit import blocks, learn
from geoloc_cli.evaluate.observed import Observed
from geoloc_cli.evaluate.truth import Truth
from geoloc_cli.geo.belief import credible_radius_m, from_components
from geoloc_cli.pipeline.asking import Said
from geoloc_cli.pipeline.calibrated import photo_key
from geoloc_cli.types import Belief, Component, Failure, Fix, PriorGuess

COUNT, SPOKEN = 300, 80


def truth_of(places: list[tuple[float, float]], times: list[str | None] | None = None) -> Truth:
    lat, lon = np.array(places).T
    nothing = np.full(len(places), np.nan)
    names = [f"walk/{number}.jpg" for number in range(len(places))]
    return Truth("truth.csv", names, lat, lon, nothing, nothing, times or [None] * len(places))


def said_of(belief: Belief, place: tuple[float, float]) -> Said:
    return belief, PriorGuess("made", *place, 1.0)


def fix_of(photo: str, belief: Belief, place: tuple[float, float], stage: str = "rerank") -> Fix:
    radius_m = credible_radius_m(belief, *place)
    return Fix(photo, "ok", stage, *place, None, radius_m, 0.9, belief)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def located() -> Observed:
    """Fixes that are off by twice what they say, and wrong altogether in a twentieth of the cases."""
    rng = np.random.default_rng(0)
    places = [anywhere(rng) for _ in range(COUNT)]
    truth = truth_of(places)
    words = [word(place, rng, inflate=2.0, doubt=0.05, spread=0.01) for place in places]
    fixes = [fix_of(photo, *told) for photo, told in zip(truth.photos, words, strict=True)]
    return Observed(truth, (), ((),) * COUNT, tuple(fixes))


def test_folds_are_blocks_of_what_was_taken_one_after_the_other() -> None:
    photos = [f"IMG_{number}.jpg" for number in (10, 9, 8, 1, 2, 3)]
    assert blocks(photos, [None] * 6, 3).tolist() == [2, 2, 1, 0, 0, 1]
    days = [f"2024-05-0{day}T12:00:00" for day in (1, 2, 3, 4, 5, 6)]
    assert blocks(photos, days, 3).tolist() == [0, 0, 1, 1, 2, 2]
    # Two days in three tell no order of the rest.
    assert blocks(photos, [*days[:2], None, None, None, None], 3).tolist() == [2, 2, 1, 0, 0, 1]


def test_radii_and_confidence_mean_afterwards_what_they_say(located: Observed) -> None:
    learned = learn(located)
    stage, answers = learned.rows
    assert (stage.kind, stage.source, stage.photographs) == ("stage", "rerank", COUNT)
    assert answers.kind == "answers"
    worth = learned.calibration.whole.stages["rerank"]
    assert worth.inflate == pytest.approx(2.0, rel=0.1)
    assert worth.doubt == pytest.approx(0.05, abs=0.03)
    assert stage.before.coverage.held.value < 0.6
    assert 0.85 <= stage.after.coverage.held.value <= 0.95
    assert stage.after.coverage.held.low < 0.9 < stage.after.coverage.held.high
    assert stage.after.log_loss < stage.before.log_loss - 0.5
    assert stage.after.calibration_error < stage.before.calibration_error
    assert answers.after == stage.after


def test_what_is_told_of_a_photograph_was_learned_without_it(located: Observed) -> None:
    """Its own fold's answers are spoiled: what is learned for it stays, and what is learned for the others changes."""
    learned, rng = learn(located).calibration, np.random.default_rng(2)
    fold = [learned.photos[photo_key(photo)] for photo in located.truth.photos]
    spoiled = tuple(
        fix_of(fix.photo, *word(anywhere(rng), rng, inflate=1.0, doubt=0.0, spread=0.01)) if own == 2 else fix
        for fix, own in zip(located.located, fold, strict=True)
    )
    anew = learn(replace(located, located=spoiled)).calibration
    assert anew.folds[2] == learned.folds[2]
    assert all(anew.folds[other].stages["rerank"].doubt > 0.1 for other in (0, 1, 3, 4))
    assert anew.whole.stages["rerank"].doubt > 0.1
    assert anew.of(located.truth.photos[0]) == anew.folds[fold[0]]
    assert anew.of("another.jpg") == anew.whole


def priors(copies: bool) -> Observed:
    """Two sources that know their own errors: each its own, or the second repeats the first."""
    rng = np.random.default_rng(1)
    places = [anywhere(rng) for _ in range(SPOKEN)]

    def says(place: tuple[float, float]) -> Said:
        named = off(place if rng.uniform() < 0.9 else anywhere(rng), 3000.0, rng)
        return said_of(from_components([Component(*named, 3000.0, 0.9)], 0.1), named)

    heard = []
    for place in places:
        first = says(place)
        heard.append((first, first if copies else says(place)))
    return Observed(truth_of(places), ("one", "two"), tuple(heard))


def test_sources_that_err_together_are_not_taken_for_two() -> None:
    own, same = learn(priors(copies=False), 2), learn(priors(copies=True), 2)
    assert own.calibration.whole.dependence < 0.1
    assert same.calibration.whole.dependence > 0.5
    together = [next(row for row in learned.rows if row.kind == "stage") for learned in (own, same)]
    for row in together:
        assert row.source == "prior"
        assert 0.85 <= row.after.coverage.held.value <= 0.95
    # A product of copies is 1.4 times too sharp, and hardly doubts.
    assert together[1].before.coverage.held.value < 0.8
    # Each alone means what it says, and stays so.
    for row in own.rows[:2]:
        assert row.worth is not None
        assert row.worth.inflate == pytest.approx(1.0, rel=0.15)
        assert row.worth.doubt == pytest.approx(0.0, abs=0.08)


def test_an_answer_by_priors_is_tempered_as_they_are_and_what_failed_is_left_out() -> None:
    seen = priors(copies=True)
    fixes: list[Fix | Failure] = [
        fix_of(photo, said[0], (said[1].lat or 0.0, said[1].lon or 0.0), "prior")
        for photo, (said, _) in zip(seen.truth.photos, seen.heard, strict=True)
    ]
    fixes[0] = Failure(seen.truth.photos[0], "not_a_photo", "It is none.")
    rows = learn(replace(seen, heard=((), *seen.heard[1:]), located=tuple(fixes)), 2).rows
    stage, answers = rows[-2:]
    assert (answers.kind, answers.photographs) == ("answers", SPOKEN - 1)
    assert answers.after == stage.after


def test_where_nobody_says_anything_there_is_nothing_to_learn(tmp_path: Path) -> None:
    truth = truth_of([(1.0, 2.0), (3.0, 4.0)])
    silent = (Belief(), PriorGuess("one", None, None, None))
    with pytest.raises(UsageError, match="nothing to learn"):
        learn(Observed(truth, ("one",), ((silent,), (silent,))))
