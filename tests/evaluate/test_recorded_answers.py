"""The recorded answers of eight models, whose files hold the truth and the distances of their authors."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from geoloc_cli.evaluate.compared import compare
from geoloc_cli.evaluate.distances import Sureness
from geoloc_cli.evaluate.evaluated import Evaluated
from geoloc_cli.evaluate.joined import join
from geoloc_cli.evaluate.misread import guess
from geoloc_cli.evaluate.predictions import read_predictions
from geoloc_cli.evaluate.report import errors_map
from geoloc_cli.evaluate.report.content import report
from geoloc_cli.evaluate.report.html import html
from geoloc_cli.evaluate.report.made import entries
from geoloc_cli.evaluate.score import How, score_files
from geoloc_cli.evaluate.truth import read_truth

pytestmark = pytest.mark.realdata

OURS = {"photo": "image_name", "lat": "predicted_lat", "lon": "predicted_long"}
TRUE = {"photo": "image_name", "lat": "label_lat", "lon": "label_long"}
# Their distances are on a sphere of 6371 km, ours on one of 6371.0088.
SPHERE = 6371.0 / 6371.0088


@pytest.mark.parametrize(
    ("model", "photos", "median_km"),
    [
        ("claude-3-haiku", 1602, 744),
        ("gemini-1.5-flash", 1602, 299),
        ("gemini-1.5-flash-8b", 1602, 305),
        ("gpt-4o-mini", 1602, 381),
        ("qwen2-vl-7b-instruct", 801, 475),
    ],
)
def test_errors_and_their_median_are_those_of_the_authors(
    realdata: Path, model: str, photos: int, median_km: int
) -> None:
    path = str(realdata / "vlm_answers" / f"{model}.csv")
    got = join(read_predictions(path, OURS), read_truth(path, TRUE))
    assert (len(got), got.matched) == (photos, {"name": photos})
    with open(path, encoding="utf-8", newline="") as lines:
        theirs = np.array([float(row["distance"] or math.nan) for row in csv.DictReader(lines)])
    np.testing.assert_allclose(got.errors_m() / 1e3 * SPHERE, theirs, rtol=1e-6, atol=1e-3)
    (scored,) = score_files([path], None, {"predictions": OURS, "truth": TRUE}, How())
    table = scored.distances.report
    assert round(table.median_answered_m / 1e3) == median_km
    assert table.median_m >= table.median_answered_m


def test_all_eight_are_compared_with_each_other_at_once(realdata: Path) -> None:
    paths = [str(path) for path in sorted((realdata / "vlm_answers").glob("*.csv"))]
    how = How(sure=Sureness(replicates=100))
    scores = score_files(paths, None, {"predictions": OURS, "truth": TRUE}, how)
    compared = {(Path(c.one).stem, Path(c.other).stem): c for c in compare(scores, how.sure)}
    assert len(compared) == 28
    # The larger of two models of one family is no better: it does not answer 94 photographs, and is often as near.
    flash = compared[("gemini-1.5-flash-8b", "gemini-1.5-flash")]
    assert (flash.photos, flash.adjusted["errors"] < 0.01, flash.nearer > flash.farther) == (1602, True, True)
    # Of two others, which answer alike, it cannot be told.
    assert compared[("janus-pro-7b", "llava-v1.6-yi-34b")].adjusted["errors"] > 0.05
    assert compared[("gpt-4o-mini", "qwen2-vl-7b-instruct")].photos == 801
    for scored in scores:
        median = scored.distances.lengths["median_answered_m"]
        assert median.low < median.value < median.high


def test_what_models_really_answer_is_taken_for_a_misreading_in_one_of_eight(realdata: Path) -> None:
    """One model puts 28 northern places into the south; the columns are found without flags."""
    told = {}
    for path in sorted((realdata / "vlm_answers").glob("*.csv")):
        got = join(read_predictions(str(path)), read_truth(str(path)))
        lat, lon = got.of_truth(got.predictions.lat), got.of_truth(got.predictions.lon)
        known = np.isfinite(lat) & np.isfinite(lon)
        told[path.stem] = guess(lat[known], lon[known], got.truth.lat[known], got.truth.lon[known])
    assert len(told) == 8
    found = {model: (guessed.code, guessed.rows) for model, guessed in told.items() if guessed is not None}
    assert found == {"qwen2-vl-7b-instruct": ("lat_sign", 28)}


def test_all_eight_are_one_page(realdata: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They share 801 photographs; a tenth of the points that maps hold otherwise, for the sake of seconds."""
    monkeypatch.setattr(errors_map, "MOST", 200)
    paths = sorted(map(str, (realdata / "vlm_answers").glob("*.csv")))
    sure = Sureness(replicates=20)
    scores = score_files(paths, None, {"predictions": OURS, "truth": TRUE}, How(sure=sure))
    told = report(
        entries([Evaluated(each.predictions, each) for each in scores]), compare(scores, sure), How(sure=sure)
    )
    tables = {sheet.title: sheet for sheet in told.compared}
    assert len(tables["The 801 photographs that all runs have"].rows) == 8
    (_, errors) = tables["Paired test: errors"].rows[0]
    assert (len(errors), errors[1].text, errors[1].ends) == (8, "+198 km *", "p < 0.001")
    page = html(told)
    assert page.count("A sample: 200 of ") == 8
    assert page.count("<details>") == page.count('class="map"') == 8
