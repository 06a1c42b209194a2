"""Whether answers mean what they say: radii, confidences, densities and regions against where the truth lay.

Errors are great-circle distances in metres, NaN where a photograph has no answer: it states no radius and is left out
there. Confidences are judged on the rows that are given: leave out photographs without an answer, or give them as 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from geoloc_cli.evaluate.metrics.mixtures import log_components, mixtures
from geoloc_cli.evaluate.metrics.regions import Regions
from geoloc_cli.evaluate.metrics.resampling import Interval, wilson
from geoloc_cli.geo.earth import EARTH_RADIUS_M, Floats, unit_vectors
from geoloc_cli.types import Belief

SHARES = (0.5, 0.7, 0.9)
BINS = 15
"""As in Guo et al. 2017."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often the truth lay where it was to lie with the probability `stated`; ends by Wilson, at 95 %."""

    stated: float
    count: int
    held: Interval


@dataclass(frozen=True, slots=True)
class Reliability:
    """A reliability diagram: of each bin that is not empty (B,), how many, how sure on average, and how often right."""

    count: Floats
    confidence: Floats
    accuracy: Floats


def radius_coverage(errors_m: ArrayLike, radius_m: ArrayLike, stated: float = 0.9) -> Coverage:
    """How often the truth lay within the stated radius, of the photographs that state one (N,): none is NaN."""
    errors, radii = np.asarray(errors_m, dtype=np.float64), np.asarray(radius_m, dtype=np.float64)
    there = ~np.isnan(errors) & ~np.isnan(radii)
    return _covered(stated, float(np.sum(errors[there] <= radii[there])), int(there.sum()))


def region_coverage(regions: Regions, shares: Sequence[float] = SHARES) -> list[Coverage]:
    """How often the truth lay in the smallest region that holds each share of its belief.

    regions: of the true places (`regions.denser_regions`). The mass of what is denser is spread evenly over 0 to 1 when
    beliefs mean what they say. A truth among ties is in the region with the share of them that it takes.
    """
    tied = regions.tied_mass > 0.0
    width = np.where(tied, regions.tied_mass, 1.0)
    found = []
    for share in shares:
        inside = np.where(tied, np.clip((share - regions.mass) / width, 0.0, 1.0), regions.mass <= share)
        found.append(_covered(share, float(inside.sum()), inside.size))
    return found


def _covered(stated: float, held: float, count: int) -> Coverage:
    ends = wilson(round(held), count)
    return Coverage(stated, count, Interval(held / count if count else math.nan, ends.low, ends.high))


def reliability(confidence: ArrayLike, right: ArrayLike, bins: int = BINS, *, equal_mass: bool = False) -> Reliability:
    """The diagram of stated probabilities (N,) against what came true (N,) (DeGroot and Fienberg 1983).

    Bins are as wide as each other (0 is in the first, an edge in the bin below it: Guo et al. 2017), or with
    `equal_mass` hold as many photographs as each other (Nguyen and O'Connor 2015), those of one confidence together.
    """
    stated, came = _stated(confidence, right)
    if equal_mass:
        # By the rank of the last photograph of the same confidence, so that no bin parts what is alike.
        ranks = np.searchsorted(np.sort(stated), stated, side="right")
        which = np.ceil(ranks * bins / stated.size - 1e-9).astype(np.intp) - 1
    else:
        which = np.ceil(stated * bins - 1e-9).astype(np.intp) - 1
    which = np.clip(which, 0, bins - 1)
    count = np.bincount(which, minlength=bins).astype(np.float64)
    full = count > 0.0
    sums = (np.bincount(which, values, minlength=bins)[full] for values in (stated, came))
    mean_stated, mean_came = (values / count[full] for values in sums)
    return Reliability(count[full], mean_stated, mean_came)


def expected_calibration_error(diagram: Reliability) -> float:
    """The mean gap of confidence and accuracy over photographs, by bins (ECE; Naeini et al. 2015); lower is better."""
    gap = np.abs(diagram.confidence - diagram.accuracy)
    return float(gap @ diagram.count / diagram.count.sum())


def brier_score(confidence: ArrayLike, right: ArrayLike) -> float:
    """The mean squared gap of stated probabilities and what came true (Brier 1950): 0 is best, 0.25 a shrug."""
    stated, came = _stated(confidence, right)
    return float(np.mean((stated - came) ** 2))


def log_losses(beliefs: Sequence[Belief], lat: ArrayLike, lon: ArrayLike) -> Floats:
    """The negative logarithm in nats of each belief's density per km2 at its true place (N,); lower is better.

    A belief that is even over the Earth has 20.05; infinite where a belief without spread excludes the truth.
    """
    table = mixtures(beliefs)
    with np.errstate(divide="ignore"):
        even = np.log(table.spread / (4.0 * np.pi))
    per_steradian = np.logaddexp(log_components(table, unit_vectors(lat, lon).reshape(-1, 3)), even)
    return 2.0 * math.log(EARTH_RADIUS_M / 1e3) - per_steradian


def risk_coverage(confidence: ArrayLike, risk: ArrayLike) -> tuple[Floats, Floats]:
    """The mean risk of the answers that remain (N,) when the least confident abstain, and the share that remains (N,).

    confidence, risk: (N,); the risk is 0 or 1 for right or wrong, or any loss. From one answer to all of them; of
    answers of one confidence the expectation over their orders is taken (Geifman and El-Yaniv 2017). Returns
    (coverage, risk).
    """
    sure, lost = np.asarray(confidence, dtype=np.float64), np.asarray(risk, dtype=np.float64)
    if not sure.size:
        raise ValueError("there are no answers to abstain from")
    order = np.argsort(-sure, kind="stable")
    _, tie = np.unique(-sure[order], return_inverse=True)
    mean_of_tie = np.bincount(tie, lost[order]) / np.bincount(tie)
    rank = np.arange(1, sure.size + 1)
    return rank / sure.size, np.cumsum(mean_of_tie[tie]) / rank


def area_under_risk(confidence: ArrayLike, risk: ArrayLike) -> float:
    """AURC: the mean of the risk-coverage curve over all coverages (Geifman, Uziel and El-Yaniv 2019); 0 is best."""
    return float(risk_coverage(confidence, risk)[1].mean())


def excess_area_under_risk(confidence: ArrayLike, risk: ArrayLike) -> float:
    """E-AURC: what AURC has over that of the best order, in which the risk itself decides (same paper)."""
    return area_under_risk(confidence, risk) - area_under_risk(-np.asarray(risk, dtype=np.float64), risk)


def selective_risk(confidence: ArrayLike, risk: ArrayLike, coverage: float) -> float:
    """The mean risk of the most confident answers that are at least the share `coverage` of all."""
    if not 0.0 < coverage <= 1.0:
        raise ValueError(f"a coverage of {coverage} is not within 0 to 1")
    _, risks = risk_coverage(confidence, risk)
    return float(risks[math.ceil(coverage * risks.size - 1e-9) - 1])


def _stated(confidence: ArrayLike, right: ArrayLike) -> tuple[Floats, Floats]:
    stated, came = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if not stated.size or stated.shape != came.shape:
        raise ValueError(f"{stated.size} confidences and {came.size} outcomes are no pairs")
    if not np.all((stated >= 0.0) & (stated <= 1.0)):
        raise ValueError("a confidence is not within 0 to 1")
    return stated, came
