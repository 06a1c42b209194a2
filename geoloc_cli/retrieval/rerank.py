"""The order of the candidates, and the formula behind it.

Before verification a candidate scores

    r = a * s + (1 - a) * exp(-d / tau)

with s the similarity (a cosine, or the score of `retrieval/cann.py`; its scale does not matter) brought to 0..1 over
the retrieved candidates (lowest 0, highest 1), d the distance to the prior in metres, tau half the prior's radius and
a = 0.7; without a prior r = s. A verified candidate scores

    1 + log10(1 + E) + r / 10

with E its evidence (`retrieval/verify.py`), so that geometry outweighs any prior and any similarity.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SIMILARITY_SHARE = 0.7


def first_scores(
    similarities: NDArray[np.float32], prior_distance_m: NDArray[np.float64] | None, prior_radius_m: float | None
) -> NDArray[np.float64]:
    """r of each candidate; similarities: (n,), prior_distance_m: (n,) metres or None without a prior."""
    cosine = similarities.astype(np.float64)
    span = float(np.ptp(cosine)) if len(cosine) else 0.0
    scaled = (cosine - cosine.min()) / span if span > 0 else np.ones(len(cosine))
    if prior_distance_m is None or prior_radius_m is None:
        return scaled
    near = np.exp(-prior_distance_m / max(prior_radius_m / 2.0, 1.0))
    return SIMILARITY_SHARE * scaled + (1.0 - SIMILARITY_SHARE) * near


def final_score(first: float, evidence: float | None, min_evidence: float) -> float:
    """The score that candidates are listed by; evidence is None where a candidate was not compared."""
    if evidence is None or evidence < min_evidence:
        return first
    return 1.0 + math.log10(1.0 + evidence) + first / 10.0


def best_first(scores: Sequence[float]) -> list[int]:
    """Positions of the candidates, the highest score first; ties keep their order."""
    return sorted(range(len(scores)), key=lambda i: -scores[i])
