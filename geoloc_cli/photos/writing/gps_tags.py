"""A fix as the GPS tags of EXIF, and as the same properties in XMP."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

from geoloc_cli.geo.geoid import above_sea_m
from geoloc_cli.photos.gps import ALT_RANGE_M, R90_PER_R68
from geoloc_cli.photos.writing.tiff_block import NewTag
from geoloc_cli.types import Fix

_BYTE, _ASCII, _RATIONAL, _UNDEFINED = 1, 2, 5, 7
_LAT_REF, _LAT, _LON_REF, _LON, _ALT_REF, _ALT = 1, 2, 3, 4, 5, 6
_HEADING_REF, _HEADING, _DATUM, _METHOD, _ERROR = 16, 17, 18, 27, 31
# What is said of the measurement of a position, and goes with it: its altitude, satellites, status, mode, dilution,
# area's name, differential correction.
OF_THE_OLD_POSITION = (_ALT_REF, _ALT, 8, 9, 10, 11, 28, 30)
OF_THE_OLD_POSITION_IN_XMP = frozenset(
    f"GPS{name}"
    for name in (
        *("Altitude", "AltitudeRef", "Satellites", "Status"),
        *("MeasureMode", "DOP", "AreaInformation", "Differential"),
    )
)
# From here on the hundredths do not fit into a rational of EXIF.
_LONG_M = 4.0e7
# A millionth of a second of arc is 0.03 mm.
_PER_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Geotag:
    """What is written of a fix. `alt_m` is above the sea; `error_m` holds 68 %; the heading is from true north."""

    lat: float
    lon: float
    error_m: float
    method: str
    alt_m: float | None = None
    heading_deg: float | None = None


def geotag(fix: Fix, undulation_m: float | None = None) -> Geotag:
    """What can be said of a fix that has a place.

    A fix's altitude counts from the ellipsoid, and EXIF's, until its version 3, from the sea: how far that stands above
    the ellipsoid there, EGM96 says, or `undulation_m`. What is no photo's altitude is left out.
    GPSHPositioningError gets the radius that holds 68 %, which is what phones write and what is read here, too; that
    of a cell is its whole radius, in which the place is as likely near the edge as in the middle.
    """
    if fix.lat is None or fix.lon is None or fix.radius_m is None:
        raise ValueError("a fix without a place says nothing")
    pose = fix.pose if fix.stage == "pose" and fix.pose and fix.pose.georeferenced else None
    sea_m = None
    if fix.alt_m is not None:
        sea_m = float(above_sea_m(fix.lat, fix.lon, fix.alt_m)) if undulation_m is None else fix.alt_m - undulation_m
    return Geotag(
        lat=fix.lat,
        lon=fix.lon,
        error_m=fix.radius_m if fix.disclosed else fix.radius_m / R90_PER_R68,
        method=f"geoloc {fix.stage}{f' ({fix.disclosed.level})' if fix.disclosed else ''}",
        alt_m=sea_m if sea_m is not None and ALT_RANGE_M[0] <= sea_m <= ALT_RANGE_M[1] else None,
        heading_deg=pose.heading_deg if pose else None,
    )


def exif_tags(tag: Geotag, order: str, exif_version: str | None) -> list[NewTag]:
    """The GPS tags for a block of this byte order (`<` or `>`); Exif 3 has numbers of its own for the sea level."""

    def rationals(*values: tuple[int, int]) -> bytes:
        return b"".join(struct.pack(f"{order}II", *value) for value in values)

    tags = [
        NewTag(0, _BYTE, bytes((2, 3, 0, 0))),
        NewTag(_LAT_REF, _ASCII, b"S\x00" if tag.lat < 0 else b"N\x00"),
        NewTag(_LAT, _RATIONAL, rationals(*_sexagesimal(tag.lat))),
        NewTag(_LON_REF, _ASCII, b"W\x00" if tag.lon < 0 else b"E\x00"),
        NewTag(_LON, _RATIONAL, rationals(*_sexagesimal(tag.lon))),
        NewTag(_DATUM, _ASCII, b"WGS-84\x00"),
        NewTag(_METHOD, _UNDEFINED, b"ASCII\x00\x00\x00" + tag.method.encode("ascii")),
        NewTag(_ERROR, _RATIONAL, rationals(_hundredths(max(tag.error_m, 0.01)))),
    ]
    if tag.alt_m is not None:
        sea = 2 if exif_version is not None and exif_version.isdecimal() and int(exif_version) >= 300 else 0
        tags.append(NewTag(_ALT_REF, _BYTE, bytes([sea + (tag.alt_m < 0)])))
        tags.append(NewTag(_ALT, _RATIONAL, rationals(_hundredths(abs(tag.alt_m)))))
    if tag.heading_deg is not None:
        tags.append(NewTag(_HEADING_REF, _ASCII, b"T\x00"))
        tags.append(NewTag(_HEADING, _RATIONAL, rationals(_direction(tag.heading_deg))))
    return tags


def xmp_values(tag: Geotag) -> dict[str, str]:
    """The same as properties of XMP's exif schema (XMP specification, part 2: `DDD,MM.mmmmmmk`)."""
    values = {
        "GPSVersionID": "2.3.0.0",
        "GPSLatitude": _minutes(tag.lat, "NS"),
        "GPSLongitude": _minutes(tag.lon, "EW"),
        "GPSMapDatum": "WGS-84",
        "GPSProcessingMethod": tag.method,
        "GPSHPositioningError": "{}/{}".format(*_hundredths(max(tag.error_m, 0.01))),
    }
    if tag.alt_m is not None:
        values["GPSAltitudeRef"] = "1" if tag.alt_m < 0 else "0"
        values["GPSAltitude"] = "{}/{}".format(*_hundredths(abs(tag.alt_m)))
    if tag.heading_deg is not None:
        values["GPSImgDirectionRef"] = "T"
        values["GPSImgDirection"] = "{}/{}".format(*_direction(tag.heading_deg))
    return values


def _sexagesimal(degrees: float) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Degrees, minutes and seconds as rationals; never sixty of anything."""
    whole, rest = divmod(round(abs(degrees) * 3600 * _PER_SECOND), 3600 * _PER_SECOND)
    minutes, seconds = divmod(rest, 60 * _PER_SECOND)
    return (whole, 1), (minutes, 1), (seconds, _PER_SECOND)


def _minutes(degrees: float, sides: str) -> str:
    whole, rest = divmod(round(abs(degrees) * 60 * 10**7), 60 * 10**7)
    return f"{whole},{rest / 10**7:.7f}{sides[degrees < 0]}"


def _hundredths(length_m: float) -> tuple[int, int]:
    return (round(length_m * 100), 100) if length_m < _LONG_M else (min(round(length_m), 2**32 - 1), 1)


def _direction(degrees: float) -> tuple[int, int]:
    value = Fraction(round(degrees % 360.0 * 100) % 36000, 100)
    return value.numerator, value.denominator
