"""How well the right references come up first: recall at N, average precision.

Everything is told of a table of hits (Q, N): whether each query's candidate of each rank, the best first, is right. The
three makers of such tables are the three ways in which data sets say what is right. A candidate of number -1 is none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geoloc_cli.geo.earth import Floats, haversine_m

Bools = NDArray[np.bool_]

WITHIN_M = 25.0
"""The field's radius (Arandjelovic et al. 2016, NetVLAD)."""
RANKS = (1, 5, 10, 20)


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    """Recall at each N: `recall` of all queries, as the field counts, and `recall_reachable` of those with a right one.

    A query without any right reference can only be missed; `reachable` is how many have one.
    """

    queries: int
    reachable: int
    recall: dict[int, float]
    recall_reachable: dict[int, float]


def hits_within(
    ranked: ArrayLike,
    query_places: tuple[ArrayLike, ArrayLike],
    reference_places: tuple[ArrayLike, ArrayLike],
    within_m: float = WITHIN_M,
) -> Bools:
    """Hits (Q, N) by distance: a candidate is right within a radius of its query's place.

    ranked: (Q, N) numbers of references; places: (lat, lon) of the queries (Q,) and of the references (R,), in degrees.
    Great circles, where some sets have UTM: they differ by up to 14 cm in 25 m.
    """
    table = np.asarray(ranked)
    (lat, lon), (to_lat, to_lon) = (
        tuple(np.asarray(x, dtype=np.float64) for x in places) for places in (query_places, reference_places)
    )
    away_m = haversine_m(lat[:, None], lon[:, None], to_lat[table], to_lon[table])
    hits: Bools = (away_m <= within_m) & (table >= 0)
    return hits


def hits_among(ranked: ArrayLike, positives: Sequence[ArrayLike]) -> Bools:
    """Hits (Q, N) by lists: positives holds the numbers of each query's right references (Q lists)."""
    table = np.asarray(ranked, dtype=np.int64)
    lists = [np.asarray(row, dtype=np.int64).ravel() for row in positives]
    if len(lists) != len(table):
        raise ValueError(f"{len(table)} queries have {len(lists)} lists of right references")
    flat = np.concatenate(lists) if lists else np.zeros(0, dtype=np.int64)
    owner = np.repeat(np.arange(len(lists)), [row.size for row in lists])
    span = int(max(flat.max(initial=0), table.max(initial=0))) + 1
    # One past all of them stands for "none": keys rise from query to query, and so are found where the last one was.
    right = np.append(np.sort(owner * span + flat), len(table) * span)
    wanted = np.arange(len(table))[:, None] * span + np.maximum(table, 0)
    hits: Bools = (right[np.searchsorted(right, wanted)] == wanted) & (table >= 0)
    return hits


def hits_marked(ranked: ArrayLike, positives: ArrayLike) -> Bools:
    """Hits (Q, N) by a table: positives (Q, R) is true where a reference is right for a query."""
    table = np.asarray(ranked)
    marked = np.take_along_axis(np.asarray(positives, dtype=bool), np.maximum(table, 0), axis=1)
    return marked & (table >= 0)


def first_hits(hits: ArrayLike) -> Floats:
    """The rank (Q,) of each query's first right candidate, counted from one; infinite where there is none."""
    table = np.asarray(hits, dtype=bool)
    if table.shape[1] == 0:
        return np.full(len(table), np.inf)
    ranks: Floats = np.where(table.any(axis=1), table.argmax(axis=1) + 1.0, np.inf)
    return ranks


def recall_at(hits: ArrayLike, ranks: Sequence[int] = RANKS) -> Floats:
    """The share of all queries with a right one among their first N candidates, of each N.

    The rule of place recognition; elsewhere recall is the share of the right references that are found.
    """
    first = first_hits(hits)
    return np.searchsorted(np.sort(first), ranks, side="right") / first.size


def average_precisions(hits: ArrayLike, positives: ArrayLike, *, trapezoid: bool = False) -> Floats:
    """The average precision (Q,) of each query; NaN where it has no right reference.

    positives: (Q,) how many right references each query has in all; those that are not among the candidates count with
    a precision of zero. AP is the mean, over right references, of the precision at the rank of each; with `trapezoid`
    the mean of that and of the precision just before it, as Oxford5k's program does (Philbin et al. 2007), and after it
    University-1652 and GTA-UAV.
    """
    table, count = np.asarray(hits, dtype=bool), np.asarray(positives, dtype=np.float64)
    found = np.cumsum(table, axis=1)
    if np.any(table.sum(axis=1) > count):
        raise ValueError("a query has more right candidates than right references")
    rank = np.arange(1, table.shape[1] + 1)
    gained = found / rank
    if trapezoid:
        before = np.ones(table.shape)
        before[:, 1:] = found[:, :-1] / rank[:-1]
        gained = (gained + before) / 2.0
    total = np.where(table, gained, 0.0).sum(axis=1)
    precision: Floats = np.where(count > 0.0, total / np.maximum(count, 1.0), np.nan)
    return precision


def mean_average_precision(hits: ArrayLike, positives: ArrayLike, *, trapezoid: bool = False) -> float:
    """mAP: the mean over the queries that have a right reference; NaN where none has."""
    each = average_precisions(hits, positives, trapezoid=trapezoid)
    reachable = each[~np.isnan(each)]
    return float(reachable.mean()) if reachable.size else math.nan


def report(hits: ArrayLike, reachable: ArrayLike, ranks: Sequence[int] = RANKS) -> RetrievalReport:
    """Recall at N of hits (Q, N); reachable: (Q,) whether a query has any right reference.

    ValueError where there are no queries, or one has a hit and no right reference.
    """
    table, able = np.asarray(hits, dtype=bool), np.asarray(reachable, dtype=bool)
    if not len(table):
        raise ValueError("there are no queries to score")
    if np.any(table.any(axis=1) & ~able):
        raise ValueError("a query without a right reference has a right candidate")
    of_all = recall_at(table, ranks)
    scale = len(table) / able.sum() if able.any() else math.nan
    return RetrievalReport(
        queries=len(table),
        reachable=int(able.sum()),
        recall=dict(zip(ranks, of_all.tolist(), strict=True)),
        recall_reachable=dict(zip(ranks, (of_all * scale).tolist(), strict=True)),
    )
