"""Places that scores are asked for: a package's list, a region, a file's, or where the photos of an index are."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import UsageError
from geoloc_cli.geo.cells import cells_of
from geoloc_cli.geo.earth import EARTH_RADIUS_M, haversine_m
from geoloc_cli.geo.stated import circle_of
from geoloc_cli.index.reader import Index
from geoloc_cli.priors.regions import Box, along, in_area, in_box, in_circle
from geoloc_cli.priors.shapes import SUFFIXES, read_shapes

Floats = NDArray[np.float64]

_LAT, _LON = ("lat", "latitude"), ("lon", "lng", "long", "longitude")
# Places on each side along the curve of the cells: one of them is nearly always the nearest there is.
_ALONG = 8


@dataclass(frozen=True, slots=True)
class Gallery:
    """Different places (N,) in degrees, how many `times` each was listed, and how far another lies (`spacing_m`).

    `sha256` is of the places, in their order.
    """

    lat: Floats
    lon: Floats
    times: NDArray[np.int64]
    spacing_m: Floats
    sha256: str


def gallery_of(spec: str, spacing_m: float = 0.0) -> Gallery:
    """The places that a text names, `spacing_m` apart where it is a region or a line; 0 is the usual.

    `index:DIR` (where its photos are), `near:LAT,LON,RADIUS`, `bbox:SOUTH,WEST,NORTH,EAST`, a GeoJSON or GPX file (its
    points, along its lines, inside its areas), or a CSV file with the columns lat and lon. Raises UsageError where it
    holds no places.
    """
    kind, colon, rest = spec.partition(":")
    if colon and kind == "index":
        with Index.open(rest) as index:
            found = [photo.position for photo in index.all_photos() if photo.position]
        if not found:
            raise UsageError(f"No photo of the index in {rest} has a place; give another gallery.")
        return made_gallery([place.lat for place in found], [place.lon for place in found])
    if colon and kind == "near":
        return made_gallery(*in_circle(*circle_of(rest, "gallery near:"), spacing_m))
    if colon and kind == "bbox":
        return made_gallery(*in_box(_box_of(rest), spacing_m))
    path = Path(spec)
    if path.suffix.lower() in SUFFIXES:
        return made_gallery(*_of_shapes(path, spacing_m))
    return made_gallery(*_rows(path))


def _box_of(text: str) -> Box:
    try:
        south, west, north, east = (float(part) for part in text.split(","))
    except ValueError:
        south, west, north, east = np.nan, np.nan, np.nan, np.nan
    if not (-90.0 <= south < north <= 90.0 and max(abs(west), abs(east)) <= 180.0 and west != east):
        raise UsageError(f"gallery bbox: is {text!r}; give SOUTH,WEST,NORTH,EAST in degrees, as in 45.8,5.9,47.8,10.5.")
    return south, west, north, east


def _of_shapes(path: Path, spacing_m: float) -> tuple[Floats, Floats]:
    shapes = read_shapes(path)
    parts = [(point[:, 0], point[:, 1]) for point in shapes.points]
    parts += [in_area(area, spacing_m) for area in shapes.areas]
    parts += [along(lines, spacing_m)] if (lines := [line for line in shapes.lines if len(line)]) else []
    lat, lon = (np.concatenate([part[i] for part in parts]) if parts else np.zeros(0) for i in (0, 1))
    if not lat.size:
        raise UsageError(f"{path} holds no places; give a gallery with at least one.")
    return lat, lon


def made_gallery(lat: list[float] | Floats, lon: list[float] | Floats) -> Gallery:
    """Of places in degrees, in any order and some perhaps twice; they come out in the order of their cells."""
    listed = np.stack((np.asarray(lat, np.float64), np.asarray(lon, np.float64)), axis=1)
    places, times = np.unique(listed, axis=0, return_counts=True)
    order = np.argsort(cells_of(places[:, 0], places[:, 1]), kind="stable")
    lats, lons = np.ascontiguousarray(places[order].T)
    sha256 = hashlib.sha256(np.stack((lats, lons)).tobytes()).hexdigest()
    return Gallery(lats, lons, times[order], _spacing_m(lats, lons), sha256)


def _spacing_m(lat: Floats, lon: Floats) -> Floats:
    """Of places in the order of their cells: the nearest of the neighbours along that curve; never too near.

    A place that is alone is as far from any other as can be.
    """
    spacing = np.full(len(lat), np.pi * EARTH_RADIUS_M)
    for step in range(1, min(_ALONG, len(lat) - 1) + 1):
        away = haversine_m(lat[:-step], lon[:-step], lat[step:], lon[step:])
        spacing[:-step] = np.minimum(spacing[:-step], away)
        spacing[step:] = np.minimum(spacing[step:], away)
    return spacing


def _rows(path: Path) -> tuple[list[float], list[float]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
            lat_column, lon_column = (next((columns[n] for n in names if n in columns), None) for names in (_LAT, _LON))
            if lat_column is None or lon_column is None:
                raise UsageError(f"{path} has no columns lat and lon; name them in its first line.")
            lat, lon = [], []
            for row in reader:
                try:
                    place = float(row[lat_column] or ""), float(row[lon_column] or "")
                except (TypeError, ValueError):
                    place = (np.nan, np.nan)
                if not (abs(place[0]) <= 90.0 and abs(place[1]) <= 180.0):
                    raise UsageError(f"{path}, line {reader.line_num}: that is no latitude and longitude in degrees.")
                lat.append(place[0])
                lon.append(place[1])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read as a gallery ({error}); give a CSV file with lat and lon.") from error
    if not lat:
        raise UsageError(f"{path} holds no places; give a gallery with at least one.")
    return lat, lon
