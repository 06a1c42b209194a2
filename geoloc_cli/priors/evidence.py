"""Lines of text -> a belief: the places that they name and the countries that they point at, weighed together.

Each name stands for the places of its hits with the gazetteer's weights; that it is no place's name here weighs the
rest. The other names and the clues' odds for the countries (`clues.country_shares` over `clues.base_shares`) move the
weight among its places; they take from it all where it lies in the wrong country, and add little, for a word that is no
name stands in the same country. The names then stand beside each other, each with its share; what no name is believed
for goes to the countries, as far as any clue is believed, and the rest is even.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from geoloc_cli.geo.belief import from_components, simplify
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.priors.clues import Clue, base_shares, clues_in, country_shares, named_after
from geoloc_cli.priors.gazetteer import Gazetteer, Hit
from geoloc_cli.priors.gazetteer_file import CITY, COUNTRY
from geoloc_cli.priors.names import cleaned, key_of, tokens_of
from geoloc_cli.priors.words import candidates
from geoloc_cli.types import Belief, Component

_MOST_NAMES = 24
_MOST_COMPONENTS = 48
_MOST_EVIDENCE = 6  # in the rationale
_STREET, _HOUSE = 0.15, 0.3  # of "rue de Paris" in Paris, and of "Hotel Milano" in Milan
_LEAST_ODDS, _MOST_ODDS = 0.02, 3.0  # no clue makes a name more than this unlikely or likely
# Two names of one picture lie this near each other or are of different matters; a chance pair hardly does.
_NEIGHBOURS_M = 80_000.0
_SUPPORT = 12.0
_WIDE_M = 400_000.0  # a country of a larger radius is given by its regions
_MOST_REGIONS = 16
_DISTANCE = re.compile(r"\s*[-–:.→>]*\s*(\d{1,3})(?:[.,]\d)?\s*(km|mi|mls|miles)?(?!\w|[.,:/-]\d)", re.IGNORECASE)
_MILE_KM = 1.609344
_STATE, _IN_STATE = re.compile(r",? +([A-Z]{2})\b"), 100.0
_SIGNED = 3.0  # odds on a name with a distance behind it, as on a sign of directions
_FAINT = 0.02  # names believed less are left out: a page of text has dozens
_KNOWN = 0.05  # a belief in nothing more than this is none


@dataclass(frozen=True, slots=True)
class Evidence:
    """What lines of text amount to; `rationale` is one line for a person, free of control characters."""

    belief: Belief
    rationale: str


def evidence_of(lines: Sequence[str], gazetteer: Gazetteer, doubt: float) -> Evidence | None:
    """The belief of lines of text, with at least the share `doubt` spread evenly; None where nothing says anything."""
    clues = clues_in(lines)
    names = _supported(_names(lines, gazetteer))[:_MOST_NAMES]
    shares = country_shares(clues)
    odds = {code: max(shares[code] / base, _LEAST_ODDS) for code, base in base_shares().items()}
    believed = [_moved(name, [odds.get(hit.country, 1.0) for hit in name], _MOST_ODDS) for name in names]
    believed = [name for name in believed if sum(hit.weight for hit in name) >= _FAINT]
    unnamed = 1.0
    for name in believed:
        unnamed *= 1.0 - sum(hit.weight for hit in name)
    named = sum(hit.weight for name in believed for hit in name)
    doubted = 1.0
    for clue in clues:
        doubted *= 1.0 - clue.trust
    components: list[Component] = []
    for name in believed:
        for hit in name:
            share = (1.0 - unnamed) * hit.weight / named
            components += _of_hit(hit, share, gazetteer)
    for code, share in shares.items() if clues else ():
        excess = share - base_shares()[code]
        if excess > 0.002:
            components += _of_country(code, unnamed * (1.0 - doubted) * share, gazetteer)
    total = sum(component.weight for component in components)
    if total < _KNOWN:
        return None
    held = min(total, 1.0 - doubt)
    scaled = [replace(component, weight=component.weight * held / total) for component in components]
    belief = simplify(from_components(scaled, 1.0 - held), _MOST_COMPONENTS)
    return Evidence(belief, _rationale(believed, clues))


def _names(lines: Sequence[str], gazetteer: Gazetteer) -> list[list[Hit]]:
    """The hits of each name, one list a name; a name that stands there twice is one."""
    found: dict[str, list[Hit]] = {}
    among = candidates(lines)
    for line in lines:
        spans: dict[int, list[Hit]] = {}
        for hit in gazetteer.find(line, among):
            spans.setdefault(hit.start, []).append(hit)
        for hits in spans.values():
            factor = _context(line, hits[0])
            reach_m = _distance_m(line[hits[0].end :])
            hits = _in_state(hits, line[hits[0].end :])
            hits = _moved(hits, [_SIGNED if reach_m else 1.0] * len(hits), _SIGNED)
            weighed = [replace(h, weight=h.weight * factor, radius_m=max(h.radius_m, reach_m)) for h in hits]
            key = key_of(hits[0].text)
            if sum(h.weight for h in weighed) > sum(h.weight for h in found.get(key, [])):
                found[key] = weighed
    return sorted(found.values(), key=lambda hits: -sum(hit.weight for hit in hits))


def _context(line: str, hit: Hit) -> float:
    """How far a name is to be believed beside its neighbours: that of a street or a house is rarely the place's."""
    before = [token.key for token in tokens_of(line[: hit.start])][-3:]
    after = [token.key for token in tokens_of(line[hit.end :])][:1]
    if named_after("street") & set(before) or named_after("street_after") & set(after):
        return _STREET
    if named_after("house") & set(before[-2:]) or named_after("house_after") & set(after):
        return _HOUSE
    return 1.0


