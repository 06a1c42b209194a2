"""Indexed vectors drawn towards those of photos taken nearby that look alike: database-side augmentation.

Turcot and Lowe 2009, with the weights of Radenović, Tolias and Chum 2019: v' = v + sum of s_j^3 v_j over the most
similar others, s_j their cosines, brought to unit length again. What several photos of a place share counts for more,
and what is one photo's alone for less. Places that merely look alike must not be mixed: on aerial photographs of fields
three others anywhere found fewer queries than none did (67 of 142 to 76), and three within 30 m more (86).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo.earth import EARTH_RADIUS_M, haversine_m, unit_vectors

if TYPE_CHECKING:
    from geoloc_cli.index.derived import Ordered

# Photos further apart than this are of different places.
NEAR_M = 30.0
# Towards how many others a vector can be drawn; five found fewer than three did.
MOST = 100
_POWER = 3
# Rows compared at once: with 10 000 photos of one place, 60 MB.
_BLOCK = 256
# Cubes of NEAR_M about the Earth's centre, numbered from -2^20 along each axis, side by side along the last.
_AXIS_BITS = 21


def augmented(ordered: Ordered, neighbours: int) -> Ordered:
    """The same rows with their vectors drawn towards those of `neighbours` others at most; 0 leaves them as they are.

    A photo without a position, or with no other within NEAR_M, keeps its vector. What comes of a row depends on what is
    in the index, and not on the order in which it came there.
    """
    if neighbours == 0:
        return ordered
    drawn = ordered.vectors.copy()
    for rows, others in _places(ordered):
        for start in range(0, len(rows), _BLOCK):
            part = rows[start : start + _BLOCK]
            drawn[part] = _drawn(ordered, part, others, neighbours)
    return replace(ordered, vectors=drawn, augment=neighbours)


def _drawn(
    ordered: Ordered, rows: NDArray[np.int64], others: NDArray[np.int64], neighbours: int
) -> NDArray[np.float32]:
    own, theirs = ordered.vectors[rows], ordered.vectors[others]
    # A product's last bits depend on its block.
    similar = np.round(own @ theirs.T, 6)
    lat, lon = ordered.lat, ordered.lon
    far = haversine_m(lat[rows, None], lon[rows, None], lat[others], lon[others]) > NEAR_M
    similar[far | (rows[:, None] == others)] = 0.0
    # Of two as similar, the one of the lower number: `others` is put into that order, and the sort is stable.
    best = np.argsort(-similar, axis=1, kind="stable")[:, :neighbours]
    weights = np.maximum(np.take_along_axis(similar, best, axis=1), 0.0) ** _POWER
    for rank in range(best.shape[1]):
        own += weights[:, rank, None] * theirs[best[:, rank]]
    unit: NDArray[np.float32] = own / np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-9)
    return unit


def _places(ordered: Ordered) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows in one cube of NEAR_M, and all that lie in it and the 26 about it, by their numbers; what has a position."""
    placed = np.flatnonzero(np.isfinite(ordered.lat))
    placed = placed[np.argsort(ordered.row_ids[placed], kind="stable")]
    xyz = unit_vectors(ordered.lat[placed], ordered.lon[placed]) * EARTH_RADIUS_M
    steps = np.floor(xyz / NEAR_M).astype(np.int64)
    axes: NDArray[Any] = np.array([1 << 2 * _AXIS_BITS, 1 << _AXIS_BITS, 1])
    cubes = (steps + (1 << _AXIS_BITS - 1)) @ axes
    order = np.argsort(cubes, kind="stable")
    held, starts, counts = np.unique(cubes[order], return_index=True, return_counts=True)
    about = np.array([x * axes[0] + y * axes[1] for x in (-1, 0, 1) for y in (-1, 0, 1)])
    first = np.searchsorted(cubes[order], held[:, None] + about - 1, "left")
    last = np.searchsorted(cubes[order], held[:, None] + about + 1, "right")
    for start, count, begins, ends in zip(starts, counts, first, last, strict=True):
        near = np.concatenate([order[begin:end] for begin, end in zip(begins, ends, strict=True)])
        if len(near) > 1:
            yield placed[order[start : start + count]], placed[np.sort(near)]
