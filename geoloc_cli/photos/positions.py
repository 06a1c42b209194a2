"""Positions that the user states in a file: CSV, JSONL or GeoJSON; they win over what a photo says of itself."""

# Names stay the strings that the user gave; pathlib would rewrite `./a.jpg` and `a//b.jpg`.
# ruff: noqa: PTH100, PTH118, PTH120, PTH122, PTH206

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from geoloc_cli.errors import UsageError
from geoloc_cli.photos.gps import ALT_RANGE_M
from geoloc_cli.photos.opening import shown
from geoloc_cli.types import Position

_NAMES = {
    "path": ("path", "photo", "file", "filename", "image", "name"),
    "lat": ("lat", "latitude"),
    "lon": ("lon", "lng", "long", "longitude"),
    "alt_m": ("alt_m", "alt", "altitude"),
    "heading_deg": ("heading_deg", "heading"),
    "radius_m": ("radius_m", "radius", "accuracy_m"),
}
_LISTED = 5
_MAX_TEXT_CHARS = 40


@dataclass(frozen=True, slots=True)
class Positions:
    """Positions by photo. A path in the file counts from the working folder or from the file's own.

    Where neither names the photo, the two paths are compared from the end: `a/1.jpg` in the file is any photo whose
    path ends so, and a photo given as `1.jpg` is the one row that ends so. What fits two rows fits none.
    """

    by_path: dict[str, Position] = field(default_factory=dict)
    by_name: dict[str, list[tuple[tuple[str, ...], Position]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(len(rows) for rows in self.by_name.values())

    def get(self, photo_path: str) -> Position | None:
        exact = self.by_path.get(os.path.abspath(photo_path))
        if exact is not None:
            return exact
        wanted = _parts(photo_path)
        fits = []
        for parts, position in self.by_name.get(wanted[-1], ()):
            length = min(len(parts), len(wanted))
            if parts[-length:] == wanted[-length:]:
                fits.append((length, position))
        longest = max((length for length, _ in fits), default=0)
        best = [position for length, position in fits if length == longest]
        return best[0] if len(best) == 1 else None


def read_positions(path: str) -> Positions:
    """Reads FILE of `--positions`; UsageError lists the first bad lines with their numbers.

    Columns (or properties): path, lat, lon in WGS84 degrees; alt_m above the ellipsoid, heading_deg from true north
    and radius_m (holding 90 %) may be missing or empty. A row without both lat and lon is a photo without position.
    GeoJSON: points, [lon, lat] or [lon, lat, alt_m], with properties.path (RFC 7946).
    """
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            text = file.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"--positions {shown(path)} cannot be read ({reason}); check the name.") from error
    positions, wrong = Positions(), []
    folder = os.path.dirname(path)
    stated: dict[str, Position] = {}
    for where, row in _rows(path, text):
        try:
            photo, position = _position(row)
            if position is None:
                continue
            if stated.setdefault(os.path.normpath(photo), position) != position:
                raise ValueError(f"{shown(photo)} was given another position before")
        except ValueError as error:
            wrong.append(f"{where}: {error}")
            continue
        own = os.path.abspath(os.path.join(folder, photo))
        positions.by_path.setdefault(os.path.abspath(photo), position)
        positions.by_path[own] = position
        rows = positions.by_name.setdefault(_parts(photo)[-1], [])
        if (_parts(photo), position) not in rows:
            rows.append((_parts(photo), position))
    if wrong:
        more = f"; and {len(wrong) - _LISTED} more" if len(wrong) > _LISTED else ""
        raise UsageError(f"--positions {shown(path)}: {'; '.join(wrong[:_LISTED])}{more}; correct the file.")
    return positions


def _rows(path: str, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each row with the words that say where it is."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix in (".jsonl", ".ndjson", ".json", ".geojson") or text.lstrip()[:1] == "{":
        document = _json(text)
        if isinstance(document, dict) and document.get("type") in ("FeatureCollection", "Feature"):
            yield from _geojson_rows(path, document)
        elif suffix == ".geojson":
            raise UsageError(f"--positions {shown(path)} is no GeoJSON FeatureCollection; name it .jsonl if it is not.")
        else:
            yield from _jsonl_rows(text)
    else:
        yield from _csv_rows(path, text)


def _csv_rows(path: str, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    try:
        reader = csv.DictReader(io.StringIO(text), delimiter=delimiter, strict=True)
        columns = {(name or "").strip().lower() for name in reader.fieldnames or ()}
        missing = [name for name in ("path", "lat", "lon") if not columns.intersection(_NAMES[name])]
        if missing:
            raise UsageError(
                f"--positions {shown(path)} has no column {' and '.join(missing)} in its first line; "
                "name its columns path, lat, lon and, if known, alt_m, heading_deg, radius_m."
            )
        for row in reader:
            yield f"line {reader.line_num}", {(key or "").strip().lower(): value for key, value in row.items()}
    except csv.Error as error:
        raise UsageError(f"--positions {shown(path)} is not CSV ({error}); save it as CSV in UTF-8.") from error


def _jsonl_rows(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            row = _json(line)
            # A row that is not an object has no path, which is what its message says.
            yield f"line {number}", row if isinstance(row, dict) else {}


def _geojson_rows(path: str, document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    features = [document] if document["type"] == "Feature" else document.get("features")
    if not isinstance(features, list):
        raise UsageError(f"--positions {shown(path)} has no list of features; export it as GeoJSON again.")
    for number, feature in enumerate(features, 1):
        feature = feature if isinstance(feature, dict) else {}
        properties, geometry = feature.get("properties"), feature.get("geometry")
        row = dict(properties) if isinstance(properties, dict) else {}
        point = geometry.get("coordinates") if isinstance(geometry, dict) and geometry.get("type") == "Point" else None
        if isinstance(point, list) and len(point) >= 2:
            row.update(lon=point[0], lat=point[1])
            if len(point) > 2:
                row.setdefault("alt_m", point[2])
        elif geometry is not None:
            row.update(lat="not a point", lon=None)
        yield f"feature {number}", row


def _position(row: dict[str, Any]) -> tuple[str, Position | None]:
    """ValueError with the words of what is wrong with the row."""
    photo = next((row[name] for name in _NAMES["path"] if row.get(name)), None)
    if not isinstance(photo, str) or not photo.strip():
        raise ValueError("no path")
    lat, lon = _number(row, "lat"), _number(row, "lon")
    if lat is None and lon is None:
        return photo, None
    if lat is None or lon is None:
        raise ValueError(f"no {'lat' if lat is None else 'lon'}")
    if abs(lat) > 180.0 or abs(lon) > 360.0:
        raise ValueError(
            f"lat {lat:.10g}, lon {lon:.10g} are no degrees, but look like metres of a map grid (UTM); "
            "convert them to WGS84 latitude and longitude"
        )
    if abs(lat) > 90.0:
        swapped = " (lat and lon are swapped?)" if abs(lon) <= 90.0 else ""
        raise ValueError(f"lat {lat:g} is not within -90 to 90{swapped}")
    if abs(lon) > 180.0:
        raise ValueError(f"lon {lon:g} is not within -180 to 180")
    if lat == 0.0 and lon == 0.0:
        raise ValueError("lat and lon are 0; leave them empty where the position is not known")
    alt_m, heading_deg, radius_m = _number(row, "alt_m"), _number(row, "heading_deg"), _number(row, "radius_m")
    if alt_m is not None and not ALT_RANGE_M[0] <= alt_m <= ALT_RANGE_M[1]:
        raise ValueError(f"alt_m {alt_m:g} is no altitude of a photo")
    if heading_deg is not None and not -180.0 <= heading_deg <= 360.0:
        raise ValueError(f"heading_deg {heading_deg:g} is not within 0 to 360")
    if radius_m is not None and radius_m <= 0.0:
        raise ValueError(f"radius_m {radius_m:g} is not above 0")
    return photo, Position(
        lat,
        lon,
        alt_m,
        "ellipsoid" if alt_m is not None else None,
        heading_deg % 360.0 if heading_deg is not None else None,
        "true" if heading_deg is not None else None,
        radius_m,
        "file",
    )


def _number(row: dict[str, Any], column: str) -> float | None:
    value = next((row[name] for name in _NAMES[column] if row.get(name) not in (None, "")), None)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        number = math.nan if isinstance(value, (bool, list, dict)) else float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{column} {shown(str(value)[:_MAX_TEXT_CHARS])!r} is not a number")
    return number


def _json(text: str) -> Any:
    """The value, or None where it is not JSON (or nested past all reason)."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in os.path.normpath(path).split(os.sep) if part) or (".",)
