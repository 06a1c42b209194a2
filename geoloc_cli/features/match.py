"""Mutual nearest neighbours with Lowe's ratio test (Lowe 2004, section 7.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.contracts import BatchMatcher, Matcher
from geoloc_cli.errors import UsageError
from geoloc_cli.features.local import LocalFeatures, unit_rows

# Rows of the query compared at once: 1024 x 4096 float32 is 16 MiB, which stays in the cache's reach.
_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class MutualNearestOptions:
    """`max_ratio`: distance to the nearest over distance to the second nearest; 0.8 is Lowe's.

    Verification takes 0.8, poses and maps 0.85, where nobody states it.
    """

    max_ratio: float = 0.8

    def check(self) -> None:
        if not 0 < self.max_ratio <= 1:
            raise UsageError(f"max_ratio is {self.max_ratio}; give a number above 0 and at most 1.")


class MutualNearest:
    """Matches that are each other's nearest, and clearly nearer than the second."""

    name = "mutual-nn"
    needs_pictures = False
    identity = "1"

    def __init__(self, options: MutualNearestOptions | None = None) -> None:
        self.options = options or MutualNearestOptions()
        self.options.check()

    def prepare(self, features: LocalFeatures) -> NDArray[np.float32]:
        """Returns (N, D) float32 unit rows."""
        return unit_rows(features.descriptors)

    def match(self, query: NDArray[np.float32], reference: NDArray[np.float32]) -> NDArray[np.int32]:
        """Returns (M, 2) int32 rows of query and reference keypoints, each at most once."""
        return match_unit(query, reference, self.options.max_ratio)


def match_all(matcher: Matcher, query: Any, references: Sequence[Any]) -> list[NDArray[np.int32]]:
    """What a matcher finds between a prepared query and each of the prepared references; at once where it can."""
    if isinstance(matcher, BatchMatcher):
        return matcher.match_all(query, references)
    return [matcher.match(query, reference) for reference in references]


def match_unit(a: NDArray[np.float32], b: NDArray[np.float32], max_ratio: float) -> NDArray[np.int32]:
    """a: (N, D), b: (M, D) float32 unit rows. Returns (K, 2) int32; a distance is sqrt(2 - 2 cosine)."""
    if len(a) == 0 or len(b) < 2:
        return np.zeros((0, 2), np.int32)
    nearest = np.empty(len(a), np.int64)
    first = np.empty(len(a), np.float32)
    second = np.empty(len(a), np.float32)
    for start in range(0, len(a), _BLOCK):
        cosines = a[start : start + _BLOCK] @ b.T
        rows = np.arange(len(cosines))
        columns = cosines.argmax(axis=1)
        span = slice(start, start + len(cosines))
        nearest[span] = columns
        first[span] = cosines[rows, columns]
        cosines[rows, columns] = -1.0
        second[span] = cosines.max(axis=1)
    kept = np.flatnonzero((1.0 - first) < max_ratio**2 * (1.0 - second))
    # The few that are left are asked the other way round: whose nearest are they?
    mutual = np.empty(len(kept), bool)
    for start in range(0, len(kept), _BLOCK):
        part = kept[start : start + _BLOCK]
        mutual[start : start + _BLOCK] = (b[nearest[part]] @ a.T).argmax(axis=1) == part
    kept = kept[mutual]
    return np.stack([kept, nearest[kept]], axis=1).astype(np.int32)
