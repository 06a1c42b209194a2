"""Two runs over the same photographs, row by row: whether one is better, and how probable that is as chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.distances import Sureness
from geoloc_cli.evaluate.metrics.distance import geoscore
from geoloc_cli.evaluate.metrics.resampling import (
    PairedBootstrap,
    PairedTest,
    mcnemar,
    paired_bootstrap,
    wilcoxon_signed_rank,
)
from geoloc_cli.evaluate.score import Score
from geoloc_cli.geo.earth import Floats, haversine_m
from geoloc_cli.photos.opening import shown

# Places of one photograph in two truths that differ by more are two places.
_SAME_M = 10.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """One run against another on the photographs that both are scored on.

    `nearer` is the share of them on which the one is nearer to the truth, `farther` that on which it is farther.
    `errors` is Wilcoxon's test of the errors, `within` McNemar's of each level. The `adjusted` probabilities are Holm's
    (1979) for as many comparisons as were made, by the names of the levels and `errors`.
    """

    one: str
    other: str
    photos: int
    nearer: float
    farther: float
    errors: PairedTest
    within: Mapping[str, PairedTest]
    geoscore: PairedBootstrap
    adjusted: Mapping[str, float]


def compare(scores: Sequence[Score], sure: Sureness) -> list[Comparison]:
    """Each run against each that comes after it.

    Raises UsageError where two have no photograph in common, or where their truths contradict each other.
    """
    found = [_compared(one, other, sure) for one, other in combinations(scores, 2)]
    tests = [{"errors": c.errors.p_value, **{name: t.p_value for name, t in c.within.items()}} for c in found]
    holm = {name: adjusted([test[name] for test in tests]).tolist() for name in (tests[0] if tests else ())}
    return [replace(c, adjusted={name: holm[name][row] for name in holm}) for row, c in enumerate(found)]


def adjusted(p_values: ArrayLike) -> Floats:
    """Probabilities (N,) for N tests at once (Holm 1979): the k-th smallest times N + 1 - k, and never falling."""
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    raised = np.maximum.accumulate(values[order] * np.arange(values.size, 0, -1))
    found = np.empty(values.size)
    found[order] = np.minimum(raised, 1.0)
    return found


def _compared(one: Score, other: Score, sure: Sureness) -> Comparison:
    a, b = _common(one, other)
    far_a, far_b = (np.nan_to_num(errors, nan=np.inf) for errors in (a, b))
    return Comparison(
        one=one.predictions,
        other=other.predictions,
        photos=a.size,
        nearer=float(np.mean(far_a < far_b)),
        farther=float(np.mean(far_a > far_b)),
        errors=wilcoxon_signed_rank(a, b),
        within={name: mcnemar(a <= level, b <= level) for name, level in one.distances.levels_m.items()},
        geoscore=paired_bootstrap(
            geoscore(a), geoscore(b), np.mean, level=sure.level, replicates=sure.replicates, seed=sure.seed
        ),
        adjusted={},
    )


def _common(one: Score, other: Score) -> tuple[Floats, Floats]:
    """The errors of both on the photographs that both truths name, in the order of the first."""
    here, there = one.joined.truth, other.joined.truth
    if here is there:
        return one.errors_m, other.errors_m
    place = {name: row for row, name in enumerate(there.photos)}
    pairs = np.array([(row, place[name]) for row, name in enumerate(here.photos) if name in place], np.int64)
    if not len(pairs):
        raise UsageError(
            f"{shown(one.predictions)} and {shown(other.predictions)} are scored on no photograph in common; give one "
            "truth for both with --truth."
        )
    a, b = pairs.T
    apart = haversine_m(here.lat[a], here.lon[a], there.lat[b], there.lon[b])
    wrong = np.flatnonzero(apart > _SAME_M)
    if len(wrong):
        name = here.photos[int(a[wrong[0]])]
        raise UsageError(
            f"{shown(one.predictions)} and {shown(other.predictions)} say two true places of {shown(name)}, and of "
            f"{len(wrong)} photographs in all; give one truth for both with --truth."
        )
    return one.errors_m[a], other.errors_m[b]
