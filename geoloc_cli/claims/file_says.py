"""What the photo's file says of a claim: its position, its clock, its exposure. Anyone can write these.

They are read by a check whether a prior asked for them or not, and never mixed into the picture's belief.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np

from geoloc_cli.claims.region import Region
from geoloc_cli.claims.verdict import FILE_CAP, Piece
from geoloc_cli.claims.weigh import Elsewhere, log10_ratio
from geoloc_cli.export.ground import length
from geoloc_cli.geo.earth import Floats, haversine_m
from geoloc_cli.geo.sun import sun_altitude_deg
from geoloc_cli.priors.clock import ClockOptions
from geoloc_cli.priors.daylight import daylight_odds
from geoloc_cli.priors.exif import ExifPrior
from geoloc_cli.priors.zones import offset_of, zones
from geoloc_cli.types import Clock, Photo

# A zone's border runs somewhere between its people and the next: the nearest of so many of them, and no zone whose
# people live this much farther than the nearest do.
_NEAREST, _FARTHER = 3, 2.0
# A camera's clock is left wrong by minutes; what is off by more was taken at another time, or is false.
_SAME_TIME = timedelta(minutes=15)
# Local times of unknown zones lie up to 26 hours apart.
_ANY_ZONE = timedelta(hours=26)
_MOST_ODDS = 10.0
# The first photograph; and at the end of what a calendar holds, clocks of other zones are beyond it.
_FIRST_YEAR, _LAST_YEAR = 1826, 9998
_HIGH_SUN_DEG = 30.0


def moment_of(text: str) -> datetime:
    """A claimed time, ISO 8601 with its offset from UTC. Raises ValueError, a sentence, where it is none."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"The claimed time {text!r} is none; write it as in 2024-06-01T14:00+02:00.") from None
    if moment.tzinfo is None:
        raise ValueError(f"The claimed time {text!r} says no offset from UTC; add it, as in {text.strip()}+02:00.")
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError(f"The claimed time {text!r} is of no year from {_FIRST_YEAR} to {_LAST_YEAR}.")
    return moment


def pieces_of(
    photo: Photo, region: Region, moment: datetime | None, elsewhere: Elsewhere, indexed: Floats | None
) -> list[Piece]:
    """What a file says of a claim; nothing where it says nothing."""
    found = [
        _position(photo, region, elsewhere, indexed),
        _offset(photo.clock, region) if photo.clock else None,
        _time(photo, moment) if moment else None,
        _sun(photo, region, moment),
    ]
    return [piece for piece in found if piece is not None]


def remarks_of(region: Region, moment: datetime | None) -> Iterator[str]:
    """What the claim says of itself that does not fit."""
    if moment is None:
        return
    offset = moment.utcoffset()
    stated = offset.total_seconds() / 60.0 if offset is not None else 0.0
    there = _offsets_at(region, moment)
    if stated not in there:
        said = " or ".join(_clock(minutes) for minutes in sorted(there))
        yield f"The claimed time is at {_clock(stated)}, and clocks at the claimed place were at {said} then."
    if moment > datetime.now(UTC):
        yield "The claimed time lies in the future."


def _position(photo: Photo, region: Region, elsewhere: Elsewhere, indexed: Floats | None) -> Piece | None:
    told = ExifPrior().believe(photo)
    if told is None:
        return None
    belief, guess = told
    lat, lon = belief.components[0].lat, belief.components[0].lon
    away = region.away_m(lat, lon)
    where = "inside of the claimed place" if away <= 0.0 else f"{length(away)} outside of the claimed place"
    said = f"The file says that it was taken at {lat:.5f}, {lon:.5f} ({guess.rationale}), {where}."
    weight = _capped(log10_ratio(belief, region, belief.spread, elsewhere, indexed))
    return Piece("file_position", "file", weight, said, None, {"lat": lat, "lon": lon, "away_m": round(away, 1)})


