"""Tables of runs against each other: the tests of every two, who is nearest how often, and where they differ most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from geoloc_cli.evaluate.compared import Comparison
from geoloc_cli.evaluate.evaluated import Evaluated
from geoloc_cli.evaluate.joined import Joined
from geoloc_cli.evaluate.report.entry import Ints, Placed
from geoloc_cli.evaluate.score import How, measured
from geoloc_cli.evaluate.sheets import Cell, Sheet, length, probability, share, sheets
from geoloc_cli.geo.earth import Floats

_SURE = 0.05
_LISTED = 20
_TIE_M = 1e-3
_LEAST_AHEAD = 0.01  # of the logarithm of an error: one per cent
_FAR_M = 2.01e7

_HOLM = f"made larger for the number of pairs (Holm); * where it is below {_SURE:g}."
_SHARES = (
    f"The share of the row's run less that of the column's: better when positive. p by McNemar's exact test, {_HOLM}"
)
_ERRORS = (
    "The median of the row's errors less the column's, photograph by photograph: better when negative. p by Wilcoxon's "
    f"signed ranks, {_HOLM}"
)

Told = Callable[[Comparison], tuple[str, float, float]]
"""What a comparison says: the difference in words, as a number, and its probability."""


def against(runs: Sequence[Placed], comparisons: Sequence[Comparison], how: How) -> list[Sheet]:
    """All of them; empty where the runs were not compared."""
    if not comparisons:
        return []
    rows = shared(runs)
    made = []
    if len(rows[0]):
        made += _same(runs, rows, how)
        made.append(_wins(runs, rows))
    levels = list(comparisons[0].within)
    made += [
        replace(_matrix(runs, comparisons, f"share within {name}", _share_at(name)), note=_SHARES if not number else "")
        for number, name in enumerate(levels)
    ]
    made.append(replace(_matrix(runs, comparisons, "errors", _errors_of), note=_ERRORS))
    return [*made, *([_apart(runs, rows)] if len(rows[0]) else [])]


def shared(runs: Sequence[Placed]) -> list[Ints]:
    """The rows (C,) in each run of the photographs that all of them have, by their names, in the first one's order."""
    first = runs[0].photos
    if all(run.photos is first for run in runs):
        return [np.arange(len(first)) for _ in runs]
    numbers = [dict(zip(run.photos, range(len(run.photos)), strict=True)) for run in runs]
    names = [name for name in first if all(name in number for number in numbers)]
    return [np.array([number[name] for name in names], np.int64) for number in numbers]


def _same(runs: Sequence[Placed], rows: Sequence[Ints], how: How) -> list[Sheet]:
    """The table of distances of what all runs have, where that is not all that each has."""
    if all(len(own) == len(run.photos) for run, own in zip(runs, rows, strict=True)):
        return []
    levels = how if how.levels_m else replace(how, levels_m=runs[0].score.distances.levels_m)
    parts = measured([_part(run.joined, own) for run, own in zip(runs, rows, strict=True)], levels)
    table = sheets([Evaluated(run.name, part) for run, part in zip(runs, parts, strict=True)])[0]
    named = tuple(((run.name,), cells) for run, (_, cells) in zip(runs, table.rows, strict=True))
    return [replace(table, title=f"The {len(rows[0]):,} photographs that all runs have", rows=named)]


def _part(joined: Joined, rows: Ints) -> Joined:
    """Some photographs of the truth, with their predictions."""
    truth, chosen = joined.truth, rows.tolist()
    columns = {key: getattr(truth, key)[rows] for key in ("lat", "lon", "alt_m", "heading_deg")}
    photos, times = [truth.photos[row] for row in chosen], [truth.taken_at[row] for row in chosen]
    part = replace(truth, photos=photos, taken_at=times, **columns)
    return replace(joined, truth=part, row=joined.row[rows], way=joined.way[rows])


def _share_at(name: str) -> Told:
    def told(c: Comparison) -> tuple[str, float, float]:
        apart = c.within[name].difference
        return f"{share(abs(apart)).removesuffix(' %')} points", apart, c.adjusted[name]

    return told


