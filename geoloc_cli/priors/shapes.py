"""Files of shapes -> points, lines and areas: GeoJSON (RFC 7946), and GPX as receivers and route planners write it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np

from geoloc_cli.errors import UsageError
from geoloc_cli.geo.earth import Floats

SUFFIXES = (".geojson", ".json", ".gpx")
_MAX_BYTES = 512 * 1024 * 1024
_POINTS = ("trkpt", "rtept", "wpt")
_LINES = ("trkseg", "rte")


@dataclass(slots=True)
class Shapes:
    """Each an array (n, 2) of latitudes and longitudes in degrees; an area is its rings, the outer first."""

    points: list[Floats] = field(default_factory=list)
    lines: list[Floats] = field(default_factory=list)
    areas: list[list[Floats]] = field(default_factory=list)


def read_shapes(path: Path) -> Shapes:
    """Raises UsageError, which names the file, where it is neither, or has a place that is none."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UsageError(f"{path} is over 512 MB; cut it to the region that is wanted.")
        data = path.read_bytes()
        return _gpx(data) if path.suffix.lower() == ".gpx" else _geojson(data)
    except (OSError, ValueError, TypeError, LookupError, expat.ExpatError, RecursionError) as error:
        raise UsageError(
            f"{path} cannot be read as GeoJSON or GPX ({error}); give one of them, or a CSV file."
        ) from error


def _geojson(data: bytes) -> Shapes:
    shapes = Shapes()
    for geometry in _geometries(json.loads(data)):
        kind, at = geometry["type"], geometry["coordinates"]
        if kind in ("Point", "MultiPoint"):
            shapes.points.append(_turned([at] if kind == "Point" else at))
        elif kind in ("LineString", "MultiLineString"):
            shapes.lines += [_turned(line) for line in ([at] if kind == "LineString" else at)]
        elif kind in ("Polygon", "MultiPolygon"):
            shapes.areas += [[_turned(ring) for ring in area] for area in ([at] if kind == "Polygon" else at)]
        else:
            raise ValueError(f"there is no geometry {kind!r}")
    return shapes


def _geometries(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Features without a place are passed over."""
    if document["type"] == "FeatureCollection":
        for feature in document["features"]:
            yield from _geometries(feature)
    elif document["type"] == "Feature":
        if document["geometry"] is not None:
            yield from _geometries(document["geometry"])
    elif document["type"] == "GeometryCollection":
        for geometry in document["geometries"]:
            yield from _geometries(geometry)
    else:
        yield document


def _turned(positions: list[list[float]]) -> Floats:
    """GeoJSON's [lon, lat, ...] as ours."""
    return _checked([(lat, lon) for lon, lat in (position[:2] for position in positions)])


def _gpx(data: bytes) -> Shapes:
    """Tracks and routes as lines, waypoints as points; a document type, and with it every entity, is refused."""
    shapes, line, alone = Shapes(), list[tuple[float, float]](), list[tuple[float, float]]()

    def start(name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(" ")[2]
        if name in _LINES:
            line.clear()
        elif name in _POINTS:
            place = float(attributes["lat"]), float(attributes["lon"])
            (alone if name == "wpt" else line).append(place)

    def end(name: str) -> None:
        if name.rpartition(" ")[2] in _LINES and line:
            shapes.lines.append(_checked(line))

    def refuse(*_: object) -> None:
        raise ValueError("it declares a document type")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(data, True)
    if alone:
        shapes.points.append(_checked(alone))
    return shapes


def _checked(places: list[tuple[float, float]]) -> Floats:
    found = np.array(places, dtype=np.float64).reshape(-1, 2)
    wrong = ~((np.abs(found[:, 0]) <= 90.0) & (np.abs(found[:, 1]) <= 180.0))
    if wrong.any():
        lat, lon = found[wrong][0]
        raise ValueError(f"latitude {lat:g} and longitude {lon:g} are no place in degrees")
    return found
