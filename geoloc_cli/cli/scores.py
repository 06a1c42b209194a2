"""Scores on stdout: tables for a person; csv, json, markdown or latex for a program or a paper."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING, Any

import typer

from geoloc_cli.cli import table
from geoloc_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geoloc_cli.evaluate.compared import Comparison
    from geoloc_cli.evaluate.evaluated import Evaluated
    from geoloc_cli.evaluate.sheets import Cell, Sheet

FORMATS = ("table", "json", "csv", "markdown", "latex")
_LATEX = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
    "°": r"$^\circ$",
    "²": r"$^2$",
    "∞": r"$\infty$",
    "–": "--",
    "<": "$<$",
}
# Of a row of the table of distances, as JSON has them.
_LENGTHS = ("median_m", "median_answered_m", "mean_m")


def check(name: str) -> None:
    """Raises UsageError where there is no such format."""
    if name not in FORMATS:
        raise UsageError(f"There is no format '{name}'; give one of {', '.join(FORMATS)}.")


def write(runs: Sequence[Evaluated], comparisons: Sequence[Comparison], name: str, *, ends: bool) -> None:
    """All figures in the format of this name; ends: with intervals in those for papers, too."""
    from geoloc_cli.evaluate.sheets import sheets

    if name == "json":
        typer.echo(json.dumps(as_json(runs, comparisons), allow_nan=False))
        return
    if name == "csv":
        _write_csv(runs)
        return
    plain = any(run.score for run in runs)  # the table of distances, which comes first, says itself what it is
    for number, sheet in enumerate(sheets(runs, comparisons)):
        titled = number > 0 or not plain
        if name == "table":
            _write_table(sheet, titled=titled)
        elif name == "markdown":
            _write_markdown(sheet, ends=ends, titled=titled)
        else:
            _write_latex(sheet, ends=ends, titled=titled)


def as_json(runs: Sequence[Evaluated], comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """The figures as one JSON object."""
    from geoloc_cli.evaluate.plain import plain

    return {"runs": [run.as_json() for run in runs], "comparisons": plain(comparisons)}


def _write_table(sheet: Sheet, *, titled: bool) -> None:
    from rich.text import Text

    made = table.table(list(sheet.names), list(sheet.heads))
    made.title = sheet.title if titled else None
    for names, cells in sheet.rows:
        figures = [Text.assemble(cell.text, (f"\n{cell.ends}" if cell.ends else "", "dim")) for cell in cells]
        made.add_row(*(Text(table.printable(name)) for name in names), *figures)
    table.show(made)


def _texts(sheet: Sheet, *, ends: bool) -> Iterator[list[str]]:
    """The rows as plain texts, the heads first."""
    yield [*sheet.names, *sheet.heads]
    for names, cells in sheet.rows:
        yield [*map(table.printable, names), *(_text(cell, ends) for cell in cells)]


def _text(cell: Cell, ends: bool) -> str:
    return f"{cell.text} ({cell.ends})" if ends and cell.ends else cell.text


def _write_markdown(sheet: Sheet, *, ends: bool, titled: bool) -> None:
    if titled:
        typer.echo(f"\n{sheet.title}\n")
    heads, *rows = ([text.replace("|", "\\|") for text in row] for row in _texts(sheet, ends=ends))
    rules = [*(":--" for _ in sheet.names), *("--:" for _ in sheet.heads)]
    for row in (heads, rules, *rows):
        typer.echo("| " + " | ".join(row) + " |")


def _write_latex(sheet: Sheet, *, ends: bool, titled: bool) -> None:
    if titled:
        typer.echo(f"% {sheet.title}")
    heads, *rows = ([_in_latex(text) for text in row] for row in _texts(sheet, ends=ends))
    columns = "l" * len(sheet.names) + "r" * len(sheet.heads)
    typer.echo(f"\\begin{{tabular}}{{{columns}}}\n\\hline\n{' & '.join(heads)} \\\\\n\\hline")
    for row in rows:
        typer.echo(" & ".join(row) + r" \\")
    typer.echo("\\hline\n\\end{tabular}")


def _in_latex(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in text)


def _write_csv(runs: Sequence[Evaluated]) -> None:
    """The table of distances; the other kinds of figures are in the JSON."""
    from geoloc_cli.export.csv import cell

    rows = csv.writer(sys.stdout)
    records = [run.as_json() for run in runs if run.score]
    if not records:
        raise UsageError("There are no true places, and so no distances to write as CSV; give --format json.")
    within = list(records[0]["within"])
    levels = [f"within_{level.replace(' ', '_')}" for level in within]
    ended = ["answered", *levels, *_LENGTHS, "geoscore"]
    sides = [f"{name}_{side}" for name in ended for side in ("low", "high")]
    heads = ["predictions", "truth", "photos", "answered", *levels, *_LENGTHS, "q90_m", "geoscore"]
    rows.writerow([*heads, *sides])
    for record in records:
        flat = {**record, **{f"within_{level.replace(' ', '_')}": record["within"][level] for level in within}}
        between = record["intervals"]
        ends = [between["answered"], *(between["within"][level] for level in within)]
        ends += [between[name] for name in (*_LENGTHS, "geoscore")]
        cells = [*(flat[head] for head in heads), *(end for pair in ends for end in pair)]
        rows.writerow(["" if value is None else cell(value) for value in cells])
