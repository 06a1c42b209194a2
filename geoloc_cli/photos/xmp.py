"""The XMP packet: a second source of position and time, and the only one of the attitude; drones and software write it.

Parsed event by event with expat: a document type, and with it every entity, is refused; nothing is ever fetched.
"""

from __future__ import annotations

import re
from dataclasses import replace
from xml.parsers import expat

from geoloc_cli.photos.attitude import ATTITUDE_KEYS, number
from geoloc_cli.photos.gps import ALT_RANGE_M, checked_position
from geoloc_cli.types import Altitude, Position

_EXIF = "http://ns.adobe.com/exif/1.0/"
_DJI = "http://www.dji.com/drone-dji/1.0/"
_LAT_KEYS = (f"{_EXIF} GPSLatitude", f"{_DJI} GpsLatitude", f"{_DJI} Latitude")
# The misspelt one is what older firmware writes.
_LON_KEYS = (f"{_EXIF} GPSLongitude", f"{_DJI} GpsLongitude", f"{_DJI} GpsLongtitude", f"{_DJI} Longitude")
_ALT_KEY, _ALT_REF_KEY = f"{_EXIF} GPSAltitude", f"{_EXIF} GPSAltitudeRef"
# Of a drone without the former. Its RelativeAltitude counts from where it took off, which nothing says.
_DRONE_ALT_KEY, _DRONE_START_KEY = f"{_DJI} AbsoluteAltitude", f"{_DJI} RelativeAltitude"
_TIME_KEYS = (f"{_EXIF} DateTimeOriginal", "http://ns.adobe.com/photoshop/1.0/ DateCreated")
_ALT_KEYS = (_ALT_KEY, _ALT_REF_KEY, _DRONE_ALT_KEY, _DRONE_START_KEY)
_WANTED = frozenset((*_LAT_KEYS, *_LON_KEYS, *_ALT_KEYS, *_TIME_KEYS, *ATTITUDE_KEYS))
_MAX_BYTES = 1024 * 1024
_MAX_VALUE_CHARS = 64


class _Refused(Exception):
    """The packet holds a document type."""


def read_xmp(packet: bytes) -> tuple[dict[str, str], list[str]]:
    """The wanted properties of a packet by namespace and name, and doubts; never raises on bad XML."""
    values: dict[str, str] = {}
    current: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        current[:] = [name] if name in _WANTED else []
        for key, value in attributes.items():
            if key in _WANTED:
                values.setdefault(key, value[:_MAX_VALUE_CHARS].strip())

    def text(data: str) -> None:
        if current and len(values.get(current[0], "")) < _MAX_VALUE_CHARS:
            values[current[0]] = (values.get(current[0], "") + data).strip()[:_MAX_VALUE_CHARS]

    def end(_name: str) -> None:
        current.clear()

    def refuse(*_: object) -> None:
        raise _Refused

    if len(packet) > _MAX_BYTES:
        return {}, ["Its XMP packet is over 1 MiB and was left out."]
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(packet.rstrip(b"\x00"), True)
    except _Refused:
        return {}, ["Its XMP packet declares a document type and was left out."]
    except (expat.ExpatError, ValueError, LookupError):
        return (values, []) if values else ({}, ["Its XMP packet is not well-formed and was left out."])
    return values, []


def xmp_position(values: dict[str, str]) -> tuple[Position | None, list[str]]:
    """The position of the exif properties (`DD,MM.mmmN`) or of a drone's own (signed degrees)."""
    lat_text = next((values[key] for key in _LAT_KEYS if key in values), None)
    lon_text = next((values[key] for key in _LON_KEYS if key in values), None)
    if not lat_text or not lon_text:
        return None, []
    lat, lon = _degrees(lat_text, "NS"), _degrees(lon_text, "EW")
    if lat is None or lon is None:
        return None, ["Its XMP position was left out: it is not written as degrees."]
    alt_m = _alt_m(values)
    position, why = checked_position(lat, lon, altitude=None if alt_m is None else (alt_m, None), source="xmp")
    return position, [why.replace("GPS", "XMP")] if why else []


def xmp_altitude(values: dict[str, str], by_exif: Altitude | None) -> Altitude | None:
    """EXIF's altitude, else XMP's, with a drone's height above where it took off, where XMP tells it."""
    alt_m = _alt_m(values)
    altitude = by_exif or (Altitude(alt_m, None, "xmp") if alt_m else None)
    start_m = number(values.get(_DRONE_START_KEY, ""))
    if altitude is None or start_m is None or not ALT_RANGE_M[0] <= start_m <= ALT_RANGE_M[1]:
        return altitude
    return replace(altitude, above_start_m=start_m)


def _alt_m(values: dict[str, str]) -> float | None:
    alt_m = number(values.get(_ALT_KEY, values.get(_DRONE_ALT_KEY, "")))
    if alt_m is None or not ALT_RANGE_M[0] <= alt_m <= ALT_RANGE_M[1]:
        return None
    return -abs(alt_m) if values.get(_ALT_REF_KEY) == "1" else alt_m


def xmp_time(values: dict[str, str]) -> str | None:
    """The time of taking as it is written, to be checked by the caller."""
    return next((values[key] for key in _TIME_KEYS if values.get(key)), None)


def _degrees(text: str, sides: str) -> float | None:
    match = re.fullmatch(rf"(\d{{1,3}}),(\d+(?:\.\d+)?)(?:,(\d+(?:\.\d+)?))?([{sides}])", text.upper())
    if not match:
        return number(text)
    minutes, seconds = float(match[2]), float(match[3] or 0.0)
    if minutes > 60.0 or seconds > 60.0:
        return None
    degrees = float(match[1]) + minutes / 60.0 + seconds / 3600.0
    return -degrees if match[4] == sides[1] else degrees