def _distance_m(after: str) -> float:
    """The distance that stands behind a name on a sign of directions, in metres; 0 where none does."""
    stated = _DISTANCE.match(after)
    if not stated:
        return 0.0
    unit = (stated.group(2) or "km").lower()
    return float(stated.group(1)) * 1000.0 * (1.0 if unit == "km" else _MILE_KM)


def _in_state(hits: list[Hit], after: str) -> list[Hit]:
    """The hits, those of a state first whose code follows: Springfield, IL."""
    stated = _STATE.match(after)
    if not stated:
        return hits
    return _moved(hits, [_IN_STATE if (h.country, h.region) == ("US", stated.group(1)) else 1.0 for h in hits], 1.0)


def _supported(names: list[list[Hit]]) -> list[list[Hit]]:
    """Each name's hits, heavier where hits of the other names are near, or hold them: Zug beside Luzern."""
    return [
        _moved(name, [1.0 + _SUPPORT * _near(hit, names[:n] + names[n + 1 :]) for hit in name], _SUPPORT)
        for n, name in enumerate(names)
    ]


def _near(hit: Hit, names: list[list[Hit]]) -> float:
    """The weight of the other names' hits that are near this one; of regions and countries those that hold it."""
    others = [other for name in names for other in name]
    if not others:
        return 0.0
    away_m = haversine_m(hit.lat, hit.lon, [o.lat for o in others], [o.lon for o in others])
    total = 0.0
    for other, apart_m in zip(others, away_m, strict=True):
        if other.kind == CITY or hit.kind != CITY:
            holds = bool(apart_m <= max(_NEIGHBOURS_M, other.radius_m, hit.radius_m))
        else:
            holds = other.country == hit.country and (other.kind == COUNTRY or other.region == hit.region)
        total += other.weight * holds
    return total


def _moved(name: list[Hit], odds: Sequence[float], most: float) -> list[Hit]:
    """A name's hits with odds on each; the odds on the name as a whole are their mean, `most` at most (Bayes' rule)."""
    before = sum(hit.weight for hit in name)
    shares = [hit.weight * odd for hit, odd in zip(name, odds, strict=True)]
    mean = min(sum(shares) / before, most)
    after = before * mean / (before * mean + 1.0 - before)
    return [replace(hit, weight=after * share / sum(shares)) for hit, share in zip(name, shares, strict=True)]


def _of_hit(hit: Hit, share: float, gazetteer: Gazetteer) -> Iterator[Component]:
    if hit.kind == COUNTRY:
        yield from _of_country(hit.country, share, gazetteer)
    else:
        yield Component(hit.lat, hit.lon, hit.radius_m, share)


def _of_country(code: str, share: float, gazetteer: Gazetteer) -> Iterator[Component]:
    """A country as one component, or where it is wide as its regions with the most people and one for the rest."""
    whole = gazetteer.country(code)
    if whole is None:
        return
    regions = gazetteer.regions(code)[:_MOST_REGIONS] if whole.radius_m > _WIDE_M else []
    for region in regions:
        yield Component(region.lat, region.lon, region.radius_m, share * region.weight)
    left = 1.0 - sum(region.weight for region in regions)
    if left > 0.0:
        yield Component(whole.lat, whole.lon, whole.radius_m, share * left)


def _rationale(names: list[list[Hit]], clues: list[Clue]) -> str:
    """What was read and what it points at, the most believed first."""
    parts: list[tuple[float, str]] = [(clue.trust, cleaned(clue.rationale, 90)) for clue in clues]
    for name in names:
        best = max(name, key=lambda hit: hit.weight)
        others = f" (of {len(name)})" if len(name) > 1 else ""
        misread = "" if best.exact else ", misread"
        said = f"'{cleaned(best.text, 40)}': {best.name}, {best.country} {best.weight:.0%}{others}{misread}"
        parts.append((1.0 + sum(hit.weight for hit in name), said))
    said_first = [text for _, text in sorted(parts, key=lambda part: -part[0])]
    left = f"; and {len(parts) - _MOST_EVIDENCE} more" if len(parts) > _MOST_EVIDENCE else ""
    return "; ".join(said_first[:_MOST_EVIDENCE]) + left
