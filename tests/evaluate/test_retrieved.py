"""Recall of the candidates that answers list, in two orders, against what a set counts as right."""

from __future__ import annotations

import numpy as np
import pytest

from geoloc_cli.evaluate.predicted import Candidates
from geoloc_cli.evaluate.retrieved import retrieved

REFERENCES = [f"refs/{number}.jpg" for number in range(8)]


def test_recall_is_told_by_likeness_and_as_listed() -> None:
    # One answer lists the references 3, 5, 0, the best first, of which 0 is most alike; one a stranger, and then 6.
    names = ["refs/3.jpg", "./refs/5.jpg", "refs/0.jpg", "other/9.jpg", "refs/6.jpg"]
    nothing = np.zeros(5)
    likeness = np.array([0.2, 0.3, 0.9, 0.5, 0.4])
    candidates = Candidates(np.array([0, 3, 5]), names, nothing, nothing, likeness, np.array([3.0, 2.0, 1.0, 2.0, 1.0]))
    # The answers are in another order than the queries, and the last query has none.
    rows = np.array([1, 0, -1])
    right = [np.array([6]), np.array([0, 1]), np.array([], np.int64)]
    found = retrieved(candidates, rows, REFERENCES, right, "within 25 m", 5)
    assert (found.as_listed.queries, found.as_listed.reachable) == (3, 2)
    assert found.as_listed.recall == pytest.approx({1: 0.0, 5: 2 / 3})
    assert found.by_likeness.recall == pytest.approx({1: 1 / 3, 5: 2 / 3})
    assert found.by_likeness.recall_reachable == pytest.approx({1: 1 / 2, 5: 1.0})


def test_references_of_an_index_made_elsewhere_are_known_by_their_file_names() -> None:
    names = ["/elsewhere/photos/4.jpg"]
    one = np.ones(1)
    candidates = Candidates(np.array([0, 1]), names, one, one, one, one)
    right = [np.array([4])]
    found = retrieved(candidates, np.array([0]), REFERENCES, right, "within 25 m", 1)
    assert found.as_listed.recall == {1: 1.0}
    # A name that several references share tells nothing.
    shared = retrieved(candidates, np.array([0]), [*REFERENCES, "more/4.jpg"], right, "within 25 m", 1)
    assert shared.as_listed.recall == {1: 0.0}
