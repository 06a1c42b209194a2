"""By which camera and when photographs were taken, as far as their files say, and the order of their names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from geoloc_cli.errors import PhotoError
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.types import Photo


@dataclass(frozen=True, slots=True)
class Moment:
    """One photograph's camera and time; `serial` is the body's, so that two of one model are told apart.

    local_s: seconds since 1970 by the camera's own clock, with their fraction; offset_s: how far that is ahead of UTC.
    None for what its file does not say.
    """

    camera: str | None
    serial: str | None
    local_s: float | None
    offset_s: float | None


def moment_of(path: str) -> Moment:
    """The moment of a file; one that cannot be read says nothing."""
    try:
        return moment(read_photo(path))
    except PhotoError:
        return Moment(None, None, None, None)


def moment(photo: Photo) -> Moment:
    """The moment of a photo: its offset from UTC is its time's own, else what its clock shows."""
    make, model = photo.make or "", photo.model or ""
    # "Canon", "Canon EOS 5D": a model often begins with its maker.
    camera = model if make and model.lower().startswith(make.lower().split()[0]) else f"{make} {model}".strip()
    if not photo.taken_at:
        return Moment(camera or None, photo.serial, None, None)
    time = datetime.fromisoformat(photo.taken_at)
    offset = time.utcoffset()
    if offset is None and photo.clock:
        offset = timedelta(minutes=photo.clock.offset_min)
    local = time.replace(tzinfo=UTC).timestamp()
    return Moment(camera or None, photo.serial, local, None if offset is None else offset.total_seconds())


def natural_order(path: str) -> tuple[list[tuple[int, str]], str]:
    """IMG_9 before IMG_10; folders do not count before names, as one walk may lie in several."""
    parts = re.findall(r"\d+|\D+", Path(path).name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], path
