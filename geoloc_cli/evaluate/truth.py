"""Where photographs were really taken: a table of any tool, or a folder of geotagged photographs -> Truth."""

# Names stay the strings that the user gave.
# ruff: noqa: PTH112

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import PhotoError, UsageError
from geoloc_cli.evaluate.diagnosis import Diagnosis, counted
from geoloc_cli.evaluate.numbers import NumberColumn, Unread
from geoloc_cli.evaluate.predictions import as_names
from geoloc_cli.evaluate.tables import Table, columns_of, open_table
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.photos.opening import shown
from geoloc_cli.photos.scan import find_photos

Floats = NDArray[np.float64]
Value = TypeVar("Value")

_NEEDED = ("photo", "lat", "lon")
_NUMBERS = ("lat", "lon", "alt_m", "heading_deg")
_LISTED = 5
# Two rows that differ by less are one place, written with fewer digits (a metre).
_SAME_DEG = 1e-5


@dataclass(frozen=True, slots=True)
class Truth:
    """The true places of N photographs, each once.

    `lat`, `lon` are float64 (N,), WGS84 degrees, all of them on the Earth. `alt_m` (from the datum that the file means)
    and `heading_deg` (clockwise from true north) are NaN, and `taken_at` None, where the file says nothing of them.
    """

    path: str
    photos: list[str]
    lat: Floats
    lon: Floats
    alt_m: Floats
    heading_deg: Floats
    taken_at: list[str | None]
    notes: tuple[Diagnosis, ...] = ()

    def __post_init__(self) -> None:
        for name in _NUMBERS:
            column = getattr(self, name)
            if column.shape != (len(self.photos),) or column.dtype != np.float64:
                raise ValueError(f"{name} is {column.dtype} {column.shape}, not float64 ({len(self.photos)},)")
        if not (np.all(np.abs(self.lat) <= 90.0) and np.all(np.abs(self.lon) <= 180.0)):
            raise ValueError("a true place is not on the Earth")

    def __len__(self) -> int:
        return len(self.photos)


def read_truth(path: str, columns: Mapping[str, str] | None = None) -> Truth:
    """The truth of a file (CSV, TSV, JSON, JSON Lines, GeoJSON), or of a folder of photographs by their own GPS.

    `columns` names columns by key where they are called otherwise. A row or a photograph without a place is passed
    over, with a note. Raises UsageError, which lists the first bad rows, where a place is no number or not on the
    Earth, or a photograph has two.
    """
    if os.path.isdir(path):
        return _of_photographs(path)
    with open_table(path) as table:
        found = columns_of(path, table, "truth", columns or {}, _NEEDED, ("alt_m", "heading_deg", "taken_at"))
        return _of_table(path, table, found)


def _of_photographs(folder: str) -> Truth:
    photos, places, times, without, failed = [], [], [], 0, 0
    for path in find_photos([folder]):
        try:
            photo = read_photo(path)
        except PhotoError:
            failed += 1
            continue
        if photo.position is None:
            without += 1
            continue
        position = photo.position
        photos.append(path)
        times.append(photo.taken_at)
        extra = (np.nan if value is None else value for value in (position.alt_m, position.heading_deg))
        places.append((position.lat, position.lon, *extra))
    if not photos:
        raise UsageError(
            f"{shown(folder)} holds no photograph with a position; give a table of names and places with --truth."
        )
    notes = []
    if without or failed:
        left = f"{counted(without, 'photograph')} without a position and {failed} that cannot be read"
        sentence = f"{shown(folder)}: not counted are {left}."
        notes.append(Diagnosis("no_truth", sentence, {"without": without, "unreadable": failed}))
    lat, lon, alt_m, heading_deg = np.array(places, np.float64).T
    return Truth(folder, photos, lat, lon, alt_m, heading_deg, times, tuple(notes))


def _of_table(path: str, table: Table, found: Mapping[str, int]) -> Truth:
    photos: list[str] = []
    times: list[str | None] = []
    numbers = {key: NumberColumn() for key in _NUMBERS if key in found}
    for names, *rest in table.blocks([found["photo"], *(found[key] for key in numbers), *_optional(found)]):
        photos.extend(as_names(names))
        for column, cells in zip(numbers.values(), rest, strict=False):
            column.add(cells)
        if "taken_at" in found:
            times.extend(str(cell) if cell not in (None, "") else None for cell in rest[-1])
    done = {key: column.done() for key, column in numbers.items()}
    absent = np.full(len(photos), np.nan)
    lat, lon, alt_m, heading_deg = (done[key][0] if key in done else absent for key in _NUMBERS)
    _check(path, table.first_row, photos, lat, lon, {key: done[key][1] for key in ("lat", "lon")})
    notes = list(table.notes)
    placed = np.isfinite(lat)
    if not placed.any():
        raise UsageError(f"{shown(path)} holds no row with a place; was what should write it interrupted?")
    if not placed.all():
        without = int(np.count_nonzero(~placed))
        sentence = f"{shown(path)}: not counted are {without} of {len(photos)} rows, which have no place."
        notes.append(Diagnosis("no_truth", sentence, {"rows": without}))
    kept = _once(path, table.first_row, photos, lat, lon, np.flatnonzero(placed), notes)
    times = times or [None] * len(photos)
    return Truth(
        path,
        _picked(photos, kept),
        lat[kept],
        lon[kept],
        alt_m[kept],
        heading_deg[kept],
        _picked(times, kept),
        tuple(notes),
    )


