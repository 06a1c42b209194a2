"""Records of `geoloc.fix/1` -> Predictions, their beliefs, candidates and poses beside the places."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.documents import JsonTable
from geoloc_cli.evaluate.predicted import MOST_RATIONALE, Beliefs, Candidates, Predictions
from geoloc_cli.photos.opening import shown
from geoloc_cli.records import SCHEMA, pose_from_record
from geoloc_cli.types import Pose

_NAN = float("nan")
_COMPONENT = ("lat", "lon", "radius_m", "weight")
_CANDIDATE = ("lat", "lon", "similarity", "score")


def read_fixes(path: str, table: JsonTable) -> Predictions:
    """The records of `geoloc locate` or `geoloc prior`; an error and an unlocated photograph are no answer.

    GeoJSON's features of ours are such records, too. Raises UsageError with the number of the first that is not whole.
    """
    gathered = _Gathered()
    for number, record in enumerate(table.all_rows(), 1):
        tag = record.get("schema")
        if tag != SCHEMA:
            raise UsageError(f"{shown(path)}: record {number} says schema {tag!r}; this version reads {SCHEMA!r}.")
        try:
            gathered.add(record)
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(
                f"{shown(path)}: record {number} is no whole {SCHEMA} record ({type(error).__name__}: {error}); "
                "let `geoloc locate` write it again."
            ) from error
    return gathered.done(path, table)


class _Gathered:
    """The columns while they grow: eight bytes a number, whatever its record took."""

    def __init__(self) -> None:
        self.photos: list[str] = []
        self.stages: list[str | None] = []
        self.reasons: list[str | None] = []
        self.rationales: list[str | None] = []
        self.poses: dict[int, Pose] = {}
        self.names: list[str] = []
        self.numbers = {name: array("d") for name in ("lat", "lon", "radius_m", "confidence", "spread")}
        self.components = {name: array("d") for name in _COMPONENT}
        self.candidates = {name: array("d") for name in _CANDIDATE}
        self.components_start, self.candidates_start = array("q", [0]), array("q", [0])

    def add(self, record: dict[str, Any]) -> None:
        for name, column in self.numbers.items():
            column.append(_number(record[name]))
        for component in record["belief"]:
            for name, column in self.components.items():
                column.append(float(component[name]))
        for candidate in record["candidates"]:
            self.names.append(str(candidate["photo"]))
            for name, column in self.candidates.items():
                column.append(_number(candidate[name]))
        self.components_start.append(len(self.components["lat"]))
        self.candidates_start.append(len(self.names))
        if record["pose"]:
            self.poses[len(self.photos)] = pose_from_record(record["pose"])
        self.stages.append(record["stage"])
        self.reasons.append(record["error"]["code"] if record["error"] else record["reason"])
        self.rationales.append(_rationale(record["priors"]))
        self.photos.append(str(record["photo"]))

    def done(self, path: str, table: JsonTable) -> Predictions:
        lat, lon, radius_m, confidence, spread = (_array(column) for column in self.numbers.values())
        parts = {name: _array(column) for name, column in self.components.items()}
        beliefs = Beliefs(np.array(self.components_start, np.int64), **parts, spread=spread)
        places = {name: _array(column) for name, column in self.candidates.items()}
        candidates = Candidates(np.array(self.candidates_start, np.int64), self.names, **places)
        return Predictions(
            path,
            self.photos,
            lat,
            lon,
            radius_m,
            confidence,
            stages=self.stages,
            reasons=self.reasons,
            rationales=self.rationales,
            beliefs=beliefs,
            candidates=candidates,
            poses=self.poses,
            notes=tuple(table.notes),
        )


def _rationale(priors: list[dict[str, Any]]) -> str | None:
    """What the priors say for themselves, as `ocr: ...; geoclip: ...`; None where they say nothing."""
    said = [f"{prior['name']}: {prior['rationale']}" for prior in priors if prior.get("rationale")]
    return "; ".join(said)[:MOST_RATIONALE] or None


def _number(value: Any) -> float:
    return _NAN if value is None else float(value)


def _array(column: array[float]) -> NDArray[np.float64]:
    return np.array(column, dtype=np.float64)
