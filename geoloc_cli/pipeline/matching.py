"""Matchers as the stages of a run take them: by name, with what the stage and the index say of their options."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from geoloc_cli.contracts import Matcher
from geoloc_cli.index.reader import Index
from geoloc_cli.registry import create, parse


def build_matcher(index: Index, text: str, max_ratio: float) -> Matcher:
    """A matcher of an index's features from `NAME?KEY=VALUE`; max_ratio: the stage's, where it takes one."""
    features = index.manifest.describer["features"]["name"]
    matcher: Matcher = create("matcher", parse(text), {"max_ratio": max_ratio, "features": features})
    return matcher


def pinned(matcher: Matcher) -> dict[str, Any]:
    """A matcher's name and options, every one written out, as plain JSON: another process builds the same of it."""
    return {"name": matcher.name, "options": _options(matcher)}


def key_of_matcher(matcher: Matcher) -> list[Any]:
    """What its matches depend on, as plain JSON; not where its weights lie, which the identity tells by their hash."""
    options = {name: value for name, value in _options(matcher).items() if name != "weights"}
    return [matcher.name, matcher.identity, options]


def _options(matcher: Matcher) -> dict[str, Any]:
    return {} if matcher.options is None else asdict(matcher.options)
