"""The part of `geoloc evaluate` that leaves out parts of the pipeline, one after the other."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING, Any

import typer

from geoloc_cli.cli import asking, scores, talk
from geoloc_cli.cli.progress import bar
from geoloc_cli.cli.table import printable
from geoloc_cli.errors import EXIT_SOME_FAILED

if TYPE_CHECKING:
    from geoloc_cli.evaluate.ablation import Ablation
    from geoloc_cli.evaluate.whole_run import Wanted

ABLATE: Any = typer.Option(
    False,
    "--ablate",
    help="What each part is worth: the priors alone, the search alone and bounded by them, every --rerank, "
    "verification and poses, in one table.",
)


def run(wanted: Wanted, workers: int | None, format: str, quiet: bool, *, ends: bool) -> None:
    """Asks about a set's queries with parts left out, and prints the table. Raises typer.Exit where some failed."""
    from geoloc_cli.engine.local import LocalPool
    from geoloc_cli.evaluate.ablation import run_ablation

    labelled = wanted.source.read(wanted.columns)
    total = len(labelled.queries) + (0 if wanted.options.index or wanted.options.map else len(labelled.references))
    with bar(total, quiet) as shown:
        made, reports = run_ablation(wanted, labelled, LocalPool(workers), shown.step)
    for sentence in (*labelled.notes, *(failure.message for failure in made.unread)):
        talk.say(printable(sentence))
    asking.tell_reports(reports)
    if format == "json":
        typer.echo(json.dumps(made.as_json(), allow_nan=False))
    elif format == "csv":
        _write_csv(made)
    else:
        scores.write_sheets(made.sheets(), format, ends=ends, plain=True)
    if made.unread:
        raise typer.Exit(EXIT_SOME_FAILED)


def _write_csv(made: Ablation) -> None:
    from geoloc_cli.export.csv import cell

    rows = csv.writer(sys.stdout)
    records = made.as_json()["rows"]
    levels, stages = list(records[0]["within"]), list(records[0]["seconds"])
    figures = ["answered", *(f"within_{level.replace(' ', '_')}" for level in levels), "median_m"]
    sides = [f"{name}_{side}" for name in figures for side in ("low", "high")]
    rows.writerow(["variant", "photos", *figures, *sides, *(f"seconds_{stage}" for stage in stages)])
    for record in records:
        ends = record["intervals"]
        between = [ends["answered"], *(ends["within"][level] for level in levels), ends["median_m"]]
        cells = [record["variant"], made.photos, record["answered"], *record["within"].values(), record["median_m"]]
        cells += [interval[side] for interval in between for side in ("low", "high")]
        cells += record["seconds"].values()
        rows.writerow(["" if value is None else cell(value) for value in cells])
