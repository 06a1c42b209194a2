"""Constrained approximate nearest neighbours: the indexed photos whose local descriptors are nearest to the query's.

CANN-RG of Aiger, Araujo and Lynen, "Yes, we CANN: Constrained Approximate Nearest Neighbors for local feature-based
visual localization" (ICCV 2023): no global descriptor, one search over all local ones. A photo is a *colour*. For each
descriptor of the query and each colour the nearest descriptor of that colour is wanted, and of it the distance alone:
radii grow from `min_radius` to `max_radius`, and each has randomly rotated and shifted grids, of cells with

    width (c / sqrt(D)) r,   exp(min(ln G, D / c)) grids,   c = `cell`, G = `grids`

in whose occupied cells stands the *set* of colours. The first radius r at which a descriptor falls into a cell with a
colour gives the pair

    s(r) = (1 - (r / p0)^(p1 / (1 - p1)))^((1 - p1) / p1),   p0 a little above the largest radius, p1 = `falloff`

and the photo's score is the sum over the query's descriptors divided by their number, and by s of the smallest radius:
0 to 1. A pair counts once, so a photo that repeats one descriptor five hundred times gains nothing by it.

Two things differ from the paper. Descriptors are projected to `dims` principal axes: two at distance r share a cell of
a grid with probability e^(-0.8 D / c) or so, and a cell may hold pairs as far apart as c r, so in 128 dimensions a few
dozen grids need a c at which near and far hardly differ. 16 axes hold 70 % of RootSIFT's variance, and exact neighbours
in them rank photos nearly as well as in all. And radii are measured in the root mean square distance of two unrelated
descriptors of the index, so that the same numbers serve learned features.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.descriptors.vlad import MIN_FEATURES
from geoloc_cli.errors import TooFewFeatures, UsageError
from geoloc_cli.features.local import LocalFeatures, unit_rows
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.index.reader import Circle, Index, SearchResult

# The low bits of an entry name the colour, the high ones the cell: 40 bits, so that of 10^5 entries one in 10^7
# questions meets a cell that is not its own.
_COLOUR_BITS = np.uint64(24)
_COLOURS = np.uint64((1 << 24) - 1)
_ENTRY_BYTES = 8
# Pairs of descriptor and colour held at once: a byte each for the radius, and at most some 40 for the hits of one grid.
_PAIRS_AT_ONCE = 1 << 21
# Descriptors that the axes are learned from, evenly from all photos: plenty for a covariance of 128 x 128.
_SAMPLE = 20_000
# With 50 of its descriptors each, four photos of a street in five still have a neighbour as their first candidate; with
# 200 all of them.
_FEWEST_FEATURES = 50
_NEVER = 255


@dataclass(frozen=True, slots=True)
class CannOptions:
    """Options of `cann`; the figures were set on indexed photos left out one by one, aerial and in a street.

    `features`: how many of each photo take part, the first ones, which are those of the largest scales; fewer where
    the grids would need more than `memory_mb` (a process). `min_radius`, `max_radius` and `growth` are the radii.
    """

    features: int = 500
    dims: int = 16
    cell: float = 4.3
    grids: int = 40
    min_radius: float = 0.1
    max_radius: float = 0.3
    growth: float = 1.5
    falloff: float = 0.3
    memory_mb: int = 2048
    seed: int = 0

    def check(self) -> None:
        if self.features < _FEWEST_FEATURES or self.dims < 1 or self.memory_mb < 1:
            raise UsageError(
                f"cann takes at least {_FEWEST_FEATURES} features of a photo, 1 dimension and 1 MB of memory."
            )
        if not 1 <= self.grids <= 1000 or not (math.isfinite(self.cell) and self.cell > 0):
            raise UsageError(f"cann has 1 to 1000 grids of cells above 0, not {self.grids} of {self.cell}.")
        if not 0 < self.min_radius <= self.max_radius <= 2 or not 1.05 <= self.growth <= 10:
            raise UsageError(
                f"The radii of cann grow from {self.min_radius} to {self.max_radius} by a factor of {self.growth}; "
                "give 0 < min_radius <= max_radius <= 2 and a factor of 1.05 to 10."
            )
        if not 0 < self.falloff < 1:
            raise UsageError(f"falloff is {self.falloff}; give a number between 0 and 1.")

    def radii(self) -> NDArray[np.float64]:
        """(L,) ascending."""
        levels = 1 + math.floor(math.log(self.max_radius / self.min_radius) / math.log(self.growth) + 1e-9)
        return self.min_radius * self.growth ** np.arange(levels, dtype=np.float64)

    def score(self, distance: NDArray[np.float64]) -> NDArray[np.float64]:
        """s of distances in the unit of the radii: 1 at none, 0 from the largest radius times sqrt(growth) on."""
        share = np.minimum(distance / (float(self.radii()[-1]) * math.sqrt(self.growth)), 1.0)
        scores: NDArray[np.float64] = (1.0 - share ** (self.falloff / (1.0 - self.falloff))) ** (
            (1.0 - self.falloff) / self.falloff
        )
        return scores

    def grids_of(self, dims: int) -> int:
        """Grids for each radius in so many dimensions."""
        return max(1, round(math.exp(min(math.log(self.grids), dims / self.cell))))


class Axes:
    """The principal axes of descriptors, scaled so that two unrelated ones are at the distance 1 (r.m.s.)."""

    def __init__(self, rows: NDArray[np.float32], dims: int) -> None:
        """rows: (N, D) float32, N >= 2; at most D axes are kept."""
        self._mean = rows.mean(axis=0)
        variance, axes = np.linalg.eigh(np.cov((rows - self._mean).T.astype(np.float64)).reshape(rows.shape[1], -1))
        kept = axes[:, ::-1][:, :dims]
        spread = 2.0 * float(variance[::-1][:dims].sum())
        self._axes: NDArray[np.float32] = (kept / math.sqrt(max(spread, 1e-12))).astype(np.float32)

    def __call__(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, D) -> (N, dims) float32."""
        projected: NDArray[np.float32] = (rows - self._mean) @ self._axes
        return projected


