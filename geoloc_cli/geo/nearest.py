"""The nearest of many places to each of many others, exactly and without a loop over either."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geoloc_cli.geo.earth import EARTH_RADIUS_M, Floats, unit_vectors

Ints = NDArray[np.intp]

_LEAF = 16  # places compared one by one
_BLOCK = 1 << 15  # queries at once: temporaries stay below 50 MB


class Nearest:
    """A k-d tree (Bentley 1975) over unit vectors, in which the nearer chord is the nearer great circle.

    All leaves hold as many places, some of them twice, so that a level of the tree is one array, and queries go down it
    side by side. A million among 235 000 towns take some four seconds.
    """

    def __init__(self, lat: ArrayLike, lon: ArrayLike) -> None:
        """lat, lon: (M,) in degrees; ValueError where there are none or one is not finite."""
        units = unit_vectors(lat, lon).reshape(-1, 3)
        if not len(units) or not np.isfinite(units).all():
            raise ValueError("the nearest of places is told of at least one, all with a latitude and a longitude")
        self._levels = max(0, math.ceil(math.log2(len(units) / _LEAF)))
        leaves = 1 << self._levels
        number: Ints = np.resize(np.arange(len(units)), leaves * math.ceil(len(units) / leaves))
        self._axis: list[Ints] = []
        self._split: list[Floats] = []
        self._low: list[Floats] = []
        self._high: list[Floats] = []
        for level in range(self._levels + 1):
            inside = units[number].reshape(1 << level, -1, 3)
            self._low.append(inside.min(axis=1))
            self._high.append(inside.max(axis=1))
            if level < self._levels:
                number = self._halved(number, inside)
        self._points = units[number].reshape(leaves, -1, 3)
        self._number: Ints = number.reshape(leaves, -1)

    def _halved(self, number: Ints, inside: Floats) -> Ints:
        """The numbers with every node of the level cut at the median of its longest side, the lower half first."""
        axis = np.argmax(self._high[-1] - self._low[-1], axis=1)
        along = np.take_along_axis(inside, axis[:, None, None], axis=2)[..., 0]
        order = np.argsort(along, axis=1, kind="stable")
        half = order.shape[1] // 2
        edges = np.take_along_axis(along, order[:, half - 1 : half + 1], axis=1)
        self._axis.append(axis)
        self._split.append(edges.mean(axis=1))
        return np.take_along_axis(number.reshape(len(axis), -1), order, axis=1).ravel()

    def of(self, lat: ArrayLike, lon: ArrayLike) -> tuple[Ints, Floats]:
        """The number of the nearest place to each of (N,), and how many metres of great circle it is away.

        Of places equally near any one. A query that is not finite has number -1 and NaN metres.
        """
        units = unit_vectors(lat, lon).reshape(-1, 3)
        numbers, squares = np.full(len(units), -1, dtype=np.intp), np.full(len(units), np.nan)
        known = np.flatnonzero(np.isfinite(units).all(axis=1))
        # Neighbours after one another, so that the places they are compared with are at hand.
        known = known[np.argsort(self._leaf_of(units[known])[-1], kind="stable")]
        for first in range(0, known.size, _BLOCK):
            block = known[first : first + _BLOCK]
            numbers[block], squares[block] = self._search(units[block])
        return numbers, 2.0 * EARTH_RADIUS_M * np.arcsin(np.sqrt(squares) / 2.0)

    def _leaf_of(self, units: Floats) -> list[Ints]:
        """The node (N,) of each level on the way to the leaf in which a query lies."""
        rows = np.arange(len(units))
        way = [np.zeros(len(units), dtype=np.intp)]
        for axis, split in zip(self._axis, self._split, strict=True):
            node = way[-1]
            way.append(2 * node + (units[rows, axis[node]] > split[node]))
        return way

    def _search(self, units: Floats) -> tuple[Ints, Floats]:
        """Numbers and squared chords: of the query's own leaf, then of every leaf that may reach nearer.

        From level to level a node's far corner bounds the distance of something, and what begins beyond is given up.
        """
        way = self._leaf_of(units)
        number, best = self._compare(units, np.arange(len(units)), way[-1])
        bound = best * (1.0 + 1e-12)
        query = node = np.zeros(0, dtype=np.intp)
        for level in range(1, self._levels + 1):
            query = np.concatenate([query, query, np.arange(len(units))])
            node = np.concatenate([2 * node, 2 * node + 1, way[level] ^ 1])
            below, above = self._low[level][node] - units[query], units[query] - self._high[level][node]
            from_box = np.sum(np.maximum(np.maximum(below, above), 0.0) ** 2, axis=1)
            across = np.sum(np.minimum(below, above) ** 2, axis=1)
            np.minimum.at(bound, query, across * (1.0 + 1e-12))
            near = from_box <= bound[query]
            query, node = query[near], node[near]
        found, square = self._compare(units, query, node)
        np.minimum.at(best, query, square)
        least = square == best[query]
        number[query[least]] = found[least]
        return number, best

    def _compare(self, units: Floats, query: Ints, leaf: Ints) -> tuple[Ints, Floats]:
        """The nearest place of each leaf to its query, and its squared chord."""
        apart = self._points[leaf] - units[query, None]
        squares = np.einsum("nki,nki->nk", apart, apart)
        nearest = np.argmin(squares, axis=1)
        rows = np.arange(len(query))
        return self._number[leaf, nearest], squares[rows, nearest]
