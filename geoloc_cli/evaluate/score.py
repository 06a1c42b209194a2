"""A file of predictions and one of truth -> what is said of it: the counts, the table of distances, the doubts."""

# Names stay the strings that the user gave.

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.columns import Role
from geoloc_cli.evaluate.diagnose import diagnose
from geoloc_cli.evaluate.diagnosis import Diagnosis
from geoloc_cli.evaluate.joined import join
from geoloc_cli.evaluate.metrics.distance import LEVELS_M, DistanceReport, report
from geoloc_cli.evaluate.predictions import read_predictions
from geoloc_cli.evaluate.truth import Truth, read_truth
from geoloc_cli.photos.opening import shown


@dataclass(frozen=True, slots=True)
class Score:
    """What one file of predictions is worth; the counts are of photographs, or of rows of predictions."""

    predictions: str
    truth: str
    matched: Mapping[str, int]
    missing: int
    extra: int
    repeated: int
    ambiguous: int
    distances: DistanceReport
    diagnoses: tuple[Diagnosis, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain JSON, where what is infinite or not to be had is null."""
        table = self.distances
        return {
            "predictions": self.predictions,
            "truth": self.truth,
            "photos": table.photos,
            "matched": dict(self.matched),
            "missing": self.missing,
            "extra": self.extra,
            "repeated": self.repeated,
            "ambiguous": self.ambiguous,
            "answered": table.answered,
            "within": {f"{LEVELS_M[level] / 1e3:.0f} km": share for level, share in table.within.items()},
            "median_m": _finite(table.median_m),
            "median_answered_m": _finite(table.median_answered_m),
            "mean_m": _finite(table.mean_m),
            "q90_m": _finite(table.q90_m),
            "geoscore": table.geoscore,
            "diagnoses": [diagnosis.as_json() for diagnosis in self.diagnoses],
        }


def score(predictions: str, truth: Truth | None, columns: Mapping[Role, Mapping[str, str]]) -> Score:
    """Reads the predictions, matches them with the truth and measures; without one, it is in the same file.

    Raises UsageError with one sentence where a file cannot be read, or no name of the one is in the other.
    """
    if predictions == "-" and truth is None:
        raise UsageError("Predictions on standard input need a truth; give it with --truth FILE.")
    read = read_predictions(predictions, columns["predictions"])
    try:
        true = truth or read_truth(predictions, columns["truth"])
    except UsageError as error:
        raise UsageError(f"{error} Or give the truth's file with --truth.") from error
    joined = join(read, true)
    lat, lon = joined.of_truth(read.lat), joined.of_truth(read.lon)
    if truth is None and np.array_equal(lat, true.lat) and np.array_equal(lon, true.lon):
        raise UsageError(
            f"{shown(predictions)} has one place a row, which cannot be truth and prediction both; "
            "give the truth with --truth FILE, or name its columns, as in --columns truth.lat=NAME."
        )
    return Score(
        read.path,
        true.path,
        joined.matched,
        len(joined.missing),
        len(joined.extra),
        len(joined.repeated),
        len(joined.ambiguous),
        report(joined.errors_m()),
        diagnose(joined),
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
