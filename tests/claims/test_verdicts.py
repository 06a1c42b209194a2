"""Verdicts: families that are capped, words that go with numbers, and claims on the rim."""

from __future__ import annotations

import pytest

from geoloc_cli.claims.verdict import FILE_CAP, Family, Piece, in_words, threshold_of, verdict_of
from geoloc_cli.errors import UsageError


def piece(log10_lr: float, name: str = "belief", family: Family = "picture", inside: float | None = None) -> Piece:
    return Piece(name, family, log10_lr, f"{name} says so", inside)


def test_pieces_of_one_picture_are_not_added_up() -> None:
    """Belief, matches and pose rest on the same pixels: three of 1.5 are 1.5, and no verdict at 2."""
    said = verdict_of([piece(1.5, inside=0.9), piece(1.4, "matches"), piece(1.5, "pose")], 100.0)
    assert said.log10_lr == 1.5
    assert said.answer == "undecided"
    assert said.counted == (1.5, 0.0, 0.0)


def test_pieces_of_one_picture_that_disagree_weigh_against_each_other() -> None:
    said = verdict_of([piece(-3.0, inside=0.0), piece(1.5, "matches")], 100.0)
    assert said.log10_lr == -1.5
    assert said.answer == "undecided"


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_file_never_makes_a_verdict_however_much_it_says(side: float) -> None:
    said = [piece(side * 3.0, name, "file") for name in ("exif", "clock", "sun")]
    alone = verdict_of(said, 10.0)
    assert alone.answer == "undecided"
    assert alone.reason == "nothing_in_the_picture"
    assert alone.log10_lr == pytest.approx(side * FILE_CAP)
    inside = 0.99 if side > 0 else 0.0
    helped = verdict_of([piece(side * 1.9, inside=inside), *said], 100.0)
    assert abs(helped.log10_lr) > 2.0
    assert helped.answer == "undecided"


def test_a_file_can_withhold_a_verdict() -> None:
    said = verdict_of([piece(2.2, inside=0.95), piece(-3.0, "exif", "file")], 100.0)
    assert (said.answer, said.reason) == ("undecided", "the_file_says_otherwise")
    assert verdict_of([piece(2.2, inside=0.95)], 100.0).answer == "supported"


@pytest.mark.parametrize(
    ("log10_lr", "inside", "answer"),
    [(2.5, 0.95, "supported"), (2.5, 0.5, "undecided"), (-2.5, 0.2, "undecided"), (-2.5, 0.01, "contradicted")],
)
def test_an_answer_that_straddles_the_rim_decides_nothing(log10_lr: float, inside: float, answer: str) -> None:
    said = verdict_of([piece(log10_lr, inside=inside)], 100.0)
    assert said.answer == answer
    assert said.reason == (None if answer != "undecided" else "on_the_rim")


def test_strictness_moves_the_threshold_and_nothing_else() -> None:
    found = {name: verdict_of([piece(2.4, inside=0.95)], threshold_of(name)) for name in ("lenient", "usual", "strict")}
    assert [said.answer for said in found.values()] == ["supported", "supported", "undecided"]
    assert len({said.log10_lr for said in found.values()}) == 1
    with pytest.raises(UsageError, match="lenient, usual, strict"):
        threshold_of("harsh")


def test_words_go_with_the_powers_of_ten_and_name_the_side() -> None:
    assert in_words(2.0) == "moderately strongly supports the claim"
    assert in_words(-3.5) == "strongly speaks against the claim"
    assert in_words(0.1) == in_words(-0.1) == "says next to nothing either way"
