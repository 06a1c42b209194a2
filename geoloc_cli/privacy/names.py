"""Names of photographs without the coordinates that some of them carry."""

from __future__ import annotations

import re

# What a person or a program asked about words alone is called by (`geoloc prior --text`).
_WORDS = "text:"
_HIDDEN = "#"
_DIGITS = re.compile(r"\d")
_STATED = re.compile(
    # @easting@northing@zone@..., as the benchmarks of place recognition have it, up to the end of the name.
    r"@-?\d[\d.]*@[^/\\]*"
    # Decimal degrees of three digits and more, which is a hundred metres.
    r"|\d{1,3}\.\d{3,}"
    # Degrees, minutes and seconds, in signs or letters.
    r"|\d{1,3} ?(?:°|º|deg|d(?=\d+m)) ?\d{1,2}(?:[^/\\]{0,3}\d{1,2}(?:\.\d+)?)?"
    # An easting and a northing beside each other.
    r"|(?<!\d)\d{6}(?:\.\d+)?[ _,;-]+\d{7}(?:\.\d+)?(?!\d)",
    re.IGNORECASE,
)


def without_coordinates(name: str) -> str:
    """The name with `#` for every digit of what reads like coordinates, and `text:` alone where words were asked about.

    Names of dates and numbers stay as they are. A place's name in a path is not known for one, and stays, too.
    """
    if name.startswith(_WORDS):
        return _WORDS
    return _STATED.sub(lambda found: _DIGITS.sub(_HIDDEN, found[0]), name)
