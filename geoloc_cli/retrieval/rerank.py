"""The order of the candidates, and the formulas behind it.

Before verification a candidate scores r, of its likeness s and how plausible the priors find its place, p. The likeness
is the similarity (a cosine, or the score of `retrieval/cann.py`; its scale does not matter) brought to 0..1 over the
retrieved candidates (lowest 0, highest 1). Of a belief with components of weight w_i about circles of radius R_i

    p = max_i (w_i / w_1) exp(-2 d_i / R_i)

with w_1 the heaviest and d_i the distance to the circle's rim, 0 inside. Without a prior r = s; else by name

    linear    r = a s + (1 - a) p, a = 0.7
    product   r = (s + e)^a (p + e)^(1 - a), e = 0.05, so that neither alone makes a candidate impossible
    rrf       r = 1 / (60 + rank by s) + 1 / (60 + rank by p)  (Cormack, Clarke and Buettcher 2009)
    belief    r ~ exp(b s) ((1 - e) p + e), b = 8, e = 0.02, the best 1: Bayes's rule, likeness as the likelihood
    none      r = s

The constraint of a search by a prior and a re-ranking by both is the idea of arXiv 2507.17455, whose formula is not
published where we could read it: these are ours. A verified candidate scores

    1 + log10(1 + E) + r / 10

with E its evidence (`retrieval/verify.py`), so that geometry outweighs any prior and any similarity.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

SIMILARITY_SHARE = 0.7
_FLOOR = 0.05
_RANKS = 60.0
# How much likelier the most alike candidate is than the least, as a power of e, and the doubt that every prior is met
# with (`pipeline/asking.py`): both from the sweep of `scripts/ablate_priors.py`.
LIKELIHOOD_POWER = 8.0
_DOUBT = 0.02


def plausibility(
    away_m: NDArray[np.float64], radius_m: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """p of each candidate; away_m: (n, c) metres to the rims of c circles of radius_m (c,), whose weight (c,) is 1 for
    the heaviest.
    """
    best: NDArray[np.float64] = (weight * np.exp(-2.0 * away_m / np.maximum(radius_m, 2.0))).max(axis=1)
    return best


def first_scores(
    similarities: NDArray[np.float32], plausible: NDArray[np.float64] | None, rerank: str = "linear"
) -> NDArray[np.float64]:
    """r of each candidate; similarities: (n,), plausible: (n,) their p, None without a prior; rerank: its name."""
    cosine = similarities.astype(np.float64)
    span = float(np.ptp(cosine)) if len(cosine) else 0.0
    likeness = (cosine - cosine.min()) / span if span > 0 else np.ones(len(cosine))
    if plausible is None:
        return likeness
    return RERANKERS[rerank](likeness, plausible)


def _linear(likeness: NDArray[np.float64], plausible: NDArray[np.float64]) -> NDArray[np.float64]:
    return SIMILARITY_SHARE * likeness + (1.0 - SIMILARITY_SHARE) * plausible


def _product(likeness: NDArray[np.float64], plausible: NDArray[np.float64]) -> NDArray[np.float64]:
    joint: NDArray[np.float64] = (likeness + _FLOOR) ** SIMILARITY_SHARE * (plausible + _FLOOR) ** (
        1.0 - SIMILARITY_SHARE
    )
    return joint


def _by_ranks(likeness: NDArray[np.float64], plausible: NDArray[np.float64]) -> NDArray[np.float64]:
    """Equal values have one rank, the best of theirs."""
    ranks = [np.array([(values > value).sum() for value in values], float) for values in (likeness, plausible)]
    return 1.0 / (_RANKS + ranks[0]) + 1.0 / (_RANKS + ranks[1])


def _posterior(likeness: NDArray[np.float64], plausible: NDArray[np.float64]) -> NDArray[np.float64]:
    weight: NDArray[np.float64] = np.exp(LIKELIHOOD_POWER * (likeness - 1.0)) * ((1.0 - _DOUBT) * plausible + _DOUBT)
    share: NDArray[np.float64] = weight / weight.max()
    return share


def _by_likeness(likeness: NDArray[np.float64], plausible: NDArray[np.float64]) -> NDArray[np.float64]:
    return likeness


RERANKERS: dict[str, Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]] = {
    "linear": _linear,
    "product": _product,
    "rrf": _by_ranks,
    "belief": _posterior,
    "none": _by_likeness,
}


def final_score(first: float, evidence: float | None, min_evidence: float) -> float:
    """The score that candidates are listed by; evidence is None where a candidate was not compared."""
    if evidence is None or evidence < min_evidence:
        return first
    return 1.0 + math.log10(1.0 + evidence) + first / 10.0


def best_first(scores: Sequence[float]) -> list[int]:
    """Positions of the candidates, the highest score first; ties keep their order."""
    return sorted(range(len(scores)), key=lambda i: -scores[i])
