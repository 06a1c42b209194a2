"""Recall and precision of ranked references, by hand and by slow loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geoloc_cli.evaluate.metrics.retrieval import (
    average_precisions,
    first_hits,
    hits_among,
    hits_marked,
    hits_within,
    mean_average_precision,
    recall_at,
    report,
)
from geoloc_cli.geo.earth import destination

RANKED = np.array([[3, 0, 2, 1], [1, 2, 0, 3], [2, 1, -1, -1], [0, 1, 2, 3]])
POSITIVES: list[list[int]] = [[0, 1], [1], [3, 0], []]
HITS = np.array([[0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], dtype=bool)


def test_lists_and_tables_say_the_same() -> None:
    assert np.array_equal(hits_among(RANKED, POSITIVES), HITS)
    marked = np.zeros((4, 4), dtype=bool)
    for query, right in enumerate(POSITIVES):
        marked[query, right] = True
    assert np.array_equal(hits_marked(RANKED, marked), HITS)
    with pytest.raises(ValueError, match="4 queries have 3 lists"):
        hits_among(RANKED, POSITIVES[:3])


def test_the_last_reference_is_no_stand_in_for_none() -> None:
    """-1 is no candidate, though it is an index of Python's."""
    assert not hits_marked([[-1]], [[False, True]]).any()
    assert not hits_among([[-1], [-1]], [[1], [1]]).any()
    assert not hits_within([[-1]], ([0.0], [0.0]), ([9.0, 0.0], [9.0, 0.0])).any()


def test_right_is_who_is_within_25_metres() -> None:
    lat, lon = destination(47.0, 8.0, [0.0, 90.0, 180.0], [24.99, 25.01, 1e6])
    ranked = [[2, 0, 1]]
    assert hits_within(ranked, ([47.0], [8.0]), (lat, lon)).tolist() == [[False, True, False]]
    assert hits_within(ranked, ([47.0], [8.0]), (lat, lon), 26.0).tolist() == [[False, True, True]]


def test_recall_by_hand() -> None:
    assert first_hits(HITS).tolist() == [2.0, 1.0, math.inf, math.inf]
    assert recall_at(HITS, (1, 2, 4)).tolist() == [0.25, 0.5, 0.5]
    assert recall_at(np.zeros((3, 0)), (1,)).tolist() == [0.0]


def test_the_report_tells_who_could_be_found() -> None:
    said = report(HITS, [True, True, True, False], (1, 2))
    assert (said.queries, said.reachable) == (4, 3)
    assert said.recall == {1: 0.25, 2: 0.5}
    assert said.recall_reachable == pytest.approx({1: 1 / 3, 2: 2 / 3})
    assert math.isnan(report(HITS[2:], [False, False], (1,)).recall_reachable[1])
    with pytest.raises(ValueError, match="without a right reference"):
        report(HITS, [False, True, True, False])
    with pytest.raises(ValueError, match="no queries"):
        report(HITS[:0], [])


def test_average_precision_by_hand() -> None:
    """Ranks 2 and 4 of two: (1/2 + 2/4) / 2; rank 1 of one; none of two; and no right reference at all."""
    found = average_precisions(HITS, [2, 1, 2, 0])
    assert found.tolist() == pytest.approx([0.5, 1.0, 0.0, math.nan], nan_ok=True)
    assert mean_average_precision(HITS, [2, 1, 2, 0]) == pytest.approx(0.5)
    # Before rank 2 the precision was 0 of 1, before rank 4 1 of 3; before the first it counts as 1.
    oxford = average_precisions(HITS, [2, 1, 2, 0], trapezoid=True)
    assert oxford[:3].tolist() == pytest.approx([(0.5 + 0.0) / 4 + (0.5 + 1 / 3) / 4, 1.0, 0.0])
    assert math.isnan(mean_average_precision(HITS[3:], [0]))
    with pytest.raises(ValueError, match="more right candidates"):
        average_precisions(HITS, [1, 1, 2, 0])


def test_all_of_it_is_what_slow_loops_say() -> None:
    rng = np.random.default_rng(0)
    ranked = np.array([rng.permutation(30)[:12] for _ in range(40)])
    positives = [rng.choice(30, rng.integers(1, 6), replace=False) for _ in range(40)]
    hits = hits_among(ranked, positives)
    precisions = average_precisions(hits, [len(right) for right in positives])
    trapezoids = average_precisions(hits, [len(right) for right in positives], trapezoid=True)
    for query, right in enumerate(positives):
        plain = area = old_recall = 0.0
        found, old_precision = 0, 1.0
        for rank, candidate in enumerate(ranked[query].tolist(), 1):
            hit = candidate in right
            assert hits[query, rank - 1] == hit
            found += hit
            plain += hit * found / rank / len(right)
            area += (found / len(right) - old_recall) * (old_precision + found / rank) / 2.0
            old_recall, old_precision = found / len(right), found / rank
        assert precisions[query] == pytest.approx(plain)
        assert trapezoids[query] == pytest.approx(area)
    for k in (1, 5, 12):
        slow = np.mean([any(c in right for c in row[:k]) for row, right in zip(ranked, positives, strict=True)])
        assert recall_at(hits, [k])[0] == pytest.approx(slow)
