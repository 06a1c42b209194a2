"""What a file predicts of many photographs, in columns: Predictions, with Beliefs and Candidates beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.evaluate.diagnosis import Diagnosis
from geoloc_cli.evaluate.numbers import Unread
from geoloc_cli.types import Belief, Component, Pose

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NUMBERS = ("lat", "lon", "radius_m", "confidence")
MOST_RATIONALE = 400
"""Characters of a rationale that are kept: a model's answer may be pages long."""


@dataclass(frozen=True, slots=True)
class Beliefs:
    """The beliefs of N photographs, their components one after the other.

    Components `start[i]` to `start[i + 1]` are those of photograph i; `lat`, `lon` (degrees), `radius_m` and `weight`
    are float64 (C,), `spread` is (N,). A photograph that has none of its own believes in the whole globe (spread 1).
    """

    start: Ints
    lat: Floats
    lon: Floats
    radius_m: Floats
    weight: Floats
    spread: Floats

    def __post_init__(self) -> None:
        parts = {len(self.lat), len(self.lon), len(self.radius_m), len(self.weight), int(self.start[-1])}
        if len(parts) != 1 or len(self.start) != len(self.spread) + 1:
            raise ValueError("the components of beliefs and their starts are of different lengths")

    def __len__(self) -> int:
        return len(self.spread)

    def __getitem__(self, row: int) -> Belief:
        columns = (self.lat, self.lon, self.radius_m, self.weight)
        own = zip(*(c[self.start[row] : self.start[row + 1]].tolist() for c in columns), strict=True)
        return Belief(tuple(Component(*values) for values in own), float(self.spread[row]))


@dataclass(frozen=True, slots=True)
class Candidates:
    """The candidates of N photographs, best first, laid out as `Beliefs` are; NaN where one has no place.

    `similarity` is the likeness by which they were retrieved, `score` what they are ordered by.
    """

    start: Ints
    photos: list[str]
    lat: Floats
    lon: Floats
    similarity: Floats
    score: Floats

    def __post_init__(self) -> None:
        columns = (self.photos, self.lat, self.lon, self.similarity, self.score)
        if {len(column) for column in columns} != {int(self.start[-1])}:
            raise ValueError("the columns of candidates and their starts are of different lengths")


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a file predicts of N photographs, as it says it: nothing is corrected, dropped or put in another order.

    `lat` and `lon` are float64 (N,), meant to be degrees and checked by nobody yet; NaN where there is no answer.
    `radius_m` and `confidence` are NaN where the file says nothing of them. `unread` counts, by column, what was no
    number; `reasons` say why a photograph of ours has no answer, `rationales` what was said for one. The rest is None
    where the file holds nothing of it.
    """

    path: str
    photos: list[str]
    lat: Floats
    lon: Floats
    radius_m: Floats
    confidence: Floats
    first_row: int = 1
    stages: list[str | None] | None = None
    reasons: list[str | None] | None = None
    rationales: list[str | None] | None = None
    beliefs: Beliefs | None = None
    candidates: Candidates | None = None
    poses: Mapping[int, Pose] | None = None
    unread: Mapping[str, Unread] = field(default_factory=dict)
    notes: tuple[Diagnosis, ...] = ()

    def __post_init__(self) -> None:
        for name in NUMBERS:
            column = getattr(self, name)
            if column.shape != (len(self.photos),) or column.dtype != np.float64:
                raise ValueError(f"{name} is {column.dtype} {column.shape}, not float64 ({len(self.photos)},)")
        others = (self.stages, self.reasons, self.rationales, self.beliefs)
        if any(other is not None and len(other) != len(self.photos) for other in others):
            raise ValueError("stages, reasons, rationales and beliefs have an entry for each photograph")

    def __len__(self) -> int:
        return len(self.photos)
