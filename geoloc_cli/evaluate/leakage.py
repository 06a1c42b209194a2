"""What an evaluation must not have: queries whose answer lies in the references as the same picture.

A query that is a file of the references, or a copy of one, measures memory and not localisation; one that was taken
where a reference was, to a metre, may be from the same burst or the same person's album. All are told, none is removed:
whoever reports the figures decides, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from geoloc_cli.contracts import ParallelMap
from geoloc_cli.evaluate.copies import Prints, find_copies, take_prints
from geoloc_cli.evaluate.datasets.labelled import Labelled, LabelledSet
from geoloc_cli.evaluate.datasets.near import on_earth, within

Kind = Literal["same_file", "copy", "same_place"]

SAME_PLACE_M = 1.0


@dataclass(frozen=True, slots=True)
class Pair:
    """A query and the reference that gives it away; `apart` is 0 of a file, 1 - correlation of a copy, else metres."""

    kind: Kind
    query: str
    reference: str
    apart: float


@dataclass(frozen=True, slots=True)
class Leakage:
    """The pairs found, each query once a kind and with the nearest reference, and the pictures that cannot be read."""

    queries: int
    references: int
    pairs: tuple[Pair, ...]
    unread: tuple[str, ...] = ()

    def of_kind(self, kind: Kind) -> list[Pair]:
        return [pair for pair in self.pairs if pair.kind == kind]

    @property
    def leaking(self) -> set[str]:
        """The queries that are a reference or a copy of one, by path: what figures without them would leave out."""
        return {pair.query for pair in self.pairs if pair.kind != "same_place"}

    def sentences(self) -> list[str]:
        """What there is to say of it, one sentence each; nothing where nothing was found."""
        words: dict[Kind, str] = {
            "same_file": "are files of the references, byte for byte",
            "copy": "are copies of a reference (stored anew, resized or cropped)",
            "same_place": f"state the position of a reference to {SAME_PLACE_M:g} m",
        }
        said = []
        for kind, what in words.items():
            found = self.of_kind(kind)
            if found:
                example = f"{found[0].query} and {found[0].reference}"
                said.append(f"{len(found)} of {self.queries} queries {what}, as {example}.")
        if self.unread:
            said.append(f"{len(self.unread)} pictures could not be read and were not compared, as {self.unread[0]}.")
        return said


def check_set(labelled: LabelledSet, parallel_map: ParallelMap) -> Leakage:
    """The leakage between the queries and the references of a data set, by pictures and by places."""
    sides = (labelled.queries, labelled.references)
    queries, references = (take_prints(_paths(side), parallel_map) for side in sides)
    pairs = (*same_pictures(queries, references), *same_places(*sides))
    unread = tuple(failure.photo for prints in (queries, references) for failure in prints.failures)
    return Leakage(len(labelled.queries), len(labelled.references), pairs, unread)


def same_pictures(queries: Prints, references: Prints) -> Iterable[Pair]:
    """Queries that are files of the references, then those that are copies and no such files."""
    owner = dict(zip(reversed(references.sha256), reversed(references.paths), strict=True))
    for path, sha256 in zip(queries.paths, queries.sha256, strict=True):
        if sha256 in owner:
            yield Pair("same_file", path, owner[sha256], 0.0)
    for row, other, alike in zip(*(column.tolist() for column in find_copies(queries, references)), strict=True):
        if queries.sha256[row] not in owner:
            yield Pair("copy", queries.paths[row], references.paths[other], max(0.0, 1.0 - alike))


def same_places(queries: Labelled, references: Labelled, within_m: float = SAME_PLACE_M) -> Iterable[Pair]:
    """Queries whose stated position is within `within_m` of a reference's, each with the nearest."""
    asked, known = (on_earth(side.lat, side.lon) for side in (queries, references))
    rows, others = within(asked, known, within_m)
    apart = np.linalg.norm(asked[rows] - known[others], axis=1)
    order = np.lexsort((apart, rows))
    for at in order[np.unique(rows[order], return_index=True)[1]].tolist():
        row, other = int(rows[at]), int(others[at])
        yield Pair("same_place", str(queries.path(row)), str(references.path(other)), float(apart[at]))


def _paths(side: Labelled) -> list[str]:
    return [str(side.path(row)) for row in range(len(side))]
