"""Tables of a report beside the command's own: areas to be searched, stages, candidates, and what has no answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from geoloc_cli.evaluate.metrics import calibration, retrieval
from geoloc_cli.evaluate.metrics.area import BUDGETS_KM2
from geoloc_cli.evaluate.metrics.resampling import wilson
from geoloc_cli.evaluate.report.entry import Placed
from geoloc_cli.evaluate.sheets import Cell, Sheet, length, share, share_cell, square_km
from geoloc_cli.geo.earth import Floats, haversine_m

_RANKS = (1, 5, 10, 20)


def more_sheets(runs: Sequence[Placed]) -> list[Sheet]:
    """Every such table to which at least one of the runs has something to say."""
    return [sheet for sheet in (areas(runs), stages(runs), candidates(runs)) if sheet.rows]


def areas(runs: Sequence[Placed]) -> Sheet:
    """Recall versus Area: how many square kilometres are searched until the truth is found."""
    rows = []
    for run in runs:
        said = run.score.meaning
        found = said.beliefs.area if said.beliefs else said.answers_area
        cells = [Cell("beliefs" if said.beliefs else "answers"), Cell(str(found.photos))]
        for budget in BUDGETS_KM2:
            ends = wilson(round(found.recall[budget] * found.photos), found.photos)
            cells.append(share_cell(found.recall[budget], ends))
        cells += [Cell(square_km(found.median_km2)), Cell(share(found.earth_searched)), Cell(share(found.log_recall))]
        rows.append(((run.name,), tuple(cells)))
    budgets = ("1 km²", "100 km²", "10⁴ km²", "10⁶ km²")
    heads = ("searched", "photos", *budgets, "median", "of the Earth", "under the curve")
    note = (
        "Places are searched from the most probable on, or in circles about a single answer, until the truth is found "
        "(Recall versus Area, Bianco et al. 2024). The mean share of the Earth that is searched is better when lower, "
        "the area under the curve over the logarithm of the area when higher."
    )
    return Sheet("Area to be searched", ("run",), heads, tuple(rows), note)


def stages(runs: Sequence[Placed]) -> Sheet:
    """What each stage's answers are worth, where a run says of its answers where they come from."""
    levels = runs[0].score.distances.levels_m if runs else {}
    shown = list(levels)[:4]
    rows = []
    for run in runs:
        for stage, chosen in run.by_stage():
            errors = run.errors_m[chosen]
            held = calibration.radius_coverage(errors, run.radius_m[chosen])
            within = [wilson(int(np.sum(errors <= levels[name])), errors.size) for name in shown]
            cells = [Cell(str(errors.size)), *(share_cell(ends.value, ends) for ends in within)]
            cells += [Cell(length(float(np.median(errors)))), share_cell(held.held.value, held.held)]
            rows.append(((run.name, stage), tuple(cells)))
    heads = ("photos", *shown, "median", "radius holds")
    return Sheet("Answers by stage", ("run", "stage"), heads, tuple(rows), "The radius is meant to hold 90 %.")


def candidates(runs: Sequence[Placed]) -> Sheet:
    """How often a candidate within 25 m comes up among the first so many; a row where a run lists candidates."""
    rows = []
    for run in runs:
        first = first_right(run)
        if first is not None:
            recalls = [wilson(int(np.sum(first <= rank)), first.size) for rank in _RANKS]
            rows.append(((run.name,), tuple(share_cell(ends.value, ends) for ends in recalls)))
    note = "The share of all photographs with a candidate within 25 m of the truth among their first so many."
    return Sheet("Candidates near the truth", ("run",), tuple(f"R@{rank}" for rank in _RANKS), tuple(rows), note)


def first_right(run: Placed) -> Floats | None:
    """The rank (T,) of each photograph's first candidate within 25 m, infinite without one; None without candidates."""
    found = run.joined.predictions.candidates
    if found is None or not len(found.photos):
        return None
    truth, ranks = run.joined.truth, np.full(len(run.photos), np.inf)
    counts = np.diff(found.start)
    truth_of = np.full(len(counts), -1)
    answered = run.joined.row >= 0
    truth_of[run.joined.row[answered]] = np.flatnonzero(answered)
    owner = np.repeat(truth_of, counts)
    rank = np.arange(len(owner)) - np.repeat(found.start[:-1], counts) + 1.0
    away = haversine_m(found.lat, found.lon, truth.lat[owner], truth.lon[owner])
    near = (owner >= 0) & (away <= retrieval.WITHIN_M)
    np.minimum.at(ranks, owner[near], rank[near])
    return ranks


def unanswered(run: Placed) -> Sheet | None:
    """How many photographs have no answer for which reason; None where all have one."""
    without = np.flatnonzero(np.isnan(run.errors_m))
    if not without.size:
        return None
    reasons, rows = run.reasons, run.joined.row
    lat = run.joined.of_truth(run.joined.predictions.lat)

    def why(row: int) -> str:
        if rows[row] == -1:
            return "not in the file"
        return (reasons[row] if reasons else None) or ("no place" if np.isnan(lat[row]) else "no place on the Earth")

    counts = Counter(map(why, without.tolist()))
    made = tuple(((reason,), (Cell(str(count)),)) for reason, count in counts.most_common())
    return Sheet("Without an answer", ("reason",), ("photos",), made, "They count as wrong.")
