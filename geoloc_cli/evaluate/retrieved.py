"""Recall at N of the candidates that answers list, against the references that a data set counts as right."""

# Names stay the strings that an index has them by.
# ruff: noqa: PTH119

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.evaluate.metrics import retrieval
from geoloc_cli.evaluate.metrics.retrieval import RANKS, RetrievalReport
from geoloc_cli.evaluate.predicted import Candidates

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Recall of the candidates in the order of their likeness, and in the order in which the answers list them.

    `rule` says in words what counts as right. The second order knows of priors, geometric verification and whatever
    else scored the candidates.
    """

    rule: str
    by_likeness: RetrievalReport
    as_listed: RetrievalReport


def retrieved(
    candidates: Candidates, rows: Ints, references: Sequence[str], positives: Sequence[Ints], rule: str, listed: int
) -> Retrieved:
    """Of Q queries: rows (Q,) are those of their answers, -1 where there is none; positives their right references.

    references: paths; listed: how many candidates an answer lists at the most, beyond which no recall is told. A
    candidate that is none of these paths is the one of its file name, as in an index that was made elsewhere.
    """
    number_of = _numbers(references)
    ranked = np.full((2, len(rows), listed), -1, np.int64)
    for query, row in enumerate(rows.tolist()):
        own = slice(*candidates.start[row : row + 2].tolist()) if row >= 0 else slice(0, 0)
        known = np.array([number_of(name) for name in candidates.photos[own]], np.int64)
        likeness = np.argsort(-candidates.similarity[own], kind="stable")
        for order, chosen in enumerate((known[likeness], known)):
            ranked[order, query, : min(listed, len(chosen))] = chosen[:listed]
    ranks = [rank for rank in RANKS if rank <= listed]
    reachable = np.array([len(right) > 0 for right in positives], bool)
    reports = [retrieval.report(retrieval.hits_among(table, positives), reachable, ranks) for table in ranked]
    return Retrieved(rule, *reports)


def _numbers(references: Sequence[str]) -> Callable[[str], int]:
    """What gives the number of a reference by its path, else by its file name where no other has it, else -1."""
    by_path = {os.path.normpath(path): row for row, path in enumerate(references)}
    by_name: dict[str, int] = {}
    for row, path in enumerate(references):
        name = os.path.basename(path)
        by_name[name] = -1 if name in by_name else row

    def number(path: str) -> int:
        row = by_path.get(os.path.normpath(path))
        return by_name.get(os.path.basename(path), -1) if row is None else row

    return number
