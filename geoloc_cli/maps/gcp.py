"""Ground control points as OpenDroneMap writes them, `gcp_list.txt`.

    WGS84 UTM 32N
    481367.21 5782936.44 100.13  1830.5 2212.0  DJI_0028.JPG  P1
    481367.21 5782936.44 100.13   912.0 1077.5  DJI_0031.JPG  P1

First line: the projection, as `WGS84 UTM 32N`, `EPSG:4326`, `EPSG:32632` or `+proj=utm +zone=32 ...`. Then a line
for each place where a point was seen: geo_x (longitude or easting), geo_y (latitude or northing), geo_z (metres above
the ellipsoid, or NaN), im_x, im_y (pixels of the upright photograph, 0, 0 the centre of the first), the photograph's
name and, if it has one, the point's. Lines of the same place are one point. A line that begins with # is left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from geoloc_cli.errors import UsageError
from geoloc_cli.geo.utm import geodetic_from_utm

Convert = Callable[[float, float], tuple[float, float]]

_SUPPORTED = "EPSG:4326, EPSG:326xx or EPSG:327xx (WGS84 UTM), EPSG:258xx (ETRS89 UTM), or WGS84 UTM 32N"
_LISTED = 5
_HEIGHT_M = (-500.0, 9000.0)


@dataclass(frozen=True, slots=True)
class Mark:
    """A point seen in a photograph: COLMAP's pixels of the upright photograph (0.5, 0.5 the centre of the first)."""

    photo: str
    x_px: float
    y_px: float


@dataclass(frozen=True, slots=True)
class GroundPoint:
    """A surveyed point: WGS84 degrees, metres above the ellipsoid (NaN where unknown), and where it was seen."""

    name: str
    lat: float
    lon: float
    alt_m: float
    marks: tuple[Mark, ...]


def read_gcp(path: Path) -> list[GroundPoint]:
    """The points of a file in its order; UsageError lists the first bad lines with their numbers."""
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="surrogateescape").splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"--gcp {path} cannot be read ({reason}); check the name.") from error
    if not lines or not lines[0].strip():
        raise UsageError(f"--gcp {path} line 1: no projection; name it there, as {_SUPPORTED}.")
    try:
        convert = read_projection(lines[0].strip().strip("'\""))
    except ValueError as error:
        raise UsageError(f"--gcp {path} line 1: {error}; give {_SUPPORTED}.") from error
    points: dict[tuple[str, str, str], tuple[str, float, float, float, list[Mark]]] = {}
    places: dict[str, tuple[int, tuple[str, str, str]]] = {}
    wrong = []
    for number, line in enumerate(lines[1:], 2):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        try:
            lat, lon, alt_m, mark = _parsed(fields, convert)
            name = fields[6] if len(fields) > 6 else None
            place = fields[0], fields[1], fields[2]
            if name is not None and places.setdefault(name, (number, place))[1] != place:
                raise ValueError(f"point {name} was at another place in line {places[name][0]}")
        except ValueError as error:
            wrong.append(f"line {number}: {error}")
            continue
        known = points.setdefault(place, (name or f"line {number}", lat, lon, alt_m, []))
        if all(seen.photo != mark.photo for seen in known[4]):
            known[4].append(mark)
        else:
            wrong.append(f"line {number}: {known[0]} was seen in {mark.photo} before")
    if wrong:
        more = f"; and {len(wrong) - _LISTED} more" if len(wrong) > _LISTED else ""
        raise UsageError(f"--gcp {path}: {'; '.join(wrong[:_LISTED])}{more}; correct the file.")
    if not points:
        raise UsageError(f"--gcp {path} has no point; add lines `geo_x geo_y geo_z im_x im_y photo name`.")
    return [GroundPoint(name, lat, lon, alt_m, tuple(marks)) for name, lat, lon, alt_m, marks in points.values()]