def _errors_of(c: Comparison) -> tuple[str, float, float]:
    apart = c.errors.difference
    return length(abs(apart)), apart, c.adjusted["errors"]


def _matrix(runs: Sequence[Placed], comparisons: Sequence[Comparison], what: str, told: Told) -> Sheet:
    """A row a run against a column a run: the row's figure less the column's."""
    found = {(c.one, c.other): told(c) for c in comparisons}
    keys = [run.score.predictions for run in runs]
    rows = []
    for here, run in zip(keys, runs, strict=True):
        cells = []
        for there in keys:
            text, apart, p_value = found.get((here, there)) or found.get((there, here)) or ("", 0.0, 1.0)
            way = apart if (here, there) in found else -apart
            cells.append(Cell(_signed(text, way, p_value), f"p {_is(p_value)}") if text else Cell(""))
        rows.append(((run.name,), tuple(cells)))
    return Sheet(f"Paired test: {what}", ("run",), tuple(run.name for run in runs), tuple(rows))


def _signed(text: str, value: float, p_value: float) -> str:
    """With a sign where it is not zero, and an asterisk where chance alone is improbable."""
    sign = "" if value == 0.0 or text == "-" else "+" if value > 0.0 else "−"
    return f"{sign}{text}{' *' if p_value < _SURE else ''}"


def _is(p_value: float) -> str:
    said = probability(p_value)
    return said if said.startswith("<") else f"= {said}"


def _errors(runs: Sequence[Placed], rows: Sequence[Ints]) -> Floats:
    """Errors (R, C) of the photographs that all have, infinite without an answer."""
    return np.stack([np.nan_to_num(run.errors_m[own], nan=np.inf) for run, own in zip(runs, rows, strict=True)])


def _wins(runs: Sequence[Placed], rows: Sequence[Ints]) -> Sheet:
    """On how many photographs each run is nearest, and which it alone has within a level."""
    errors = _errors(runs, rows)
    best = errors.min(axis=0)
    nearest = np.isfinite(best) & (errors <= best + _TIE_M)
    alone = nearest & (nearest.sum(axis=0) == 1)
    levels = dict(list(runs[0].score.distances.levels_m.items())[:3])
    within = [errors <= level for level in levels.values()]
    counts = [alone, nearest & ~alone, *(hits & (hits.sum(axis=0) == 1) for hits in within)]
    made = tuple(
        ((run.name,), tuple(Cell(str(int(count[number].sum()))) for count in counts)) for number, run in enumerate(runs)
    )
    heads = ("nearest", "nearest with others", *(f"alone within {name}" for name in levels))
    none = int(np.sum(~np.isfinite(best)))
    note = f"Of the {best.size:,} photographs that all runs have" + (
        f"; {none:,} are answered by none." if none else "."
    )
    return Sheet("Who is nearest", ("run",), heads, made, note)


def _apart(runs: Sequence[Placed], rows: Sequence[Ints]) -> Sheet:
    """The photographs on which the nearest run is the furthest ahead of the middle one, by ratio."""
    errors = _errors(runs, rows)
    best, middle = errors.min(axis=0), np.median(np.minimum(errors, _FAR_M), axis=0)
    ahead = np.log(np.maximum(middle, 1.0)) - np.log(np.maximum(best, 1.0))
    order = np.argsort(-ahead, kind="stable")[:_LISTED]
    made = []
    for column in order[ahead[order] > _LEAST_AHEAD].tolist():
        own, least = errors[:, column].tolist(), float(best[column]) + _TIE_M
        cells = tuple(Cell(length(error) + (" *" if error <= least else "")) for error in own)
        made.append(((runs[0].photos[int(rows[0][column])],), cells))
    note = "The errors of each run, where the nearest (*) is the furthest ahead of the middle one."
    return Sheet("Where the runs differ most", ("photo",), tuple(run.name for run in runs), tuple(made), note)
