"""JSON, JSON Lines and GeoJSON -> rows, each a dict; what lies one level down is named `outer.inner`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, TextIO

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.diagnosis import Diagnosis
from geoloc_cli.photos.opening import shown

Row = dict[str, Any]

_BLOCK_ROWS = 4096
# So many rows are looked at for the names of columns; one that comes up only later is not found.
_HEAD_ROWS = 1000
_WRAPPERS = ("predictions", "results", "answers", "rows", "data", "items", "images", "photos")


def looks_like_json(text: TextIO) -> bool:
    """Whether the text begins as JSON does; it is wound back to its beginning."""
    start = text.read(4096).lstrip()
    text.seek(0)
    return start[:1] in ("{", "[")


def json_rows(path: str, text: TextIO, notes: list[Diagnosis]) -> Iterator[Row]:
    """The rows of JSON Lines as they come, or of one document: an array of objects, GeoJSON, or objects by name.

    Raises UsageError with the line that is not JSON. A last line that was cut off is passed over with a note: what
    wrote it was stopped.
    """
    first = next(line for line in text if line.strip())
    row = _parsed(first)
    if isinstance(row, dict):
        second = next((line for line in text if line.strip()), None)
        if second is None and not ("schema" in row and "photo" in row):
            yield from _document_rows(path, row)
        else:
            yield row
            yield from _lines(path, chain([second] if second is not None else [], text), notes)
        return
    rest = first + text.read()
    try:
        document = json.loads(rest)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{shown(path)} is not JSON ({error}); was it written to its end?") from error
    yield from _document_rows(path, document)


def _lines(path: str, lines: Iterator[str], notes: list[Diagnosis]) -> Iterator[Row]:
    number = 1
    for line in lines:
        number += 1
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            if not line.endswith("\n"):
                sentence = f"{shown(path)}: the last line is cut off and was passed over; was its writer stopped?"
                notes.append(Diagnosis("cut_line", sentence, {"line": number}))
                return
            raise UsageError(f"{shown(path)}, line {number}, is not JSON ({error}); correct or remove it.") from error
        if not isinstance(row, dict):
            raise UsageError(f"{shown(path)}, line {number}, is no JSON object; write one object a line.")
        yield row


def _document_rows(path: str, document: Any) -> Iterator[Row]:
    if isinstance(document, dict) and document.get("type") in ("FeatureCollection", "Feature"):
        yield from _features(path, document)
        return
    wrapped = document.get(next((k for k in _WRAPPERS if k in document), "")) if isinstance(document, dict) else None
    if _are_rows(wrapped):
        yield from wrapped or ()
        return
    if isinstance(document, dict) and document and all(isinstance(v, dict | list) for v in document.values()):
        yield from _by_name(path, document)
        return
    if isinstance(document, dict):
        yield document
        return
    if not _are_rows(document):
        raise UsageError(f"{shown(path)} is no array of JSON objects; write one object a photograph.")
    yield from document


def _are_rows(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


def _by_name(path: str, document: Row) -> Iterator[Row]:
    """Objects, or pairs of latitude and longitude, by the photographs' names."""
    for name, value in document.items():
        if isinstance(value, dict):
            yield {"photo": name, **value}
        elif len(value) == 2:
            yield {"photo": name, "lat": value[0], "lon": value[1]}
        else:
            raise UsageError(f"{shown(path)}: {shown(name)!r} has {len(value)} values, not a latitude and a longitude.")


def _features(path: str, document: Row) -> Iterator[Row]:
    """Points of GeoJSON (RFC 7946), whose longitude comes first; a feature without geometry has no place."""
    features = [document] if document["type"] == "Feature" else document.get("features")
    if not _are_rows(features):
        raise UsageError(f"{shown(path)} has no list of features; export it as GeoJSON again.")
    for number, feature in enumerate(features or [], 1):
        properties, geometry = feature.get("properties"), feature.get("geometry")
        row = dict(properties) if isinstance(properties, dict) else {}
        if "id" in feature:
            row.setdefault("id", feature["id"])
        point = geometry.get("coordinates") if isinstance(geometry, dict) and geometry.get("type") == "Point" else None
        if geometry is not None and not (isinstance(point, list) and len(point) >= 2):
            raise UsageError(f"{shown(path)}: feature {number} is no point; give points, [longitude, latitude].")
        row["lon"], row["lat"] = point[:2] if point else (None, None)
        if point and len(point) > 2:
            row.setdefault("alt_m", point[2])
        yield row


@dataclass(slots=True)
class JsonTable:
    """Rows of JSON as a table; its columns are the keys of the first thousand rows."""

    path: str
    rows: Iterator[Row]
    notes: list[Diagnosis]
    first_row: int = 1
    header: list[str] = field(init=False)
    head: list[Row] = field(init=False)

    def __post_init__(self) -> None:
        self.head = list(islice(self.rows, _HEAD_ROWS))
        names: dict[str, None] = {}
        for row in self.head:
            for key, value in row.items():
                inner = [f"{key}.{name}" for name in value] if isinstance(value, dict) else [key]
                names.update(dict.fromkeys(inner))
        self.header = list(names)

    def all_rows(self) -> Iterator[Row]:
        return chain(self.head, self.rows)

    def blocks(self, columns: Sequence[int]) -> Iterator[list[Sequence[Any]]]:
        names = [self.header[column] for column in columns]
        rows = self.all_rows()
        while block := list(islice(rows, _BLOCK_ROWS)):
            yield [[_value(row, name) for row in block] for name in names]


def _value(row: Row, name: str) -> Any:
    if name in row:
        return row[name]
    outer, _, inner = name.partition(".")
    within = row.get(outer)
    return within.get(inner) if isinstance(within, dict) else None


def _parsed(line: str) -> Any:
    """The value of a line, or None where it is not JSON by itself."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
