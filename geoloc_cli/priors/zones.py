"""The time zones of the world: what offset each has at a moment, and where its people live."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo.earth import Floats


@dataclass(frozen=True, slots=True)
class Zones:
    """Components (n,) of where people live, each in one zone: `zone` is its number in `names`.

    `weight` counts the square roots of the inhabitants of its places in thousands; data/zones.tsv is made of GeoNames
    (CC BY 4.0) by scripts/zone_places.py.
    """

    names: tuple[str, ...]
    zone: NDArray[np.int64]
    lat: Floats
    lon: Floats
    radius_m: Floats
    weight: Floats

    def having(self, offset_min: int, moment: datetime) -> tuple[int, ...]:
        """The zones that have this offset from UTC at a moment that carries its zone; summer time counts."""
        return tuple(i for i, name in enumerate(self.names) if offset_of(name, moment) == offset_min)


@cache
def zones() -> Zones:
    """The table as it is shipped."""
    text = files("geoloc_cli.priors").joinpath("data/zones.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines()]
    names = tuple(dict.fromkeys(row[0] for row in rows))
    number = {name: i for i, name in enumerate(names)}
    lat, lon, radius_km, weight = np.array([row[1:] for row in rows], dtype=np.float64).T
    return Zones(names, np.array([number[row[0]] for row in rows]), lat, lon, 1000.0 * radius_km, weight)


def offset_of(name: str, moment: datetime) -> float | None:
    """Minutes of a zone's clocks ahead of UTC; None where this system's table of zones is older than the zone."""
    zone = _rules(name)
    offset = moment.astimezone(zone).utcoffset() if zone else None
    return offset.total_seconds() / 60.0 if offset is not None else None


@cache
def _rules(name: str) -> ZoneInfo | None:
    """Kept, since zoneinfo itself keeps eight and reads the others' files each time."""
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        return None
