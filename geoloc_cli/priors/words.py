"""The words that signs carry, by language (`data/words.toml`): they tell the language, and are no towns."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from geoloc_cli.priors.names import key_of, tokens_of


@cache
def _table() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads(files("geoloc_cli.priors").joinpath("data/words.toml").read_text(encoding="utf-8"))


@cache
def ordinary() -> frozenset[str]:
    """The keys of all words and phrases: what is not to be taken for a place by itself."""
    return frozenset(key_of(word) for kinds in _table().values() for words in kinds.values() for word in words)


def candidates(lines: Iterable[str]) -> int:
    """How many words in lines of text could be names: capitalised or without case, and not of the signs' vocabulary."""
    tokens = (token for line in lines for token in tokens_of(line) if len(token.key) > 2 and not token.key.isdigit())
    return sum(not token.text[0].islower() and token.key not in ordinary() for token in tokens)


@cache
def telling() -> dict[str, frozenset[str]]:
    """Key of a word or phrase -> the languages that it is evidence of."""
    found: dict[str, set[str]] = {}
    for language, kinds in _table().items():
        for word in kinds["only"]:
            found.setdefault(key_of(word), set()).add(language)
    shared = {key_of(word): language for language, kinds in _table().items() for word in kinds["also"]}
    return {key: frozenset(languages | ({shared[key]} if key in shared else set())) for key, languages in found.items()}


@cache
def spellings() -> frozenset[str]:
    """The telling words as they are spelled, in lower case: a short one with its accents is not one without."""
    return frozenset(word.casefold() for kinds in _table().values() for word in kinds["only"])


@cache
def longest_phrase() -> int:
    """The most words that a phrase of the table has."""
    return max(len(tokens_of(word)) for kinds in _table().values() for words in kinds.values() for word in words)
