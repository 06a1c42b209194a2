"""Elevation models as GeoTIFF (OGC 19-008r4), by Pillow: one band of heights, in degrees or in UTM."""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from geoloc_cli.priors.dem import Grid, grid_of

_SCALE, _TIEPOINT, _TRANSFORM, _KEYS, _NO_DATA = 33550, 33922, 34264, 34735, 42113
_MODEL, _RASTER, _PROJECTED = 1024, 1025, 3072
_GEOGRAPHIC_MODEL, _POINTS = 2, 2

# EPSG's codes of UTM: WGS 84 in both halves, ETRS89 and NAD83, which are within 2 m of it.
_UTM = {32600 + zone: zone for zone in range(1, 61)} | {32700 + zone: -zone for zone in range(1, 61)}
_UTM |= {25800 + zone: zone for zone in range(28, 39)} | {26900 + zone: zone for zone in range(1, 24)}


def read_tiff(path: Path) -> Grid:
    """Raises ValueError or OSError where it is no GeoTIFF of heights, or in another projection."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(path, formats=["TIFF"]) as image:
                tags = dict(image.tag_v2)  # type: ignore[attr-defined]
                if len(image.getbands()) != 1 or image.mode in ("1", "P"):
                    raise ValueError(f"its picture is of mode {image.mode}, and not one band of heights")
                heights = np.array(image, dtype=np.float32)
        except Image.DecompressionBombError as error:
            raise ValueError("it has too many cells; cut it to the region that is wanted") from error
    keys = _geo_keys(tags)
    north, west, down, right = _laid(tags)
    if keys.get(_RASTER) == _POINTS:  # what is stated is the middle of a cell
        north, west = north + down / 2.0, west - right / 2.0
    with suppress(ValueError):
        heights[heights == np.float32(str(tags.get(_NO_DATA, "nan")).strip(" \x00"))] = np.nan
    return grid_of(heights, north, west, down, right, _zone(keys), path)


def _geo_keys(tags: dict[int, Any]) -> dict[int, int]:
    """The short keys: groups of four numbers, of which the second is 0 where the fourth is the value."""
    directory = [int(value) for value in tags.get(_KEYS, ())]
    groups = zip(*(directory[4 + i :: 4] for i in range(4)), strict=False)
    return {key: value for key, place, _, value in groups if place == 0}


def _laid(tags: dict[int, Any]) -> tuple[float, float, float, float]:
    """The edges in the north and the west, and the sides of a cell."""
    if _TRANSFORM in tags:
        m = [float(value) for value in tags[_TRANSFORM]]
        if m[1] or m[4]:
            raise ValueError("it is turned against north; lay it out along its axes")
        return m[7], m[3], -m[5], m[0]
    if _SCALE not in tags or _TIEPOINT not in tags:
        raise ValueError("it does not say where it lies: it is no GeoTIFF, or it has its place in a file beside it")
    right, down = (float(value) for value in tags[_SCALE][:2])
    column, row, _, x, y, _ = (float(value) for value in tags[_TIEPOINT][:6])
    return y + row * down, x - column * right, down, right


def _zone(keys: dict[int, int]) -> int:
    """0 for degrees, else the zone of UTM."""
    code = keys.get(_PROJECTED, 0)
    if code in _UTM:
        return _UTM[code]
    if keys.get(_MODEL) == _GEOGRAPHIC_MODEL or (not keys and not code):
        return 0
    raise ValueError(f"it is in the projection EPSG:{code or 'unknown'}; bring it to EPSG:4326, or to UTM, by gdalwarp")
