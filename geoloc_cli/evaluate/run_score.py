"""The answers of a run against everything that its data set knows: places, right references, poses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from geoloc_cli.evaluate.datasets.labelled import LabelledSet, Rule
from geoloc_cli.evaluate.datasets.near import positives
from geoloc_cli.evaluate.evaluated import Evaluated
from geoloc_cli.evaluate.joined import join
from geoloc_cli.evaluate.metrics.pose import Poses
from geoloc_cli.evaluate.posed import Frame, PoseFigures, pose_figures
from geoloc_cli.evaluate.predicted import Predictions
from geoloc_cli.evaluate.predictions import read_predictions
from geoloc_cli.evaluate.retrieved import Retrieved, retrieved
from geoloc_cli.evaluate.score import How, measured
from geoloc_cli.evaluate.sources import true_places


def score_run(labelled: LabelledSet, fixes: Path, frames: Mapping[str, Frame], listed: int, how: How) -> Evaluated:
    """Every kind of figure that the set and the answers allow; listed: the candidates that an answer holds at most."""
    said = replace(read_predictions(str(fixes)), path=labelled.name)
    truth = true_places(labelled)
    scored = measured([join(said, truth)], how)[0] if truth is not None else None
    return Evaluated(labelled.name, scored, _retrieval(labelled, said, listed), _poses(labelled, said, frames))


def _rows(labelled: LabelledSet, said: Predictions) -> np.ndarray:
    """Of each query (Q,) the row of its answer, -1 where there is none."""
    row_of = {photo: row for row, photo in enumerate(said.photos)}
    paths = (str(labelled.queries.path(row)) for row in range(len(labelled.queries)))
    return np.array([row_of.get(path, -1) for path in paths], np.int64)


def _retrieval(labelled: LabelledSet, said: Predictions, listed: int) -> Retrieved | None:
    rule, references = labelled.rule, labelled.references
    if rule is None or said.candidates is None or not len(references):
        return None
    paths = [str(references.path(row)) for row in range(len(references))]
    right = positives(labelled)
    return retrieved(said.candidates, _rows(labelled, said), paths, right, _words(rule), listed)


def _words(rule: Rule) -> str:
    return f"within {rule.radius:g} {rule.unit}"


def _poses(labelled: LabelledSet, said: Predictions, frames: Mapping[str, Frame]) -> PoseFigures | None:
    """Of the queries whose pose is known, in maps of which it is known how they lie."""
    queries = labelled.queries
    if queries.poses is None or said.poses is None or not frames:
        return None
    known = np.flatnonzero(np.isfinite(queries.poses.translation).all(axis=1))
    if not known.size:
        return None
    rows = _rows(labelled, said)[known].tolist()
    found = [said.poses.get(row) if row >= 0 else None for row in rows]
    true = Poses(queries.poses.rotation[known], queries.poses.translation[known])
    scenes = [queries.groups[row] for row in known.tolist()] if queries.groups is not None else None
    return pose_figures(found, true, scenes, frames)
