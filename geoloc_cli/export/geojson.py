"""Answers as GeoJSON (RFC 7946): here, and in what `outlines.py` makes for it, the longitude comes first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from geoloc_cli.export.located import Located, ways
from geoloc_cli.export.outlines import Ring, box, circle, line
from geoloc_cli.records import to_record
from geoloc_cli.types import Failure, Fix


def collection(answers: Iterable[Fix | Failure]) -> dict[str, Any]:
    """A FeatureCollection, one feature a photo; a photo without a place has a null geometry, as the RFC allows."""
    return {"type": "FeatureCollection", "features": [_feature(answer) for answer in answers]}


def document(photos: Sequence[Located], *, shapes: bool = False) -> dict[str, Any]:
    """A FeatureCollection of photos that have a place, with its bounding box.

    With `shapes` the circles of `radius_m` come before them, so that they are drawn below, and after them the way in
    the order of time, or those of an album. Where all of it has a height, which here too counts from the ellipsoid,
    this is the third coordinate.
    """
    heights = [] if shapes else [photo.fix.alt_m for photo in photos if photo.fix.alt_m is not None]
    high = len(heights) == len(photos)
    rings = [_circle(photo) for photo in photos] if shapes else []
    features = [_outline(photo.fix, made) for photo, made in zip(photos, rings, strict=False) if made]
    features += [_feature(photo.fix, high=high) for photo in photos]
    for chain in ways(photos) if shapes else []:
        features += [way] if (way := _way([photo.row() for photo in chain])) else []
    corners = [(lat, lon) for made in rings for ring in made for lon, lat in ring]
    bounds = box([*(photo.place for photo in photos), *corners])
    if bounds is None:
        return {"type": "FeatureCollection", "features": features}
    west, south, east, north = bounds
    bbox = [west, south, min(heights), east, north, max(heights)] if high else [west, south, east, north]
    return {"type": "FeatureCollection", "bbox": bbox, "features": features}


def _feature(answer: Fix | Failure, *, high: bool = False) -> dict[str, Any]:
    record = to_record(answer)
    lat, lon = record.pop("lat"), record.pop("lon")
    place = [lon, lat, record["alt_m"]] if high else [lon, lat]
    geometry = None if lat is None else {"type": "Point", "coordinates": place}
    return {"type": "Feature", "geometry": geometry, "properties": record}


def _circle(photo: Located) -> list[Ring]:
    return circle(*photo.place, photo.fix.radius_m) if photo.fix.radius_m else []


def _outline(fix: Fix, rings: list[Ring]) -> dict[str, Any]:
    properties = {"photo": fix.photo, "radius_m": fix.radius_m, "confidence": fix.confidence, "stage": fix.stage}
    return {"type": "Feature", "geometry": _polygons(rings), "properties": properties}


def _polygons(rings: list[Ring]) -> dict[str, Any]:
    if len(rings) == 1:
        return {"type": "Polygon", "coordinates": [rings[0]]}
    return {"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]}


def track(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The way through rows that hold lat, lon and taken_at, in the order of time; None below two of such."""
    return _way(sorted((row for row in rows if row["taken_at"] is not None), key=lambda row: str(row["taken_at"])))


def _way(timed: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """A LineString through rows in their order, or a MultiLineString where they cross the antimeridian."""
    if len(timed) < 2:
        return None
    parts = line([(row["lat"], row["lon"]) for row in timed])
    geometry = {"type": "LineString", "coordinates": parts[0]}
    if len(parts) > 1:
        geometry = {"type": "MultiLineString", "coordinates": parts}
    properties = {"from": timed[0]["taken_at"], "to": timed[-1]["taken_at"], "photos": len(timed)}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def places(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """A FeatureCollection of rows that hold lat and lon (null where unknown), their other values as properties."""
    features = [
        {
            "type": "Feature",
            "geometry": None if row["lat"] is None else {"type": "Point", "coordinates": [row["lon"], row["lat"]]},
            "properties": {name: value for name, value in row.items() if name not in ("lat", "lon")},
        }
        for row in rows
    ]
    return {"type": "FeatureCollection", "features": features}
