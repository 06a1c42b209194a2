"""Where a run's photographs come from: a published data set or the user's own folders, as plain JSON."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.datasets.folder import read_folder
from geoloc_cli.evaluate.datasets.labelled import Labelled, LabelledSet
from geoloc_cli.evaluate.datasets.registry import find_reader, read_dataset
from geoloc_cli.evaluate.truth import Truth, read_truth

# Digits of a degree, a metre's hundred-thousandth and less: what a file of another layout may have rounded.
_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Source:
    """A data set by its name and root, or a folder of photographs and what names the queries among them."""

    dataset: str | None = None
    root: str | None = None
    photos: str | None = None
    queries: str | None = None
    truth: str | None = None
    poses: str | None = None

    def check(self) -> None:
        """Raises UsageError where it is neither the one nor the other."""
        if (self.dataset is None) == (self.photos is None):
            raise UsageError("Give --dataset NAME --root DIR, or --photos FOLDER --queries FILE.")
        if self.dataset is not None and (self.root is None or self.queries or self.poses):
            raise UsageError("--dataset goes with --root DIR, and says itself what its queries and their poses are.")
        if self.photos is not None and (self.queries is None or self.root is not None):
            raise UsageError("--photos goes with --queries: a list of names, or a folder; and with no --root.")

    @property
    def name(self) -> str:
        return find_reader(self.dataset).name if self.dataset else str(self.photos)

    def read(self, columns: Mapping[str, str] | None = None) -> LabelledSet:
        """columns: of the truth, where there is one. Raises UsageError in one sentence where a file is missing."""
        self.check()
        if self.dataset is not None:
            return read_dataset(self.dataset, str(self.root))
        truth = read_truth(self.truth, columns) if self.truth else None
        return read_folder(str(self.photos), str(self.queries), truth, self.poses)


def true_places(labelled: LabelledSet, *, named: bool = False) -> Truth | None:
    """The queries that have a place, by their paths; None where none has. named: by the set's own names for them."""
    queries = labelled.queries
    rows = np.flatnonzero(np.isfinite(queries.lat) & np.isfinite(queries.lon)).tolist()
    if not rows:
        return None
    called = queries.ids if queries.ids is not None else queries.names
    names = [called[row] if named else str(queries.path(row)) for row in rows]
    nothing = np.full(len(rows), np.nan)
    return Truth(labelled.name, names, queries.lat[rows], queries.lon[rows], nothing, nothing, [None] * len(rows))


def digest_of(labelled: LabelledSet) -> str:
    """SHA-256 of the lists: names, places, groups and poses of the references and of the queries, wherever they lie."""
    digest = hashlib.sha256()
    for side in (labelled.references, labelled.queries):
        for row in _rows(side):
            digest.update(json.dumps(row).encode() + b"\n")
        digest.update(b"\n")
    return digest.hexdigest()


def _rows(side: Labelled) -> Iterator[list[Any]]:
    for row in range(len(side)):
        group = side.groups[row] if side.groups is not None else None
        pose = side.poses.translation[row].tolist() if side.poses is not None else []
        numbers = [float(side.lat[row]), float(side.lon[row]), *pose]
        yield [side.names[row], group, [round(x, _DIGITS) if math.isfinite(x) else None for x in numbers]]
