"""The GPS directory of EXIF -> a Position, or the sentence that says why there is none."""

from __future__ import annotations

import math
import re
from typing import Literal

from geoloc_cli.photos.tags import Ratio, Tags
from geoloc_cli.types import Altitude, Position

# GPSHPositioningError is taken as the radius that holds 68 % (what phones mean by horizontal accuracy). For a circular
# Gaussian the radius holding a share p is sigma * sqrt(-2 ln(1 - p)) (Rayleigh), so that
# r90 / r68 = sqrt(ln 0.10 / ln 0.32) = 1.4215.
R90_PER_R68 = math.sqrt(math.log(0.10) / math.log(0.32))
# Nothing that carries a camera is below the deepest trench or above the balloons.
ALT_RANGE_M = (-11_000.0, 100_000.0)
# Half the Earth's circumference: an error larger than that says nothing.
_MAX_RADIUS_M = 2.0e7
# By the GPS Standard Positioning Service Performance Standard (2008), 95 % are within 9 m across and 15 m in height:
# a standard deviation of 15 / 1.960 in height, to a radius of 68 % of 9 * sqrt(ln 0.32 / ln 0.05) across.
_VERTICAL_PER_R68 = (15.0 / 1.960) / (9.0 * math.sqrt(math.log(0.32) / math.log(0.05)))
_NULL_ISLAND_DEG = 1e-5

_LAT_REF, _LAT, _LON_REF, _LON, _ALT_REF, _ALT = 1, 2, 3, 4, 5, 6
_TIME, _HEADING_REF, _HEADING, _DATE, _ERROR = 7, 16, 17, 29, 31

Sides = Literal["NS", "EW"]
North = Literal["true", "magnetic"]
_NORTHS: dict[str, North] = {"T": "true", "M": "magnetic"}


def gps_position(gps: Tags, exif_version: str | None) -> tuple[Position | None, list[str]]:
    """The position of one GPS directory and the doubts about it.

    Degrees, minutes and seconds are rationals; a 0/0 in minutes or seconds stands for nothing left to say and counts
    as zero (Nikon writes decimal minutes so). GPSDOP is a factor without a unit and never becomes metres.
    """
    if _LAT not in gps and _LON not in gps:
        return None, []
    lat, why_lat = _angle(gps, _LAT, _LAT_REF, "NS", 90.0)
    lon, why_lon = _angle(gps, _LON, _LON_REF, "EW", 180.0)
    if lat is None or lon is None:
        return None, [f"Its GPS position was left out: {why_lat or why_lon}."]
    notes: list[str] = []
    position, why = checked_position(
        lat,
        lon,
        altitude=_altitude(gps, exif_version, notes),
        heading=_heading(gps, notes),
        radius_m=_radius_m(gps, notes),
        source="exif",
    )
    return position, [why] if why else notes


def gps_altitude(gps: Tags, exif_version: str | None) -> tuple[Altitude | None, list[str]]:
    """The altitude of a GPS directory, also of one without a position, and the doubts about it.

    EXIF states no vertical accuracy: it is taken from the horizontal one, where that is stated. Exactly 0 is what
    devices write that know none.
    """
    notes: list[str] = []
    found = _altitude(gps, exif_version, notes)
    if found is None or found[0] == 0.0:
        return None, notes
    error_m = gps.number(_ERROR)
    stated = error_m is not None and 0.0 < error_m <= _MAX_RADIUS_M
    return Altitude(*found, "exif", _VERTICAL_PER_R68 * error_m if stated and error_m else None), notes


def checked_position(
    lat: float,
    lon: float,
    *,
    altitude: tuple[float, Literal["ellipsoid", "sea_level"] | None] | None = None,
    heading: tuple[float, North | None] | None = None,
    radius_m: float | None = None,
    source: str,
) -> tuple[Position | None, str | None]:
    """A Position, or None and the sentence that says why the coordinates cannot be believed."""
    if not (math.isfinite(lat) and abs(lat) <= 90.0):
        return None, f"Its GPS position was left out: latitude {lat:g} is not within -90 to 90 degrees."
    if not (math.isfinite(lon) and abs(lon) <= 180.0):
        return None, f"Its GPS position was left out: longitude {lon:g} is not within -180 to 180 degrees."
    if abs(lat) < _NULL_ISLAND_DEG and abs(lon) < _NULL_ISLAND_DEG:
        return None, "Its GPS position was left out: latitude and longitude 0 is what devices write without reception."
    alt_m, alt_datum = altitude or (None, None)
    heading_deg, heading_ref = heading or (None, None)
    return Position(lat, lon, alt_m, alt_datum, heading_deg, heading_ref, radius_m, source), None