def _offset(clock: Clock, region: Region) -> Piece:
    """The offset of the clock beside those of the zones there; a clock tells of home as often as of the place."""
    moment = datetime.fromisoformat(clock.utc)
    there = _offsets_at(region, moment)
    options, world = ClockOptions(), zones()
    doubt = options.doubt_utc if clock.offset_min == 0 else options.doubt
    having = np.isin(world.zone, world.having(clock.offset_min, moment))
    share = max(float(world.weight[having].sum() / world.weight.sum()), 1e-3)
    agrees = clock.offset_min in there
    likely = doubt * share + ((1.0 - doubt) if agrees else 0.0)
    usual = " or ".join(_clock(minutes) for minutes in sorted(there))
    said = f"The file's clock was at {_clock(clock.offset_min)} ({clock.source}); the claimed place had {usual} then."
    details = {"offset_min": clock.offset_min, "at_the_place_min": sorted(there)}
    return Piece("file_clock", "file", _capped(math.log10(likely / share)), said, None, details)


def _time(photo: Photo, moment: datetime) -> Piece | None:
    """A time that agrees weighs nothing: whoever claims it could read it there."""
    if photo.clock is not None:
        taken = datetime.fromisoformat(photo.clock.utc)
        off, most = abs(taken - moment), _SAME_TIME
        written = taken.astimezone(moment.tzinfo).isoformat(timespec="minutes")
    elif photo.taken_at is not None:
        local = datetime.fromisoformat(photo.taken_at).replace(tzinfo=None)
        off, most = abs(local - moment.replace(tzinfo=None)), _ANY_ZONE
        written = f"{local.isoformat(timespec='minutes')} in a zone that it does not state"
    else:
        return None
    agrees = off <= most
    said = f"The file says that it was taken on {written}, "
    said += "which agrees with the claimed time as far as it goes." if agrees else f"{_duration(off)} from the claim."
    return Piece("file_time", "file", 0.0 if agrees else -FILE_CAP, said, None, {"off_s": round(off.total_seconds())})


def _sun(photo: Photo, region: Region, moment: datetime | None) -> Piece | None:
    """The exposure that the file states beside the sun at the claimed place, at the claimed time or else the file's."""
    when = moment or (datetime.fromisoformat(photo.clock.utc) if photo.clock else None)
    if photo.ev100 is None or when is None:
        return None
    sun = float(sun_altitude_deg(when, region.lat, region.lon))
    here, day, night = daylight_odds(photo.ev100, [sun, _HIGH_SUN_DEG, -_HIGH_SUN_DEG], 0.0, _MOST_ODDS)
    weight = math.log10(2.0 * float(here) / float(day + night))
    whose = "claimed" if moment else "file's"
    above = f"{abs(sun):.0f} degrees {'above' if sun > 0.0 else 'below'} the horizon"
    said = f"The file states an exposure of EV {photo.ev100:.1f}; at the claimed place the sun stood {above} at the"
    said += f" {whose} time."
    return Piece("file_light", "file", _capped(weight), said, None, {"ev100": photo.ev100, "sun_deg": round(sun, 2)})


def _offsets_at(region: Region, moment: datetime) -> set[float]:
    """The offsets from UTC, in minutes, of the zones whose people live nearest to the middle of a region."""
    world = zones()
    away = np.maximum(haversine_m(region.lat, region.lon, world.lat, world.lon) - world.radius_m, 1000.0)
    near = np.argsort(away, kind="stable")[:_NEAREST]
    kept = {world.names[world.zone[i]] for i in near if away[i] <= _FARTHER * away[near[0]]}
    return {offset for name in kept if (offset := offset_of(name, moment)) is not None}


def _capped(log10_lr: float) -> float:
    return max(-FILE_CAP, min(FILE_CAP, log10_lr))


def _clock(minutes: float) -> str:
    hours, rest = divmod(abs(round(minutes)), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours:02d}:{rest:02d}"


def _duration(off: timedelta) -> str:
    if off < timedelta(hours=2):
        return f"{off.total_seconds() / 60.0:.0f} minutes"
    return f"{off.total_seconds() / 3600.0:.0f} hours" if off < timedelta(days=3) else f"{off.days} days"
