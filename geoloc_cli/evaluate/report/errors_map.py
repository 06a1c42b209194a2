"""A map of a run's errors: each true place, the guess in the colour of its error, and the way between."""

from __future__ import annotations

import bisect
from dataclasses import dataclass

import numpy as np

from geoloc_cli.evaluate.report.entry import Ints, Placed
from geoloc_cli.evaluate.sheets import length
from geoloc_cli.export.markup import Html, element
from geoloc_cli.export.views import View, around
from geoloc_cli.export.world import Kind, Point, WorldMap, legend

MOST = 2000
"""Photographs on a map; more make it neither clearer nor smaller."""
_WORST = 20  # that are on it whatever the sample
_NEAREST = 0.95  # of the answers decide what a regional map shows

_GRADES: tuple[Point, ...] = ("grade-0", "grade-1", "grade-2", "grade-3", "grade-4", "grade-5")


@dataclass(frozen=True, slots=True)
class ErrorsMap:
    """The picture with its legend, and what it shows in words."""

    picture: Html
    caption: str


def errors_map(run: Placed) -> ErrorsMap:
    """The map of the answered photographs, the worst on top; of more than `MOST` a sample, and the worst of all."""
    answered = np.flatnonzero(~np.isnan(run.errors_m))
    order = answered[np.argsort(run.errors_m[answered], kind="stable")]
    chosen = sample(order)
    drawn = WorldMap(_view(run, order))
    lat, lon = run.joined.places()
    levels = run.score.distances.levels_m
    truth, steps = run.joined.truth, list(levels.values())
    seen: dict[Point, int] = dict.fromkeys(_GRADES, 0)
    for row in chosen.tolist():
        true, guess = (float(truth.lat[row]), float(truth.lon[row])), (float(lat[row]), float(lon[row]))
        drawn.error(true, guess)
        drawn.point(*true, title=f"{run.photos[row]}: the truth", kind="truth")
    for row in chosen.tolist():
        error = float(run.errors_m[row])
        grade = _GRADES[bisect.bisect_left(steps, error)]
        seen[grade] += 1
        title = f"{run.photos[row]}: {length(error)} away"
        drawn.point(float(lat[row]), float(lon[row]), title=title, kind=grade)
    kinds: list[tuple[Kind, str]] = [("truth", "true place"), ("error", "way to the guess")]
    names = list(levels)
    said = [*(f"guess within {name}" for name in names), f"beyond {names[-1]}"]
    kinds += [(grade, f"{text} ({seen[grade]:,})") for grade, text in zip(_GRADES, said, strict=True) if seen[grade]]
    picture = element("div", drawn.svg(f"Errors of {run.name} on a map"), legend(kinds))
    return ErrorsMap(picture, _caption(run, len(order), len(chosen), drawn.left_out))


def sample(order: Ints) -> Ints:
    """Of rows from the best to the worst at most `MOST`, in that order: the worst, and the others by chance."""
    if len(order) <= MOST:
        return order
    rest = np.random.default_rng(0).choice(len(order) - _WORST, MOST - _WORST, replace=False)
    return np.concatenate([order[np.sort(rest)], order[-_WORST:]])


def _view(run: Placed, order: Ints) -> View:
    """Where the true places are, and all guesses but the furthest twentieth."""
    lat, lon = run.joined.places()
    near = order[: max(int(np.ceil(_NEAREST * len(order))), 1)]
    truth = run.joined.truth
    places = [*zip(truth.lat[order].tolist(), truth.lon[order].tolist(), strict=True)]
    return around([*places, *zip(lat[near].tolist(), lon[near].tolist(), strict=True)])


def _caption(run: Placed, answered: int, drawn: int, outside: int) -> str:
    said = f"{drawn:,} photographs"
    if drawn < answered:
        said = f"A sample: {drawn:,} of {answered:,} photographs, the {_WORST} worst and the others drawn by chance"
    if answered < len(run.photos):
        said += f"; {len(run.photos) - answered:,} without an answer are not on it"
    if outside:
        said += f"; {outside:,} points lie outside of it"
    return f"{said}. The worst are on top."
