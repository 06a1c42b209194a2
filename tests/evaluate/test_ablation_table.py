"""The table of an ablation: figures of made answers that can be counted by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from geoloc_cli.evaluate.ablation import levels_of, tabulated
from geoloc_cli.evaluate.distances import Sureness
from geoloc_cli.evaluate.metrics.resampling import wilson
from geoloc_cli.evaluate.run import RunOptions
from geoloc_cli.evaluate.score import How
from geoloc_cli.geo.earth import destination
from geoloc_cli.pipeline.ablation import POSED, PRIOR, RETRIEVAL, VERIFIED, Ablated, Answer, variants
from geoloc_cli.types import Failure

LAT, LON = np.full(5, 48.0), np.linspace(2.0, 2.001, 5)
HOW = How(sure=Sureness(replicates=50))
PRIORS = RunOptions(priors=("ocr",))
NAMES = variants(priors=True, pose=False)


def answer(number: int, away_m: float, **timing_ms: float) -> Answer:
    """So far north of where the photo was taken; nothing at infinity."""
    if math.isinf(away_m):
        return Answer(None, timing_ms)
    lat, lon = destination(LAT[number], LON[number], 0.0, away_m)
    return Answer((float(lat), float(lon)), timing_ms)


def ablated(number: int, away_m: dict[str, float]) -> Ablated:
    """A photo whose other variants all are 5 m off, each of 100 ms of describing and 50 of verification."""
    answers = {name: answer(number, away_m.get(name, 5.0), describe=100.0, verify=50.0) for name in NAMES}
    return Ablated(f"{number}.jpg", answers, 400.0)


def test_errors_intervals_and_seconds_are_those_of_the_answers() -> None:
    away = [{PRIOR: 3e3}, {PRIOR: 30e3}, {PRIOR: 300e3}, {PRIOR: math.inf, RETRIEVAL: 50.0}]
    unread = Failure("4.jpg", "unreadable_photo", "4.jpg is no picture.")
    made = tabulated("town", [*(ablated(n, a) for n, a in enumerate(away)), unread], LAT, LON, PRIORS, HOW)
    assert [row.variant for row in made.rows] == NAMES
    rows = {row.variant: row for row in made.rows}
    assert rows[PRIOR].errors_m[:3] == pytest.approx([3e3, 30e3, 300e3], rel=1e-6)
    assert np.isnan(rows[PRIOR].errors_m[3:]).all()
    found = rows[PRIOR].distances
    assert (found.report.answered, found.report.within["25 km"], found.report.within["200 km"]) == (0.6, 0.2, 0.4)
    assert found.within["200 km"] == wilson(2, 5)
    assert found.report.median_m == pytest.approx(300e3, rel=1e-6)
    # What cannot be read is wrong in every row.
    assert rows[VERIFIED].distances.report.within["10 m"] == 0.8
    assert rows[RETRIEVAL].distances.report.within["25 m"] == 0.6
    assert made.unread == (unread,)
    # Of the four that were read: seconds a photo, alone, and of all rows together.
    assert (rows[VERIFIED].seconds["describe"], rows[VERIFIED].seconds["verify"]) == pytest.approx((0.1, 0.05))
    assert made.seconds == pytest.approx(0.4)
    said = made.as_json()
    assert said["rows"][0]["median_m"] == pytest.approx(300e3, rel=1e-6)
    assert said["rows"][0]["intervals"]["median_m"]["high"] is None
    assert said["rows"][0]["errors_m"][3:] == [None, None]


def test_a_table_shows_a_row_for_each_variant_and_the_stages_that_took_time() -> None:
    accuracy, time = tabulated("town", [ablated(n, {}) for n in range(5)], LAT, LON, PRIORS, HOW).sheets()
    assert accuracy.heads == ("photos", "answered", "10 m", "25 m", "100 m", "1 km", "25 km", "200 km", "median")
    assert [names for names, _ in accuracy.rows] == [names for names, _ in time.rows] == [(name,) for name in NAMES]
    assert [cell.text for cell in accuracy.rows[0][1]] == ["5", *["100.0 %"] * 7, "5.00 m"]
    assert accuracy.rows[0][1][1].ends == "56.6–100.0"
    assert time.heads == ("alone", "describe", "verify")
    assert [cell.text for cell in time.rows[0][1]] == ["0.150 s", "0.100 s", "0.050 s"]
    assert "0.400 s" in time.title


def test_levels_fit_the_extent_of_the_set_and_what_is_asked_for() -> None:
    world = np.linspace(2.0, 90.0, 5)
    assert list(levels_of(LAT, LON, pose=False)) == ["10 m", "25 m", "100 m", "1 km", "25 km", "200 km"]
    assert next(iter(levels_of(LAT, LON, pose=True))) == "1 m"
    for pose in (False, True):
        assert list(levels_of(LAT, world, pose=pose)) == ["25 m", "1 km", "25 km", "200 km", "750 km", "2500 km"]
    assert variants(priors=False, pose=True) == [RETRIEVAL, VERIFIED, POSED]
    own = tabulated("town", [ablated(n, {}) for n in range(5)], LAT, LON, PRIORS, replace(HOW, levels_m={"7 m": 7.0}))
    assert dict(own.rows[0].distances.report.within) == {"7 m": 1.0}
