"""Exact search inside circles, and the best of the rest: which rows, how similar, and what share was looked at.

Where an index has codes, the rest is searched by them, and the best few hundred are compared again by their vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo.cells import covering_ranges
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.index import faiss_file
from geoloc_cli.index.derived import Ordered

_BLOCK = 1 << 16
# Halves that are widened at a time: two megabytes of floats stay in the cache.
_HALVES = 1 << 19
_UNWIDENED = np.float32(2.0**112)
# The sign was carried into the four bits below it.
_SIGN_AND_REST = np.int32(0x8FFFE000 - (1 << 32))


@dataclass(frozen=True, slots=True)
class Circle:
    """A region on the Earth: every place within `radius_m` of (lat, lon)."""

    lat: float
    lon: float
    radius_m: float


@dataclass(frozen=True, slots=True)
class SearchResult:
    """row_ids: (n,) int64, those inside first, each part best first; similarities: (n,) float32 cosines.

    looked_at_share is the part of the index whose vectors, or codes, were compared.
    """

    row_ids: NDArray[np.int64]
    similarities: NDArray[np.float32]
    looked_at_share: float


def search(
    ordered: Ordered, vector: NDArray[np.float32], k: int, within: Sequence[Circle] | None, outside_k: int
) -> SearchResult:
    """The k most similar rows inside the circles (everywhere without any) and the outside_k most similar outside."""
    count = len(ordered.row_ids)
    if count == 0:
        return SearchResult(np.zeros(0, np.int64), np.zeros(0, np.float32), 1.0)
    if ordered.on_device is not None:
        found: SearchResult = ordered.on_device.search(ordered, vector[None], k, [within], outside_k)[0]
        return found
    if not within:
        rows, similarities, share = _everywhere(ordered, vector, k, None)
        return SearchResult(ordered.row_ids[rows], similarities, share)
    region = rows_within(ordered, within)
    inside_similarities = products(ordered, region, vector)
    best = best_places(inside_similarities, ordered.row_ids[region], k)
    inside = region[best]
    check_inside(ordered, inside, within)
    share = len(region) / count
    rows, similarities = inside, inside_similarities[best]
    if outside_k > 0:
        others, other_similarities, other_share = _everywhere(ordered, vector, outside_k, region)
        check_kept_out(others, region)
        rows, similarities = np.concatenate([rows, others]), np.concatenate([similarities, other_similarities])
        share = min(1.0, share + other_share)
    return SearchResult(ordered.row_ids[rows], similarities.astype(np.float32), share)


def rows_within(ordered: Ordered, within: Sequence[Circle]) -> NDArray[np.int64]:
    """Places in the order of the rows that lie in some circle, ascending: ranges of cells, then the exact distance."""
    ranges = covering_ranges([(circle.lat, circle.lon, circle.radius_m) for circle in within])
    if len(ranges) == 0:
        return np.zeros(0, np.int64)
    starts = np.searchsorted(ordered.cells, ranges[:, 0], "left")
    ends = np.searchsorted(ordered.cells, ranges[:, 1], "right")
    spans = [np.arange(start, end) for start, end in zip(starts, ends, strict=True) if end > start]
    rows = np.concatenate(spans) if spans else np.zeros(0, np.int64)
    return rows[_inside(ordered, rows, within)]


def _inside(ordered: Ordered, rows: NDArray[np.int64], within: Sequence[Circle]) -> NDArray[np.bool_]:
    kept = np.zeros(len(rows), bool)
    for circle in within:
        kept |= haversine_m(circle.lat, circle.lon, ordered.lat[rows], ordered.lon[rows]) <= circle.radius_m
    return kept


def check_inside(ordered: Ordered, rows: NDArray[np.int64], within: Sequence[Circle]) -> None:
    """Raises RuntimeError where one of these rows is in no circle."""
    # Selectors that a library drops silently (faiss#3924, #5584) would show here, and not as a wrong place.
    if not _inside(ordered, rows, within).all():
        raise RuntimeError("the search returned a row from outside its region")


def check_kept_out(rows: NDArray[np.int64], keep_out: NDArray[np.int64]) -> None:
    """Raises RuntimeError where one of these rows is among those that were to be kept out."""
    if np.isin(rows, keep_out).any():
        raise RuntimeError("the search returned a row from inside the region that was to be left out")


def best_places(similarities: NDArray[np.float32], row_ids: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Places of the k highest, best first; equal ones in the order of their row numbers.

    Equal to six decimals: a product's last bits depend on where in its block a row lies.
    """
    rounded = np.round(similarities, 6)
    if k < len(rounded):
        edge = np.partition(rounded, len(rounded) - k)[len(rounded) - k]
        candidates = np.flatnonzero(rounded >= edge)
    else:
        candidates = np.arange(len(rounded))
    order = np.lexsort((row_ids[candidates], -rounded[candidates]))
    return candidates[order[:k]]


def products(ordered: Ordered, rows: NDArray[np.int64] | None, vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """Inner products of these rows, or of all, in single precision and in blocks, whatever the rows are kept in."""
    count = len(ordered.vectors) if rows is None else len(rows)
    halves = ordered.vectors.dtype == np.float16
    block = max(1, _HALVES // len(vector)) if halves else _BLOCK
    products = np.empty(count, np.float32)
    for start in range(0, count, block):
        part = slice(start, start + block)
        taken = ordered.vectors[part if rows is None else rows[part]]
        products[part] = _widened(taken) @ (vector * _UNWIDENED) if halves else taken @ vector
    return products


def _widened(halves: NDArray[np.float16]) -> NDArray[np.float32]:
    """Halves times 2^-112, exactly: their bits in the places of a float's, whose exponent counts from 127, and not 15.

    A sixth of the time that NumPy's own conversion takes.
    """
    bits = halves.view(np.int16).astype(np.int32)
    bits <<= 13
    bits &= _SIGN_AND_REST
    return bits.view(np.float32)


def _everywhere(
    ordered: Ordered, vector: NDArray[np.float32], k: int, keep_out: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64], NDArray[np.float32], float]:
    count = len(ordered.row_ids)
    if ordered.inverted is not None:
        codes = ordered.codes
        wanted = max(k, codes.rescored) if codes.are_codes else k
        rows, similarities = faiss_file.search(ordered.inverted, codes.prepared(vector[None])[0], wanted, keep_out)
        if codes.are_codes:
            exact = products(ordered, rows, vector)
            best = best_places(exact, ordered.row_ids[rows], k)
            rows, similarities = rows[best], exact[best]
        return rows, similarities, ordered.inverted.nprobe / ordered.inverted.nlist
    everything = products(ordered, None, vector)
    if keep_out is None:
        best = best_places(everything, ordered.row_ids, k)
        return best, everything[best], 1.0
    outside = np.ones(count, bool)
    outside[keep_out] = False
    rest = np.flatnonzero(outside)
    best = best_places(everything[rest], ordered.row_ids[rest], k)
    return rest[best], everything[rest[best]], 1.0
