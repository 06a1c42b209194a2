"""What a photograph's file says of the clock that dated it: its offset from UTC, and with it the moment of taking.

Three witnesses: the offset beside the time (EXIF 2.31's OffsetTime tags, TIFF/EP's TimeZoneOffset), the satellites'
UTC beside the camera's own time, and XMP's dates. All are claims, and the first often that of a program.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from geoloc_cli.photos.gps import gps_time
from geoloc_cli.photos.tags import Metadata
from geoloc_cli.photos.xmp import xmp_time
from geoloc_cli.types import Clock

# The time and the offset tag that belongs to it, of taking and of digitising; EXIF's DateTime is of the last change.
_TIMES = ((0x9003, 0x9011), (0x9004, 0x9012))
_DATE_TIME, _OFFSET_TIME, _TIME_ZONE_OFFSET = 0x0132, 0x9010, 0x882A
# Offsets in use run from -12:00 to +14:00, and since 1972 all are whole quarters of an hour but for Liberia's.
_LEAST_MIN, _MOST_MIN, _QUARTER_MIN = -12 * 60, 14 * 60, 15
# A camera's clock beside the satellites': phones agree to a second, cameras drift by a minute in some months. A time
# of no meaning would pass for a whole quarter of an hour in 27 of 100 cases.
_DRIFT_S = 120.0
_YEARS = (1980, 2100)  # a clock that was never set says 1970 or 0000


def read_clock(metadata: Metadata, properties: dict[str, str]) -> tuple[Clock | None, list[str]]:
    """The clock, None where nothing tells its offset, and doubts. `properties`: as from `read_xmp`."""
    exif_local, exif_offset = _exif(metadata)
    xmp_local, xmp_offset = _written(xmp_time(properties))
    stamp = gps_time(metadata.gps)
    satellites, _ = _written(stamp)
    local = exif_local or xmp_local
    measured = _between(local, satellites)
    if local is not None and exif_offset is not None:
        if measured is None:
            return _clock(local, exif_offset, "exif"), []
        if measured == exif_offset:
            return _clock(local, exif_offset, "exif+gps"), []
        note = f"Its clock is {_text(exif_offset)} from UTC by its own word and {_text(measured)} by its GPS time."
        return _clock(local, exif_offset, "exif"), [note]
    if local is not None and measured is not None:
        return _clock(local, measured, "gps"), []
    if xmp_local is not None and xmp_offset is not None:
        return _clock(xmp_local, xmp_offset, "xmp"), []
    return None, []


def _clock(local: datetime, offset_min: int, source: str) -> Clock:
    utc = (local - timedelta(minutes=offset_min)).replace(tzinfo=UTC)
    return Clock(utc.isoformat(timespec="seconds"), offset_min, source)


def _exif(metadata: Metadata) -> tuple[datetime | None, int | None]:
    """The camera's time of taking, else of digitising, without its zone; and the offset that is stated of it.

    OffsetTime is of DateTime; it holds for the time of taking too where nothing was changed since.
    """
    for time_tag, offset_tag in _TIMES:
        text = metadata.exif.text(time_tag)
        local, _ = _written(text)
        if local is None:
            continue
        stated = metadata.exif.text(offset_tag)
        if stated is None and text == metadata.main.text(_DATE_TIME):
            stated = metadata.exif.text(_OFFSET_TIME)
        offset = _offset(stated)
        if offset is None and (hours := metadata.exif.number(_TIME_ZONE_OFFSET)) is not None:
            offset = _plausible(round(60.0 * hours))
        return local, offset
    return None, None


def _written(text: str | None) -> tuple[datetime | None, int | None]:
    """A date and time as EXIF or ISO 8601 writes it, without its zone; its offset in minutes. None for each lacking."""
    match = re.fullmatch(
        r"(\d{4})[:/-](\d{2})[:/-](\d{2})[ T](\d{2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?(.*)", (text or "").strip()
    )
    if not match:
        return None, None
    try:
        local = datetime(*(int(part or 0) for part in match.groups()[:6]))  # type: ignore[arg-type]
    except ValueError:
        return None, None
    return (local if _YEARS[0] <= local.year <= _YEARS[1] else None), _offset(match[7])


def _offset(text: str | None) -> int | None:
    """Minutes east of UTC of "+02:00", "+0200", "+2:00" or "Z"."""
    text = (text or "").strip()
    if text in ("Z", "z"):
        return 0
    match = re.fullmatch(r"([+-])(\d{1,2}):?([0-5]\d)", text)
    if not match:
        return None
    minutes = 60 * int(match[2]) + int(match[3])
    return _plausible(-minutes if match[1] == "-" else minutes)


def _plausible(minutes: int) -> int | None:
    return minutes if _LEAST_MIN <= minutes <= _MOST_MIN and minutes % _QUARTER_MIN == 0 else None


def _between(local: datetime | None, utc: datetime | None) -> int | None:
    """The offset by which a camera's time is ahead of the satellites'; None where that is no offset of any place."""
    if local is None or utc is None:
        return None
    ahead_s = (local - utc).total_seconds()
    quarters = round(ahead_s / (60.0 * _QUARTER_MIN))
    if abs(ahead_s - 60.0 * _QUARTER_MIN * quarters) > _DRIFT_S:
        return None
    return _plausible(_QUARTER_MIN * quarters)


def _text(minutes: int) -> str:
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
