"""Scores on stdout: tables for a person; csv, json, markdown or latex for a program or a paper."""

# Names stay the strings that the user gave.
# ruff: noqa: PTH119, PTH120

from __future__ import annotations

import csv
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import typer

from geoloc_cli.cli import table
from geoloc_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoloc_cli.evaluate.compared import Comparison
    from geoloc_cli.evaluate.evaluated import Evaluated
    from geoloc_cli.evaluate.published import Published
    from geoloc_cli.evaluate.sheets import Sheet

FORMATS = ("table", "json", "csv", "markdown", "latex")
# Of a row of the table of distances, as JSON has them.
_LENGTHS = ("median_m", "median_answered_m", "mean_m")


def check(name: str) -> None:
    """Raises UsageError where there is no such format."""
    if name not in FORMATS:
        raise UsageError(f"There is no format '{name}'; give one of {', '.join(FORMATS)}.")


def write(
    runs: Sequence[Evaluated],
    comparisons: Sequence[Comparison],
    name: str,
    *,
    ends: bool,
    published: Sequence[Published] = (),
) -> None:
    """All figures in the format of this name; ends: with intervals in those for papers, too.

    What others published stands below what was measured, and says so.
    """
    if name == "json":
        typer.echo(json.dumps(as_json(runs, comparisons, published), allow_nan=False))
        return
    if name == "csv":
        _write_csv(runs, published)
        return
    from geoloc_cli.evaluate.report.content import renamed
    from geoloc_cli.evaluate.report.others import with_published
    from geoloc_cli.evaluate.sheets import sheets

    plain = any(run.score for run in runs)  # the table of distances, which comes first, says itself what it is
    shown = [renamed(sheet, _without_folder([run.name for run in runs])) for sheet in sheets(runs, comparisons)]
    write_sheets(with_published(shown, published), name, ends=ends, plain=plain)


def write_sheets(sheets: Sequence[Sheet], name: str, *, ends: bool, plain: bool) -> None:
    """Tables for a person or a paper under their titles; plain: the first has none."""
    from geoloc_cli.evaluate.report import latex, markdown

    for number, sheet in enumerate(sheets):
        titled = number > 0 or not plain
        if name == "table":
            _write_table(sheet, titled=titled)
        elif name == "markdown":
            typer.echo("\n".join([*([f"\n{sheet.title}\n"] if titled else []), *markdown.table(sheet, ends=ends)]))
        else:
            typer.echo("\n".join(latex.table(sheet, ends=ends, titled=titled)))


def _without_folder(paths: Sequence[str]) -> dict[str, str]:
    """The names of files that lie in one folder; nothing for a single one, or where the folder tells them apart."""
    whole = set(paths)
    alike = len(whole) > 1 and len({os.path.dirname(path) for path in whole}) == 1
    return {path: os.path.basename(path) or path for path in whole} if alike else {}


def as_json(
    runs: Sequence[Evaluated], comparisons: Sequence[Comparison], published: Sequence[Published] = ()
) -> dict[str, Any]:
    """The figures as one JSON object."""
    from geoloc_cli.evaluate.plain import plain

    others = {"published": [row.as_json() for row in published]} if published else {}
    return {"runs": [run.as_json() for run in runs], "comparisons": plain(comparisons), **others}


def _write_table(sheet: Sheet, *, titled: bool) -> None:
    from rich.text import Text

    from geoloc_cli.evaluate.published import NOTE

    made = table.table(list(sheet.names), list(sheet.heads))
    made.title = sheet.title if titled else None
    for names, cells in sheet.rows:
        figures = [Text.assemble(cell.text, (f"\n{cell.ends}" if cell.ends else "", "dim")) for cell in cells]
        made.add_row(*(Text(table.printable(name)) for name in names), *figures)
    if sheet.aside:
        made.add_section()
        made.add_row(Text(f"{NOTE}:", style="italic"))
    for names, cells in sheet.aside:
        made.add_row(*(Text(text, style="italic") for text in (*names, *(cell.text for cell in cells))))
    table.show(made)
    for source in sheet.sources:
        typer.echo(f"{NOTE}: {source}.")


def _write_csv(runs: Sequence[Evaluated], published: Sequence[Published]) -> None:
    """The table of distances; the other kinds of figures are in the JSON.

    With published rows there are the columns that these need, and two that say what they are and where they were read.
    """
    from geoloc_cli.evaluate.published import NOTE
    from geoloc_cli.export.csv import cell as guarded

    rows = csv.writer(sys.stdout)
    records = [run.as_json() for run in runs if run.score]
    if not records:
        raise UsageError("There are no true places, and so no distances to write as CSV; give --format json.")
    within = list(records[0]["within"])
    levels = [f"within_{level.replace(' ', '_')}" for level in within]
    ended = ["answered", *levels, *_LENGTHS, "geoscore"]
    sides = [f"{name}_{side}" for name in ended for side in ("low", "high")]
    heads = ["predictions", "truth", "photos", "answered", *levels, *_LENGTHS, "q90_m", "geoscore"]
    fields = dict.fromkeys(field for row in published for field in row.by_field)
    more = [field for field in fields if field not in heads] + (["mark", "source"] if published else [])
    rows.writerow([*heads, *sides, *more])
    for record in records:
        flat = {**record, **{f"within_{level.replace(' ', '_')}": record["within"][level] for level in within}}
        between = record["intervals"]
        ends = [between["answered"], *(between["within"][level] for level in within)]
        ends += [between[name] for name in (*_LENGTHS, "geoscore")]
        cells = [*(flat[head] for head in heads), *(end for pair in ends for end in pair)]
        rows.writerow([*("" if cell is None else guarded(cell) for cell in cells), *("" for _ in more)])
    for row in published:
        about = {"predictions": row.method, "truth": row.dataset, "mark": NOTE, "source": row.source}
        named = {**row.by_field, **about}
        rows.writerow(["" if named.get(head) is None else named[head] for head in (*heads, *sides, *more)])
