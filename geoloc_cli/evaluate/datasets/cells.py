"""Cells of a set's own tables, by the names of their columns, and numbers of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.numbers import NumberColumn
from geoloc_cli.evaluate.tables import open_table
from geoloc_cli.photos.opening import shown


def read_cells(path: Path, *names: str) -> list[list[str]]:
    """The cells of the columns of these names, as they are written; UsageError where one is absent."""
    with open_table(str(path)) as table:
        absent = [name for name in names if name not in table.header]
        if absent:
            first = shown(",".join(table.header)[:120])
            raise UsageError(f"{shown(str(path))} has no column {absent[0]} in {first!r}: is it the set's own table?")
        found: list[list[str]] = [[] for _ in names]
        for block in table.blocks([table.header.index(name) for name in names]):
            for column, cells in zip(found, block, strict=True):
                column += cells
    return found


def numbers(cells: Sequence[Any]) -> NDArray[np.float64]:
    """float64 of cells; NaN where one is no number."""
    column = NumberColumn()
    column.add(cells)
    return column.done()[0]
