"""Figures as tables of text, for a terminal, a paper or a page: what a row shows, and in which words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from geoloc_cli.evaluate.compared import Comparison
from geoloc_cli.evaluate.evaluated import Evaluated
from geoloc_cli.evaluate.metrics.pose import PoseReport
from geoloc_cli.evaluate.metrics.resampling import Interval
from geoloc_cli.evaluate.metrics.retrieval import RetrievalReport
from geoloc_cli.evaluate.score import Score

# What stands where there is nothing to say.
_NONE = "-"


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure, and the ends of its interval where it has one."""

    text: str
    ends: str = ""


Row = tuple[tuple[str, ...], tuple[Cell, ...]]
"""The names of a row and its figures."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: `names` are the columns of text that come first, `heads` those of figures.

    `note` says how it is to be read. The rows `aside` were published, in `sources`, and not measured here.
    """

    title: str
    names: tuple[str, ...]
    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str = ""
    aside: tuple[Row, ...] = ()
    sources: tuple[str, ...] = ()


def sheets(runs: Sequence[Evaluated], comparisons: Sequence[Comparison] = ()) -> list[Sheet]:
    """A table of each kind of figure that any of the runs has, distances first."""
    made = [_distances(runs), _meaning(runs), _retrieval(runs), _poses(runs), _places(runs), _comparisons(comparisons)]
    return [sheet for sheet in made if sheet.rows]


def _distances(runs: Sequence[Evaluated]) -> Sheet:
    scored = [run.score for run in runs if run.score]
    levels = tuple(scored[0].distances.levels_m) if scored else ()
    heads = ("photos", "answered", *levels, "median", "of answered", "mean")
    rows = tuple(((score.predictions,), _distance_row(score)) for score in scored)
    return Sheet("Distances", ("predictions",), heads, rows)


def _distance_row(score: Score) -> tuple[Cell, ...]:
    found = score.distances
    report, lengths = found.report, found.lengths
    return (
        Cell(str(report.photos)),
        share_cell(report.answered, found.answered),
        *(share_cell(report.within[name], found.within[name]) for name in found.levels_m),
        *(length_cell(getattr(report, name), lengths[name]) for name in ("median_m", "median_answered_m", "mean_m")),
    )


def _meaning(runs: Sequence[Evaluated]) -> Sheet:
    heads = ("radius holds", "median radius", "confidence", "within 1 km", "ECE", "Brier", "50 %", "70 %", "90 %")
    scored = [run.score for run in runs if run.score]
    rows = tuple(
        ((score.predictions,), _meaning_row(score))
        for score in scored
        if score.meaning.radius or score.meaning.confidence or score.meaning.beliefs
    )
    return Sheet("What answers say of themselves", ("predictions",), (*heads, "log loss", "searched"), rows)


def _meaning_row(score: Score) -> tuple[Cell, ...]:
    said = score.meaning
    radius, sure, beliefs = said.radius, said.confidence, said.beliefs
    area = beliefs.area if beliefs else said.answers_area
    stated = _mean_confidence(score)
    return (
        share_cell(radius.held.value, radius.held) if radius else Cell(_NONE),
        Cell(length(said.median_radius_m)),
        Cell(share(stated)),
        Cell(share(sure.right) if sure else _NONE),
        Cell(f"{sure.ece:.3f}" if sure else _NONE),
        Cell(f"{sure.brier.value:.3f}", f"{sure.brier.low:.3f}–{sure.brier.high:.3f}") if sure else Cell(_NONE),
        *((share_cell(c.held.value, c.held) for c in beliefs.regions) if beliefs else [Cell(_NONE)] * 3),
        _number_cell(beliefs.log_loss) if beliefs else Cell(_NONE),
        Cell(square_km(area.median_km2)),
    )


def _mean_confidence(score: Score) -> float:
    sure = score.meaning.confidence
    if sure is None:
        return math.nan
    return float(sure.diagram.confidence @ sure.diagram.count / sure.diagram.count.sum())


def _retrieval(runs: Sequence[Evaluated]) -> Sheet:
    found = [(run.name, run.retrieval) for run in runs if run.retrieval]
    ranks = tuple(found[0][1].as_listed.recall) if found else ()
    rows = tuple(
        ((name, order), _recall_row(report, ranks))
        for name, each in found
        for order, report in (("by likeness", each.by_likeness), ("as listed", each.as_listed))
    )
    rule = found[0][1].rule if found else ""
    heads = ("queries", "with a right one", *(f"R@{rank}" for rank in ranks))
    return Sheet(f"Right references among the first N ({rule})", ("run", "order"), heads, rows)


def _recall_row(report: RetrievalReport, ranks: Sequence[int]) -> tuple[Cell, ...]:
    recalls = (Cell(share(report.recall[rank])) for rank in ranks)
    return (Cell(str(report.queries)), Cell(str(report.reachable)), *recalls)


