"""Places of photos that look like the one asked about, and of those that do not, as a context and as a check.

After G3 (Jia et al. 2024): the model is shown where the most and the least similar photos of a gallery were taken, with
contexts of several lengths, none among them; its answers and the most similar photo's place are then checked together.
G3 picks the one candidate that its own encoders find most like the picture. Here none is picked: the check weighs each,
within bounds, by the likeness of the gallery's photos beside it, and a candidate without any beside it stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from geoloc_cli.errors import UsageError
from geoloc_cli.types import Photo

# What a candidate gains beside which stands the most similar photo, and loses beside the least similar one. No likeness
# is a probability, and a gallery knows its own places alone: it may tip the scales, and never silences an answer.
_STRENGTH = 2.0
# Of a degree, in what a model is shown: ten metres.
_DECIMALS = 4
_MOST = 50


@dataclass(frozen=True, slots=True)
class Alike:
    """Where a photo was taken, and how similar it is: a cosine, or what else compares within one gallery."""

    lat: float
    lon: float
    similarity: float


@dataclass(frozen=True, slots=True)
class Nearby:
    """The most similar photos of a gallery, the best first, and the least similar, the worst first.

    `likeness(lat, lon)`: the similarity of the most similar one beside a place; None where there is none.
    """

    similar: tuple[Alike, ...] = ()
    dissimilar: tuple[Alike, ...] = ()
    likeness: Callable[[float, float], float | None] = lambda _lat, _lon: None

    def told(self, count: int) -> str:
        """What a model is told of the first `count` of each; nothing where there is none."""
        if not count or not self.similar:
            return ""
        return (
            "Of a collection of photographs, those that look most like this one were taken at "
            f"{_listed(self.similar[:count])} (latitude, longitude), and those that look least like it at "
            f"{_listed(self.dissimilar[:count])}. Likeness is a hint and no proof, and the collection need not hold "
            "the place at all: the photograph decides."
        )

    def support(self, lat: float, lon: float) -> float:
        """By what a candidate's weight is multiplied: from a half to two, and one where nothing speaks for or against.

        With s the likeness beside it, and s_most and s_least those of the most and the least similar photo, it is
        2^(2 (s - s_least) / (s_most - s_least) - 1).
        """
        beside = self.likeness(lat, lon) if self.similar and self.dissimilar else None
        if beside is None:
            return 1.0
        most, least = self.similar[0].similarity, self.dissimilar[0].similarity
        share = min(max((beside - least) / (most - least), 0.0), 1.0) if most > least else 0.5
        return float(_STRENGTH ** (2.0 * share - 1.0))

    def record(self) -> dict[str, Any]:
        """The most similar photo, for the record of a guess; empty where there is none."""
        found = [{"lat": p.lat, "lon": p.lon, "similarity": round(p.similarity, 4)} for p in self.similar[:1]]
        return found[0] if found else {}


NOWHERE = Nearby()
Neighbours = Callable[[Photo, int], Nearby]
"""A photo -> so many of the most and the least similar photos of a gallery; empty where there is nothing to go by."""


@runtime_checkable
class Informed(Protocol):
    """A prior that can be told of neighbours."""

    def gallery(self) -> str:
        """Where they are to be taken from; empty where it wants none."""
        ...

    def inform(self, neighbours: Neighbours) -> None: ...


def contexts_of(rag: str) -> tuple[int, ...]:
    """`0,5,10` -> how many neighbours are shown, round which the samples go; none at all without any."""
    counts = rag.split(",") if rag else ["0"]
    if not all(count.strip().isdecimal() and int(count) <= _MOST for count in counts):
        raise UsageError(f"rag is '{rag}'; give how many neighbours are shown, as 10 or 0,5,10, {_MOST} at most.")
    return tuple(int(count) for count in counts)


def _listed(photos: Sequence[Alike]) -> str:
    return json.dumps([[round(photo.lat, _DECIMALS), round(photo.lon, _DECIMALS)] for photo in photos])
