"""How sure a figure is, and whether two runs differ: intervals by resampling photographs, and paired tests.

Every test compares the same photographs in two runs, row by row, and says how probable a difference as large as the one
seen is (`p_value`, two-sided) if it is chance. Random numbers come from the seed alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geoloc_cli.geo.earth import Floats

Ints = NDArray[np.intp]
Statistic = Callable[[NDArray[Any]], float]
"""A figure of rows: a mean, a median, the area under a curve."""

LEVEL = 0.95

_MOST_ROWS = 20_000  # resampled at once: a thousand resamples of so many take a quarter of a second
_GROUPS = 200  # left out in turn where there are more rows than these
_EXACT = 50  # pairs of which all 2^n signs are counted; beyond, the normal is within 2e-3 of them


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure, and the ends between which it lies with the level's confidence."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PairedTest:
    """A difference between two runs of the same photographs, `pairs` of which tell of it, and its probability."""

    difference: float
    pairs: int
    p_value: float


@dataclass(frozen=True, slots=True)
class PairedBootstrap:
    """The difference of a figure between two runs, its interval, and how probable it is if it is chance."""

    difference: Interval
    p_value: float


def wilson(hits: int, count: int, level: float = LEVEL) -> Interval:
    """A share and its interval (Wilson 1927), right even for few photographs and for shares near 0 and 1.

    (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n); all of 0 to 1 where there are none.
    """
    if count == 0:
        return Interval(math.nan, 0.0, 1.0)
    if not 0 <= hits <= count:
        raise ValueError(f"{hits} of {count} is no share")
    share, z2 = hits / count, NormalDist().inv_cdf(0.5 + level / 2.0) ** 2
    middle = share + z2 / (2 * count)
    half = math.sqrt(z2 * (share * (1.0 - share) / count + z2 / (4 * count**2)))
    scale = 1.0 + z2 / count
    low, high = (middle - half) / scale, (middle + half) / scale
    return Interval(share, 0.0 if hits == 0 else low, 1.0 if hits == count else high)


def bootstrap(
    rows: ArrayLike,
    statistic: Statistic,
    *,
    level: float = LEVEL,
    replicates: int = 1000,
    seed: int = 0,
    method: Literal["percentile", "bca"] = "percentile",
) -> Interval:
    """The statistic of the rows (N, ...) and its interval under resampling of them (Efron 1979).

    `percentile`: the quantiles of the resampled statistic; `bca`: corrected for its bias and for a spread that changes
    with its value (Efron 1987), with the acceleration by leaving out one of 200 groups of rows in turn. Of more than
    20 000 rows resamples of 20 000 are drawn, whose deviations are scaled by sqrt(20 000 / N) (Bickel, Goetze and van
    Zwet 1997): right for what is as sure as the square root of the count, as means, shares, quantiles and areas under
    curves are, and not for a maximum. ValueError where there are no rows.
    """
    table = np.asarray(rows)
    if len(table) == 0:
        raise ValueError("there are no photographs to resample")

    def figure(chosen: Ints) -> float:
        return float(statistic(table[chosen]))

    value = float(statistic(table))
    drawn = _resampled(figure, len(table), value, replicates, seed)
    tails = (0.5 - level / 2.0, 0.5 + level / 2.0)
    if method == "bca":
        tails = _corrected(figure, len(table), value, drawn, tails)
    low, high = np.quantile(drawn, tails)
    return Interval(value, float(low), float(high))


def paired_bootstrap(
    rows_a: ArrayLike,
    rows_b: ArrayLike,
    statistic: Statistic,
    *,
    level: float = LEVEL,
    replicates: int = 1000,
    seed: int = 0,
) -> PairedBootstrap:
    """The statistic of run a less that of run b, on the same resampled photographs; rows_a, rows_b: (N, ...).

    The probability is twice the share of resamples on the other side of zero (and so never below 2 / replicates).
    ValueError where the runs are not of the same photographs.
    """
    a, b = np.asarray(rows_a), np.asarray(rows_b)
    _check_pairs(a, b)

    def figure(chosen: Ints) -> float:
        return float(statistic(a[chosen]) - statistic(b[chosen]))

    value = float(statistic(a) - statistic(b))
    drawn = _resampled(figure, len(a), value, replicates, seed)
    low, high = np.quantile(drawn, [0.5 - level / 2.0, 0.5 + level / 2.0])
    beyond = min(int(np.sum(drawn <= 0.0)), int(np.sum(drawn >= 0.0)))
    p_value = min(1.0, 2.0 * (beyond + 1) / (replicates + 1))
    return PairedBootstrap(Interval(value, float(low), float(high)), p_value)


def mcnemar(hits_a: ArrayLike, hits_b: ArrayLike) -> PairedTest:
    """Whether one run hits more often than the other: the exact test of the photographs that one alone hits (N,).

    Of those, each run has as many as heads of a fair coin if neither is better (McNemar 1947, with the binomial itself
    and not its normal). `difference` is the share that a hits less that of b.
    """
    a, b = np.asarray(hits_a, dtype=bool), np.asarray(hits_b, dtype=bool)
    _check_pairs(a, b)
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    count, fewer = only_a + only_b, min(only_a, only_b)
    nth = np.arange(1, fewer + 1)
    log_ways = np.concatenate([[0.0], np.cumsum(np.log((count - nth + 1) / nth))])
    tail = float(np.exp(np.logaddexp.reduce(log_ways) - count * math.log(2.0)))
    return PairedTest((only_a - only_b) / a.size, count, min(1.0, 2.0 * tail))


def wilcoxon_signed_rank(errors_a: ArrayLike, errors_b: ArrayLike) -> PairedTest:
    """Whether one run's errors (N,) are larger than the other's: Wilcoxon's signed ranks (1945).

    Pairs without a difference are dropped, ties have their mean rank. Up to 50 pairs without ties all signs are
    counted; else the normal with the correction for ties and for continuity. An error that is NaN, without an answer,
    is larger than any other and as large as another such. `difference` is the median of a less b.
    """
    a, b = (np.nan_to_num(np.asarray(errors, dtype=np.float64), nan=np.inf) for errors in (errors_a, errors_b))
    _check_pairs(a, b)
    apart = np.zeros(a.size)
    np.subtract(a, b, out=apart, where=a != b)
    told = apart[apart != 0.0]
    median = float(np.median(apart))
    count = told.size
    if count == 0:
        return PairedTest(median, 0, 1.0)
    _, rank_of, ties = np.unique(np.abs(told), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(ties) - (ties - 1) / 2.0)[rank_of]
    least = float(min(ranks[told > 0.0].sum(), ranks[told < 0.0].sum()))
    if count <= _EXACT and ties.max() == 1:
        ways = np.zeros(count * (count + 1) // 2 + 1)
        ways[0] = 1.0
        for rank in range(1, count + 1):
            ways[rank:] += ways[:-rank].copy()
        return PairedTest(median, count, min(1.0, 2.0 * float(ways[: int(least) + 1].sum()) / 2.0**count))
    square = count * (count + 1.0) * (2.0 * count + 1.0) / 24.0 - float(np.sum(ties.astype(float) ** 3 - ties)) / 48.0
    off = max(count * (count + 1.0) / 4.0 - least - 0.5, 0.0) / math.sqrt(square)
    return PairedTest(median, count, math.erfc(off / math.sqrt(2.0)))


def _check_pairs(a: NDArray[Any], b: NDArray[Any]) -> None:
    if len(a) != len(b) or len(a) == 0:
        raise ValueError(f"two runs are compared on the same photographs; these are of {len(a)} and {len(b)}")


def _resampled(figure: Callable[[Ints], float], count: int, value: float, replicates: int, seed: int) -> Floats:
    """The figure of resampled rows (replicates,), as spread about its value as in resamples of all the rows."""
    rng = np.random.default_rng(seed)
    size = min(count, _MOST_ROWS)
    drawn = np.array([figure(rng.integers(0, count, size)) for _ in range(replicates)])
    if size == count:
        return drawn
    scaled: Floats = value + (drawn - value) * math.sqrt(size / count)
    return scaled


def _corrected(
    figure: Callable[[Ints], float], count: int, value: float, drawn: Floats, tails: tuple[float, float]
) -> tuple[float, float]:
    """The quantiles of the resamples that BCa takes in place of the tails (Efron 1987, equation 2.3)."""
    normal = NormalDist()
    below = float(np.mean(drawn < value) + np.mean(drawn == value) / 2.0)
    bias = normal.inv_cdf(min(max(below, 0.5 / drawn.size), 1.0 - 0.5 / drawn.size))
    group = np.arange(count) % min(count, _GROUPS)
    left_out = np.array([figure(np.flatnonzero(group != one)) for one in range(group.max() + 1)])
    away = left_out.mean() - left_out
    spread = float(np.sum(away**2)) ** 1.5
    acceleration = float(np.sum(away**3)) / (6.0 * spread) if spread > 0.0 else 0.0
    low, high = (bias + normal.inv_cdf(tail) for tail in tails)
    return normal.cdf(bias + low / (1.0 - acceleration * low)), normal.cdf(bias + high / (1.0 - acceleration * high))
