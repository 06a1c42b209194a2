"""Which photographs are worth comparing: those that look alike, and those that were taken near one another."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.types import Position

_BLOCK = 1024
# Axes 90 degrees apart: features are matched to 40 degrees or so, and two wide pictures may still share a corner.
_LEAST_COSINE = 0.0


def map_pairs(
    vectors: NDArray[np.float32],
    away: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    alike: int,
    near: int,
) -> list[tuple[int, int]]:
    """Pairs i < j: of each of n photographs the `alike` most similar (vectors: (n, D) unit rows), and `near` nearest.

    away(rows): (len(rows), n) distances to all, NaN where unknown; who has none gets the `alike + near` most similar.
    n * (alike + near) pairs at most, against n^2 / 2 of an exhaustive comparison.
    """
    count = len(vectors)
    found: set[tuple[int, int]] = set()
    for start in range(0, count, _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, count))
        similar = vectors[rows] @ vectors.T
        distance = away(rows)
        similar[np.arange(len(rows)), rows] = -np.inf
        distance[np.arange(len(rows)), rows] = np.nan
        looks = np.argsort(-similar, axis=1, kind="stable")[:, : count - 1]
        close = np.argsort(distance, axis=1, kind="stable")[:, :near]
        for i, alikes, nears, known in zip(rows.tolist(), looks, close, np.isfinite(distance), strict=True):
            chosen = alikes[: alike if known.any() else alike + near].tolist()
            chosen += [j for j in nears.tolist() if known[j]]
            found.update((min(i, j), max(i, j)) for j in chosen)
    return sorted(found)


def apart_on_earth(positions: Sequence[Position | None]) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
    """Metres between photographs on the ground, for `map_pairs`."""
    lat = np.array([p.lat if p else np.nan for p in positions])
    lon = np.array([p.lon if p else np.nan for p in positions])
    return lambda rows: np.asarray(haversine_m(lat[rows, None], lon[rows, None], lat[None, :], lon[None, :]))


def apart_in_map(
    centers: NDArray[np.float64], axes: NDArray[np.float64]
) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
    """Distances between cameras of known poses, for `map_pairs`; unknown where they look ways that share nothing.

    centers, axes: (n, 3), the optical axes of unit length, in the map.
    """

    def away(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        distance: NDArray[np.float64] = np.linalg.norm(centers[rows, None] - centers[None, :], axis=2)
        return np.where(axes[rows] @ axes.T > _LEAST_COSINE, distance, np.nan)

    return away
