"""A file of rows -> its header, and its columns block by block: CSV, TSV, JSON, JSONL and GeoJSON alike."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, Protocol, TextIO

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.columns import Role, find_columns, names_a_place
from geoloc_cli.evaluate.diagnosis import Diagnosis, counted
from geoloc_cli.evaluate.documents import JsonTable, json_rows, looks_like_json
from geoloc_cli.evaluate.encoding import open_text
from geoloc_cli.photos.opening import shown

_DELIMITERS = (",", ";", "\t", "|")
# Fewer lists than Python's collector of cycles lets live before it looks: half the time of blocks of 4096.
_BLOCK_ROWS = 512


class Table(Protocol):
    """A header, and rows that are read once.

    `first_row` is what a person calls the first row of values (2 below a header, as a spreadsheet counts), and `notes`
    are complete when the rows were read.
    """

    @property
    def header(self) -> Sequence[str]: ...

    @property
    def first_row(self) -> int: ...

    @property
    def notes(self) -> list[Diagnosis]: ...

    def blocks(self, columns: Sequence[int]) -> Iterator[list[Sequence[Any]]]:
        """Some rows after the other: of each of the columns, its cells, which are text or JSON's values."""
        ...


@contextmanager
def open_table(path: str) -> Iterator[Table]:
    """The table of a file, by what it holds and not by its suffix. Raises UsageError where it is none."""
    with open_text(path) as (text, notes):
        if looks_like_json(text):
            yield JsonTable(path, json_rows(path, text, notes), notes)
        else:
            yield csv_table(path, text, notes)


def columns_of(
    path: str, table: Table, role: Role, named: Mapping[str, str], needed: Sequence[str], optional: Sequence[str]
) -> dict[str, int]:
    """The columns of a table by key, as `find_columns` has it; where it has no header, its error says so first."""
    try:
        return find_columns(path, table.header, role, named, needed, optional)
    except UsageError as error:
        headless = [note.sentence for note in table.notes if note.code == "no_header"]
        raise UsageError(" ".join([*headless, str(error)])) from error


@dataclass(slots=True)
class CsvTable:
    """Rows of separated values; `header` is 1, 2, 3, ... where the file has none."""

    path: str
    header: list[str]
    first_row: int
    rows: Iterator[list[str]]
    notes: list[Diagnosis] = field(default_factory=list)
    short: int = 0

    def blocks(self, columns: Sequence[int]) -> Iterator[list[Sequence[str]]]:
        row = self.first_row
        try:
            while rows := list(islice(self.rows, _BLOCK_ROWS)):
                try:
                    across = list(zip(*rows, strict=True))
                except ValueError:
                    across = []
                if len(across) != len(self.header):
                    across = list(zip(*self._mended(rows, row), strict=True))
                row += len(rows)
                if across:
                    yield [across[column] for column in columns]
        except csv.Error as error:
            raise UsageError(
                f"{shown(self.path)} is not CSV after row {row} ({error}); is a quotation mark left open?"
            ) from error
        if self.short:
            short = counted(self.short, "row")
            sentence = f"{shown(self.path)}: {short} without all columns of the header; the rest counts as empty."
            self.notes.append(Diagnosis("short_rows", sentence, {"rows": self.short}))

    def _mended(self, rows: list[list[str]], first: int) -> Iterator[list[str]]:
        """Rows of the header's width: empty ones left out, short ones filled up; a longer one is refused."""
        width = len(self.header)
        for number, row in enumerate(rows, first):
            if len(row) == width:
                yield row
            elif not any(cell.strip() for cell in row):
                continue
            elif len(row) < width:
                self.short += 1
                yield row + [""] * (width - len(row))
            elif any(cell.strip() for cell in row[width:]):
                raise UsageError(
                    f"{shown(self.path)}: row {number} has {len(row)} columns, the header {width}; if a name or a "
                    "number holds the separator (48,85), put it in quotation marks, or write numbers with a point."
                )
            else:
                yield row[:width]


def csv_table(path: str, text: TextIO, notes: list[Diagnosis]) -> CsvTable:
    """The table of separated values, by the separator that cuts its first line into the most parts.

    A first line that holds a number, and names no latitude or longitude, is no header.
    """
    try:
        line = next((line for line in text if line.strip()), "")
        delimiter = max(_DELIMITERS, key=lambda d: len(next(csv.reader([line], delimiter=d), [])))
        rows = csv.reader(chain([line], text), delimiter=delimiter, skipinitialspace=True)
        header = [name.strip() for name in next(rows, [])]
    except csv.Error as error:
        raise UsageError(f"{shown(path)} is not CSV ({error}); save it as CSV in UTF-8.") from error
    if not line:
        raise UsageError(f"{shown(path)} is empty; was what should write it interrupted?")
    if len(header) < 2:
        raise UsageError(
            f"{shown(path)} has one column alone, {shown(header[0][:60])!r}; "
            "separate its columns by commas, semicolons or tabs, and name them in its first line."
        )
    if names_a_place(header) or not any(_is_number(name) for name in header):
        return CsvTable(path, header, 2, rows, notes)
    sentence = (
        f"{shown(path)} has no header: its first line, {shown(delimiter.join(header)[:60])!r}, holds a number; "
        "its columns go by their numbers, as in --columns photo=1 --columns lat=2 --columns lon=3."
    )
    notes.append(Diagnosis("no_header", sentence, {"columns": len(header)}))
    return CsvTable(path, [str(n) for n in range(1, len(header) + 1)], 1, chain([header], rows), notes)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.lower() not in ("nan", "inf", "infinity")
