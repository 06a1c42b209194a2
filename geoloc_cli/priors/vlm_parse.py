"""What a model's whole answer says of a place, whether or not it kept to the schema that it was given.

An answer that cannot be read is `Unread` with the reason, never a place that nobody stated. Text is data throughout:
nothing in an answer is acted on, and what is kept of it is plain, printable and short.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from geoloc_cli.priors.vlm_names import LEVELS, Names, names_in_fields, names_in_prose
from geoloc_cli.priors.vlm_numbers import Angle, Point, angle_in, point_of, points_in
from geoloc_cli.priors.vlm_objects import Found, objects_in
from geoloc_cli.priors.vlm_prompts import STAGES
from geoloc_cli.priors.vlm_text import RATIONALE, clean, plain, untagged

_CLUE = 200
_MOST_CLUES = 12

_THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>|^.*?</think(?:ing)?>", re.DOTALL)
_REFUSAL = re.compile(
    r"\b(?:I(?:'m| am)? (?:not (?:able|comfortable|going|capable|privy)|unable|cannot|can't|can not|won't|don't feel|"
    r"prefer not|sorry)|I'd prefer not|I apologi[sz]e)\b",
    re.IGNORECASE,
)
_RADIUS_KEYS = {
    "radius_m": 1.0,
    "uncertainty_m": 1.0,
    "error_m": 1.0,
    "radius_km": 1e3,
    "uncertainty_km": 1e3,
    "error_km": 1e3,
}
_RATIONALE_KEYS = ("rationale", "reasoning", "reason", "explanation", "evidence", "analysis", "thoughts", "summary")
_LAT_KEYS, _LON_KEYS = ("latitude", "lat"), ("longitude", "long", "lon", "lng")
_PAIR_KEYS = (
    "coordinates",
    "coords",
    "coordinate",
    "location",
    "position",
    "gps",
    "latlon",
    "lat_lon",
    "latlng",
    "point",
)
# Parts of the picture, whose numbers are no degrees.
_BOX_KEYS = ("box", "bbox", "bbox_2d", "bounding_box")


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer. `how` it was read: `json`, `repaired json`, `prose`, with `, swapped` where it applies.

    lat, lon: None where it states names alone. `radius_m`, `confidence` (0 to 1): None where it states none.
    `others`: further names that it holds equally possible. `localizable`, `level`: its own word on how much can be
    known, and to which level. `clues`: what it saw, a line each. `holds`: its judgement of itself, where it was asked.
    """

    lat: float | None
    lon: float | None
    radius_m: float | None
    names: Names
    confidence: float | None
    rationale: str
    how: str
    others: tuple[Names, ...] = field(default=())
    localizable: float | None = None
    level: str | None = None
    clues: tuple[str, ...] = ()
    holds: bool | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """No place in an answer; `reason` is one of `empty`, `refused`, `out_of_range`, `null_island`, `no_place`, or
    `unknown` where it kept to what was asked for, and left the place null.
    """

    reason: str
    rationale: str = ""


def parse(text: str) -> Answer | Unread:
    """The place that an answer states: the last object that states one, else the last place in its prose."""
    cleaned = clean(text)
    if not cleaned.strip():
        return Unread("empty")
    for part in dict.fromkeys((_THOUGHT.sub(" ", cleaned), cleaned)):
        answer = _read(untagged(part))
        if answer:
            return answer
    return Unread(_why_not(cleaned), plain(cleaned))


def spoken(text: str) -> str:
    """An answer as plain text, without the thoughts before it and without tags."""
    return untagged(_THOUGHT.sub(" ", clean(text)))


def _read(text: str) -> Answer | None:
    objects = objects_in(text)
    said = [(found, _point_in_fields(found.fields)) for found in objects if not found.hollow]
    prose = _without(text, objects)
    for found, point in reversed(said):
        if point:
            return _of_object(found, point, prose)
    named = [(found, names) for found, _ in said if (names := names_in_fields(found.fields))]
    points = points_in(prose)
    if points and not any(found.hollow for found in objects):
        last = points[-1]
        names = named[-1][1] if named else next(iter(names_in_prose(prose)), Names())
        how = "prose, swapped" if last.swapped else "prose"
        return Answer(last.lat, last.lon, last.radius_m, names, None, plain(prose), how)
    if named:
        found, names = named[-1]
        return replace(_of_object(found, None, prose), names=names)
    several = names_in_prose(prose)
    if several:
        return Answer(None, None, None, several[0], None, plain(prose), "prose", tuple(several[1:]))
    return None


def _without(text: str, objects: list[Found]) -> str:
    """The text around the objects; a broken object stays, because it may have swallowed prose."""
    kept, start = [], 0
    for found in objects:
        kept.append(text[start : found.at])
        start = found.end
    return " ".join([*kept, text[start:]])