def _poses(runs: Sequence[Evaluated]) -> Sheet:
    found = [(run.name, run.poses) for run in runs if run.poses]
    levels = tuple(found[0][1].report.within) if found else ()
    heads = ("photos", "posed", *(f"{near:g} m, {turned:g}°" for near, turned in levels), "median", "median angle")
    rows = []
    for name, each in found:
        rows.append(((name, "all"), (*_pose_row(each.report), *(Cell(share(area)) for area in each.auc_deg.values()))))
        rows += [((name, scene), (*_pose_row(one), *[Cell("")] * 3)) for scene, one in each.by_scene.items()]
    areas = tuple(f"AUC {degrees:g}°" for degrees in (found[0][1].auc_deg if found else ()))
    return Sheet("Poses, lengths in the unit of the set", ("run", "scene"), (*heads, *areas), tuple(rows))


def _pose_row(report: PoseReport) -> tuple[Cell, ...]:
    within = (Cell(share(report.within[level])) for level in report.within)
    medians = (Cell(number(report.median_m)), Cell(f"{number(report.median_deg)}°"))
    return (Cell(str(report.photos)), Cell(share(report.posed)), *within, *medians)


def _places(runs: Sequence[Evaluated]) -> Sheet:
    heads = ("photos", "judged", "country", "region", "city")
    rows = tuple(
        (
            (run.name,),
            (
                Cell(str(at.photos)),
                Cell(str(at.judged)),
                *(Cell(share(value)) for value in (at.country, at.region, at.city)),
            ),
        )
        for run in runs
        if run.score and (at := run.score.places)
    )
    return Sheet("Right places, by the nearest town", ("predictions",), heads, rows)


def _comparisons(comparisons: Sequence[Comparison]) -> Sheet:
    heads = ("photos", "nearer", "farther", "median difference", "p", "GeoScore difference")
    shown = _telling_level(comparisons)
    rows = tuple(((c.one, c.other), _comparison_row(c, shown)) for c in comparisons)
    level = (f"{shown} difference", "p") if shown else ()
    return Sheet("Paired tests, p by Holm over all of them", ("predictions", "against"), (*heads, *level), rows)


def _comparison_row(c: Comparison, shown: str) -> tuple[Cell, ...]:
    test = c.within[shown]
    points = c.geoscore.difference
    return (
        Cell(str(c.photos)),
        Cell(share(c.nearer)),
        Cell(share(c.farther)),
        Cell(_signed(length(abs(c.errors.difference)), c.errors.difference)),
        Cell(probability(c.adjusted["errors"])),
        Cell(f"{points.value:+.0f}", f"{points.low:+.0f} to {points.high:+.0f}"),
        Cell(f"{100.0 * test.difference:+.1f} %"),
        Cell(probability(c.adjusted[shown])),
    )


def _telling_level(comparisons: Sequence[Comparison]) -> str:
    """The level at which most photographs tell the runs apart."""
    if not comparisons:
        return ""
    telling = {name: sum(c.within[name].pairs for c in comparisons) for name in comparisons[0].within}
    return max(telling, key=lambda name: telling[name])


def share(value: float) -> str:
    """In per cent."""
    return f"{100.0 * value:.1f} %" if math.isfinite(value) else _NONE


def share_cell(value: float, ends: Interval) -> Cell:
    return (
        Cell(share(value), f"{100.0 * ends.low:.1f}–{100.0 * ends.high:.1f}") if math.isfinite(value) else Cell(_NONE)
    )


def length_cell(value: float, ends: Interval) -> Cell:
    if not math.isfinite(value):
        return Cell(_NONE)
    low, high = length(ends.low), length(ends.high)
    return Cell(length(value), f"{_without_unit(low, high)}–{high if math.isfinite(ends.high) else '∞'}")


def _without_unit(low: str, high: str) -> str:
    number_of, _, unit = low.rpartition(" ")
    return number_of if number_of and high.endswith(f" {unit}") else low


def length(metres: float) -> str:
    """Three figures, in metres below a kilometre."""
    if not math.isfinite(metres):
        return _NONE
    if metres < 1e3:
        return f"{number(metres)} m"
    km = metres / 1e3
    return f"{km:.1f} km" if km < 100.0 else f"{km:.0f} km"


def number(value: float) -> str:
    """About three figures."""
    if not math.isfinite(value):
        return _NONE
    if abs(value) < 0.1:
        return f"{value:.4f}" if abs(value) >= 5e-5 else "0"
    return f"{value:.2f}" if abs(value) < 10.0 else f"{value:.1f}" if abs(value) < 100.0 else f"{value:.0f}"


def _number_cell(interval: Interval) -> Cell:
    if not math.isfinite(interval.value):
        return Cell(_NONE)
    dash = " to " if interval.low < 0.0 else "–"
    return Cell(number(interval.value), f"{number(interval.low)}{dash}{number(interval.high)}")


def square_km(value: float) -> str:
    """An area, in square metres where a person would say it so."""
    if value < 0.01:
        return f"{number(value * 1e6)} m²"
    if value < 1e4:
        return f"{number(value)} km²"
    return f"{number(value / 1e6)} million km²" if value >= 1e6 else f"{value / 1e3:.0f} 000 km²"


def probability(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _signed(text: str, value: float) -> str:
    return text if text == _NONE or value == 0.0 else f"{'+' if value > 0.0 else '-'}{text}"
