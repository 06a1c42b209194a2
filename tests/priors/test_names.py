"""Names as they are compared, and text as it may be shown."""

from __future__ import annotations

import pytest

from geoloc_cli.priors.names import cleaned, key_of, one_edit_apart, tokens_of, unmixed, writing_of


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Zürich", "zurich"),
        ("ZU-RICH ", "zurich"),
        ("Saint-Denis", "saintdenis"),
        ("Łódź", "lodz"),
        ("İZMİR", "izmir"),
        ("ﬁ Straße", "fistrasse"),
        ("ＴＯＫＹＯ", "tokyo"),
        ("Αθήνα", "αθηνα"),
        ("Йошкар-Ола", "иошкарола"),
        ("القاهِرة", "القاهرة"),
        ("臺北", "台北"),
        ("ガーナ", "ガーナ"),  # the mark that makes ka into ga is a letter of its own
        ("서울", "서울"),
        ("- !", ""),
    ],
)
def test_what_of_a_name_is_compared(text: str, key: str) -> None:
    assert key_of(text) == key


def test_words_know_where_they_stand() -> None:
    text = "St. Gallen/Zürich 12"
    assert [(t.key, text[t.start : t.end]) for t in tokens_of(text)] == [
        ("st", "St"),
        ("gallen", "Gallen"),
        ("zurich", "Zürich"),
        ("12", "12"),
    ]


@pytest.mark.parametrize(
    ("a", "b", "near"),
    [
        ("luzern", "luzem", False),  # rn for m is two edits
        ("zurich", "zurlch", True),
        ("zurich", "zurch", True),
        ("zurich", "zuurich", True),
        ("zurich", "zruich", True),
        ("zurich", "zurich", False),
        ("zurich", "zrcih", False),
        ("bern", "born", True),
        ("abc", "cba", False),
    ],
)
def test_one_edit(a: str, b: str, near: bool) -> None:
    assert one_edit_apart(a, b) is near
    assert one_edit_apart(b, a) is near


def test_what_is_shown_has_no_control_characters_and_an_end() -> None:
    hostile = "a\x1b[31mred\x00\u202egnirts\nnext\tline\u2028end\u200b"
    assert cleaned(hostile) == "a [31mred gnirts next line end"
    assert cleaned("x" * 500, 20) == "x" * 19 + "…"
    assert cleaned("\x00\x1b") == ""


def test_greek_read_as_latin_is_greek_again_and_latin_stays() -> None:
    assert unmixed("ΘEΣΣAΛONIKH EXIT 4") == "ΘΕΣΣΑΛΟΝΙΚΗ EXIT 4"


def test_writings() -> None:
    assert [writing_of(key) for key in ("zurich", "москва", "東京", "さいたま", "서울", "横浜シ")] == [
        "latin",
        "letters",
        "characters",
        "syllables",
        "syllables",
        "characters",
    ]
