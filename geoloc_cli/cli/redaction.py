"""Secrets and places taken out of what is said or logged."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "(secret)"
_NAMES = r"key|token|secret|password|passwd|sig"
_FORMS = (
    # An option or a query's value: vlm?api_key=...&model=...
    (re.compile(rf"([?&\s][\w.-]*(?:{_NAMES})[\w.-]*=)[^&\s\"']+", re.IGNORECASE), rf"\1{HIDDEN}"),
    # https://user:password@host
    (re.compile(r"(\w://)[^/@\s]+@"), rf"\1{HIDDEN}@"),
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    # Tokens that say by their beginning what they are.
    (re.compile(r"\b(?:sk|hf|ghp|glpat|xoxb)[-_][\w-]{8,}"), HIDDEN),
)
# A latitude and a longitude, as --near takes them, and as sentences have them: a decimal in either, or whole degrees
# before a radius; and the four sides of a box.
_PLACE = re.compile(
    r"(?<=bbox:)[-\d.,\s]+|-?\d+(\.\d+)?\s*,\s*-?\d+\.\d+|-?\d+\.\d+\s*,\s*-?\d+|-?\d+\s*,\s*-?\d+(?=\s*,\s*\d)"
)
_NAMED = re.compile(rf"(?:^|_)(?:{_NAMES})s?(?:_|$)", re.IGNORECASE)
# Shorter values stand in ordinary words, too.
_SHORTEST = 6


def redacted(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """The text without keys, tokens and passwords: by their form, and by the variables that hold some."""
    for name, value in environment.items():
        if len(value) >= _SHORTEST and _NAMED.search(name):
            text = text.replace(value, HIDDEN)
    for form, instead in _FORMS:
        text = form.sub(instead, text)
    return text


def redacted_json(value: Any) -> Any:
    """The same of every text in plain JSON, and without places."""
    if isinstance(value, str):
        return _PLACE.sub("(place)", redacted(value))
    if isinstance(value, Mapping):
        return {key: redacted_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redacted_json(item) for item in value]
    return value