def _parsed(fields: list[str], convert: Convert) -> tuple[float, float, float, Mark]:
    if len(fields) < 6:
        raise ValueError(f"{len(fields)} fields, where geo_x geo_y geo_z im_x im_y photo are six")
    x, y, alt_m, im_x, im_y = (
        _number(text, name) for text, name in zip(fields[:5], ("geo_x", "geo_y", "geo_z", "im_x", "im_y"), strict=True)
    )
    lat, lon = convert(x, y)
    if not math.isnan(alt_m) and not _HEIGHT_M[0] <= alt_m <= _HEIGHT_M[1]:
        raise ValueError(f"geo_z {alt_m:g} is no height on the ground")
    return lat, lon, alt_m, Mark(fields[5], im_x + 0.5, im_y + 0.5)


def _number(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name} {text!r} is not a number") from None
    if not math.isfinite(value) and not (name == "geo_z" and math.isnan(value)):
        raise ValueError(f"{name} {text!r} is not a number")
    return value


def read_projection(text: str) -> Convert:
    """The function from (geo_x, geo_y) to latitude and longitude. Raises ValueError in words."""
    words = text.upper().split()
    if words in (["WGS84"], ["EPSG:4326"], ["EPSG:4979"], ["EPSG:4258"]):
        return _degrees
    utm = re.fullmatch(r"WGS ?84[ /]+UTM (?:ZONE )?(\d{1,2}) ?([NS])", " ".join(words))
    if utm:
        return _utm(int(utm[1]), utm[2] == "S")
    epsg = re.fullmatch(r"EPSG:(\d+)", "".join(words))
    if epsg:
        family, zone = divmod(int(epsg[1]), 100)
        if family in (326, 327) or (family == 258 and 28 <= zone <= 38):
            return _utm(zone, family == 327)
        raise ValueError(f"EPSG:{epsg[1]} is not among the projections that are read; convert the points, and")
    if text.startswith("+"):
        return _proj_string(text)
    raise ValueError(f"{text[:60]!r} names no projection that is read")


def _proj_string(text: str) -> Convert:
    given = {key: value or "true" for key, _, value in (w.lstrip("+").partition("=") for w in text.split())}
    earth = {given.pop(key) for key in ("datum", "ellps") if key in given} or {"WGS84"}
    zero = given.pop("towgs84", "0").split(",")
    plain = earth <= {"WGS84", "GRS80"} and given.pop("units", "m") == "m" and all(_is_zero(v) for v in zero)
    kind, south = given.pop("proj", ""), given.pop("south", "false").lower() not in ("false", "f")
    zone = given.pop("zone", "")
    for harmless in ("no_defs", "type", "north", "wktext"):
        given.pop(harmless, None)
    if plain and not given and kind in ("longlat", "latlong", "lonlat", "latlon"):
        return _degrees
    if plain and not given and kind == "utm" and zone.isascii() and zone.isdigit():
        return _utm(int(zone), south)
    raise ValueError(f"{text[:80]!r} is not among the projections that are read (UTM or degrees on WGS84)")


def _is_zero(text: str) -> bool:
    try:
        return float(text) == 0.0
    except ValueError:
        return False


def _degrees(x: float, y: float) -> tuple[float, float]:
    if abs(x) > 360.0 or abs(y) > 180.0:
        raise ValueError(f"geo_x {x:.10g}, geo_y {y:.10g} look like UTM, and line 1 says degrees")
    if abs(y) > 90.0:
        raise ValueError(f"geo_y {y:g} is no latitude (geo_x is the longitude, geo_y the latitude)")
    if abs(x) > 180.0:
        raise ValueError(f"geo_x {x:g} is no longitude")
    return y, x


def _utm(zone: int, south: bool) -> Convert:
    if not 1 <= zone <= 60:
        raise ValueError(f"there is no UTM zone {zone}")

    def convert(x: float, y: float) -> tuple[float, float]:
        if abs(x) <= 360.0 and abs(y) <= 360.0:
            raise ValueError(f"geo_x {x:g}, geo_y {y:g} look like degrees, and line 1 says UTM")
        if not (0.0 <= x <= 1_000_000.0 and 0.0 <= y <= 10_000_000.0):
            swapped = " (easting and northing are swapped?)" if x > 1_000_000.0 >= y else ""
            raise ValueError(f"geo_x {x:.10g}, geo_y {y:.10g} is no easting and northing{swapped}")
        lat, lon = geodetic_from_utm(x, y, zone, south)
        return float(lat), float(lon)

    return convert
