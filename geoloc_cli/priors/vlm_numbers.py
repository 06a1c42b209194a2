"""Coordinates in a model's prose: decimal or degrees-minutes-seconds, with signs, letters, labels or none.

Whatever is doubtful is no coordinate: a pair without label, letter or a word that announces it must be precise, a pair
out of range is nothing, and (0, 0), which stands for "no answer" in the tools of the field, is nothing, too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from geoloc_cli.geo.earth import haversine_m

Axis = Literal["lat", "lon"]

# Nearer than this to (0, 0), in degrees, is the placeholder: sea for 500 km around.
_NULL_ISLAND_DEG = 0.01

_DIGITS = r"\d{1,3}(?:[.,]\d{1,20})?"
_PART = r"\d{1,2}(?:[.,]\d{1,10})?"
_LETTER = r"[NSEW](?![A-Za-z])|(?:[Nn]orth|[Ss]outh|[Ee]ast|[Ww]est)\b"
_DEGREE = r"(?:°|deg(?:rees?)?\b\.?)"
_MINUTES = rf"\s*(?P<minutes>{_PART})\s*(?:'(?!')|min(?:utes?)?\b\.?)"
_SECONDS = rf"\s*(?P<seconds>{_PART})\s*(?:\"|''|sec(?:onds?)?\b\.?)"
_ANGLE = (
    rf"(?P<before>(?<![A-Za-z])[NSEW]\s?)?(?P<sign>[-+]\s?)?(?<![\d.])(?P<degrees>{_DIGITS})(?![\d])"
    rf"(?:\s*(?P<mark>{_DEGREE})(?:{_MINUTES}(?:{_SECONDS})?)?)?(?(before)|(?:\s*(?P<after>{_LETTER}))?)"
)


def _named(prefix: str) -> str:
    """The pattern of one angle, its groups named apart."""
    return re.sub(r"\((\?P<|\?\()(\w+)([>)])", rf"(\1{prefix}_\2\3", _ANGLE)


_TO = r"\s*(?:-|to|and|through|/)\s*"
_RANGE = re.compile(rf"(?:between\s+|from\s+)?{_named('a')}{_TO}{_named('b')}")
_ONE = re.compile(_named("a"))
# What may stand between a label and its number; anything else is another sentence.
_FILL = (
    r"(?:[\s:=*\"'`(\[~≈_|]|is\b|are\b|of\b|at\b|be\b|would\b|approx(?:imately)?\b\.?|around\b|about\b|roughly\b|"
    r"coordinates?\b|degrees?\b|value\b|between\b|from\b|guess\b|estimate\b|\)|\bca\.|,\s*(?=approx))*"
)
_LABEL = {
    "lat": r"(?<![A-Za-z])m?lat(?:itude)?(?![A-Za-z])",
    "lon": r"(?<![A-Za-z])m?lon(?:g(?:itude)?)?(?![A-Za-z])|\blng\b",
}
_AFTER_LABEL = {axis: re.compile(rf"(?:{label}){_FILL}", re.IGNORECASE) for axis, label in _LABEL.items()}
_BEFORE_LABEL = {axis: re.compile(rf"[\s,)*]*(?:of\s)?(?:{label})", re.IGNORECASE) for axis, label in _LABEL.items()}
_BOTH_LABELS = re.compile(
    rf"(?:{_LABEL['lat']})\s*(?:[/,&]|and)\s*(?:{_LABEL['lon']}){_FILL}", re.IGNORECASE
)  # "lat/lon: 1.5, 2.5"
_PAIR = re.compile(rf"{_named('a')}(?P<between>[\s,;/|]{{1,4}}(?:(?:and|by)\s+)?\(?){_named('b')}")
_ANNOUNCED = re.compile(
    r"(?:coord(?:inate)?s?|gps|geo:|location|position|guess|estimate|point|answer|lat\w*\s*[/,]\s*lon\w*|[@=])"
    r"[^.\n;]{0,60}$",
    re.IGNORECASE,
)
# Labels this far apart, in characters, are not of one place.
_NEAR = 200


@dataclass(frozen=True, slots=True)
class Angle:
    """A number of degrees or a range of them; `axis` where a letter says which it is; `digits` after the point."""

    low: float
    high: float
    axis: Axis | None = None
    digits: int = 0

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2.0


@dataclass(frozen=True, slots=True)
class Point:
    """A place in numbers. `radius_m`: of a range, to its corner; `swapped`: the numbers stood in the other order."""

    lat: float
    lon: float
    radius_m: float | None = None
    swapped: bool = False
    at: int = 0


def point_of(first: Angle, second: Angle, at: int = 0) -> Point | None:
    """A place of a latitude and a longitude as they were given; None where they are none.

    They are exchanged where letters say so, or where only the exchange lies on the Earth.
    """
    if first.axis is not None and first.axis == second.axis:
        return None
    swapped = first.axis == "lon" or second.axis == "lat"
    lettered = first.axis is not None or second.axis is not None
    lat, lon = (second, first) if swapped else (first, second)
    if not lettered and not _on_earth(lat, lon) and _on_earth(lon, lat):
        lat, lon, swapped = lon, lat, True
    if not _on_earth(lat, lon):
        return None
    if abs(lat.middle) < _NULL_ISLAND_DEG and abs(lon.middle) < _NULL_ISLAND_DEG:
        return None
    radius = float(haversine_m(lat.middle, lon.middle, lat.high, lon.high))
    return Point(lat.middle, lon.middle, radius if radius > 0.0 else None, swapped, at)


def _on_earth(lat: Angle, lon: Angle) -> bool:
    return max(abs(lat.low), abs(lat.high)) <= 90.0 and max(abs(lon.low), abs(lon.high)) <= 180.0


def angle_in(value: object) -> Angle | None:
    """The angle that a field states, a number or text that begins with one; None where it states none."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        number = float(value) if abs(value) < 1e6 else math.inf
        return Angle(number, number, None, 6) if math.isfinite(number) else None
    if not isinstance(value, str) or len(value) > 200:
        return None
    text = re.sub(rf"^{_FILL}", "", value, flags=re.IGNORECASE)
    return _angle_at(text, 0)[0]