def _picked(values: list[Value], rows: NDArray[np.int64]) -> list[Value]:
    """The values of these rows, which are in order and mostly all of them."""
    return values if len(rows) == len(values) else [values[row] for row in rows.tolist()]


def _optional(found: Mapping[str, int]) -> list[int]:
    return [found["taken_at"]] if "taken_at" in found else []


def _check(path: str, first: int, photos: list[str], lat: Floats, lon: Floats, unread: Mapping[str, Unread]) -> None:
    """Raises UsageError where a row states something that is no place on the Earth."""
    wrong: dict[int, str] = {}
    for row, words in _texts(unread):
        wrong.setdefault(row, words)
    half = np.isnan(lat) != np.isnan(lon)
    off = ~half & ~np.isnan(lat) & ~((np.abs(lat) <= 90.0) & (np.abs(lon) <= 180.0))
    for row in np.flatnonzero(half)[:_LISTED]:
        wrong.setdefault(int(row), "has one of lat and lon alone")
    for row in np.flatnonzero(off)[:_LISTED]:
        wrong.setdefault(int(row), f"lat {lat[row]:.10g}, lon {lon[row]:.10g} is not on the Earth")
    if "" in photos:
        for row in [row for row, name in enumerate(photos) if not name][:_LISTED]:
            wrong.setdefault(row, "has no name")
    if not wrong:
        return
    listed = "; ".join(f"row {row + first} {wrong[row]}" for row in sorted(wrong)[:_LISTED])
    total = int(np.count_nonzero(half | off)) + photos.count("")
    more = f" ({total} rows are wrong)" if total > len(wrong) else ""
    swapped = _swapped(lat[off], lon[off])
    raise UsageError(f"{shown(path)}: {listed}{more}; correct them{swapped}: WGS84 degrees, as in 48.85, 2.35.")


def _texts(unread: Mapping[str, Unread]) -> Iterator[tuple[int, str]]:
    for key, column in unread.items():
        for row, text in list(column.first.items())[:_LISTED]:
            comma = " (a comma for a point?)" if "," in text else ""
            yield row, f"has {key} {shown(text[:40])!r}, which is no number{comma}"


def _swapped(lat: Floats, lon: Floats) -> str:
    """The guess, where all that is off the Earth would be on it with latitude and longitude exchanged."""
    exchanged = len(lat) > 0 and bool(np.all((np.abs(lon) <= 90.0) & (np.abs(lat) <= 180.0)))
    return " (lat and lon are swapped?)" if exchanged else ""


def _once(
    path: str, first: int, photos: list[str], lat: Floats, lon: Floats, rows: NDArray[np.int64], notes: list[Diagnosis]
) -> NDArray[np.int64]:
    """Of the rows, the first of each name; UsageError where another row of that name is another place."""
    names = _picked(photos, rows)
    if len(set(names)) == len(names):
        return rows
    seen = dict(zip(reversed(names), reversed(rows.tolist()), strict=True))
    owner = np.array([seen[name] for name in names])
    away = np.maximum(np.abs(lat[rows] - lat[owner]), np.abs(lon[rows] - lon[owner]))
    contrary = np.flatnonzero(away > _SAME_DEG)
    if len(contrary):
        row, other = int(rows[contrary[0]]), int(owner[contrary[0]])
        raise UsageError(
            f"{shown(path)} says two places of {shown(photos[row])} (rows {other + first} and {row + first}), and of "
            f"{counted(len(contrary), 'row')} in all; a photograph has one place: remove the wrong rows, or name the "
            "column that tells photographs apart with --columns truth.photo=NAME."
        )
    kept: NDArray[np.int64] = rows[owner == rows]
    twice = len(rows) - len(kept)
    sentence = f"{shown(path)}: counted once: {counted(twice, 'row')} that repeat a photograph with the same place."
    notes.append(Diagnosis("truth_repeated", sentence, {"rows": twice}))
    return kept
