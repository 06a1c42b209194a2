"""Places in file names, as the benchmarks of visual place recognition write them.

    @0544388.51@4172758.25@10@S@037.70098@-122.49646@kPnABhWJ1kA61eMNPLs1vQ@@210@@@@201606@@.jpg
     easting    northing   zone letter lat    lon        panorama's id      tile heading pitch roll height time note

The fields as gmberton/VPR-datasets-downloader documents them; all but the first two may be empty. The heading is left
alone: in SF-XL it runs against the clock and is that of a crop's leftmost column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.datasets.cells import numbers
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.geo.utm import geodetic_from_utm
from geoloc_cli.photos.opening import shown

Floats = NDArray[np.float64]

# Both are printed to a metre and better; what is farther apart is a mistake in one of them.
_APART_M = 50.0
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class NamedPlaces:
    """plane: (N, 2) eastings, northings [m]; lat, lon: (N,) degrees, NaN where unknown; zones: `10 north`, or empty."""

    plane: Floats
    lat: Floats
    lon: Floats
    zones: list[str]
    notes: list[str]


def read_names(folder: str, names: Sequence[str]) -> NamedPlaces:
    """The places of pictures in `folder` by their names; UsageError where a name has none.

    Latitude and longitude are those of the easting and northing in their zone, which are what the benchmarks measure;
    those of the name serve where the zone is not stated.
    """
    plane = np.empty((len(names), 2))
    stated = np.empty((len(names), 2))
    zones: list[str] = []
    # Names cut into their fields take twenty times their length: those of three million are cut some at a time.
    for start in range(0, len(names), _BLOCK):
        block = names[start : start + _BLOCK]
        fields = [name[name.rfind("/") + 1 :].split("@", 7) for name in block]
        short = next((name for name, field in zip(block, fields, strict=True) if len(field) < 4), None)
        if short is not None:
            raise UsageError(
                f"{shown(short)} in {shown(folder)} does not carry its place as @easting@northing@zone@letter@...; "
                "bring the set into this form with VPR-datasets-downloader (github.com/gmberton)."
            )
        rows = slice(start, start + len(block))
        plane[rows] = np.stack([numbers([field[column] for field in fields]) for column in (1, 2)], axis=1)
        stated[rows] = np.stack([numbers([_field(field, column) for field in fields]) for column in (5, 6)], axis=1)
        zones += [_zone(_field(field, 3), _field(field, 4)) for field in fields]
    if np.isnan(plane).any():
        wrong = names[int(np.flatnonzero(np.isnan(plane).any(axis=1))[0])]
        raise UsageError(f"{shown(wrong)} in {shown(folder)} has no easting and northing in its first two fields.")
    lat, lon = stated.T.copy()
    of_row = np.array(zones)
    for zone in sorted(set(zones) - {""}):
        rows_of = np.flatnonzero(of_row == zone)
        east, north = plane[rows_of].T
        lat[rows_of], lon[rows_of] = geodetic_from_utm(east, north, int(zone.split()[0]), zone.endswith("south"))
    notes = []
    apart = int(np.count_nonzero(haversine_m(lat, lon, *stated.T) > _APART_M))
    if apart:
        notes.append(f"{apart} names in {shown(folder)} state another latitude and longitude; their UTM was taken.")
    return NamedPlaces(plane, lat, lon, zones, notes)


@lru_cache(maxsize=1024)
def _zone(number: str, letter: str) -> str:
    """`10 north`, or nothing where the zone or its letter is not stated: the letters from N on are north."""
    number, letter = number.strip(), letter.strip().upper()
    known = number.isascii() and number.isdigit() and 1 <= int(number) <= 60
    if not known or len(letter) != 1 or not "C" <= letter <= "X":
        return ""
    return f"{int(number)} {'north' if letter >= 'N' else 'south'}"


def _field(fields: Sequence[str], column: int) -> str:
    return fields[column] if column < len(fields) else ""
