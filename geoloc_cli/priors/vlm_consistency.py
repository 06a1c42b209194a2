"""How far a model says the same of one photo, by what was changed between one question and the next.

After the black-box study of vision-language models as geolocators: the same question again, another wording of it, and
an equivalent picture. What the model makes of a change that changes nothing is no knowledge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from geoloc_cli.priors.vlm_parse import Answer, Unread
from geoloc_cli.priors.vlm_pictures import VIEWS, View

_CHANGED = ("wording", "view", "neighbours")


@dataclass(frozen=True, slots=True)
class Way:
    """How an answer was asked for: the number of the wording, the view of the photo, how many neighbours were shown."""

    wording: int = 0
    view: View = VIEWS[0]
    neighbours: int = 0

    @property
    def weight(self) -> float:
        """What the answer weighs."""
        return self.view.weight

    def unlike(self, other: Way) -> list[str]:
        """What differs from another way; `sample` where nothing does, and the model was asked the same again."""
        return [name for name in _CHANGED if getattr(self, name) != getattr(other, name)] or ["sample"]


def consistency_by(ways: Sequence[Way], places: Sequence[frozenset[int]]) -> dict[str, float]:
    """By what was changed, or `sample`: of the pairs of answers that differ in that alone, the share that agrees.

    places: the numbers of those that each answer names; two agree that share one. No entry where there is no such pair.
    """
    agreeing: dict[str, list[bool]] = {}
    for one, other in combinations(range(len(ways)), 2):
        unlike = ways[one].unlike(ways[other])
        if len(unlike) == 1:
            agreeing.setdefault(unlike[0], []).append(bool(places[one] & places[other]))
    return {name: round(sum(pairs) / len(pairs), 4) for name, pairs in agreeing.items()}


def answered(
    ways: Sequence[Way], said: Sequence[Answer | Unread], places: Sequence[frozenset[int]]
) -> list[dict[str, Any]]:
    """Each answer for the record: how it was asked for, its coordinates or why there are none, and its places."""
    listed = []
    for way, answer, named in zip(ways, said, places, strict=True):
        entry: dict[str, Any] = {"wording": way.wording + 1, "view": way.view.name, "places": sorted(named)}
        if way.neighbours:
            entry["neighbours"] = way.neighbours
        if isinstance(answer, Unread):
            entry["unread"] = answer.reason
        else:
            entry |= {"lat": answer.lat, "lon": answer.lon}
        listed.append(entry)
    return listed
