"""Radii of real models' answers, out of fold: those that held too many, or too few, hold nine in ten."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.evaluate.crossfit import learn
from geoloc_cli.evaluate.observed import Way, observe
from geoloc_cli.evaluate.truth import Truth, read_truth

pytestmark = pytest.mark.realdata


def some(truth: Truth, step: int) -> Truth:
    columns = {name: getattr(truth, name)[::step] for name in ("lat", "lon", "alt_m", "heading_deg")}
    return replace(truth, photos=truth.photos[::step], taken_at=truth.taken_at[::step], **columns)


@pytest.mark.parametrize(("model", "low", "high"), [("gemini-1.5-flash", 0.95, 1.0), ("janus-pro-7b", 0.65, 0.85)])
def test_a_models_radii_hold_nine_in_ten_of_photographs_that_they_were_not_learned_of(
    realdata: Path, model: str, low: float, high: float
) -> None:
    table = str(realdata / "vlm_answers" / f"{model}.csv")
    truth = some(read_truth(table), 5)
    (row,) = learn(observe(truth, Way(priors=(f"vlm-replay?file={table}",)), LocalPool(1))).rows
    assert row.photographs > 300
    assert low < row.before.coverage.held.value < high
    assert 0.85 <= row.after.coverage.held.value <= 0.95
    assert row.after.log_loss < row.before.log_loss
