"""What each part of the pipeline is worth on a labelled set: its answers with parts left out, scored in one table."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geoloc_cli.contracts import ParallelMap
from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.datasets.labelled import LabelledSet
from geoloc_cli.evaluate.distances import LOCAL_LEVELS, Distances, distances, levels_for
from geoloc_cli.evaluate.metrics.distance import errors_m
from geoloc_cli.evaluate.plain import plain
from geoloc_cli.evaluate.run import RunOptions, cameras_of, grounds_of
from geoloc_cli.evaluate.run_record import FILE as RUN_FILE
from geoloc_cli.evaluate.run_record import begun, write_record
from geoloc_cli.evaluate.score import How
from geoloc_cli.evaluate.sheets import Cell, Sheet, length_cell, share_cell
from geoloc_cli.evaluate.whole_run import Wanted
from geoloc_cli.geo.earth import Floats
from geoloc_cli.photos.opening import shown
from geoloc_cli.pipeline.ablation import Ablated, ablate_photos, from_line, to_line, variants
from geoloc_cli.pipeline.answered import Lines
from geoloc_cli.pipeline.asked_ahead import Panel
from geoloc_cli.pipeline.posing import stage_spec
from geoloc_cli.types import Failure

Tell = Callable[[str, int], None]

SCHEMA = "geoloc.ablation/1"
FILE = "ablation.json"
LINES = "ablation.jsonl"
STAGES = ("decode", "prior", "describe", "search", "rerank", "verify", "pose")

# A prior errs by hundreds of kilometres and a pose by centimetres, and both are in the table of a small set.
_LOCAL_LEVELS: Mapping[str, float] = {
    "10 m": 10.0,
    "25 m": 25.0,
    "100 m": 100.0,
    "1 km": 1e3,
    "25 km": 25e3,
    "200 km": 200e3,
}
_WIDE_LEVELS: Mapping[str, float] = {
    "25 m": 25.0,
    "1 km": 1e3,
    "25 km": 25e3,
    "200 km": 200e3,
    "750 km": 750e3,
    "2500 km": 2500e3,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One variant (`pipeline.ablation.variants`): its errors (N,) in metres, NaN where there is no answer, in figures;
    and the seconds a photo that it would have taken alone, by stage.
    """

    variant: str
    errors_m: Floats
    distances: Distances
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Ablation:
    """The table of a set; `seconds` a photo is what all rows took together, `unread` the photos that gave no answer at
    all, with the reason.
    """

    name: str
    rows: tuple[Row, ...]
    seconds: float
    unread: tuple[Failure, ...]

    @property
    def photos(self) -> int:
        return len(self.rows[0].errors_m)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON; what is infinite or not to be had is null."""
        return {
            "set": self.name,
            "photos": self.photos,
            "seconds_together": round(self.seconds, 4),
            "rows": [_row_json(row) for row in self.rows],
            "unread": [{"photo": f.photo, "code": f.code, "message": f.message} for f in self.unread],
        }

    def sheets(self) -> list[Sheet]:
        """The table of accuracy, and that of time."""
        levels = tuple(self.rows[0].distances.levels_m)
        stages = tuple(name for name in STAGES if any(row.seconds.get(name) for row in self.rows))
        accuracy = tuple(((row.variant,), _accuracy(row)) for row in self.rows)
        time = tuple(((row.variant,), _time(row, stages)) for row in self.rows)
        return [
            Sheet("Accuracy", ("variant",), ("photos", "answered", *levels, "median"), accuracy),
            Sheet(
                f"Seconds a photo; all rows together take {_seconds(self.seconds)}, as what they share is done once",
                ("variant",),
                ("alone", *stages),
                time,
            ),
        ]


def run_ablation(
    wanted: Wanted, labelled: LabelledSet, parallel_map: ParallelMap, tell: Tell = lambda stage, done: None
) -> tuple[Ablation, list[tuple[str, dict[str, Any]]]]:
    """The table of a set that was read from the source, and what the priors took; `ablation.json` is left in `out`, and
    the answers line by line in `ablation.jsonl`, from where the same call goes on.

    The index or the map is made of the set's references unless the options name one. Only queries whose places are
    known are asked about. Raises UsageError where there are none, or nothing to search in.
    """
    wanted.options.locating()  # raises before anything is written
    placed = np.isfinite(labelled.queries.lat) & np.isfinite(labelled.queries.lon)
    if not placed.any():
        raise UsageError(f"{labelled.name} states no places of its queries, against which answers could be scored.")
    record = begun(wanted.source, wanted.options, wanted.how, wanted.command, labelled) | {"schema": SCHEMA}
    _same_set(wanted.out, record)
    _same_options(wanted.out, record)
    write_record(wanted.out, record, FILE)
    rows, answers, reports = _answered(wanted, labelled, placed, parallel_map, tell)
    lat, lon = labelled.queries.lat[rows], labelled.queries.lon[rows]
    made = tabulated(labelled.name, answers, lat, lon, wanted.options, wanted.how)
    record |= {"status": "finished", "figures": made.as_json(), "priors": dict(reports)}
    write_record(wanted.out, record, FILE)
    return made, reports


def _same_set(out: Path, record: Mapping[str, Any]) -> None:
    """Raises UsageError where the folder holds what was made of other photographs, which must not be mixed."""
    for file in (RUN_FILE, FILE):
        try:
            there = json.loads((out / file).read_text(encoding="utf-8"))["set"]["digest"]
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{shown(str(out / file))} is no record ({error!r}); give another --out.") from error
        if there != record["set"]["digest"]:
            raise UsageError(
                f"{shown(str(out))} holds a run of another set, or of other photographs of it; give another --out."
            )


def _same_options(out: Path, record: Mapping[str, Any]) -> None:
    """Drops answers by other options whose table is made; raises UsageError where they wait to be gone on with."""
    if (out / FILE).exists():
        there = json.loads((out / FILE).read_text(encoding="utf-8"))
        if there.get("options") == record["options"]:
            return
        if there.get("status") != "finished":
            raise UsageError(
                f"{shown(str(out))} holds an ablation by other options that was interrupted; finish it by the same "
                f"command, or remove its {FILE}."
            )
    (out / LINES).unlink(missing_ok=True)


def _answered(
    wanted: Wanted, labelled: LabelledSet, placed: np.ndarray, parallel_map: ParallelMap, tell: Tell
) -> tuple[list[int], list[Ablated | Failure], list[tuple[str, dict[str, Any]]]]:
    """The rows of the queries that were asked about, an answer for each, and what the priors took."""
    options, rows, answers = wanted.options, list[int](), list[Ablated | Failure]()
    chosen, cameras = options.locating(), cameras_of(labelled)
    grounds = grounds_of(labelled, wanted.out, options, parallel_map, wanted.cache, tell)
    kept: Lines[Ablated | Failure] = Lines(str(wanted.out / LINES), "--out", from_line, to_line)
    with closing(kept), Panel(options.priors, wanted.cache) as panel:
        for ground in grounds:
            if ground.index is None:
                raise UsageError(f"{labelled.name} has no references to search in; give --index DIR or --map DIR.")
            asked = [row for row in ground.rows if placed[row]]
            paths = [str(labelled.queries.path(row)) for row in asked]
            todo = [path for path in paths if path not in kept.answers]
            known = {path: cameras[path] for path in todo if path in cameras}
            pose = stage_spec(ground.map, None, options.solver, options.matcher, known) if options.pose else None
            fresh = ablate_photos(
                ground.index,
                todo,
                chosen,
                parallel_map,
                priors=panel,
                cache=wanted.cache,
                pose=pose,
                retriever=options.retriever,
                matcher=options.matcher,
            )
            with closing(fresh):
                for answer in kept.in_order(paths, fresh):
                    answers.append(answer)
                    tell("locating", 1)
            rows += asked
        return rows, answers, panel.reports()


def tabulated(
    name: str, answers: Sequence[Ablated | Failure], lat: Floats, lon: Floats, options: RunOptions, how: How
) -> Ablation:
    """The table of the answers for photos whose true places are lat and lon (N,), in their order.

    A photo that could not be read counts as wrong in every row, and its time in none.
    """
    levels_m = how.levels_m or levels_of(lat, lon, pose=options.pose)
    read = [answer for answer in answers if isinstance(answer, Ablated)]
    rows = []
    for variant in variants(priors=bool(options.priors), pose=options.pose):
        found = [answer.answers[variant].place if isinstance(answer, Ablated) else None for answer in answers]
        places = np.array([place or (math.nan, math.nan) for place in found], np.float64)
        errors = errors_m(places[:, 0], places[:, 1], lat, lon)
        seconds = {
            stage: sum(answer.answers[variant].timing_ms.get(stage, 0.0) for answer in read) / 1e3 / max(len(read), 1)
            for stage in STAGES
        }
        rows.append(Row(variant, errors, distances(errors, levels_m, how.sure), seconds))
    spent = sum(answer.spent_ms for answer in read) / 1e3 / max(len(read), 1)
    return Ablation(name, tuple(rows), spent, tuple(answer for answer in answers if isinstance(answer, Failure)))


def levels_of(lat: Floats, lon: Floats, *, pose: bool) -> Mapping[str, float]:
    """Distances that tell the parts apart: from a neighbour's to a continent's, of one place from 10 m on, and with
    poses from a metre on.
    """
    if levels_for(lat, lon) is not LOCAL_LEVELS:
        return _WIDE_LEVELS
    return {"1 m": 1.0, **_LOCAL_LEVELS} if pose else _LOCAL_LEVELS


def _row_json(row: Row) -> dict[str, Any]:
    found = row.distances
    return {
        "variant": row.variant,
        "answered": found.report.answered,
        "within": dict(found.report.within),
        "median_m": found.report.median_m if math.isfinite(found.report.median_m) else None,
        "intervals": plain({"answered": found.answered, "within": found.within, "median_m": found.lengths["median_m"]}),
        "seconds": {stage: round(spent, 4) for stage, spent in row.seconds.items()},
        "errors_m": plain(row.errors_m),
    }


def _accuracy(row: Row) -> tuple[Cell, ...]:
    found = row.distances
    return (
        Cell(str(found.report.photos)),
        share_cell(found.report.answered, found.answered),
        *(share_cell(found.report.within[name], found.within[name]) for name in found.levels_m),
        length_cell(found.report.median_m, found.lengths["median_m"]),
    )


def _time(row: Row, stages: Sequence[str]) -> tuple[Cell, ...]:
    return (Cell(_seconds(sum(row.seconds.values()))), *(Cell(_seconds(row.seconds[name])) for name in stages))


def _seconds(value: float) -> str:
    return f"{value:.3f} s"
