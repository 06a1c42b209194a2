"""Angles that are written as texts: what they would be if read so, for a diagnosis and never for a score."""

from __future__ import annotations

import re
from typing import NamedTuple

_COMMA = re.compile(r"[+-]?\d{1,3},\d+")
_SIDE = re.compile(r"^[NSEW](?![a-z])|[NSEWO]$", re.IGNORECASE)
_SEPARATORS = re.compile(r"\s*(?:deg(?:rees?)?|°|º|d|'|′|’|min|m|\"|″|”|''|sec|s|:)\s*|\s+", re.IGNORECASE)


class Reading(NamedTuple):
    """An angle in degrees, and the kind of text it was read from: `comma_decimals` or `angles_as_text`."""

    degrees: float
    kind: str


def reading_of(text: str) -> Reading | None:
    """The angle of `48,8566`, `48°51'24.0"N`, `48 deg 51' 24.00" N`, `48.85 N` or `N 48 51.4`, or None."""
    if _COMMA.fullmatch(text):
        return Reading(float(text.replace(",", ".")), "comma_decimals")
    side = _SIDE.search(text.strip())
    bare = _SIDE.sub("", text.strip()).strip()
    parts = [part for part in _SEPARATORS.split(bare.replace(",", ".")) if part]
    if not 1 <= len(parts) <= 3 or not all(re.fullmatch(r"[+-]?\d+(?:\.\d*)?", part) for part in parts):
        return None
    values = [float(part) for part in parts]
    if any(not 0.0 <= value < 60.0 + 1e-9 for value in values[1:]):
        return None
    degrees = abs(values[0]) + sum(value / 60.0**power for power, value in enumerate(values[1:], 1))
    turned = bare.startswith("-") or (side is not None and side.group().upper() in ("S", "W"))
    return Reading(-degrees if turned else degrees, "angles_as_text")
