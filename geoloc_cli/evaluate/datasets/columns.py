"""Columns of a published table: names as text, numbers as float64, fast enough for five million rows."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import UsageError
from geoloc_cli.photos.opening import shown

Floats = NDArray[np.float64]

# Lists of so few rows die before Python's collector of cycles counts them: twice as fast as one pass over all rows.
_BLOCK_ROWS = 4096


def read_columns(path: Path, *wanted: Sequence[str]) -> list[list[str]]:
    """The cells of columns by their names in the first line; letter case does not count.

    Each of `wanted` is a column's possible names, best first. Raises UsageError where one is absent.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            rows = csv.reader(file)
            header = [name.strip().lower() for name in next(rows, [])]
            places = [_place(path, header, names) for names in wanted]
            found: list[list[str]] = [[] for _ in places]
            while block := list(islice(rows, _BLOCK_ROWS)):
                for column, place in zip(found, places, strict=True):
                    column += [row[place] for row in block if row]
    except (OSError, csv.Error) as error:
        raise UsageError(f"{shown(str(path))} cannot be read as CSV ({error}); fetch it again.") from error
    except IndexError:
        raise UsageError(f"{shown(str(path))} has a row shorter than its first line; fetch it again.") from None
    return found


def _place(path: Path, header: Sequence[str], names: Sequence[str]) -> int:
    for name in names:
        if name.lower() in header:
            return header.index(name.lower())
    raise UsageError(
        f"{shown(str(path))} has no column {' or '.join(names)}; its first line is "
        f"{shown(','.join(header)[:120])!r}: is it the set's own table?"
    )


def numbers(cells: Sequence[str]) -> Floats:
    """float64 of cells; NaN where one is no number."""
    try:
        return np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        return np.array([_number(cell) for cell in cells], np.float64)


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return np.nan
