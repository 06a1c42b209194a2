"""The one file that imports pyarrow: located photos as GeoParquet 1.1, an extra of the installation."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any

from geoloc_cli.errors import MissingExtra
from geoloc_cli.export.located import COLUMNS, Located, readable
from geoloc_cli.export.outlines import box

_POINT, _POINT_Z = 1, 1001  # ISO 13249-3's codes of well-known binary


def document(photos: Sequence[Located]) -> bytes:
    """A table of the columns of `located.py` and of `geometry`: points as well-known binary, longitude first.

    They are of OGC:CRS84, which is what GeoParquet means where no system is named, and have a third coordinate where
    the height above the ellipsoid is known. Raises MissingExtra where pyarrow is not installed.
    """
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingExtra("Parquet is written after: pip install 'geoloc[arrow]'") from error
    rows = [photo.row() for photo in photos]
    kinds = {str: arrow.string(), float: arrow.float64(), int: arrow.int64()}
    columns = {
        name: arrow.array([_value(row[name], kind) for row in rows], kinds[kind]) for name, kind in COLUMNS.items()
    }
    columns["geometry"] = arrow.array([_point(photo) for photo in photos], arrow.binary())
    table = arrow.table(columns).replace_schema_metadata({"geo": json.dumps(_metadata(photos))})
    target = arrow.BufferOutputStream()
    parquet.write_table(table, target, compression="zstd")
    return bytes(target.getvalue())


def _value(value: Any, kind: type) -> Any:
    return value if value is None else readable(value) if kind is str else kind(value)


def _point(photo: Located) -> bytes:
    lat, lon = photo.place
    if photo.fix.alt_m is None:
        return struct.pack("<BIdd", 1, _POINT, lon, lat)
    return struct.pack("<BIddd", 1, _POINT_Z, lon, lat, photo.fix.alt_m)


def _metadata(photos: Sequence[Located]) -> dict[str, Any]:
    kinds = sorted({"Point" if photo.fix.alt_m is None else "Point Z" for photo in photos})
    column: dict[str, Any] = {"encoding": "WKB", "geometry_types": kinds}
    if bounds := box(photo.place for photo in photos):
        column["bbox"] = list(bounds)
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
