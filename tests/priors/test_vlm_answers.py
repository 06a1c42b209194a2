"""The recorded answers of eight real models: what the parser must read of them, and what their fusion must reach."""

from __future__ import annotations

from pathlib import Path

import evaluate_vlm_answers as measured
import numpy as np
import pytest

from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.priors.calibrate import folds
from geoloc_cli.priors.vlm_parse import Answer
from geoloc_cli.priors.vlm_replay import ReplayOptions, ReplayPrior

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def models(realdata: Path) -> list[measured.Model]:
    return [measured.load(path) for path in sorted((realdata / "vlm_answers").glob("*.csv"))]


def test_every_place_that_the_authors_read_is_read_the_same_or_differs_for_a_reason(
    models: list[measured.Model],
) -> None:
    rows = [measured.reading(model) for model in models]
    assert sum(row["theirs"] for row in rows) == 11032
    assert sum(row["same"] for row in rows) == 10932
    reasons = [why for row in rows for why in row["different_why"]]
    assert "ours is none" not in reasons
    # Of two answers that name several places, the last one is ours and the first one theirs.
    assert sum(row["different_why"].get("the answer gives several places", 0) for row in rows) == 2


def test_no_place_is_invented(models: list[measured.Model]) -> None:
    for model in models:
        for photo, text in model.texts.items():
            place = model.place(photo)
            if place is None:
                continue
            # Both numbers stand in the answer, to the digits that it gives.
            stated = text.replace("−", "-")
            answer = model.read[photo]
            assert isinstance(answer, Answer)
            whole = [f"{abs(value):.10f}".split(".")[0] for value in place]
            assert answer.radius_m is not None or all(part in stated for part in whole), (model.name, photo)
            assert place != (0.0, 0.0)


def test_the_fusion_beats_the_best_model_at_every_threshold_and_withstands_two_liars(
    models: list[measured.Model],
) -> None:
    photos = sorted(set().union(*(model.truth for model in models)))
    truth = np.array([next(m.truth[photo] for m in models if photo in m.truth) for photo in photos])
    places = np.array([[model.place(photo) or (np.nan, np.nan) for model in models] for photo in photos])
    errors = haversine_m(places[..., 0], places[..., 1], truth[:, None, 0], truth[:, None, 1])
    best = np.max([measured.accuracy(errors[:, column]) for column in range(len(models))], axis=0)
    part = folds(len(photos), 2)
    joined, held = measured.fused(places, truth, part)
    assert np.all(np.array(measured.accuracy(joined)) > best)
    assert measured.searched(joined) < min(measured.searched(errors[:, column]) for column in range(len(models)))
    assert held == pytest.approx([0.5, 0.7, 0.9], abs=0.03)
    lies = np.repeat(np.roll(truth, 1, axis=0)[:, None] * -1.0, 2, axis=1)
    lied, _ = measured.fused(np.concatenate([places, lies], axis=1), truth, part, (measured.LIAR,) * 2)
    assert np.all(np.array(measured.accuracy(lied)) > np.array(measured.accuracy(joined)) - 0.03)
    for model in models:
        assert measured.calibrated(model, photos, part) == pytest.approx([0.5, 0.7, 0.9], abs=0.03), model.name


def test_a_file_of_answers_is_replayed_as_it_is_published(realdata: Path) -> None:
    prior = ReplayPrior(ReplayOptions(file=str(realdata / "vlm_answers" / "gpt-4o-mini.csv")))
    assert len(prior.photos()) == 1602
    found = prior.recall("imgs_final_v1/0.jpg")
    assert found is not None
    assert (found[1].lat, found[1].lon) == pytest.approx((-37.814, 144.96332))
    assert found[1].details is not None
    assert found[1].details["levels"] == {"country": "Australia", "city": "Melbourne"}
