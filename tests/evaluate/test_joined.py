"""Predictions find their truth by name: letter by letter first, then ever more loosely, and only where it is clear."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.joined import Joined, join
from geoloc_cli.evaluate.predicted import Predictions
from geoloc_cli.evaluate.truth import Truth
from geoloc_cli.geo.earth import haversine_m


def joined(photos: Sequence[str], names: Sequence[str]) -> Joined:
    """Predictions at latitude 10, 11, 12, ... and truths at 0, 1, 2, ..., all on the meridian of Greenwich."""
    rows, places = len(photos), len(names)
    lat, zero, nan = 10.0 + np.arange(rows) % 50.0, np.zeros(rows), np.full(rows, np.nan)
    none: list[str | None] = [None] * places
    true_lat, true_lon, unknown = np.arange(places) % 50.0, np.zeros(places), np.full(places, np.nan)
    predictions = Predictions("p.csv", list(photos), lat, zero, nan, nan)
    truth = Truth("t.csv", list(names), true_lat, true_lon, unknown, unknown, none)
    return join(predictions, truth)


def test_the_same_names_match_in_any_order_and_the_rest_is_told() -> None:
    got = joined(["c", "a", "x", "a", "b"], ["a", "b", "c", "d"])
    assert got.row.tolist() == [1, 4, 0, -1]
    assert got.matched == {"name": 3}
    assert (got.missing.tolist(), got.extra.tolist(), got.repeated.tolist()) == ([3], [2], [3])
    # The first of two of a name counts; the one that is missing has no error.
    lat, lon = got.places()
    np.testing.assert_array_equal(lat, [11.0, 14.0, 10.0, np.nan])
    np.testing.assert_allclose(got.errors_m()[:3], haversine_m(lat[:3], lon[:3], [0.0, 1.0, 2.0], 0.0))
    assert np.isnan(got.errors_m()[3])


@pytest.mark.parametrize(
    ("ours", "theirs", "way"),
    [
        ("q/1.jpg", "q/1.jpg", "name"),
        ("/data/set/q/1.jpg", "q/1.jpg", "path"),
        ("1.jpg", "q/1.jpg", "path"),
        ("./q//1.jpg", "q/1.jpg", "path"),
        ("q\\1.jpg", "q/1.jpg", "path"),
        ("queries/1.jpg", "images/1.jpg", "file name"),
        ("1", "q/1.jpg", "stem"),
        ("1.png", "q/1.jpg", "stem"),
        ("IMG_1.JPG", "img_1.jpg", "case"),
        ("folder/IMG_1", "img_1.jpg", "case"),
    ],
)
def test_names_match_as_strictly_as_they_can(ours: str, theirs: str, way: str) -> None:
    got = joined(["other.jpg", ours], ["none.jpg", theirs])
    assert (got.row.tolist(), got.matched) == ([-1, 1], {way: 1})


def test_of_several_the_longest_end_of_a_path_counts() -> None:
    got = joined(["data/a/1.jpg", "data/b/1.jpg"], ["b/1.jpg", "a/1.jpg"])
    assert (got.row.tolist(), got.matched) == ([1, 0], {"path": 2})
    # An end in the middle of a folder's name is none, and a looser way does not take what is not clear.
    assert joined(["xa/1.jpg", "same"], ["a/1.jpg", "b/1.jpg", "same"]).row.tolist() == [-1, -1, 1]


@pytest.mark.parametrize(
    ("photos", "names"),
    [
        (["1.jpg"], ["a/1.jpg", "b/1.jpg"]),  # one fits two
        (["a/1.jpg", "b/1.jpg"], ["1.jpg"]),  # two fit one
        (["x/1.jpg"], ["a/1.jpg", "b/1.jpg"]),
        (["1.png"], ["1.jpg", "1.tif"]),
        (["A.jpg"], ["a.JPG", "a.jpeg"]),
    ],
)
def test_what_fits_two_fits_none(photos: list[str], names: list[str]) -> None:
    got = joined([*photos, "same"], [*names, "same"])
    assert got.matched == {"name": 1}
    assert got.ambiguous.tolist() == list(range(len(photos)))
    assert got.extra.tolist() == []


def test_a_number_is_no_suffix() -> None:
    got = joined(["12.5", "same"], ["12", "12.5.jpg", "same"])
    assert (got.row.tolist(), got.matched) == ([-1, 0, 1], {"name": 1, "stem": 1})


def test_empty_names_match_nothing() -> None:
    got = joined(["", "", "a"], ["a", "b"])
    assert (got.row.tolist(), got.extra.tolist(), got.repeated.tolist()) == ([2, -1], [], [])


def test_many_names_that_share_a_file_name_are_matched_in_no_time() -> None:
    folders = [f"{n:05d}" for n in range(50_000)]
    names = [f"{folder}/image.jpg" for folder in folders]
    got = joined([f"data/{name}" for name in names], names[::-1])
    assert got.matched == {"path": 50_000}
    assert got.row[0] == 49_999


def test_nothing_in_common_is_said_with_examples_of_both() -> None:
    with pytest.raises(UsageError) as error:
        joined(["x1", "x2", "x3"], ["y1"])
    assert "No photograph of p.csv (x1, x2, ...) is named in t.csv (y1)" in str(error.value)
    assert "--columns truth.photo=NAME" in str(error.value)


def test_answers_off_the_earth_are_no_answers() -> None:
    zero = np.zeros(3)
    predictions = Predictions("p", ["a", "b", "c"], np.array([91.0, np.inf, 1.0]), zero, zero, zero)
    truth = Truth("t", ["a", "b", "c"], zero, zero, zero, zero, [None] * 3)
    assert np.isnan(join(predictions, truth).errors_m()).tolist() == [True, True, False]