def gps_time(gps: Tags) -> str | None:
    """The GPS time stamp as ISO 8601 in UTC, whole seconds; None where date or time is missing or impossible."""
    date = re.fullmatch(r"(\d{4})[:/-](\d{2})[:/-](\d{2})", gps.text(_DATE) or "")
    parts = [_value(part) for part in gps.numbers(_TIME)]
    if not date or len(parts) != 3 or any(part is None or part < 0 for part in parts):
        return None
    hour, minute, second = (int(part or 0) for part in parts)
    return f"{date[1]}-{date[2]}-{date[3]}T{hour:02d}:{minute:02d}:{second:02d}+00:00"


def _value(part: float | Ratio) -> float | None:
    value = part.value if isinstance(part, Ratio) else part
    return value if value is not None and math.isfinite(value) else None


def _angle(gps: Tags, tag: int, ref_tag: int, sides: Sides, limit: float) -> tuple[float | None, str]:
    """Signed degrees, or None and the reason in words."""
    name = "latitude" if sides == "NS" else "longitude"
    parts = gps.numbers(tag)
    if not parts:
        return None, f"its {name} is missing or is not a number"
    total, unit = 0.0, 1.0
    for index, part in enumerate(parts[:3]):
        value = _value(part)
        if value is None:
            if index and isinstance(part, Ratio) and part.numerator == 0:
                value = 0.0
            elif isinstance(part, Ratio):
                return None, f"its {name} has a zero denominator"
            else:
                return None, f"its {name} is not a number"
        if index and not 0.0 <= value <= 60.0:
            return None, f"its {name} has {value:g} {'minutes' if index == 1 else 'seconds'}"
        total += math.copysign(value * unit, total if index else value)
        unit /= 60.0
    ref = (gps.text(ref_tag) or "").upper()[:1]
    if ref not in tuple(sides):
        return None, f"its {name} does not say whether it is {sides[0]} or {sides[1]}"
    if total < 0 and ref == sides[0]:
        return None, f"its {name} is negative and yet {ref}"
    if abs(total) > limit:
        return None, f"{name} {total:g} is not within -{limit:g} to {limit:g} degrees"
    return (-abs(total) if ref == sides[1] else total), ""


def _altitude(
    gps: Tags, exif_version: str | None, notes: list[str]
) -> tuple[float, Literal["ellipsoid", "sea_level"]] | None:
    """Altitude in metres and its datum.

    GPSAltitudeRef 0 and 1 (above, below) mean the sea level up to Exif 2.32 and the ellipsoid from Exif 3.0 on, which
    adds 2 and 3 for the sea level (CIPA DC-008-2023, 4.6.6). A missing reference is 0 by the standard.
    """
    if _ALT not in gps:
        return None
    alt_m = gps.number(_ALT)
    if alt_m is None:
        notes.append("Its altitude was left out: it is not a number.")
        return None
    ref = gps.integer(_ALT_REF)
    if ref in (1, 3):
        alt_m = -abs(alt_m)
    if not ALT_RANGE_M[0] <= alt_m <= ALT_RANGE_M[1]:
        notes.append(f"Its altitude was left out: no photo is taken at {alt_m:g} m.")
        return None
    since_3 = exif_version is not None and exif_version.isdecimal() and int(exif_version) >= 300
    return alt_m, "ellipsoid" if since_3 and ref not in (2, 3) else "sea_level"


def _heading(gps: Tags, notes: list[str]) -> tuple[float, North | None] | None:
    """GPSImgDirection, clockwise from the north its reference names; GPSTrack is the way of travel and not used."""
    if _HEADING not in gps:
        return None
    heading_deg = gps.number(_HEADING)
    if heading_deg is None or not 0.0 <= heading_deg <= 360.0:
        notes.append("Its heading was left out: it is not within 0 to 360 degrees.")
        return None
    ref = (gps.text(_HEADING_REF) or "").upper()[:1]
    return heading_deg % 360.0, _NORTHS.get(ref)


def _radius_m(gps: Tags, notes: list[str]) -> float | None:
    """The radius that holds 90 %, from the one of 68 % in GPSHPositioningError."""
    if _ERROR not in gps:
        return None
    error_m = gps.number(_ERROR)
    if error_m is None or not 0.0 < error_m <= _MAX_RADIUS_M:
        notes.append("Its accuracy was left out: it is not a length above zero.")
        return None
    return error_m * R90_PER_R68
