"""What other programs are told of a located photo, flat: one value a column, numbers as numbers, None where unknown."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache

from geoloc_cli.errors import PhotoError
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.types import Fix, Photo

Value = str | float | int | None

COLUMNS: dict[str, type] = {
    "photo": str,
    "lat": float,
    "lon": float,
    "alt_m": float,
    "radius_m": float,
    "confidence": float,
    "stage": str,
    "reason": str,
    "taken_at": str,
    "heading_deg": float,
    "pitch_deg": float,
    "roll_deg": float,
    "std_east_m": float,
    "std_north_m": float,
    "std_up_m": float,
    "map": str,
    "pose_inliers": int,
    "best_candidate": str,
    "best_similarity": float,
    "best_inliers": int,
}


def flat(fix: Fix) -> dict[str, Value]:
    """One row, its keys COLUMNS; of the candidates the best."""
    pose, best = fix.pose, fix.candidates[0] if fix.candidates else None
    east, north, up = pose.position_std_m if pose and pose.position_std_m else (None, None, None)
    return {
        "photo": fix.photo,
        "lat": fix.lat,
        "lon": fix.lon,
        "alt_m": fix.alt_m,
        "radius_m": fix.radius_m,
        "confidence": fix.confidence,
        "stage": fix.stage,
        "reason": fix.reason,
        "taken_at": taken_at(fix.photo),
        "heading_deg": pose.heading_deg if pose else None,
        "pitch_deg": pose.pitch_deg if pose else None,
        "roll_deg": pose.roll_deg if pose else None,
        "std_east_m": east,
        "std_north_m": north,
        "std_up_m": up,
        "map": pose.map if pose else None,
        "pose_inliers": pose.inliers if pose else None,
        "best_candidate": best.photo if best else None,
        "best_similarity": best.similarity if best else None,
        "best_inliers": best.inliers if best else None,
    }


def place(fix: Fix) -> tuple[float, float]:
    """Latitude and longitude of a photo that has been located. Raises ValueError for another."""
    if fix.lat is None or fix.lon is None:
        raise ValueError(f"{fix.photo} has no place")
    return fix.lat, fix.lon


@cache
def stated(path: str) -> Photo | None:
    """What the photo's file says of itself; None where it cannot be read, or is not where the record says."""
    try:
        return read_photo(path)
    except PhotoError:
        return None


def readable(text: str) -> str:
    """A name as text that is whole UTF-8, bytes that are none shown as escapes."""
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def is_utf8(name: str) -> bool:
    """Whether the name is text to every program."""
    return readable(name) == name


def taken_at(path: str) -> str | None:
    """ISO 8601 by the camera's clock, with its offset from UTC where the file states one."""
    photo = stated(path)
    return photo.taken_at if photo else None


def camera_time(path: str) -> datetime | None:
    """The same as a time, which has a zone where the file states the offset."""
    text = taken_at(path)
    return datetime.fromisoformat(text) if text else None


def utc(path: str) -> datetime | None:
    """When it was taken; None where its file does not say how far the clock was from UTC."""
    photo = stated(path)
    time = datetime.fromisoformat(photo.clock.utc) if photo and photo.clock else camera_time(path)
    return time.astimezone(UTC) if time and time.tzinfo else None


def in_time_order(fixes: Iterable[Fix]) -> list[Fix]:
    """Those whose files say when they were taken, the earliest first; equal times in the order of the names.

    Where one of them states no offset from UTC, all are ordered by the cameras' clocks.
    """
    times = {fix.photo: time for fix in fixes if (time := camera_time(fix.photo))}
    local = any(time.tzinfo is None for time in times.values())
    order = {path: time.replace(tzinfo=None) if local else time.astimezone(UTC) for path, time in times.items()}
    timed = [fix for fix in fixes if fix.photo in order]
    return sorted(timed, key=lambda fix: (order[fix.photo], _natural(fix.photo)))


def _natural(path: str) -> list[tuple[int, str]]:
    """IMG_9 before IMG_10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.findall(r"\d+|\D+", path)]
