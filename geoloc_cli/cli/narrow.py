"""Tables and lists on narrow terminals.

What is said last goes under the name, then the least important columns go, then the table is split. Numbers are never
cut: half a coordinate is another place.
"""

from __future__ import annotations

import copy
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from rich.table import Column, Table

# Of a table that nobody sees on a terminal, and whose width nobody states.
_WIDE = 200
# Narrower texts are folded so often that they cannot be read.
_LEAST_TEXT = 12
# Of a column with names and, below each, what else is said of it.
_LEAST_NAME = 20
# A space on either side of a column.
_BETWEEN = 2


def stated_width() -> int | None:
    """Columns of the terminal, or as COLUMNS says; None in a file or a pipe, which has as many as are needed."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal():
        return shutil.get_terminal_size().columns
    return None


def width() -> int:
    """The same for tables, which need a width."""
    return stated_width() or _WIDE


def fitted(made: Table, columns: int, least: Sequence[str]) -> list[Table]:
    """The table, or several below each other, no wider than so many columns; least: what goes first, by its head."""
    if _need(made.columns) <= columns:
        return [made]
    _fold_last(made)
    for head in least:
        if _need(made.columns) <= columns:
            break
        made.columns = _numbered([column for column in made.columns if str(column.header) != head])
    return _split(made, columns)


def pairs(rows: Iterable[tuple[str, str]], indent: int) -> str:
    """Names and what is said of them, folded under its beginning, between words as far as these are not too long."""
    return "\n".join(line for name, said in rows for line in _pair(name, said, indent))


def _pair(name: str, said: str, indent: int) -> list[str]:
    folded = lines(said, indent)
    return [f"{name:{indent}}{folded[0]}".rstrip(), *(f"{'':{indent}}{rest}" for rest in folded[1:])]


def lines(text: str, indent: int = 0) -> list[str]:
    """A text on as many lines as it needs; one in a file or a pipe."""
    columns = stated_width()
    if columns is None:
        return [text]
    return textwrap.wrap(text, max(columns - indent, 20), break_on_hyphens=False) or [""]


def _need(columns: Sequence[Column]) -> int:
    return sum(_need_of(column) + _BETWEEN for column in columns)


def _need_of(column: Column) -> int:
    from rich.cells import cell_len

    texts = [str(cell) for cell in (column.header, *column._cells)]
    longest = max(cell_len(line) for text in texts for line in (text.splitlines() or [""]))
    return longest if column.no_wrap else min(longest, column.min_width or _LEAST_TEXT)


def _numbered(columns: list[Column]) -> list[Column]:
    for number, column in enumerate(columns):
        column._index = number
    return columns


def _fold_last(made: Table) -> None:
    """What stands behind the numbers, where that is one text, goes under the first column's."""
    from rich.text import Text

    shape = [column.no_wrap for column in made.columns]
    if len(shape) < 3 or shape[0] or shape[-1] or not shape[-2]:
        return
    first, last = made.columns[0], made.columns[-1]
    for row, (name, said) in enumerate(zip(first._cells, last._cells, strict=True)):
        if str(said):
            first._cells[row] = Text.assemble(cast(Text, name), "\n", Text(f"  {said}", style="dim"))
    first.header, first.min_width = f"{first.header}, {last.header}", _LEAST_NAME
    made.columns = _numbered(made.columns[:-1])


def _split(made: Table, columns: int) -> list[Table]:
    """Tables of the first texts, each with as many of the other columns as there is room for."""
    if _need(made.columns) <= columns:
        return [made]
    named = next((i for i, column in enumerate(made.columns) if column.no_wrap), 1)
    names, rest = made.columns[:named], made.columns[named:]
    groups: list[list[Column]] = [[]]
    for column in rest:
        if groups[-1] and _need([*names, *groups[-1], column]) > columns:
            groups.append([])
        groups[-1].append(column)
    tables = []
    for number, group in enumerate(groups):
        part = copy.copy(made)
        part.columns = _numbered([copy.copy(column) for column in (*names, *group)])
        part.title = made.title if number == 0 else None
        tables.append(part)
    return tables
