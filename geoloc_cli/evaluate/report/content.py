"""What a report says of runs, before it is a page or a text: how they were made, their tables, others' figures."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from geoloc_cli import __version__
from geoloc_cli.evaluate.compared import Comparison
from geoloc_cli.evaluate.diagnosis import counted
from geoloc_cli.evaluate.published import Published
from geoloc_cli.evaluate.report.against import against
from geoloc_cli.evaluate.report.entry import Entry, placed
from geoloc_cli.evaluate.report.more_sheets import more_sheets
from geoloc_cli.evaluate.report.others import with_published
from geoloc_cli.evaluate.score import How
from geoloc_cli.evaluate.sheets import Sheet, sheets


@dataclass(frozen=True, slots=True)
class Report:
    """Runs with the `tables` of all of them, a row a run, and the `compared` ones, run against run."""

    title: str
    lead: str
    facts: tuple[tuple[str, str], ...]
    entries: tuple[Entry, ...]
    comparisons: tuple[Comparison, ...]
    published: tuple[Published, ...]
    tables: tuple[Sheet, ...]
    compared: tuple[Sheet, ...]


def report(
    entries: Sequence[Entry],
    comparisons: Sequence[Comparison],
    how: How,
    published: Sequence[Published] = (),
    command: Sequence[str] = (),
) -> Report:
    """Everything of these runs, with the figures that others published as rows of their own."""
    names = {entry.run.score.predictions: entry.name for entry in entries if entry.run.score}
    names |= {entry.run.name: entry.name for entry in entries}
    runs = [entry.run for entry in entries]
    measured = [*(renamed(sheet, names) for sheet in sheets(runs)), *more_sheets(placed(entries))]
    tables = with_published(measured, published)
    pairs = [renamed(sheet, names) for sheet in sheets([], comparisons)]
    facts = [("command", shlex.join(command))] if command else []
    facts.append(("versions", f"geoloc {__version__}, numpy {np.__version__}, Python {platform.python_version()}"))
    facts.append(("intervals", _intervals(how)))
    return Report(
        "Where photographs were taken, and where they were said to be",
        _lead(entries),
        tuple(facts),
        tuple(entries),
        tuple(comparisons),
        tuple(published),
        tuple(tables),
        (*against(placed(entries), comparisons, how), *pairs),
    )


def renamed(sheet: Sheet, names: dict[str, str]) -> Sheet:
    """Rows by the short names of the runs."""
    return replace(sheet, rows=tuple((tuple(names.get(one, one) for one in row), cells) for row, cells in sheet.rows))


def _intervals(how: How) -> str:
    sure = how.sure
    return (
        f"{100.0 * sure.level:g} %: of shares by Wilson, of other figures by {sure.replicates} resamples of the "
        f"photographs, seed {sure.seed}. They say how sure a figure is for photographs like these alone."
    )


def _lead(entries: Sequence[Entry]) -> str:
    counts = sorted({run.score.distances.report.photos for run in placed(entries)})
    photos = " to ".join(f"{count:,}" for count in dict.fromkeys((counts[0], counts[-1]))) if counts else ""
    runs = entries[0].name if len(entries) == 1 else counted(len(entries), "run")
    return f"{runs}, {photos} photographs{' each' if len(entries) > 1 else ''}." if photos else f"{runs}."
