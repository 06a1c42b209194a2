"""Places as a user writes them."""

from __future__ import annotations

import re

from geoloc_cli.errors import UsageError

_CIRCLE = re.compile(r"\s*([-+]?[\d.]+)\s*,\s*([-+]?[\d.]+)\s*,\s*([\d.]+)\s*(km|m)?\s*")
_LENGTH = re.compile(r"\s*([\d.]+)\s*(km|m)?\s*")


def length_of(text: str, owner: str) -> float:
    """Metres of a length in metres, or with the unit m or km. Raises UsageError, which names the `owner`."""
    match = _LENGTH.fullmatch(text)
    try:
        metres = float(match[1]) * (1000.0 if match[2] == "km" else 1.0) if match else 0.0
    except ValueError:
        metres = 0.0
    if metres <= 0.0:
        raise UsageError(f"{owner} is {text!r}; give a length above 0, as in 50m or 2km.")
    return metres


def circle_of(text: str, owner: str) -> tuple[float, float, float]:
    """Latitude, longitude and radius in metres of `LAT,LON,RADIUS`, the radius in metres or with the unit m or km.

    Raises UsageError, which names the `owner`, where it is anything else.
    """
    match = _CIRCLE.fullmatch(text)
    if not match:
        raise UsageError(f"{owner} is {text!r}; give LAT,LON,RADIUS, as in 47.3769,8.5417,2km.")
    try:
        lat, lon, radius = (float(match[i]) for i in (1, 2, 3))
    except ValueError:
        raise UsageError(f"{owner} is {text!r}; its numbers are not numbers.") from None
    if abs(lat) > 90 or abs(lon) > 180 or radius <= 0:
        raise UsageError(
            f"{owner} is {text!r}; latitude goes to 90, longitude to 180 degrees, and the radius is above 0."
        )
    return lat, lon, radius * (1000.0 if match[4] == "km" else 1.0)
