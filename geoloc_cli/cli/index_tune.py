"""`geoloc index tune`: what smaller vectors would cost, measured on the index's own photos."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import typer

from geoloc_cli.cli import options
from geoloc_cli.cli.progress import bar
from geoloc_cli.cli.table import printable, show, table
from geoloc_cli.errors import UsageError

if TYPE_CHECKING:
    from geoloc_cli.pipeline.tune import TuneReport
    from geoloc_cli.retrieval.tune import Measured

_LENGTH = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(km|m)?\s*")


def tune(
    directory: str = typer.Argument(..., metavar="DIR", help="The index's folder."),
    queries: int = typer.Option(500, "--queries", min=10, help="Photos of the index that are asked, at most."),
    within: str = typer.Option(
        "25m", "--within", metavar="LENGTH", help="An answer is right that was taken so near to the query, in m or km."
    ),
    as_json: bool = options.JSON,
) -> None:
    """Measure on an index's own photos what fewer numbers, whitening and codes would cost, and recommend."""
    from geoloc_cli.pipeline.tune import tune_index

    with bar(0, as_json) as shown:
        report = tune_index(directory, queries, _metres(within), shown.step)
    if as_json:
        typer.echo(json.dumps(_record(directory, report), indent=2))
        return
    _show(directory, report)
    for line in (*_notes(report), _sentence(report)):
        typer.echo(line)
    if report.command:
        typer.echo(f"  {printable(report.command)}")


def _metres(text: str) -> float:
    match = _LENGTH.fullmatch(text)
    if not match or float(match[1]) <= 0:
        raise UsageError(f"--within is {text!r}; give a length above 0, as in 25m or 0.1km.")
    return float(match[1]) * (1000.0 if match[2] == "km" else 1.0)


def _show(directory: str, report: TuneReport) -> None:
    from rich.text import Text

    made = table(["choice"], ["bytes a photo", "recall@1", "recall@5", "recall@10", "ms a query"])
    right = "the exact ranking" if report.within_m is None else f"right within {report.within_m:g} m"
    counts = f"{report.photos} photos, {report.queries} asked among {report.sampled}, {right}"
    made.title = Text(f"{printable(directory)}: {report.descriptor} on {report.features}; {counts}")
    for row in report.rows:
        cells = [_percent(*row.recall[depth]) for depth in row.recall]
        style = "bold" if row == report.best else ""
        numbers = (str(row.bytes_a_photo), *cells, f"{row.ms_a_query:.2f}")
        made.add_row(*(Text(cell, style=style) for cell in (_named(row, report), *numbers)))
    show(made)


def _named(row: Measured, report: TuneReport) -> str:
    if row.choice == report.now:
        return f"{row.choice} (as it is)"
    return str(row.choice)


def _percent(value: float, low: float, high: float) -> str:
    return f"{100 * value:.1f} ± {50 * (high - low):.1f}"


def _notes(report: TuneReport) -> list[str]:
    from geoloc_cli.index.codes import CODES_FROM_ROWS

    notes = []
    if report.within_m is None:
        notes.append("Too few photos have a position near another's: recall is of what the full vectors find.")
    if report.bound is not None:
        notes.append(f"At most {report.bound} numbers can be learned from these photos without those that are asked.")
    if report.photos < CODES_FROM_ROWS:
        notes.append(
            f"Codes are used from {CODES_FROM_ROWS:,} photos on, and are not recommended below; pq was not measured."
        )
    return notes


def _sentence(report: TuneReport) -> str:
    best = report.best
    found = f"{best.choice}, {best.bytes_a_photo} bytes a photo, {100 * best.recall[5][0]:.1f} % at five"
    if report.command is None:
        return f"The index is as it should be: {found}."
    return f"Recommended, as the smallest within a point of the best: {found}. To make it so:"


def _record(directory: str, report: TuneReport) -> dict[str, Any]:
    return {
        "index": directory,
        "descriptor": report.descriptor,
        "features": report.features,
        "photos": report.photos,
        "sampled": report.sampled,
        "queries": report.queries,
        "within_m": report.within_m,
        "rows": [
            {
                "choice": str(row.choice),
                "dim": row.choice.dim,
                "whiten": row.choice.whiten,
                "codes": row.choice.codes.name,
                "bytes_a_photo": row.bytes_a_photo,
                "recall": {
                    str(depth): {"value": value, "low": low, "high": high}
                    for depth, (value, low, high) in row.recall.items()
                },
                "ms_a_query": row.ms_a_query,
                "as_it_is": row.choice == report.now,
                "recommended": row == report.best,
            }
            for row in report.rows
        ],
        "notes": _notes(report),
        "recommendation": _sentence(report),
        "command": report.command,
    }
