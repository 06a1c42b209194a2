"""Several answers of one model about one photo -> one belief: where they agree makes its components and its radius."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from geoloc_cli.errors import UsageError
from geoloc_cli.geo.belief import credible_radius_m, from_components, mix, uniform
from geoloc_cli.geo.earth import haversine_m, places_of_units, unit_vectors
from geoloc_cli.priors.calibrate import Scales
from geoloc_cli.priors.vlm_consistency import Way, answered, consistency_by
from geoloc_cli.priors.vlm_names import LEVELS, Names
from geoloc_cli.priors.vlm_parse import Answer, Unread
from geoloc_cli.priors.vlm_rag import NOWHERE, Nearby
from geoloc_cli.types import Belief, Component, PriorGuess

Resolve = Callable[[str], Sequence[Component]]
"""A gazetteer: `Nuremberg, Germany` -> the places that it may be, with extent and share; none if unknown."""

# How far eight models were off over the 1602 street photographs of arXiv 2502.14412, all answers together
# (`scripts/evaluate_vlm_answers.py`); a model that was measured alone brings its own.
POOLED = Scales((1e3, 1e4, 5e4, 2.5e5, 1e6, 4e6), (0.027, 0.023, 0.088, 0.145, 0.343, 0.199), 0.175)
# Answers nearer than this to the middle of others say the same: two ends of one large city.
_SAME_M = 100_000.0
# Of an answer that the model itself, asked to judge it, does not stand by.
_DISOWNED = 0.5
# Where an answer says how fine it is, no finer: half the width of a usual one of its kind.
_LEAST_M = {"street": 1e3, "city": 15e3, "region": 100e3, "country": 500e3, "continent": 2500e3}
# Of the most similar photo's place beside an answer. The check always finds it supported, which doubles it: it is then
# as good as one answer that nothing speaks for, since an index that does not hold the place has a most similar one too.
_OF_RETRIEVAL = 0.5
# In place of an answer, where none names the likeliest place.
_RETRIEVED = Answer(
    None, None, None, Names(), None, "no answer names it; the most similar photo was taken here", "retrieved"
)


@dataclass(frozen=True, slots=True)
class _Spot:
    lat: float
    lon: float
    least_m: float
    weight: float
    answer: int


@dataclass(frozen=True, slots=True)
class _Cluster:
    lat: float
    lon: float
    least_m: float
    weight: float
    answers: frozenset[int]


def scales_from(path: str, entry: str) -> Scales:
    """The scales of an entry of a JSON file, `{entry: {"radii_m": [...], "weights": [...], "spread": ...}}`.

    Those of all models together where no file is given. UsageError where the file has no such entry.
    """
    if not path:
        return POOLED
    try:
        stated = json.loads(Path(path).read_text(encoding="utf-8"))[entry]
        radii, weights = (tuple(map(float, stated[key])) for key in ("radii_m", "weights"))
        scales = Scales(radii, weights, float(stated["spread"]))
        scales.about(0.0, 0.0)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); give a file of calibrations.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{path} holds no calibration '{entry}' of shares that add up to one; calibrate again."
        ) from error
    return scales


def belief_of(
    name: str,
    said: Sequence[Answer | Unread],
    scales: Scales = POOLED,
    resolve: Resolve | None = None,
    ways: Sequence[Way] = (),
    nearby: Nearby = NOWHERE,
) -> tuple[Belief, PriorGuess] | None:
    """The belief of all answers, those that say nothing counted as an even share; None where none says anything.

    ways: how each was asked for, and what it weighs; all alike where there is none. nearby: what looks like the photo;
    the most similar one's place counts as half an answer, and each place is weighed by it. The guess is the middle of
    the answers that agree most, its radius that of 90 % of what is not spread evenly.
    """
    ways = ways or [Way()] * len(said)
    spots = [spot for number, answer in enumerate(said) for spot in _spots(number, answer, ways[number], resolve)]
    if not spots:
        return None
    retrieved = [_Spot(best.lat, best.lon, 0.0, _OF_RETRIEVAL, len(said)) for best in nearby.similar[:1]]
    clusters = sorted(_supported(_clusters([*spots, *retrieved]), nearby), key=lambda c: -c.weight)
    total = sum(way.weight for way in ways) + sum(spot.weight for spot in retrieved)
    parts = [(scales.about(c.lat, c.lon, c.least_m), c.weight / total) for c in clusters]
    silent = max(0.0, 1.0 - sum(share for _, share in parts))
    belief = mix([*parts, (uniform(), silent)])
    best = clusters[0]
    agreeing = [number for number in sorted(best.answers) if number < len(said)]
    first = next((answer for number in agreeing if isinstance(answer := said[number], Answer)), _RETRIEVED)
    peaked = from_components(belief.components)
    radius = credible_radius_m(peaked, best.lat, best.lon) if peaked.components else best.least_m or 2e7
    named = [frozenset(place for place, c in enumerate(clusters) if number in c.answers) for number in range(len(said))]
    details = {
        "samples": len(said),
        "answered": len({spot.answer for spot in spots}),
        "agreeing": len(agreeing),
        "consistency": round(sum(ways[number].weight for number in agreeing) / sum(way.weight for way in ways), 4),
        "places": len(clusters),
    }
    extra: dict[str, Any] = {
        "unread": sorted({answer.reason for answer in said if isinstance(answer, Unread)}) or None,
        "consistency_by": consistency_by(ways, named) or None,
        "answers": answered(ways, said, named) if len(said) > 1 else None,
        "retrieved": nearby.record() or None,
        "support": [round(nearby.support(c.lat, c.lon), 4) for c in clusters] if retrieved else None,
    }
    details |= _told(first) | {key: value for key, value in extra.items() if value is not None}
    return belief, PriorGuess(name, best.lat, best.lon, radius, first.rationale, details)


def _told(answer: Answer) -> dict[str, Any]:
    """What one answer says beside its place, for the record."""
    told: dict[str, Any] = {
        "levels": {level: value for level in reversed(LEVELS) if (value := getattr(answer.names, level))},
        "read": answer.how,
        "stated_radius_m": answer.radius_m,
        "stated_confidence": answer.confidence,
        "localizable": answer.localizable,
        "level": answer.level,
        "clues": list(answer.clues) or None,
    }
    return {key: value for key, value in told.items() if value is not None}


def _supported(clusters: Sequence[_Cluster], nearby: Nearby) -> list[_Cluster]:
    """The clusters weighed by what the gallery has beside them; together they weigh what they did."""
    weights = [cluster.weight * nearby.support(cluster.lat, cluster.lon) for cluster in clusters]
    scale = sum(cluster.weight for cluster in clusters) / sum(weights)
    return [replace(cluster, weight=weight * scale) for cluster, weight in zip(clusters, weights, strict=True)]


def _spots(number: int, answer: Answer | Unread, way: Way, resolve: Resolve | None) -> list[_Spot]:
    """Where an answer may mean, its shares adding up to its weight: its coordinates, else its names looked up."""
    if isinstance(answer, Unread):
        return []
    weight = way.weight * (_DISOWNED if answer.holds is False else 1.0)
    if answer.lat is not None and answer.lon is not None:
        least = max(answer.radius_m or 0.0, _LEAST_M.get(answer.level or "", 0.0))
        return [_Spot(answer.lat, answer.lon, min(least, 2e7), weight, number)]
    if resolve is None:
        return []
    options = [resolve(names.text()) for names in (answer.names, *answer.others)]
    known = [places for places in options if places]
    found = []
    for places in known:
        whole = sum(place.weight for place in places) * len(known)
        found += [_Spot(p.lat, p.lon, p.radius_m, weight * p.weight / whole, number) for p in places if whole > 0.0]
    return found


def _clusters(spots: Sequence[_Spot]) -> list[_Cluster]:
    """Spots that say the same, joined: the heaviest first, each takes in the first cluster whose middle is near."""
    groups: list[list[_Spot]] = []
    for spot in sorted(spots, key=lambda s: -s.weight):
        near = next((g for g in groups if _away(_middle(g), spot) <= _SAME_M), None)
        if near is None:
            groups.append([spot])
        else:
            near.append(spot)
    return [_joined(group) for group in groups]


def _middle(group: Sequence[_Spot]) -> tuple[float, float]:
    units = unit_vectors([s.lat for s in group], [s.lon for s in group])
    lat, lon = places_of_units(np.array([s.weight for s in group]) @ units)
    return float(lat), float(lon)


def _away(middle: tuple[float, float], spot: _Spot) -> float:
    return float(haversine_m(*middle, spot.lat, spot.lon))


def _joined(group: Sequence[_Spot]) -> _Cluster:
    """One place for answers that agree: as wide as they lie apart, and as the least cautious of them says."""
    middle = _middle(group)
    apart = max(_away(middle, spot) for spot in group)
    least = max(apart, min(spot.least_m for spot in group))
    return _Cluster(*middle, least, sum(s.weight for s in group), frozenset(s.answer for s in group))
