"""Scores on stdout: a table for a person; csv, json, markdown or latex for a program or a paper."""

from __future__ import annotations

import csv
import json
import math
import sys
from typing import TYPE_CHECKING

import typer

from geoloc_cli.cli import table
from geoloc_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoloc_cli.evaluate.score import Score

FORMATS = ("table", "json", "csv", "markdown", "latex")
_LATEX = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
}


def check(name: str) -> None:
    """Raises UsageError where there is no such format."""
    if name not in FORMATS:
        raise UsageError(f"There is no format '{name}'; give one of {', '.join(FORMATS)}.")


def write(scores: Sequence[Score], name: str) -> None:
    """All scores, one a row, in the format of this name."""
    if name == "json":
        typer.echo(json.dumps({"runs": [score.as_json() for score in scores]}, allow_nan=False))
    elif name == "csv":
        _write_csv(scores)
    elif name == "markdown":
        heads = _heads()
        _lines(["predictions", *heads], [":--", *("--:" for _ in heads)], *_rows(scores), sign="|")
    elif name == "latex":
        _write_latex(scores)
    else:
        _write_table(scores)


def _heads() -> list[str]:
    from geoloc_cli.evaluate.metrics.distance import LEVELS_M

    within = [f"{level / 1e3:.0f} km" for level in LEVELS_M.values()]
    return ["photos", "answered", *within, "median", "of answered", "mean"]


def _rows(scores: Sequence[Score]) -> list[list[str]]:
    return [[table.printable(score.predictions).replace("|", "\\|"), *_cells(score)] for score in scores]


def _cells(score: Score) -> list[str]:
    """A row of numbers, shares in per cent and lengths in kilometres."""
    had = score.distances
    shares = [f"{100.0 * share:.1f} %" for share in (had.answered, *had.within.values())]
    return [str(had.photos), *shares, *(_km(x) for x in (had.median_m, had.median_answered_m, had.mean_m))]


def _km(metres: float) -> str:
    if not math.isfinite(metres):
        return "-"
    km = metres / 1e3
    return f"{km:.3f} km" if km < 1.0 else f"{km:.1f} km" if km < 100.0 else f"{km:.0f} km"


def _write_table(scores: Sequence[Score]) -> None:
    from rich.text import Text

    made = table.table(["predictions"], _heads())
    for score in scores:
        made.add_row(*(Text(cell) for cell in (table.printable(score.predictions), *_cells(score))))
    table.show(made)


def _write_csv(scores: Sequence[Score]) -> None:
    from geoloc_cli.export.csv import cell

    rows = csv.writer(sys.stdout)
    heads = ["predictions", "truth", "photos", "answered"]
    records = [score.as_json() for score in scores]
    within = list(records[0]["within"])
    lengths = ["median_m", "median_answered_m", "mean_m"]
    rows.writerow([*heads, *(f"within_{level.replace(' ', '_')}" for level in within), *lengths])
    for record in records:
        cells = [*(record[head] for head in heads), *(record["within"][level] for level in within)]
        cells += [record[length] for length in lengths]
        rows.writerow(["" if value is None else cell(value) for value in cells])


def _lines(*rows: Sequence[str], sign: str) -> None:
    for row in rows:
        typer.echo(f"{sign} " + f" {sign} ".join(row) + f" {sign}")


def _write_latex(scores: Sequence[Score]) -> None:
    heads = ["predictions", *_heads()]
    typer.echo(f"\\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}\n\\hline\n{' & '.join(heads)} \\\\\n\\hline")
    for score in scores:
        cells = (table.printable(score.predictions), *_cells(score))
        typer.echo(" & ".join("".join(_LATEX.get(sign, sign) for sign in cell) for cell in cells) + r" \\")
    typer.echo("\\hline\n\\end{tabular}")
