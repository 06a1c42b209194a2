"""What a photograph shows that asks for its place to be told less finely, as a model says.

The question goes through what VLM-GeoPrivacy asks before it judges how finely a place may be told (what the picture is
of, who is in it, what was overlooked), and wants words of a fixed list alone. No word of an answer is a level: which
level follows from which word is said by a person's policy (`privacy/policy.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_args

from geoloc_cli.priors.vlm_objects import objects_in
from geoloc_cli.priors.vlm_text import clean
from geoloc_cli.types import Belief, Context, PriorGuess

KEY = "context"
UNKNOWN = "unknown"
"""In a record, where a model was asked and did not say, or said a word that is none of these."""
_WORDS: tuple[Context, ...] = get_args(Context)
_MEANING: dict[Context, str] = {
    "people": "somebody who could be known again",
    "children": "anybody under age",
    "home_interior": "the inside of somebody's home, or a view from it",
    "documents": "letters, identity papers, screens or number plates that can be read",
    "clinic": "a clinic, a practice, a pharmacy or a patient",
    "protest": "a demonstration or its banners",
}
QUESTION = (
    f'One more field, "{KEY}", is about privacy and not about the place. Consider what the photograph is of, who is in '
    "it and whether they knew, and what may have been overlooked in the background or in a reflection. It is a list of "
    "those of these words that apply, in doubt as well, and [] where none does: "
    + "; ".join(f'"{word}" ({meaning})' for word, meaning in _MEANING.items())
    + ". Writing in the photograph does not decide this."
)
SCHEMA: dict[str, Any] = {"type": "array", "items": {"type": "string", "enum": list(_WORDS)}}

Contexts = tuple[Context, ...] | None


def contexts_in(text: str) -> Contexts:
    """Those of all objects in an answer that state some; None where none does, or one states anything else.

    Of all, since an answer may quote what is written in the photograph: a quotation can add a context, and take none.
    """
    stated = [found.fields[KEY] for found in objects_in(clean(text)) if KEY in found.fields]
    if not stated or not all(isinstance(words, list) for words in stated):
        return None
    said = {word if isinstance(word, str) else "" for words in stated for word in words}
    return _ordered(said) if said <= set(_WORDS) else None


def with_contexts(
    name: str, found: tuple[Belief, PriorGuess] | None, said: Sequence[Contexts]
) -> tuple[Belief, PriorGuess]:
    """What a prior is heard for with what its answers state of contexts, unknown where one of them does not say.

    A photograph of which the model knows no place has contexts, too.
    """
    belief, guess = found or (Belief(), PriorGuess(name, None, None, None, "it knows nothing of this photo"))
    known = [words for words in said if words is not None]
    unsure = not said or len(known) < len(said)
    stated = UNKNOWN if unsure else list(_ordered({word for words in known for word in words}))
    return belief, replace(guess, details={**(guess.details or {}), KEY: stated})


def _ordered(words: set[Any]) -> tuple[Context, ...]:
    return tuple(word for word in _WORDS if word in words)
