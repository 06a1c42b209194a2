"""A run from its source to its figures: leakage, answers, scores, and the record of all of it."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from geoloc_cli.contracts import ParallelMap
from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.datasets.labelled import LabelledSet
from geoloc_cli.evaluate.evaluated import Evaluated
from geoloc_cli.evaluate.leakage import check_set
from geoloc_cli.evaluate.run import FIXES, Done, RunOptions, run
from geoloc_cli.evaluate.run_record import begun, leakage_record, same_run, write_record
from geoloc_cli.evaluate.run_score import score_run
from geoloc_cli.evaluate.score import How
from geoloc_cli.evaluate.sources import Source, true_places
from geoloc_cli.evaluate.submission import write_for_server
from geoloc_cli.photos.opening import shown

Tell = Callable[[str, int], None]

TRUTH = "truth.csv"
# Photographs up to which leakage is looked for unasked: some minutes on one core.
_MOST_COMPARED = 20_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be run: of which photographs, how located, how scored, and where it is kept.

    leakage: whether queries are looked for in the references; None: where there are not too many photographs. columns:
    of the truth's file.
    """

    source: Source
    options: RunOptions
    out: Path
    how: How
    command: Sequence[str]
    leakage: bool | None = None
    columns: Mapping[str, str] | None = None
    cache: str | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The record as it was written, the figures, and what priors that were asked ahead of the photographs took."""

    record: Mapping[str, Any]
    figures: Evaluated
    done: Done


def whole_run(
    wanted: Wanted, labelled: LabelledSet, parallel_map: ParallelMap, tell: Tell = lambda stage, done: None
) -> Finished:
    """Runs over a set that was read from the source, or goes on with what `out` holds of the same run.

    Leaves `run.json`, `fixes.jsonl`, `truth.csv` where true places are known, and what the run made to search in.
    Raises UsageError where `out` holds another run, and what runs raise; whatever was finished is kept.
    """
    record = begun(wanted.source, wanted.options, wanted.how, wanted.command, labelled)
    there = same_run(wanted.out, record)
    _no_strange_answers(wanted.out, there)
    began_at = datetime.now(UTC).isoformat(timespec="seconds")
    write_record(wanted.out, record)
    start = time.perf_counter()
    record["leakage"] = _leakage(wanted, labelled, there, parallel_map)
    compared = time.perf_counter()
    write_record(wanted.out, record)
    done = run(labelled, wanted.out, wanted.options, parallel_map, wanted.cache, tell)
    located = time.perf_counter()
    figures = score_run(labelled, wanted.out / FIXES, done.frames, wanted.options.top_k, wanted.how)
    _write_truth(wanted.out, labelled)
    submission = write_for_server(labelled, wanted.out / FIXES, done.frames, wanted.out)
    identities = [ground.identity(wanted.options.matcher) for ground in done.grounds]
    seconds = {"leakage": compared - start, **done.seconds, "score": time.perf_counter() - located}
    record |= {
        "status": "finished",
        "described_by": [each for number, each in enumerate(identities) if each not in identities[:number]],
        "counts": done.counts,
        "figures": figures.as_json(),
        "priors": dict(done.reports),
        "submission": submission.name if submission else None,
        "timings": {
            "began_at": began_at,
            "kept_answers": done.kept,
            "seconds": {part: round(taken, 3) for part, taken in seconds.items()},
        },
    }
    write_record(wanted.out, record)
    return Finished(record, figures, done)


def _no_strange_answers(out: Path, there: Mapping[str, Any] | None) -> None:
    """Answers without a record may be of any set, and by any options."""
    if there is None and (out / FIXES).exists():
        raise UsageError(
            f"{shown(str(out))} holds a {FIXES} of which there is no record; give another --out, or remove it."
        )


def _leakage(
    wanted: Wanted, labelled: LabelledSet, there: Mapping[str, Any] | None, parallel_map: ParallelMap
) -> dict[str, Any]:
    """What was found before, or is found now; queries and references, or nothing to be compared."""
    known = (there or {}).get("leakage", {})
    if known.get("looked") and wanted.leakage is not False:
        return dict(known)
    count = len(labelled.queries) + len(labelled.references)
    looked = count <= _MOST_COMPARED if wanted.leakage is None else wanted.leakage
    if not looked or not len(labelled.references):
        return leakage_record(None)
    return leakage_record(check_set(labelled, parallel_map))


def _write_truth(out: Path, labelled: LabelledSet) -> None:
    """The places that the answers were scored against, as `geoloc evaluate --truth` reads them."""
    truth = true_places(labelled)
    if truth is None:
        return
    with (out / TRUTH).open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["photo", "lat", "lon"])
        rows.writerows(zip(truth.photos, truth.lat.tolist(), truth.lon.tolist(), strict=True))
