"""Each common mistake in positions is named by a sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from surveys import ORIGIN, Survey, grid, model_of, noisy, stated, strip, walk

from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.pipeline.placing import Placed, placed
from geoloc_cli.types import Position


def noted(answer: Placed) -> str:
    assert answer.georeference is not None
    return "; ".join(answer.georeference.notes)


def usual(survey: Survey, seed: int = 0) -> dict[str, Position]:
    return stated(survey, noisy(survey, np.random.default_rng(seed), 1.0, 1.5))


@pytest.mark.parametrize("make", [walk, grid])
def test_good_positions_show_no_sign(make: Callable[[int], Survey]) -> None:
    for seed in range(10):
        survey = make(seed)
        assert noted(placed(model_of(survey), usual(survey, seed))) == ""


@pytest.mark.parametrize("make", [walk, grid])
def test_swapped_latitude_and_longitude_are_named(make: Callable[[int], Survey]) -> None:
    survey = make(1)
    swapped = {path: replace(p, lat=p.lon, lon=p.lat) for path, p in usual(survey).items()}
    answer = placed(model_of(survey), swapped)
    assert answer.georeference is None
    assert answer.reason is not None
    assert "latitude and longitude look swapped" in answer.reason


@pytest.mark.parametrize("make", [walk, grid])
def test_a_lost_sign_of_the_longitude_is_named(make: Callable[[int], Survey]) -> None:
    survey = make(2)
    answer = placed(model_of(survey), {path: replace(p, lon=-p.lon) for path, p in usual(survey).items()})
    assert answer.georeference is None
    assert answer.reason is not None
    assert "mirrored" in answer.reason
    assert "sign of longitude" in answer.reason


def test_positions_of_other_photographs_are_named() -> None:
    survey = walk(3)
    given = usual(survey)
    rest = list(np.random.default_rng(0).permutation(np.array(list(given.values()), object)))
    answer = placed(model_of(survey), dict(zip(given, rest, strict=True)))
    assert answer.georeference is None
    assert answer.reason is not None
    assert "do not belong" in answer.reason


def test_one_spot_and_too_few_are_named() -> None:
    survey = walk(4)
    given = usual(survey)
    first = given[survey.names[0]]
    spot = placed(model_of(survey), dict.fromkeys(survey.names, first))
    assert (spot.georeference, "the same position" in str(spot.reason)) == (None, True)
    few = placed(model_of(survey), dict(list(given.items())[:1]))
    assert (few.georeference, "1 of its photographs has a position" in str(few.reason)) == (None, True)


def test_a_position_on_another_continent_is_named_and_moves_nothing() -> None:
    survey = walk(5)
    given = usual(survey)
    given[survey.names[7]] = Position(-33.9, 151.2, 20.0, "sea_level")
    answer = placed(model_of(survey), given)
    assert answer.georeference is not None
    assert "007.jpg (16618 km)" in noted(answer)
    assert answer.georeference.outliers == (survey.names[7],)
    assert haversine_m(*answer.georeference.origin[:2], *ORIGIN[:2]) < 20.0


def test_altitudes_that_name_two_datums_are_not_mixed() -> None:
    survey = walk(6)
    given = usual(survey)
    above = stated(survey, survey.in_enu + np.array([0.0, 0.0, 47.0]), "ellipsoid")
    mixed = {path: above[path] if i % 3 == 0 else p for i, (path, p) in enumerate(given.items())}
    answer = placed(model_of(survey), mixed)
    assert "40 altitudes count from the sea level and 20 from the ellipsoid" in noted(answer)
    assert answer.georeference is not None
    assert answer.georeference.vertical_m < 3.0
    _, _, alt = answer.georeference.origin
    off = answer.georeference.in_enu(survey.in_map)[:, 2] + alt - ORIGIN[2] - survey.in_enu[:, 2]
    assert np.abs(off).max() < 2.0


def test_two_groups_of_heights_a_geoid_apart_are_named_where_the_files_are_silent() -> None:
    survey = walk(7)
    for share in (3, 2):
        high = survey.in_enu.copy()
        high[::share, 2] += 47.0
        rng = np.random.default_rng(1)
        answer = placed(model_of(survey), stated(survey, high + rng.normal(0, 1, high.shape)))
        assert answer.georeference is not None
        assert f"the altitudes of {60 // share} photographs differ" in noted(answer)
        assert "constant 4" in noted(answer)
        heights = answer.georeference.in_enu(survey.in_map)[:, 2] - survey.in_enu[:, 2]
        assert np.ptp(heights) < 2.5


def test_a_survey_across_the_180th_meridian_lies_where_it_is() -> None:
    survey = walk(8)
    moved = {path: replace(p, lon=(p.lon + 172.0 + 180.0) % 360.0 - 180.0) for path, p in usual(survey).items()}
    assert len({p.lon > 0 for p in moved.values()}) == 2
    answer = placed(model_of(survey), moved)
    assert answer.georeference is not None
    assert abs(abs(answer.georeference.origin[1]) - 180.0) < 1e-3
    assert answer.georeference.horizontal_m < 2.5


def test_a_straight_line_is_noted() -> None:
    survey = strip(1)
    assert "almost on a line" in noted(placed(model_of(survey), usual(survey)))


def test_photographs_without_altitudes_are_placed_by_the_rest() -> None:
    survey = walk(9)
    given = usual(survey)
    some = {path: replace(p, alt_m=None, alt_datum=None) if i % 2 else p for i, (path, p) in enumerate(given.items())}
    assert noted(placed(model_of(survey), some)) == ""
    none = {path: replace(p, alt_m=None, alt_datum=None) for path, p in given.items()}
    assert "no photograph states an altitude" in noted(placed(model_of(survey), none))
