"""Tables of reports: stages, candidates, areas, runs against each other, and published rows below what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from geoloc_cli.evaluate.compared import compare
from geoloc_cli.evaluate.predicted import Candidates
from geoloc_cli.evaluate.published import NOTE, published
from geoloc_cli.evaluate.report.against import against, shared
from geoloc_cli.evaluate.report.entry import short_names
from geoloc_cli.evaluate.report.more_sheets import areas, candidates, first_right, stages, unanswered
from geoloc_cli.evaluate.report.others import with_published
from geoloc_cli.evaluate.sheets import Cell, Sheet, sheets
from geoloc_cli.geo.earth import destination

if TYPE_CHECKING:
    from collections.abc import Callable

    from geoloc_cli.evaluate.evaluated import Evaluated
    from geoloc_cli.evaluate.report.entry import Placed
    from geoloc_cli.evaluate.score import How

    Made = Callable[..., Evaluated]
    Place = Callable[[Evaluated], Placed]

NAN = float("nan")


def texts(sheet: Sheet, row: int = 0) -> dict[str, str]:
    """A row of figures by their heads."""
    return {head: cell.text for head, cell in zip(sheet.heads, sheet.rows[row][1], strict=True)}


def test_each_stage_has_the_figures_of_the_answers_that_came_from_it(make: Made, place: Place) -> None:
    said = {
        "stages": ["pose", "prior", "pose", "prior", None],
        "radius_m": np.array([10.0, 1e3, 1.0, 1e6, NAN]),
    }
    run = place(make("run", [5.0, 500e3, 7.0, 30e3, NAN], **said))
    found = stages([run])
    assert [names for names, _ in found.rows] == [("run", "pose"), ("run", "prior")]
    posed, prior = texts(found), texts(found, 1)
    assert (posed["photos"], posed["1 km"], posed["median"], posed["radius holds"]) == (
        "2",
        "100.0 %",
        "6.00 m",
        "50.0 %",
    )
    assert (prior["photos"], prior["25 km"], prior["750 km"]) == ("2", "0.0 %", "100.0 %")
    assert (prior["median"], prior["radius holds"]) == ("265 km", "50.0 %")


def test_the_first_candidate_within_25_m_counts_and_those_of_other_photographs_do_not(make: Made, place: Place) -> None:
    """Three photographs with 3, 0 and 2 candidates: the second one is right, none is there, none is near enough."""
    lat, lon = np.full(5, 40.0), np.array([0.0, 0.0, 0.0, 1.0, 1.0])
    there, east = destination(lat, lon, 0.0, np.array([26.0, 24.0, 1.0, 30.0, 1e5]))
    start = np.array([0, 3, 3, 5])
    found = Candidates(start, list("abcde"), there, east, np.ones(5), np.ones(5))
    run = place(make("run", [1.0, 1.0, 1.0], candidates=found))
    assert first_right(run).tolist() == [2.0, np.inf, np.inf]  # type: ignore[union-attr]
    assert list(texts(candidates([run])).values()) == ["0.0 %", "33.3 %", "33.3 %", "33.3 %"]
    assert first_right(place(make("run", [1.0]))) is None


def test_single_answers_are_searched_in_circles(make: Made, place: Place) -> None:
    """A circle of 1 km is 3.14 km2, one of 100 km 31 400 km2; without an answer half the Earth is searched."""
    found = texts(areas([place(make("run", [1e3, 100e3, NAN]))]))
    assert (found["searched"], found["1 km²"], found["100 km²"], found["10⁶ km²"]) == (
        "answers",
        "0.0 %",
        "33.3 %",
        "66.7 %",
    )
    assert found["of the Earth"] == "16.7 %"


def test_photographs_without_an_answer_are_counted_by_their_reason(make: Made, place: Place) -> None:
    run = place(make("run", [1.0, NAN, NAN, NAN], reasons=[None, "not_in_index", "not_in_index", None]))
    found = unanswered(run)
    assert found is not None
    assert [(names[0], cells[0].text) for names, cells in found.rows] == [("not_in_index", "2"), ("no place", "1")]
    assert unanswered(place(make("run", [1.0]))) is None


def test_runs_are_compared_on_what_all_of_them_have(make: Made, place: Place, how: How) -> None:
    """Of a, b, c, d the second run has c, b, a alone: it is nearer once, as near once, and once has no answer."""
    one = make("one.csv", [10e3, 20e3, 30e3, 40e3], photos=["a", "b", "c", "d"])
    other = make("other.csv", [NAN, 20e3, 900.0], photos=["c", "b", "a"], spread_deg=-0.5)
    two = [place(one), place(other)]
    # The truth of the second lies on the same parallel, backwards: moved so that the names are at the same places.
    two[1].joined.truth.lon[:] = [1.0, 0.5, 0.0]
    rows = shared(two)
    assert [own.tolist() for own in rows] == [[0, 1, 2], [2, 1, 0]]
    found = {sheet.title: sheet for sheet in against(two, compare([run.score for run in two], how.sure), how)}
    assert [texts(found["Who is nearest"], row)["nearest"] for row in (0, 1)] == ["1", "1"]
    assert [texts(found["Who is nearest"], row)["nearest with others"] for row in (0, 1)] == ["1", "1"]
    assert texts(found["Who is nearest"], 1)["alone within 1 km"] == "1"
    same = found["The 3 photographs that all runs have"]
    assert [names for names, _ in same.rows] == [("one.csv",), ("other.csv",)]
    assert (texts(same, 0)["photos"], texts(same, 0)["answered"], texts(same, 1)["answered"]) == (
        "3",
        "100.0 %",
        "66.7 %",
    )
    within = found["Paired test: share within 1 km"]
    (_, here), (_, there) = within.rows
    assert (here[1].text, there[0].text, here[0].text) == ("−33.3 points", "+33.3 points", "")
    # One photograph alone tells of the two: heads or tails.
    assert here[1].ends == "p = 1.000"
    apart = found["Where the runs differ most"]
    assert [(names[0], [cell.text for cell in cells]) for names, cells in apart.rows] == [
        ("c", ["30.0 km *", "-"]),
        ("a", ["10.0 km", "900 m *"]),
    ]


def test_a_sure_difference_is_marked_on_both_sides_of_the_diagonal(make: Made, place: Place, how: How) -> None:
    near = np.linspace(1e3, 9e3, 40)
    two = [place(make("near", near)), place(make("far", near * 3.0))]
    found = {sheet.title: sheet for sheet in against(two, compare([run.score for run in two], how.sure), how)}
    (_, here), (_, there) = found["Paired test: errors"].rows
    assert (here[1].text, there[0].text) == ("−10.0 km *", "+10.0 km *")
    assert here[1].ends == there[0].ends == "p < 0.001"
    assert "The 40 photographs that all runs have" not in found
    assert against(two, [], how) == []


def test_published_rows_stand_below_the_table_that_has_their_columns(make: Made) -> None:
    tables = sheets([make("run", [1e3, 2e6])])
    (distances,) = with_published(tables, published(["im2gps3k"]))
    assert [names for names, _ in distances.rows] == [("run",)]
    row = next(cells for names, cells in distances.aside if names == ("GeoCLIP [im2gps3k]",))
    said = {head: cell.text for head, cell in zip(distances.heads, row, strict=True)}
    assert (said["photos"], said["1 km"], said["2500 km"], said["median"]) == ("-", "14.1 %", "83.8 %", "-")
    assert len(distances.sources) == 3
    assert all("; 2997 photographs" in source for source in distances.sources)


def test_published_rows_of_other_metrics_have_tables_that_say_so(make: Made) -> None:
    local = sheets([make("run", [1.0, 2.0], spread_deg=0.001)])
    assert "1 m" in local[0].heads
    found = with_published(local, published(["im2gps", "7scenes", "pitts30k"]))
    assert not found[0].aside
    added = {sheet.title: sheet for sheet in found[len(local) :]}
    kinds = ("im2gps, within km", "7scenes, median m", "7scenes, median deg", "pitts30k, recall")
    assert list(added) == [f"{kind}: {NOTE}" for kind in kinds]
    scenes = added[f"7scenes, median deg: {NOTE}"]
    assert (scenes.rows, len(scenes.aside), scenes.heads[-1]) == ((), 11, "stairs")
    assert scenes.aside[0] == (("PoseNet [7scenes]",), tuple(map(Cell, _POSENET)))


_POSENET = ("7.60°", "14.60°", "12.20°", "7.68°", "8.42°", "8.64°", "13.81°")


def test_published_recall_stands_below_measured_recall() -> None:
    heads = ("queries", "with a right one", "R@1", "R@5", "R@10")
    measured = Sheet("Right references among the first N (within 25 m)", ("run", "order"), heads, ())
    (found,) = with_published([measured], published(["pitts30k"]))
    ((names, cells),) = found.aside
    assert names == ("MixVPR, ResNet50, 4096 [pitts30k]", "")
    assert [cell.text for cell in cells] == ["-", "-", "91.6 %", "95.5 %", "96.4 %"]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/x.csv", "b/y.csv"], ["x", "y"]),
        (["a/x.csv", "b/x.jsonl"], ["x.csv", "x.jsonl"]),
        (["a/x.csv", "b/x.csv"], ["a/x.csv", "b/x.csv"]),
        (["-", "-"], ["- (1)", "- (2)"]),
    ],
)
def test_runs_go_by_what_tells_them_apart(paths: list[str], names: list[str]) -> None:
    assert short_names(paths) == names
