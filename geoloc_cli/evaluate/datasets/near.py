"""Which references are right for a query, by the rule of the set; and what lies within a radius of what."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.datasets.labelled import Labelled, LabelledSet
from geoloc_cli.geo.earth import EARTH_RADIUS_M, unit_vectors

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# So many pairs of neighbouring cells are compared at once: 16 MB a column.
_PAIRS = 2_000_000
# Cells along one axis: three axes of them fit a 64-bit key.
_CELLS = 2_000_000.0


def positives(labelled: LabelledSet) -> list[Ints]:
    """For each query the rows of the references that the set's rule counts as right, in ascending order.

    Distances are those in the plane of the set where it has one (UTM, as its authors measure), else over the Earth.
    A photograph without a place has no positives and is none. Raises UsageError where the set has no such rule.
    """
    queries, references, rule = labelled.queries, labelled.references, labelled.rule
    if rule is None:
        raise UsageError(f"{labelled.name} scores places or poses and no retrieval; it has no right references.")
    of_query = np.array(queries.groups if queries.groups is not None else [""] * len(queries))
    of_reference = np.array(references.groups if references.groups is not None else [""] * len(references))
    found: list[Ints] = [np.empty(0, np.int64)] * len(queries)
    in_plane = queries.plane is not None and references.plane is not None
    asked, known = (_coordinates(photos, in_plane) for photos in (queries, references))
    for group in np.unique(of_query).tolist():
        wanted, given = np.flatnonzero(of_query == group), np.flatnonzero(of_reference == group)
        rows, others = within(asked[wanted], known[given], rule.radius)
        parts = np.split(given[others], np.searchsorted(rows, np.arange(1, len(wanted))))
        for row, part in zip(wanted.tolist(), parts, strict=True):
            found[row] = np.sort(part)
    return found


def _coordinates(photos: Labelled, in_plane: bool) -> Floats:
    if in_plane and photos.plane is not None:
        return photos.plane
    return on_earth(photos.lat, photos.lon)


def on_earth(lat: Floats, lon: Floats) -> Floats:
    """(N, 3) metres: what is d apart on the sphere is d (1 - d^2 / 24 R^2) apart here, 1 mm less at 10 km."""
    return unit_vectors(lat, lon) * EARTH_RADIUS_M


def within(queries: Floats, points: Floats, radius: float) -> tuple[Ints, Ints]:
    """The pairs (row of a query, row of a point) not more than `radius` apart, ordered by query.

    queries: (Q, D), points: (P, D) with D 2 or 3; NaN is near to nothing. Points are sorted into cells as wide as the
    radius, and only those of neighbouring cells are compared: a hundred thousand of each take a quarter of a second.
    """
    asked = np.flatnonzero(np.isfinite(queries).all(axis=1))
    known = np.flatnonzero(np.isfinite(points).all(axis=1))
    none = np.empty(0, np.int64)
    if not len(asked) or not len(known):
        return none, none
    q, p = queries[asked], points[known]
    low = np.minimum(q.min(axis=0), p.min(axis=0))
    span = float((np.maximum(q.max(axis=0), p.max(axis=0)) - low).max())
    side = max(radius, span / _CELLS, 1e-9)
    counts = np.floor(span / side) + 3.0
    weights = np.array([counts**axis for axis in range(q.shape[1])][::-1]).astype(np.int64)
    keys = (np.floor((p - low) / side).astype(np.int64) + 1) @ weights
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    home = (np.floor((q - low) / side).astype(np.int64) + 1) @ weights
    pairs = [(none, none)]
    for offset in product((-1, 0, 1), repeat=q.shape[1] - 1):
        # The last axis has weight one: a cell and its two neighbours along it are one range of keys.
        middle = home + np.array(offset, np.int64) @ weights[:-1]
        first = np.searchsorted(keys, middle - 1, "left")
        many = np.searchsorted(keys, middle + 1, "right") - first
        for rows, places in blocks_of_ranges(first, many):
            others = order[places]
            near = ((q[rows] - p[others]) ** 2).sum(axis=1) <= radius * radius
            pairs.append((asked[rows[near]], known[others[near]]))
    rows, others = (np.concatenate(side_of) for side_of in zip(*pairs, strict=True))
    by_query = np.lexsort((others, rows))
    return rows[by_query], others[by_query]


def blocks_of_ranges(first: Ints, many: Ints) -> Iterator[tuple[Ints, Ints]]:
    """The places from first[i] to first[i] + many[i] of all i, some million at once: their i, and they themselves."""
    ends = np.cumsum(many)
    start = 0
    while start < len(many):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _PAIRS, "right")))
        part = many[start:stop]
        rows = np.repeat(np.arange(start, stop), part)
        inside = np.arange(len(rows)) - np.repeat(np.cumsum(part) - part, part)
        yield rows, np.repeat(first[start:stop], part) + inside
        start = stop
