"""A file of predictions, of any tool or ours -> Predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.documents import JsonTable
from geoloc_cli.evaluate.fixes import read_fixes
from geoloc_cli.evaluate.numbers import NumberColumn
from geoloc_cli.evaluate.predicted import MOST_RATIONALE, NUMBERS, Predictions
from geoloc_cli.evaluate.tables import Table, columns_of, open_table
from geoloc_cli.photos.opening import shown

_NEEDED = ("photo", "lat", "lon")
_TEXTS = ("stage", "rationale")
_OPTIONAL = ("radius_m", "confidence", *_TEXTS)


def read_predictions(path: str, columns: Mapping[str, str] | None = None) -> Predictions:
    """The predictions of a file: CSV, TSV, JSON, JSON Lines or GeoJSON of any tool, or records of `geoloc.fix/1`.

    `columns` names columns by key where they are called otherwise (`evaluate/columns.py`); records of ours need none,
    and are read as any table where some are named. Raises UsageError with one sentence where the file cannot be read.
    """
    with open_table(path) as table:
        if isinstance(table, JsonTable) and not columns and table.head and "schema" in table.head[0]:
            return read_fixes(path, table)
        found = columns_of(path, table, "predictions", columns or {}, _NEEDED, _OPTIONAL)
        return _read_table(path, table, found)


def _read_table(path: str, table: Table, found: Mapping[str, int]) -> Predictions:
    photos: list[str] = []
    texts: dict[str, list[str | None]] = {key: [] for key in _TEXTS if key in found}
    numbers = {key: NumberColumn() for key in NUMBERS if key in found}
    keys = ["photo", *numbers, *texts]
    for names, *rest in table.blocks([found[key] for key in keys]):
        photos.extend(as_names(names))
        for key, cells in zip(keys[1:], rest, strict=True):
            if key in texts:
                texts[key].extend(str(cell)[:MOST_RATIONALE] if cell else None for cell in cells)
            else:
                numbers[key].add(cells)
    if not photos:
        raise UsageError(f"{shown(path)} holds no row but its header; was what should write it interrupted?")
    done = {key: column.done() for key, column in numbers.items()}
    absent = np.full(len(photos), np.nan)
    lat, lon, radius_m, confidence = (done[key][0] if key in done else absent for key in NUMBERS)
    return Predictions(
        path,
        photos,
        lat,
        lon,
        radius_m,
        confidence,
        first_row=table.first_row,
        stages=texts.get("stage"),
        rationales=texts.get("rationale"),
        unread={key: unread for key, (_, unread) in done.items()},
        notes=tuple(table.notes),
    )


def as_names(cells: Sequence[Any]) -> Sequence[str]:
    """Names as text; whole numbers of JSON as they are written, and an empty text where there is none."""
    if set(map(type, cells)) == {str}:
        return cells
    return ["" if cell is None else str(cell) for cell in cells]
