"""JSON objects in a model's answer, also broken ones: fenced, commented, unquoted, with trailing commas, cut short."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# Objects deeper than this, or more of them, are no answer to our question.
_DEEPEST = 12
_MOST = 50
_LONGEST = 20_000

_COMMENT = re.compile(r"/\*[^*]{0,500}\*/|(?<![:\"'\w])(?://|#)[^\n]*")
_TRAILING = re.compile(r",(\s*[}\]])")
_FIELD = re.compile(
    r"(?P<quote>[\"']?)(?P<key>[A-Za-z][A-Za-z_ ]{0,30})(?P=quote)\s*[:=]\s*"
    r"(?:\"(?P<double>(?:[^\"\\\n]|\\.){0,4000})\"|'(?P<single>[^'\n]{0,4000})'(?=\s*[,}\n])|(?P<bare>[^,{}\[\]\n\"]{1,300}))"
)
_PLACEHOLDER = re.compile(r"placeholder|example|dummy|replace (?:with|this)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """An object, where it stands in the text, and if it had to be repaired; `hollow`: it calls itself an example."""

    fields: dict[str, Any]
    at: int
    end: int
    repaired: bool = False
    hollow: bool = False


def objects_in(text: str) -> list[Found]:
    """The outermost objects of a text in its order, at most fifty."""
    found: list[Found] = []
    for start, end in _blocks(text):
        block = text[start:end]
        fields, repaired = _strict(block), False
        if fields is None:
            repaired, bare = True, _TRAILING.sub(r"\1", _COMMENT.sub("", block))
            fields = _strict(bare)
            if fields is None:
                fields = dict(_pairs(bare))
        if fields:
            hollow = any(_PLACEHOLDER.search(comment) for comment in _COMMENT.findall(block))
            found.append(Found(fields, start, end, repaired, hollow))
        if len(found) == _MOST:
            break
    return found


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of what stands in balanced braces; an object that was cut short ends with the text."""
    start = text.find("{")
    while start >= 0:
        depth, end, quoted = 0, None, False
        for mark in re.finditer(r"\\.|[{}\"\n]", text[start : start + _LONGEST]):
            sign = mark.group()
            if sign == '"':
                quoted = not quoted
            elif sign == "\n":
                quoted = False  # a string that nobody closed ends with its line
            elif sign == "{" and not quoted:
                depth += 1
            elif sign == "}" and not quoted:
                depth -= 1
                if depth == 0:
                    end = start + mark.end()
                    break
        if end is None:
            end = min(len(text), start + _LONGEST)
        yield start, end
        start = text.find("{", end)


def _strict(block: str) -> dict[str, Any] | None:
    try:
        loaded = json.loads(block, strict=False)
    except (ValueError, RecursionError):
        return None
    return loaded if isinstance(loaded, dict) and _depth(loaded) <= _DEEPEST else None


def _depth(value: Any, limit: int = _DEEPEST + 1) -> int:
    if limit == 0 or not isinstance(value, (dict, list)):
        return 0
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max((_depth(item, limit - 1) for item in inner), default=0)


def _pairs(block: str) -> Iterator[tuple[str, Any]]:
    """Keys and values of an object that is no JSON; of a key that stands twice the last."""
    for match in _FIELD.finditer(block):
        value = match["double"] if match["double"] is not None else match["single"]
        if value is None:
            value = match["bare"].strip()
            if value.lower() in ("null", "none", "nan"):
                continue
        yield match["key"].strip(), value
