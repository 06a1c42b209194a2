"""Cells of the H3 grid as 64-bit integers, and the ranges of them that cover circles. The only user of h3.

The ids of resolution 15 sort along a curve on which every coarser cell is one interval: with the resolution field
held at 15, a cell's id is its base cell and its path of digits (three bits each), most significant first. Digit 7 is
in no cell of resolution 15, so an interval may run over such ids to join its neighbour.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import repeat

import h3.api.basic_int as h3
import numpy as np
from numpy.typing import ArrayLike, NDArray

from geoloc_cli.geo.earth import HALF_EARTH_M, Floats, haversine_m

Cells = NDArray[np.uint64]

FINEST = 15

# A cell's descendants stick out of it. Over all resolutions, and over the pentagons, no corner of a descendant was
# seen further from the cell's centre than 1.1462 average edge lengths.
_REACH_IN_EDGES = 1.25
# A cell on the rim is split until its reach is this share of the radius: some 20 to 45 ranges per circle, which
# together reach at most half a radius beyond it.
_RIM_SHARE = 0.25

_RESOLUTION_SHIFT = 52
_DIGIT_BITS = 3


def cells_of(lat: ArrayLike, lon: ArrayLike, resolution: int = FINEST) -> Cells:
    """The cells that hold the places, uint64, of the shape to which lat and lon broadcast.

    h3 4 has no call for many places at once, and its integer interface in one loop is as fast as it gets (0.7 us each).
    A place that is not finite raises ValueError.
    """
    lats, lons = np.broadcast_arrays(np.asarray(lat, dtype=np.float64), np.asarray(lon, dtype=np.float64))
    if not (np.isfinite(lats).all() and np.isfinite(lons).all()):
        raise ValueError("a place without a finite latitude and longitude is in no cell")
    found = map(h3.latlng_to_cell, lats.ravel().tolist(), lons.ravel().tolist(), repeat(resolution))
    return np.fromiter(found, dtype=np.uint64, count=lats.size).reshape(lats.shape)


def nested_cell(lat: float, lon: float, resolution: int) -> int:
    """The ancestor at a resolution of the finest cell that holds a place.

    Such cells nest without exception, which H3's hexagons do not: near an edge the place may lie a little outside of
    the hexagon, though within `reach_m`. The centre of a cell is in the cell's own ancestor at any coarser resolution.
    """
    return int(h3.cell_to_parent(h3.latlng_to_cell(lat, lon, FINEST), resolution))


def beside(cell: int) -> frozenset[int]:
    """A cell and those that touch it: seven, six of a pentagon."""
    return frozenset(h3.grid_disk(cell, 1))


def centers_of(cells: ArrayLike) -> tuple[Floats, Floats]:
    """Latitudes and longitudes of the centres of the cells (N,)."""
    places = np.array([h3.cell_to_latlng(cell) for cell in np.asarray(cells, dtype=np.uint64).tolist()])
    places = places.reshape(-1, 2)
    return places[:, 0], places[:, 1]


def all_cells(resolution: int) -> Cells:
    """Every cell of a resolution, sorted: 122 at 0, seven times as many at each finer one."""
    found = [child for base in h3.get_res0_cells() for child in h3.cell_to_children(base, resolution)]
    return np.sort(np.array(found, dtype=np.uint64))


def reach_m(resolution: int) -> float:
    """A length in metres within which every place of a cell, and of all its descendants, lies from its centre."""
    return _REACH_IN_EDGES * float(h3.average_hexagon_edge_length(resolution, "m"))


def covering_ranges(circles: Iterable[tuple[float, float, float]]) -> Cells:
    """Ranges [lo, hi] of resolution-15 cells that cover circles (lat, lon, radius_m): (N, 2) uint64, sorted, disjoint.

    Every place inside a circle has its cell in some range; a range may hold places outside. Both ends are inclusive.
    """
    found = [part for circle in circles for part in _cover(*circle)]
    return _merged(np.array(found, dtype=np.uint64).reshape(-1, 2))


def _cover(lat: float, lon: float, radius_m: float) -> list[tuple[int, int]]:
    """Descend from the base cells, keeping what the circle touches; poles, seams and pentagons are cells like any."""
    if not radius_m >= 0.0:
        raise ValueError(f"a circle's radius of {radius_m} m is not a length")
    if radius_m >= HALF_EARTH_M:
        return [_range_of(cell, 0) for cell in h3.get_res0_cells()]
    ranges: list[tuple[int, int]] = []
    cells, lats, lons = _base_cells()
    for resolution in range(FINEST + 1):
        reach = reach_m(resolution)
        away = haversine_m(lat, lon, lats, lons)
        touched = away <= radius_m + reach
        last = resolution == FINEST or reach <= _RIM_SHARE * radius_m
        done = touched if last else away + reach <= radius_m
        ranges += [_range_of(cell, resolution) for cell in cells[done].tolist()]
        open_cells = cells[touched & ~done].tolist()
        if not open_cells:
            break
        children = [child for cell in open_cells for child in h3.cell_to_children(cell, resolution + 1)]
        cells = np.array(children, dtype=np.uint64)
        lats, lons = centers_of(cells)
    return ranges


@cache
def _base_cells() -> tuple[Cells, Floats, Floats]:
    cells = all_cells(0)
    return cells, *centers_of(cells)


def _range_of(cell: int, resolution: int) -> tuple[int, int]:
    """The interval of the resolution-15 ids below a cell."""
    below = (1 << (_DIGIT_BITS * (FINEST - resolution))) - 1
    lo = (cell | (FINEST << _RESOLUTION_SHIFT)) & ~below
    return lo, lo | below


def _merged(ranges: Cells) -> Cells:
    """Sorted, with overlapping and touching ranges made one."""
    if len(ranges) == 0:
        return ranges
    ranges = ranges[np.argsort(ranges[:, 0], kind="stable")]
    reached = np.maximum.accumulate(ranges[:, 1])
    starts = np.concatenate([[True], ranges[1:, 0] > reached[:-1] + np.uint64(1)])
    first = np.flatnonzero(starts)
    last = np.append(first[1:], len(ranges)) - 1
    return np.stack([ranges[first, 0], reached[last]], axis=1)