@dataclass(frozen=True, slots=True)
class _Grid:
    """One rotated and shifted grid; entries: (E,) uint64, ascending, cell and colour, each pair once."""

    level: int
    rotation: NDArray[np.float32]
    shift: NDArray[np.float32]
    multipliers: NDArray[np.uint64]
    entries: NDArray[np.uint64]

    def cells(self, points: NDArray[np.float32]) -> NDArray[np.uint64]:
        return _cells(points, self.rotation, self.shift, self.multipliers)


def _cells(
    points: NDArray[np.float32],
    rotation: NDArray[np.float32],
    shift: NDArray[np.float32],
    multipliers: NDArray[np.uint64],
) -> NDArray[np.uint64]:
    """(N,) the hash of each point's truncated coordinates in the high 40 bits, 0 in the others."""
    corners = np.floor(points @ rotation + shift).astype(np.int64).view(np.uint64)
    hashed: NDArray[np.uint64] = np.einsum("nd,d->n", corners, multipliers)
    return hashed & ~_COLOURS


class ColouredGrids:
    """Points with colours, to be asked which colours are near a point, and how near."""

    def __init__(self, points: NDArray[np.float32], colours: NDArray[np.int64], options: CannOptions) -> None:
        """points: (N, D) float32 in units of the radii; colours: (N,) int64 from 0 to below 2^24."""
        dims = points.shape[1]
        self.colours = int(colours.max()) + 1 if len(colours) else 0
        self._grids: list[_Grid] = []
        rng = np.random.default_rng(options.seed)
        for level, radius in enumerate(options.radii()):
            width = options.cell / math.sqrt(dims) * radius
            for _ in range(options.grids_of(dims)):
                turned, _ = np.linalg.qr(rng.normal(size=(dims, dims)))
                rotation = (turned / width).astype(np.float32)
                shift = rng.uniform(0.0, 1.0, (dims,)).astype(np.float32)
                multipliers = rng.integers(0, 1 << 63, (dims,), np.uint64) * np.uint64(2) + np.uint64(1)
                entries = np.unique(_cells(points, rotation, shift, multipliers) | colours.astype(np.uint64))
                self._grids.append(_Grid(level, rotation, shift, multipliers, entries))

    def size_bytes(self) -> int:
        return sum(grid.entries.nbytes for grid in self._grids)

    def levels(self, queries: NDArray[np.float32]) -> Iterator[NDArray[np.uint8]]:
        """For each query and colour the first radius at which they share a cell, or 255 where there is none.

        queries: (N, D) float32. Yields (n, colours) uint8 for successive parts of the queries.
        """
        block = max(1, _PAIRS_AT_ONCE // max(self.colours, 1))
        for start in range(0, len(queries), block):
            part = queries[start : start + block]
            first = np.full((len(part), self.colours), _NEVER, np.uint8)
            # From the largest radius down: what is written last is the first radius.
            for grid in reversed(self._grids):
                cells = grid.cells(part)
                starts = np.searchsorted(grid.entries, cells, "left")
                counts = np.searchsorted(grid.entries, cells | _COLOURS, "right") - starts
                rows = np.repeat(np.arange(len(part)), counts)
                within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
                hits = grid.entries[np.repeat(starts, counts) + within] & _COLOURS
                first[rows, hits.astype(np.int64)] = grid.level
            yield first


class CannSearch:
    """One index, opened for this search: the grids of its photos' descriptors, in memory."""

    def __init__(self, index: Index, options: CannOptions) -> None:
        """Raises UsageError where the index is too large for `memory_mb`."""
        self._options = options
        photos = index.all_photos()
        self._row_ids = np.array([photo.row_id for photo in photos], np.int64)
        # A photo without a position lies in no circle.
        self._lat = np.array([photo.position.lat if photo.position else np.nan for photo in photos])
        self._lon = np.array([photo.position.lon if photo.position else np.nan for photo in photos])
        taken = self._features_of_each(index, len(photos))
        # Views of the mapped index, projected one by one: all of them as float32 would take half as much as the grids.
        local = [index.local(row).descriptors[:taken] for row in self._row_ids.tolist()]
        total = sum(len(one) for one in local)
        self._scores = np.zeros(_NEVER + 1)
        self._scores[: len(options.radii())] = options.score(options.radii()) / options.score(options.radii()[:1])
        self._axes: Axes | None = None
        points = np.zeros((0, options.dims), np.float32)
        if total > 1:
            step = max(1, total // _SAMPLE)
            axes = self._axes = Axes(np.concatenate([unit_rows(one[::step]) for one in local]), options.dims)
            points = np.concatenate([axes(unit_rows(one)) for one in local])
        colours = np.repeat(np.arange(len(local)), [len(one) if total > 1 else 0 for one in local])
        self._grids = ColouredGrids(points, colours, options)

    def size_bytes(self) -> int:
        """What the grids take."""
        return self._grids.size_bytes()

    def _features_of_each(self, index: Index, photos: int) -> int:
        options = self._options
        grids = len(options.radii()) * options.grids_of(options.dims)
        affordable = options.memory_mb * 1_000_000 // (_ENTRY_BYTES * grids * max(photos, 1))
        if affordable < _FEWEST_FEATURES:
            needed = math.ceil(_FEWEST_FEATURES * _ENTRY_BYTES * grids * photos / 1_000_000)
            raise UsageError(
                f"The {photos} photos of {index.folder} need {needed} MB for --retriever cann; give "
                f"'cann?memory_mb={needed}' where each worker has as much, or leave the option out."
            )
        return int(min(options.features, affordable))

    def __call__(
        self, features: LocalFeatures, k: int, within: Sequence[Circle] | None = None, outside_k: int = 0
    ) -> SearchResult:
        """As `contracts.Search`; the similarities are scores from 0 to 1, and photos without any are left out."""
        scores = self.scores(features)
        inside = np.ones(len(scores), bool)
        if within:
            inside[:] = False
            for circle in within:
                inside |= haversine_m(circle.lat, circle.lon, self._lat, self._lon) <= circle.radius_m
        order = np.lexsort((self._row_ids, -scores))
        order = order[scores[order] > 0.0]
        chosen = np.concatenate([order[inside[order]][:k], order[~inside[order]][:outside_k]])
        looked_at = 1.0 if outside_k > 0 or not len(inside) else float(inside.mean())
        return SearchResult(self._row_ids[chosen], scores[chosen].astype(np.float32), looked_at)

    def scores(self, features: LocalFeatures) -> NDArray[np.float64]:
        """(photos,) of the index, in the order of their paths. Raises TooFewFeatures below eight keypoints."""
        if len(features) < MIN_FEATURES:
            raise TooFewFeatures(
                f"Only {len(features)} keypoints were found on the picture, fewer than {MIN_FEATURES}: use a larger "
                "or sharper copy."
            )
        total = np.zeros(len(self._row_ids))
        if self._axes is None:
            return total
        queries = self._axes(unit_rows(features.descriptors[: self._options.features]))
        for first in self._grids.levels(queries):
            total[: self._grids.colours] += self._scores[first].sum(axis=0)
        return total / len(queries)


class CannRetriever:
    """`contracts.Retriever` by local descriptors alone."""

    name = "cann"

    def __init__(self, options: CannOptions | None = None) -> None:
        self.options = options or CannOptions()
        self.options.check()

    def over(self, index: Index) -> CannSearch:
        """Reads the index's local descriptors and builds the grids: a second or two for 130 photos."""
        return CannSearch(index, self.options)
