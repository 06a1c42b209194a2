"""Which photographs are worth comparing: those that look alike, and those that were taken near one another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo.earth import haversine_m

_BLOCK = 1024


def map_pairs(
    vectors: NDArray[np.float32], lat: NDArray[np.float64], lon: NDArray[np.float64], alike: int, near: int
) -> list[tuple[int, int]]:
    """Pairs i < j: of each of n photographs the `alike` most similar (vectors: (n, D) unit rows), and `near` nearest.

    n * (alike + near) pairs at most, against n^2 / 2 of an exhaustive comparison.
    """
    count = len(vectors)
    found: set[tuple[int, int]] = set()
    for start in range(0, count, _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, count))
        similar = vectors[rows] @ vectors.T
        away = haversine_m(lat[rows, None], lon[rows, None], lat[None, :], lon[None, :])
        similar[np.arange(len(rows)), rows] = -np.inf
        away[np.arange(len(rows)), rows] = np.inf
        for scores, wanted in ((-similar, alike), (away, near)):
            best = np.argsort(scores, axis=1, kind="stable")[:, : min(wanted, count - 1)]
            for i, row in zip(rows.tolist(), best.tolist(), strict=True):
                found.update((min(i, j), max(i, j)) for j in row)
    return sorted(found)
