"""Answers on stdout: a table for a person, and jsonl, json, csv or geojson for a program."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING, TextIO

from geoloc_cli.cli.table import PriorTable, TableWriter
from geoloc_cli.errors import UsageError
from geoloc_cli.types import Failure, Fix

if TYPE_CHECKING:
    from geoloc_cli.contracts import Writer

FORMATS = ("table", "jsonl", "json", "csv", "geojson")
_CSV_COLUMNS = (
    *("photo", "status", "reason", "lat", "lon", "alt_m", "radius_m", "confidence", "stage", "error"),
    "disclosed",
)


def writer(wanted: str | None, explain: bool, priors: bool = False) -> Writer:
    """The writer of a format; by default a table on a terminal, of what priors say if so, and jsonl in a pipe."""
    name = wanted or ("table" if sys.stdout.isatty() else "jsonl")
    if name not in FORMATS:
        raise UsageError(f"There is no format '{name}'; give one of {', '.join(FORMATS)}.")
    if name == "table":
        return PriorTable() if priors else TableWriter(explain)
    if name == "csv":
        return CsvWriter(sys.stdout)
    if name == "jsonl":
        return LineWriter(sys.stdout)
    return DocumentWriter(sys.stdout, geojson=name == "geojson")


class LineWriter:
    """One JSON object a line, flushed as each photo is done."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, answer: Fix | Failure) -> None:
        from geoloc_cli.records import dumps

        self._out.write(dumps(answer) + "\n")
        self._out.flush()

    def close(self) -> None:
        self._out.flush()


class DocumentWriter:
    """One JSON document at the end: an array of records, or a GeoJSON collection of those that were located."""

    def __init__(self, out: TextIO, *, geojson: bool) -> None:
        self._out, self._geojson = out, geojson
        self._answers: list[Fix | Failure] = []

    def write(self, answer: Fix | Failure) -> None:
        self._answers.append(answer)

    def close(self) -> None:
        from geoloc_cli.export.geojson import collection
        from geoloc_cli.records import to_record

        document = collection(self._answers) if self._geojson else [to_record(answer) for answer in self._answers]
        json.dump(document, self._out, ensure_ascii=True, allow_nan=False)
        self._out.write("\n")
        self._out.flush()


class CsvWriter:
    """One row a photo; a name that a spreadsheet would take for a formula is prefixed with an apostrophe."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._rows = csv.writer(out)
        self._rows.writerow(_CSV_COLUMNS)

    def write(self, answer: Fix | Failure) -> None:
        from geoloc_cli.export.csv import cell
        from geoloc_cli.records import to_record

        record = to_record(answer)
        record["error"] = record["error"]["message"] if record["error"] else None
        record["disclosed"] = record["disclosed"]["level"] if record["disclosed"] else None
        self._rows.writerow(["" if record[c] is None else cell(record[c]) for c in _CSV_COLUMNS])
        self._out.flush()

    def close(self) -> None:
        self._out.flush()