def _angle_at(text: str, start: int) -> tuple[Angle | None, int]:
    """The range or angle that begins there, and where it ends."""
    both = _RANGE.match(text, start)
    if both:
        low, high = _value(both, "a"), _value(both, "b")
        if low and high and (low.axis is None or high.axis is None or low.axis == high.axis):
            if both["b_after"] in ("S", "W") and low.axis is None and low.low > 0.0:  # "10-20 S": both are south
                low = Angle(-low.high, -low.low)
            ends = sorted((low.low, high.low))
            return Angle(ends[0], ends[1], high.axis or low.axis, min(low.digits, high.digits)), both.end()
    one = _ONE.match(text, start)
    return (_value(one, "a"), one.end()) if one else (None, start)


def _value(match: re.Match[str], prefix: str) -> Angle | None:
    """The angle that a match of `_named(prefix)` found; None where its parts contradict each other."""

    def part(name: str) -> float:
        found = match[f"{prefix}_{name}"]
        return float(found.replace(",", ".")) if found else 0.0

    degrees, minutes, seconds = part("degrees"), part("minutes"), part("seconds")
    if minutes >= 60.0 or seconds >= 60.0:
        return None
    before, after = match[f"{prefix}_before"], match[f"{prefix}_after"]
    letter = (before or after or " ").strip()[:1].upper()
    minus = (match[f"{prefix}_sign"] or "").startswith("-")
    if minus and letter and letter in "NE":
        return None
    size = degrees + minutes / 60.0 + seconds / 3600.0
    signed = -size if minus or (letter and letter in "SW") else size
    axis: Axis | None = ("lat" if letter in "NS" else "lon") if letter else None
    digits = (
        len(re.split("[.,]", match[f"{prefix}_degrees"])[1]) if re.search("[.,]", match[f"{prefix}_degrees"]) else 0
    )
    if match[f"{prefix}_minutes"]:
        digits = max(digits, 3)
    return Angle(signed, signed, axis, digits)


def points_in(text: str) -> list[Point]:
    """The places that a text states in numbers, in its order; labels first, and pairs where there are no labels."""
    return list(_labelled(text)) or list(_paired(text))


def _labelled(text: str) -> Iterator[Point]:
    """`latitude: 1.5, longitude: 2.5` in either order, then `1.5 latitude, 2.5 longitude`."""
    for beside in (_after_labels, _before_labels):
        lats, lons = beside(text, "lat"), beside(text, "lon")
        found = False
        for at, lat in lats:
            near = [(abs(other - at), lon) for other, lon in lons if abs(other - at) < _NEAR]
            if near:
                point = point_of(_as(lat, "lat"), _as(min(near, key=lambda pair: pair[0])[1], "lon"), at)
                if point:
                    found = True
                    yield point
        if found:
            return


def _as(angle: Angle, axis: Axis) -> Angle:
    """An angle under a label: a letter that contradicts the label wins, none leaves both open to an exchange."""
    return angle if angle.axis != axis else replace(angle, axis=None)


def _after_labels(text: str, axis: Axis) -> list[tuple[int, Angle]]:
    found = []
    for label in _AFTER_LABEL[axis].finditer(text):
        angle, _ = _angle_at(text, label.end())
        if angle:
            found.append((label.start(), angle))
    return found


def _before_labels(text: str, axis: Axis) -> list[tuple[int, Angle]]:
    found = []
    for match in _ONE.finditer(text):
        angle = _value(match, "a")
        if angle and _BEFORE_LABEL[axis].match(text, match.end()):
            found.append((match.start(), angle))
    return found


def _paired(text: str) -> Iterator[Point]:
    """Two numbers side by side that letters, degree signs, an announcement or their precision show to be a place."""
    start = 0
    while match := _PAIR.search(text, start):
        start = match.end()
        first, second = _value(match, "a"), _value(match, "b")
        if first is None or second is None:
            start = match.start("b_degrees")
            continue
        lettered = first.axis is not None and second.axis is not None
        marked = match["a_mark"] is not None and match["b_mark"] is not None
        precise = min(first.digits, second.digits) >= 3
        ahead = text[max(0, match.start() - 90) : match.start()]
        announced = min(first.digits, second.digits) >= 1 and _ANNOUNCED.search(ahead)
        comma = "," in match["a_degrees"] or "," in match["b_degrees"]
        if comma and not (lettered or marked or ";" in match["between"] or match["between"].startswith(", ")):
            continue
        if not (lettered or marked or precise or announced or _BOTH_LABELS.search(ahead)):
            start = match.start("b_degrees")
            continue
        point = point_of(first, second, match.start())
        if point:
            yield point
