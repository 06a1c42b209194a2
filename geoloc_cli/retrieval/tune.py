"""What fewer numbers, whitening and codes cost in recall, measured on photos of the user's own index.

A query is a photo of the index, and is left out of its own answer. What a choice learns (axes, a whitening, the words
of codes) it learns from other photos: they are dealt into folds, and a fold's queries are asked of what the others
taught.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.descriptors.reduction import Axes, learn_axes
from geoloc_cli.index import faiss_file
from geoloc_cli.index.codes import CODES_FROM_ROWS, NONE, RESCORED, Codes, codes_named
from geoloc_cli.index.derived import Ordered
from geoloc_cli.index.search import search

DIMS = (1024, 512, 256, 128, 64)
WHITENS = (0.0, 0.5, 1.0)
CODES = ("float16", "pq128", "pq64", "pq32", "pq16", "rabitq")
DEPTHS = (1, 5, 10)
# A choice within this of the best recall at five is as good: no one would tell the difference.
AS_GOOD = 0.01
# Few photos teach little, and nearly all of them must teach; of many, a half does, which takes less time.
_FOLDS_OF_FEW, _FEW = 5, 500
# As many as a build learns from (`descriptors/vlad.py`), for axes take the cube of their number in time.
_TEACHERS = 2400
_RESAMPLINGS = 1000
_SEED = 0

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Choice:
    """The first `dim` principal axes (0: the vectors as they are), whitened by this power, and how they are kept."""

    dim: int = 0
    whiten: float = 0.0
    codes: Codes = NONE

    def __str__(self) -> str:
        parts = ["all numbers"] if not self.dim else [f"{self.dim} numbers", f"whiten {self.whiten:g}"]
        return ", ".join([*parts, *([self.codes.name] if self.codes.name != NONE.name else [])])


AS_THEY_ARE = Choice()


@dataclass(frozen=True, slots=True)
class Sample:
    """vectors: (N, D) unit, before anything that an index learns; teachers: (M, D), to learn axes from, of the photos
    `taught_by` (M,); others: (K, D), of photos that are not in the sample, to learn words from; queries: (Q,) rows of
    vectors; near: (Q, N) bool, the right answers, without the query itself, or None: answers are compared with the
    exact ranking. total: photos in the whole index.

    Words are not learned from sampled photos: 256 of them from a thousand would nearly be those photos.
    """

    vectors: Floats
    teachers: Floats
    taught_by: NDArray[np.int64]
    others: Floats
    queries: NDArray[np.int64]
    near: NDArray[np.bool_] | None
    total: int


@dataclass(frozen=True, slots=True)
class Measured:
    """recall: at each of `DEPTHS`, with the ends of its 95 % bootstrap interval; ms_a_query: among those sampled."""

    choice: Choice
    bytes_a_photo: int
    recall: dict[int, tuple[float, float, float]]
    ms_a_query: float


class Tuner:
    """Measures choices on one sample."""

    def __init__(self, sample: Sample, tell: Callable[[str, int], None] = lambda stage, done: None) -> None:
        """tell(stage, done): progress."""
        self._sample, self._tell = sample, tell
        count = len(sample.vectors)
        self.folds = _FOLDS_OF_FEW if count < _FEW else 2
        self._fold = np.random.default_rng(_SEED).permutation(count) % self.folds
        self._axes: list[Axes] = []
        self._exact: NDArray[np.int64] | None = None

    @property
    def length(self) -> int:
        """Numbers in a vector before any reduction."""
        return int(self._sample.vectors.shape[1])

    def dims(self, wanted: Sequence[int] = DIMS) -> list[int]:
        """Those of the wanted dimensions that can be learned, largest first; where one cannot, all that can be."""
        self._learn(max(wanted))
        learned = min(axes.basis.shape[1] for axes in self._axes)
        return sorted({min(dim, learned) for dim in wanted if dim < self.length}, reverse=True)

    def measure(self, choices: Sequence[Choice]) -> Iterator[Measured]:
        """Each choice that can be learned from so few photos, in turn."""
        for choice in choices:
            self._tell("measuring", 1)
            found = self._answers(choice)
            if found is not None:
                rows, seconds = found
                length = choice.dim or self.length
                ms = 1000.0 * seconds / len(rows)
                yield Measured(choice, choice.codes.bytes_a_photo(length), self._recall(rows), ms)

    def _learn(self, dim: int) -> None:
        if self._axes:
            return
        rng = np.random.default_rng(_SEED)
        for fold in range(self.folds):
            self._tell("learning", 0)
            teachers = np.flatnonzero(self._fold[self._sample.taught_by] != fold)
            if len(teachers) > _TEACHERS:
                teachers = np.sort(rng.choice(teachers, _TEACHERS, replace=False))
            axes = learn_axes(self._sample.teachers[teachers], dim)
            self._axes.append(axes)

    def _reduced(self, rows: Floats, choice: Choice, fold: int) -> Floats:
        """(n, d) unit vectors as the index would hold them, had the photos of this fold taught it nothing."""
        if not choice.dim:
            return rows
        axes = self._axes[fold]
        scaled = axes.basis[:, : choice.dim] * axes.gain(choice.dim, choice.whiten).astype(np.float32)
        short = (rows - axes.center) @ scaled
        unit: Floats = short / np.maximum(np.linalg.norm(short, axis=1, keepdims=True), 1e-9)
        return unit.astype(np.float32, copy=False)

    def _answers(self, choice: Choice) -> tuple[NDArray[np.int64], float] | None:
        """(Q, deepest) rows that each query finds, best first, and the seconds that all of them took."""
        sample, deepest = self._sample, DEPTHS[-1]
        count = len(sample.vectors)
        found, seconds = np.full((len(sample.queries), deepest), -1, np.int64), 0.0
        for fold in range(self.folds):
            asked = np.flatnonzero(self._fold[sample.queries] == fold)
            if not len(asked):
                continue
            vectors = self._reduced(sample.vectors, choice, fold)
            inverted, codes = None, self._as_of_all(choice.codes)
            if codes.are_codes:
                words = self._reduced(sample.others, choice, fold) if codes.parts else vectors[self._fold != fold]
                inverted = faiss_file.build(vectors, codes, words)
                if inverted is None:
                    return None
            ordered = _ordered(vectors, codes, inverted)
            began = time.perf_counter()
            answers = [search(ordered, vectors[sample.queries[i]], deepest + 1, None, 0).row_ids for i in asked]
            seconds += time.perf_counter() - began
            for i, rows in zip(asked, answers, strict=True):
                others = rows[rows != sample.queries[i]][: min(deepest, count - 1)]
                found[i, : len(others)] = others
        return found, seconds

    def _as_of_all(self, codes: Codes) -> Codes:
        """As large a share of the sampled photos is compared exactly as would be of the whole index."""
        share = len(self._sample.vectors) / max(self._sample.total, CODES_FROM_ROWS)
        return replace(codes, rescored=max(DEPTHS[-1] + 1, math.ceil(RESCORED * share)))

    def _recall(self, found: NDArray[np.int64]) -> dict[int, tuple[float, float, float]]:
        """With right answers, the share of queries that have one among the first k; else the share of the first k that
        the exact ranking has among its first k.
        """
        rng = np.random.default_rng(_SEED)
        drawn = rng.integers(0, len(found), (_RESAMPLINGS, len(found)))
        recall = {}
        for depth in DEPTHS:
            hits = self._hits(found[:, :depth])
            low, high = np.percentile(hits[drawn].mean(axis=1), [2.5, 97.5])
            recall[depth] = float(hits.mean()), float(low), float(high)
        return recall

    def _hits(self, found: NDArray[np.int64]) -> NDArray[np.float64]:
        near = self._sample.near
        if near is not None:
            return np.array([row[hits[hits >= 0]].any() for row, hits in zip(near, found, strict=True)], np.float64)
        if self._exact is None:
            vectors, queries = self._sample.vectors, self._sample.queries
            cosines = vectors[queries] @ vectors.T
            cosines[np.arange(len(queries)), queries] = -np.inf
            self._exact = np.argsort(-cosines, axis=1, kind="stable")[:, : min(DEPTHS[-1], len(vectors) - 1)]
        best = self._exact[:, : found.shape[1]]
        shared = [len(set(row) & set(true)) / len(true) for row, true in zip(found, best, strict=True)]
        return np.array(shared, np.float64)


def _ordered(vectors: Floats, codes: Codes, inverted: Any | None) -> Ordered:
    """Photos that lie nowhere."""
    count = len(vectors)
    kept, nowhere = vectors.astype(codes.dtype, copy=False), np.full(count, np.nan)
    return Ordered(kept, np.arange(count), np.zeros(count, np.uint64), nowhere, nowhere, inverted, codes=codes)


def recommended(rows: Sequence[Measured], *, total: int, whole: bool, now: Choice = AS_THEY_ARE) -> Measured:
    """The smallest that finds as much at five as the best; of equally small ones, the one that finds most.

    total: photos in the index, since small ones are searched exactly whatever codes they are to have; whole: whether an
    index can keep vectors of all their numbers; now: what the index is, which stays so where others are no better.
    """
    able = [row for row in rows if (row.choice.dim or whole) and (total >= CODES_FROM_ROWS or not _coded(row))]
    best = max(row.recall[5][0] for row in able)
    good = [row for row in able if row.recall[5][0] >= best - AS_GOOD - 1e-9]

    def order(row: Measured) -> tuple[float, ...]:
        other = (row.choice.dim, row.choice.whiten) != (now.dim, now.whiten)
        return row.bytes_a_photo, -row.recall[5][0], -row.recall[1][0], other

    return min(good, key=order)


def _coded(row: Measured) -> bool:
    return row.choice.codes.are_codes


def tune(
    tuner: Tuner,
    *,
    total: int,
    whole: bool,
    dims: Sequence[int] = DIMS,
    whitens: Sequence[float] = WHITENS,
    codes: Sequence[str] = CODES,
    now: Choice = AS_THEY_ARE,
) -> list[Measured]:
    """Full vectors, then each dimension and whitening, and then the smallest and the best of those as codes."""
    choices = [Choice(dim, whiten) for dim in tuner.dims(dims) for whiten in whitens]
    rows = list(tuner.measure([AS_THEY_ARE, *choices]))
    able = [row for row in rows if row.choice.dim or whole or not choices]
    smallest = recommended(able, total=total, whole=True, now=now).choice
    best = max(able, key=lambda row: (row.recall[5][0], -row.bytes_a_photo, row.choice == now)).choice
    for chosen in dict.fromkeys((smallest, best)):
        numbers = chosen.dim or tuner.length
        # A part of a product quantiser holds two numbers at least: with fewer, a bit a number is as small.
        kept = [way for way in map(codes_named, codes) if 2 * way.parts <= numbers]
        rows += tuner.measure([replace(chosen, codes=way) for way in kept])
    return rows
