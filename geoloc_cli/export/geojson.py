"""Answers as GeoJSON (RFC 7946): the one place of the project where the longitude comes first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from geoloc_cli.records import to_record
from geoloc_cli.types import Failure, Fix


def collection(answers: Iterable[Fix | Failure]) -> dict[str, Any]:
    """A FeatureCollection, one feature a photo; a photo without a place has a null geometry, as the RFC allows."""
    return {"type": "FeatureCollection", "features": [_feature(answer) for answer in answers]}


def _feature(answer: Fix | Failure) -> dict[str, Any]:
    record = to_record(answer)
    lat, lon = record.pop("lat"), record.pop("lon")
    geometry = None if lat is None else {"type": "Point", "coordinates": [lon, lat]}
    return {"type": "Feature", "geometry": geometry, "properties": record}


def track(rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """A LineString through rows that hold lat, lon and taken_at, in the order of time; None below two of such."""
    timed = sorted((row for row in rows if row["taken_at"] is not None), key=lambda row: str(row["taken_at"]))
    if len(timed) < 2:
        return None
    return {
        "type": "Feature",
        "geometry": {"type": "LineString", "coordinates": [[row["lon"], row["lat"]] for row in timed]},
        "properties": {"from": timed[0]["taken_at"], "to": timed[-1]["taken_at"], "photos": len(timed)},
    }


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
