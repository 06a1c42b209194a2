"""Published figures in the tables of what was measured, below it and marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from geoloc_cli.evaluate.published import NOTE, Published
from geoloc_cli.evaluate.sheets import Cell, Row, Sheet

_KINDS = {"within_km": "Distances", "recall": "Right references", "localized": "Poses"}


def with_published(sheets: Sequence[Sheet], published: Sequence[Published]) -> list[Sheet]:
    """The tables with the published rows of their kind below the runs, where all columns of these are there.

    The others have tables of their own.
    """
    found = list(sheets)
    for row in published:
        place = next((number for number, sheet in enumerate(found) if _fits(sheet, row)), None)
        if place is None:
            found.append(Sheet(_title(row), ("method",), row.columns, ()))
            place = len(found) - 1
        sheet = found[place]
        sources = dict.fromkeys([*sheet.sources, f"{row.source}; {row.protocol}"])
        found[place] = replace(sheet, aside=(*sheet.aside, _row(sheet, row)), sources=tuple(sources))
    return found


def _title(row: Published) -> str:
    return f"{row.dataset}, {row.metric.replace('_', ' ')}: {NOTE}"


def _fits(sheet: Sheet, row: Published) -> bool:
    kind = _KINDS.get(row.metric)
    measured = kind is not None and sheet.title.startswith(kind) and set(row.columns) <= set(sheet.heads)
    return measured or (sheet.title == _title(row) and sheet.heads == row.columns)


def _row(sheet: Sheet, row: Published) -> Row:
    """Its values below the heads that they belong to."""
    texts = dict(zip(row.columns, map(row.text, row.values), strict=True))
    names = (f"{row.method} [{row.dataset}]", *("" for _ in sheet.names[1:]))
    return names, tuple(Cell(texts.get(head, "-")) for head in sheet.heads)
