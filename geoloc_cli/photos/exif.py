"""A photograph's file -> Photo: size, position, time, camera and attitude, with no pixel decoded.

Everything the file says is a claim: it is checked, and what is not believed leaves a sentence in `Photo.notes`.
MakerNotes are never read.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

from geoloc_cli.photos.attitude import xmp_attitude
from geoloc_cli.photos.clock import read_clock
from geoloc_cli.photos.gps import gps_altitude, gps_position, gps_time
from geoloc_cli.photos.intrinsics import FocalTags, guess_camera
from geoloc_cli.photos.light import ev100
from geoloc_cli.photos.opening import open_picture
from geoloc_cli.photos.tags import Metadata, Tags, read_metadata
from geoloc_cli.photos.xmp import read_xmp, xmp_altitude, xmp_position, xmp_time
from geoloc_cli.types import Photo, Position

_MAKE, _MODEL, _DATE_TIME = 0x010F, 0x0110, 0x0132
_EXIF_VERSION = 0x9000
_SERIAL = 0xA431
_FOCAL, _FOCAL_35MM, _ZOOM = 0x920A, 0xA405, 0xA404
_WIDTH, _HEIGHT, _PLANE_X, _PLANE_UNIT = 0xA002, 0xA003, 0xA20E, 0xA210
# Time, its fraction and its offset, of taking and of digitising.
_TIMES = ((0x9003, 0x9291, 0x9011), (0x9004, 0x9292, 0x9012))
_OFFSET_TIME = 0x9010


def read_photo(path: str) -> Photo:
    """What the file says of itself; raises only PhotoError's kin, each with the file's name and a remedy."""
    with open_picture(path) as picture:
        metadata = read_metadata(picture)
        photo = _photo(path, metadata)
    # Warnings arrive when the file is closed.
    return replace(photo, notes=(*photo.notes, *picture.notes))


def _photo(path: str, metadata: Metadata) -> Photo:
    notes = list(metadata.notes)
    properties: dict[str, str] = {}
    if metadata.xmp:
        properties, doubts = read_xmp(metadata.xmp)
        notes += doubts
    position = _position(metadata, properties, notes)
    altitude, doubts = gps_altitude(metadata.gps, metadata.exif.text(_EXIF_VERSION))
    notes += [doubt for doubt in doubts if doubt not in notes]
    make = metadata.main.text(_MAKE)
    attitude, doubts = xmp_attitude(properties, make, metadata.orientation)
    notes += doubts
    clock, doubts = read_clock(metadata, properties)
    notes += doubts
    camera = guess_camera(metadata.width, metadata.height, _focal_tags(metadata.exif), notes)
    return Photo(
        path=path,
        width=metadata.width,
        height=metadata.height,
        orientation=metadata.orientation,
        position=position,
        taken_at=_taken_at(metadata, properties),
        make=make,
        model=metadata.main.text(_MODEL),
        serial=metadata.exif.text(_SERIAL),
        camera=camera,
        attitude=attitude,
        altitude=xmp_altitude(properties, altitude),
        clock=clock,
        ev100=ev100(metadata.exif),
        notes=tuple(notes),
    )


def _position(metadata: Metadata, properties: dict[str, str], notes: list[str]) -> Position | None:
    """EXIF's position, else XMP's."""
    position, doubts = gps_position(metadata.gps, metadata.exif.text(_EXIF_VERSION))
    notes += doubts
    if position is None:
        position, doubts = xmp_position(properties)
        notes += doubts
    return position


def _focal_tags(exif: Tags) -> FocalTags:
    return FocalTags(
        focal_mm=exif.number(_FOCAL),
        focal_35mm=exif.number(_FOCAL_35MM),
        plane_resolution=exif.number(_PLANE_X),
        plane_unit=exif.integer(_PLANE_UNIT),
        original_width=exif.integer(_WIDTH),
        original_height=exif.integer(_HEIGHT),
        digital_zoom=exif.number(_ZOOM),
    )


def _taken_at(metadata: Metadata, properties: dict[str, str]) -> str | None:
    """Local time of taking with its offset where the file states one; else of digitising, of GPS (UTC), of XMP.

    The time of the last change (DateTime) comes last: software writes it long after.
    """
    for time_tag, fraction_tag, offset_tag in _TIMES:
        offset = metadata.exif.text(offset_tag)
        stated = _iso(metadata.exif.text(time_tag), metadata.exif.text(fraction_tag), offset)
        if stated:
            return stated
    return (
        _checked(gps_time(metadata.gps))
        or _checked(xmp_time(properties))
        or _iso(metadata.main.text(_DATE_TIME), None, metadata.exif.text(_OFFSET_TIME))
    )


def _iso(text: str | None, fraction: str | None, offset: str | None) -> str | None:
    match = re.fullmatch(r"(\d{4})[:/-](\d{2})[:/-](\d{2})[ T](\d{2}):(\d{2}):(\d{2})", text or "")
    if not match:
        return None
    whole = f"{match[1]}-{match[2]}-{match[3]}T{match[4]}:{match[5]}:{match[6]}"
    if fraction and re.fullmatch(r"\d{1,9}", fraction) and int(fraction):
        whole += "." + fraction[:6].ljust(3, "0")
    zone = "+00:00" if offset == "Z" else offset or ""
    return _checked(whole + zone if re.fullmatch(r"[+-]\d{2}:\d{2}", zone) else whole)


def _checked(text: str | None) -> str | None:
    """The text where it is a time that exists, to be parsed by every ISO 8601 reader."""
    try:
        # A date alone would come out as midnight, which nobody said.
        return datetime.fromisoformat(text).isoformat() if text and "T" in text else None
    except ValueError:
        return None
