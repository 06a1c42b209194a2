"""What other programs are told of a located photo, flat: one value a column, numbers as numbers, None where unknown."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import MAXYEAR, UTC, datetime
from functools import cached_property

from geoloc_cli.errors import PhotoError
from geoloc_cli.geo.geoid import above_sea_m
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.photos.moments import natural_order
from geoloc_cli.types import Fix, Photo

Value = str | float | int | None

_FIRST_PHOTOGRAPH = 1826

COLUMNS: dict[str, type] = {
    "photo": str,
    "lat": float,
    "lon": float,
    "alt_m": float,
    "alt_sea_m": float,
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
    "disclosed": str,
}


class Located:
    """A photo that is exported: its fix, and what its file says of itself where that is asked for."""

    def __init__(self, fix: Fix) -> None:
        self.fix = fix

    @cached_property
    def place(self) -> tuple[float, float]:
        """Latitude and longitude. Raises ValueError where the photo has no place."""
        if self.fix.lat is None or self.fix.lon is None:
            raise ValueError(f"{self.fix.photo} has no place")
        return self.fix.lat, self.fix.lon

    @cached_property
    def alt_sea_m(self) -> float | None:
        """Metres above the sea; None where the fix has no height."""
        return alt_sea_m_of(self.fix)

    @cached_property
    def photo(self) -> Photo | None:
        """What the file says; None where it cannot be read, or is not where the record says.

        Of a fix that is not told exactly, nothing of where the photo was taken: no offset from UTC, either.
        """
        try:
            photo = read_photo(self.fix.photo)
        except PhotoError:
            return None
        if self.fix.disclosed is None:
            return photo
        time = datetime.fromisoformat(photo.taken_at).replace(tzinfo=None).isoformat() if photo.taken_at else None
        return Photo(
            *(photo.path, photo.width, photo.height, photo.orientation),
            taken_at=time,
            make=photo.make,
            model=photo.model,
            camera=photo.camera,
        )

    @property
    def time(self) -> datetime | None:
        """When it was taken, by the camera's clock; with a zone where the file states the offset from UTC.

        None where no camera can have been there yet, which a clock that was never set says.
        """
        text = self.photo.taken_at if self.photo else None
        time = datetime.fromisoformat(text) if text else None
        return time if time and _FIRST_PHOTOGRAPH <= time.year < MAXYEAR else None

    @property
    def utc(self) -> datetime | None:
        """When it was taken; None where its file does not say how far the clock was from UTC."""
        time, clock = self.time, self.photo.clock if self.photo else None
        if time and clock:
            time = datetime.fromisoformat(clock.utc)
        return time.astimezone(UTC) if time and time.tzinfo else None

    def row(self) -> dict[str, Value]:
        """One row, its keys COLUMNS; of the candidates the best."""
        fix, pose, best = self.fix, self.fix.pose, self.fix.candidates[0] if self.fix.candidates else None
        east, north, up = pose.position_std_m if pose and pose.position_std_m else (None, None, None)
        return {
            "photo": fix.photo,
            "lat": fix.lat,
            "lon": fix.lon,
            "alt_m": fix.alt_m,
            "alt_sea_m": self.alt_sea_m,
            "radius_m": fix.radius_m,
            "confidence": fix.confidence,
            "stage": fix.stage,
            "reason": fix.reason,
            "taken_at": self.time.isoformat() if self.time else None,
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
            "disclosed": fix.disclosed.level if fix.disclosed else None,
        }


def alt_sea_m_of(fix: Fix) -> float | None:
    """Metres above the sea by EGM96, which is good to about a metre; None where the fix has no height, or no place."""
    if fix.alt_m is None or fix.lat is None or fix.lon is None:
        return None
    return round(float(above_sea_m(fix.lat, fix.lon, fix.alt_m)), 2)


def in_time_order(photos: Iterable[Located]) -> list[Located]:
    """Those whose files say when they were taken, the earliest first; equal times in the order of the names.

    Where one of them states no offset from UTC, all are ordered by the cameras' clocks.
    """
    times = [(photo, time) for photo in photos if (time := photo.time)]
    local = any(time.tzinfo is None for _, time in times)
    order = [(time.replace(tzinfo=None if local else time.tzinfo), photo) for photo, time in times]
    return [photo for _, photo in sorted(order, key=lambda pair: (pair[0], natural_order(pair[1].fix.photo)))]


def ways(photos: Iterable[Located]) -> list[list[Located]]:
    """Those that make a track, two photos or more: one in the order of time, or of an album each of its chains.

    A chain without any time goes by the order of its names, as it did when it was made.
    """
    chains: dict[int | None, list[Located]] = {}
    for photo in photos:
        chains.setdefault(photo.fix.album.chain if photo.fix.album else None, []).append(photo)
    found = []
    for number, chain in sorted(chains.items(), key=lambda item: item[0] or 0):
        timed = in_time_order(chain)
        if not timed and number is not None:
            timed = sorted(chain, key=lambda photo: natural_order(photo.fix.photo))
        if len(timed) > 1:
            found.append(timed)
    return found


def readable(text: str) -> str:
    """A name as text that is whole UTF-8, bytes that are none shown as escapes."""
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def is_utf8(name: str) -> bool:
    """Whether the name is text to every program."""
    return readable(name) == name