def _of_object(found: Found, point: Point | None, prose: str) -> Answer:
    fields = _lowered(found.fields)
    how = "repaired json" if found.repaired else "json"
    if point and point.swapped:
        how += ", swapped"
    stated = next((fields[key] for key in _RATIONALE_KEYS if fields.get(key)), None)
    return Answer(
        point.lat if point else None,
        point.lon if point else None,
        _radius(fields) or (point.radius_m if point else None),
        names_in_fields(found.fields) or Names(),
        _share(fields.get("confidence", fields.get("certainty"))),
        plain(_text(stated) if stated is not None else prose),
        how,
        localizable=_share(fields.get("localizable", fields.get("localizability"))),
        level=_level(fields.get("level")),
        clues=(*_clues(fields.get("clues")), *_stages(fields)),
    )


def _lowered(fields: dict[str, Any]) -> dict[str, Any]:
    return {key.strip().lower().replace(" ", "_"): value for key, value in fields.items()}


def _text(value: Any) -> str:
    """A rationale as one text, whether a string, a list or an object of clues."""
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_text(item)}" for key, item in list(value.items())[:20])
    if isinstance(value, list):
        return "; ".join(_text(item) for item in value[:20])
    return str(value)[: 4 * RATIONALE]


def _share(value: Any) -> float | None:
    """A number from 0 to 1, or a percentage; words ("high") are no number and give none."""
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d{1,3}(?:\.\d{1,6})?)\s*(%?)\s*", value)
        if not match:
            return None
        value = float(match[1]) / (100.0 if match[2] else 1.0)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if 1.0 < value <= 100.0:
        value = value / 100.0
    return float(value) if 0.0 <= value <= 1.0 else None


def _level(value: Any) -> str | None:
    word = value.strip().lower() if isinstance(value, str) else ""
    return word if word in LEVELS else None


def _clues(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else []
    return tuple(plain(_text(item), _CLUE) for item in items[:_MOST_CLUES])


def _stages(fields: dict[str, Any]) -> Iterator[str]:
    for stage in STAGES:
        if fields.get(stage):
            yield plain(f"{stage}: {_text(fields[stage])}", _CLUE)


def _radius(fields: dict[str, Any]) -> float | None:
    for key, unit in _RADIUS_KEYS.items():
        value = fields.get(key)
        if isinstance(value, str) and re.fullmatch(r"\s*\d{1,8}(?:\.\d{1,6})?\s*", value):
            value = float(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0.0 < value * unit <= 2.1e7:
            return float(value * unit)
    return None


def _point_in_fields(fields: dict[str, Any]) -> Point | None:
    """The place of an object: its own fields first, then objects and lists inside it."""
    lowered = _lowered(fields)
    lat, lon = (next((angle_in(lowered[k]) for k in keys if k in lowered), None) for keys in (_LAT_KEYS, _LON_KEYS))
    if lat and lon:
        return point_of(_unlettered(lat, "lat"), _unlettered(lon, "lon"))
    for value in _inner(lowered):
        point = _point_in_value(value)
        if point:
            return point
    return None


def _unlettered(angle: Angle, axis: str) -> Angle:
    return replace(angle, axis=None) if angle.axis == axis else angle


def _inner(lowered: dict[str, Any]) -> Iterator[Any]:
    for key in _PAIR_KEYS:
        if key in lowered:
            yield [*reversed(lowered[key])] if _is_geojson(lowered, key) else lowered[key]
    for key, value in lowered.items():
        if key not in (*_PAIR_KEYS, *_BOX_KEYS) and isinstance(value, (dict, list)):
            yield value


def _is_geojson(lowered: dict[str, Any], key: str) -> bool:
    """GeoJSON's points, alone of all, state the longitude first."""
    return str(lowered.get("type")).lower() == "point" and isinstance(lowered[key], list)


def _point_in_value(value: Any) -> Point | None:
    if isinstance(value, dict):
        return _point_in_fields(value)
    if isinstance(value, str):
        return next(iter(points_in(f"coordinates: {value[:300]}")), None)
    if isinstance(value, list) and len(value) == 2 and not any(isinstance(item, (dict, list)) for item in value):
        first, second = (angle_in(item) for item in value)
        return point_of(first, second) if first and second else None
    if isinstance(value, list):
        return next((p for item in value if isinstance(item, (dict, list)) and (p := _point_in_value(item))), None)
    return None


def judged(text: str) -> tuple[bool, str] | None:
    """What a model says of its own answer, `holds` and why; None where it says neither yes nor no."""
    said = [found.fields for found in objects_in(clean(text)) if isinstance(found.fields.get("holds"), bool)]
    return (said[-1]["holds"], plain(_text(said[-1].get("why") or ""), _CLUE)) if said else None


def _why_not(text: str) -> str:
    if any(_left_null(_lowered(found.fields)) for found in objects_in(text)):
        return "unknown"
    numbers = re.findall(r"(?i)\b(?:lat|lon)\w*[\"'*]*\s*[:=]\s*[\"']?(-?\d+(?:\.\d+)?)", text)
    if numbers and all(float(number) == 0.0 for number in numbers):
        return "null_island"
    if numbers:
        return "out_of_range"
    return "refused" if _REFUSAL.search(text) else "no_place"


def _left_null(fields: dict[str, Any]) -> bool:
    stated = [next((fields[key] for key in keys if key in fields), "") for keys in (_LAT_KEYS, _LON_KEYS)]
    return stated == [None, None]
