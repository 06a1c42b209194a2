"""Cells of a table -> float64, fast where they are numbers, and with an account of those that are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BLANK = frozenset(("", "null", "none", "na", "n/a", "-", "?"))
# Texts that are kept by their rows: enough to guess what happened to all.
MAX_TEXTS = 10_000


@dataclass(frozen=True, slots=True)
class Unread:
    """What of a column is no number: `blank` cells, written `nan`s, and texts, of which the first are kept by row."""

    blank: int = 0
    nan: int = 0
    texts: int = 0
    first: Mapping[int, str] = field(default_factory=dict)


class NumberColumn:
    """A column that grows block by block; a cell that is no number is NaN."""

    def __init__(self) -> None:
        self._blocks: list[Floats] = []
        self._rows = self._blank = self._nan = self._texts = 0
        self._first: dict[int, str] = {}

    def add(self, cells: Sequence[Any]) -> None:
        try:
            block = np.fromiter(map(float, cells), np.float64, len(cells))
            self._nan += int(np.count_nonzero(np.isnan(block)))
        except (ValueError, TypeError, OverflowError):
            block = np.array([self._number(row, cell) for row, cell in enumerate(cells, self._rows)], np.float64)
        self._blocks.append(block)
        self._rows += len(cells)

    def _number(self, row: int, cell: Any) -> float:
        text = "" if cell is None else str(cell).strip()
        if text.lower() in _BLANK:
            self._blank += 1
            return np.nan
        try:
            value = float(text)
        except ValueError:
            self._texts += 1
            if len(self._first) < MAX_TEXTS:
                self._first[row] = text
            return np.nan
        self._nan += value != value
        return value

    def done(self) -> tuple[Floats, Unread]:
        values = np.concatenate(self._blocks) if self._blocks else np.empty(0)
        return values, Unread(self._blank, self._nan, self._texts, self._first)
