"""One run as a report has it: its figures, how it was made, and what its file says of each photograph."""

# Names stay the strings that the user gave.
# ruff: noqa: PTH119, PTH122

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.evaluate.evaluated import Evaluated
from geoloc_cli.evaluate.joined import Joined
from geoloc_cli.evaluate.score import Score
from geoloc_cli.geo.earth import Floats

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Entry:
    """A run under a short name; `facts` say what was measured, and `record` how its answers were made.

    `folders` are where its pictures are looked for.
    """

    name: str
    run: Evaluated
    facts: tuple[tuple[str, str], ...] = ()
    record: tuple[tuple[str, str], ...] = ()
    folders: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Placed:
    """The T photographs of a run whose true places are known, in the truth's order."""

    name: str
    score: Score

    @property
    def joined(self) -> Joined:
        return self.score.joined

    @property
    def photos(self) -> list[str]:
        return self.joined.truth.photos

    @property
    def errors_m(self) -> Floats:
        """(T,), NaN without an answer."""
        return self.score.errors_m

    @cached_property
    def radius_m(self) -> Floats:
        """The radii that were stated (T,), NaN where none was."""
        return self.joined.of_truth(self.joined.predictions.radius_m)

    @cached_property
    def confidence(self) -> Floats:
        """The confidences that were stated (T,), NaN where none was, or none that is a probability."""
        stated = self.joined.of_truth(self.joined.predictions.confidence)
        return np.where((stated >= 0.0) & (stated <= 1.0), stated, np.nan)

    @cached_property
    def stages(self) -> list[str | None] | None:
        """The stage that each answer came from; None where the file says nothing of them."""
        return self._texts(self.joined.predictions.stages)

    @cached_property
    def reasons(self) -> list[str | None] | None:
        """Why a photograph has no answer."""
        return self._texts(self.joined.predictions.reasons)

    @cached_property
    def rationales(self) -> list[str | None] | None:
        """What was said for an answer."""
        return self._texts(self.joined.predictions.rationales)

    def by_stage(self) -> Iterator[tuple[str, Ints]]:
        """Each stage that is named, in the order of its first answer, and the photographs answered by it."""
        named = self.stages or []
        answered = ~np.isnan(self.errors_m)
        for stage in dict.fromkeys(one for one in named if one):
            rows = np.array([row for row, one in enumerate(named) if one == stage and answered[row]], np.int64)
            if rows.size:
                yield stage, rows

    def _texts(self, column: Sequence[str | None] | None) -> list[str | None] | None:
        if column is None or not any(column):
            return None
        return [column[row] if row >= 0 else None for row in self.joined.row.tolist()]


def placed(entries: Sequence[Entry]) -> list[Placed]:
    """Those runs whose true places are known."""
    return [Placed(entry.name, entry.run.score) for entry in entries if entry.run.score is not None]


def short_names(paths: Sequence[str]) -> list[str]:
    """Files by what tells them apart: without folders and suffix, without folders, or whole; numbered as a last way."""
    for shorten in (lambda path: os.path.splitext(os.path.basename(path))[0], os.path.basename, str):
        names = [shorten(path) or path for path in paths]
        if len(set(names)) == len(names):
            return names
    return [f"{path} ({number})" for number, path in enumerate(paths, 1)]
