"""The order of candidates before they are verified: likeness and plausibility, by each of the formulas."""

from __future__ import annotations

import numpy as np
import pytest

from geoloc_cli.retrieval.rerank import RERANKERS, best_first, first_scores, plausibility

# Three candidates: the most alike is far from the prior, the next two are inside it.
ALIKE = np.array([0.9, 0.8, 0.5], np.float32)
PLAUSIBLE = np.array([0.0, 1.0, 1.0])


def test_plausibility_falls_by_half_its_radius_from_the_rim_and_goes_by_the_best_component() -> None:
    away_m = np.array([[0.0, 9e6], [1000.0, 9e6], [9e6, 0.0], [9e6, 9e6]])
    found = plausibility(away_m, np.array([2000.0, 500.0]), np.array([1.0, 0.25]))
    # exp(-1) half a radius beyond the rim; inside the lighter component, its weight; far from both, nothing.
    assert np.allclose(found, [1.0, np.exp(-1.0), 0.25, 0.0], atol=1e-12)


def test_without_a_prior_only_likeness_counts_whatever_the_formula() -> None:
    for name in RERANKERS:
        assert np.allclose(first_scores(ALIKE, None, name), [1.0, 0.75, 0.0])


@pytest.mark.parametrize(
    ("rerank", "order"),
    [
        ("linear", [1, 0, 2]),  # 0.7 * 0.75 + 0.3 over 0.7 * 1, and over 0.3
        ("product", [1, 0, 2]),  # (0.80^0.7 1.05^0.3) 0.87, (1.05^0.7 0.05^0.3) 0.42, (0.05^0.7 1.05^0.3) 0.12
        ("rrf", [1, 0, 2]),  # ranks 1 and 0, 0 and 2, 2 and 0; of the last two the first keeps its place
        ("belief", [1, 0, 2]),  # e^-2 * 1 over 1 * 0.02, and that over e^-8 * 1
        ("none", [0, 1, 2]),
    ],
)
def test_each_formula_orders_as_it_says(rerank: str, order: list[int]) -> None:
    assert best_first(first_scores(ALIKE, PLAUSIBLE, rerank).tolist()) == order


def test_scores_lie_where_verified_candidates_outrank_them() -> None:
    for name in RERANKERS:
        scores = first_scores(ALIKE, PLAUSIBLE, name)
        assert ((scores >= 0.0) & (scores <= 1.1)).all()


def test_linear_is_the_stated_sum() -> None:
    assert np.allclose(first_scores(ALIKE, PLAUSIBLE), [0.7, 0.7 * 0.75 + 0.3, 0.3])


def test_equally_alike_candidates_are_ordered_by_plausibility_alone() -> None:
    same = np.full(3, 0.5, np.float32)
    for name in ("linear", "product", "rrf", "belief"):
        assert best_first(first_scores(same, np.array([0.2, 0.9, 0.4]), name).tolist()) == [1, 2, 0]
