"""Boxes of text that stand on one line are one line."""

from __future__ import annotations

import sys

import pytest

from geoloc_cli.errors import MissingExtra
from geoloc_cli.priors.reading import Line, joined
from geoloc_cli.registry import create, parse


def line(text: str, left: float, top: float, right: float, bottom: float, score: float = 0.9) -> Line:
    return Line(text, score, (left, top, right, bottom))


def test_words_beside_each_other_are_one_line_from_left_to_right() -> None:
    whole = joined([line("Gallen", 60, 12, 160, 42, 0.8), line("St.", 10, 10, 50, 40), line("12", 175, 10, 205, 40)])
    assert [(one.text, one.score, one.box) for one in whole] == [("St. Gallen 12", 0.8, (10, 10, 205, 42))]


def test_words_below_apart_or_of_another_size_stay_apart() -> None:
    below = [line("Zürich", 10, 10, 110, 40), line("Bern", 10, 45, 110, 75)]
    apart = [line("Zürich", 10, 10, 110, 40), line("Bern", 150, 10, 250, 40)]
    larger = [line("Zürich", 10, 10, 110, 40), line("EXIT", 115, 0, 300, 80)]
    for lines in (below, apart, larger):
        assert {one.text for one in joined(lines)} == {one.text for one in lines}


def test_lines_are_given_from_top_to_bottom() -> None:
    assert [one.text for one in joined([line("b", 0, 50, 9, 60), line("a", 200, 0, 209, 10)])] == ["a", "b"]
    assert joined([]) == []


def test_without_its_libraries_the_prior_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(MissingExtra, match=r"pip install 'geoloc\[ocr\]'"):
        create("prior", parse("ocr"))
