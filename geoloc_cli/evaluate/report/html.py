"""A report as one page: what was measured, tables, curves, each run's map and its worst photographs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from geoloc_cli.evaluate.published import NOTE
from geoloc_cli.evaluate.report.content import Report
from geoloc_cli.evaluate.report.curves import (
    area_curves,
    error_curves,
    held_bars,
    pose_curves,
    reliability_diagram,
    risk_curves,
)
from geoloc_cli.evaluate.report.entry import Entry, Placed, placed
from geoloc_cli.evaluate.report.errors_map import errors_map
from geoloc_cli.evaluate.report.more_sheets import unanswered
from geoloc_cli.evaluate.report.worst import Case, worst
from geoloc_cli.evaluate.sheets import Cell, Row, Sheet
from geoloc_cli.export.markup import Content, Html, element, join
from geoloc_cli.export.page import Page, cards, code, facts, figure, row, table
from geoloc_cli.export.thumbnails import thumbnail

_AS_CODE = frozenset({"command", "predictions", "truth"})


def html(report: Report) -> str:
    """The whole page, which needs neither a network nor a script; every name in it is only text."""
    page = Page(report.title, lead=report.lead)
    page.section("What was measured", _facts(report.facts))
    page.section("Figures", *map(sheet_table, report.tables))
    page.section("Curves", _curves(report))
    if report.compared:
        page.section("Compared", *map(sheet_table, report.compared))
    for entry in report.entries:
        page.section(entry.name, *_run(entry, alone=len(report.entries) == 1))
    return page.html()


def _curves(report: Report) -> Html:
    runs = placed(report.entries)
    found: list[tuple[Html | None, str]] = []
    if runs:
        found = [
            (error_curves(runs), "The share of all photographs that lie within a distance of the truth."),
            (area_curves(runs), "The share that is found when so much of the Earth is searched (Recall versus Area)."),
            (risk_curves(runs), "The share of answers beyond 1 km among those that are kept, the surest first."),
        ]
    found += [(made, "The share of all photographs whose pose is that near.") for made in pose_curves(report.entries)]
    return row(*(figure(made, said) for made, said in found if made is not None))


def _run(entry: Entry, *, alone: bool) -> Iterator[Content]:
    """One run: how it was made, what is odd about its files, its map, how honest it is, and the worst."""
    yield _facts(entry.facts) if entry.facts else None
    if entry.record:
        yield element("details", element("summary", "How its answers were made"), _facts(entry.record))
    score = entry.run.score
    if score is None:
        return
    if score.diagnoses:
        yield element("ul", join([element("li", diagnosis.sentence) for diagnosis in score.diagnoses]))
    run = Placed(entry.name, score)
    cases = worst(run, entry.folders)
    if cases:
        drawn = errors_map(run)
        yield figure(drawn.picture, drawn.caption)
    diagrams = [
        (reliability_diagram(run), "How often answers lay within 1 km over how sure they were of it."),
        (
            held_bars(run),
            "How often the truth lay inside the stated radius; the dotted line is at the 90 % it is to hold.",
        ),
    ]
    shown = [figure(made, said) for made, said in diagrams if made is not None]
    yield row(*shown) if shown else None
    none = unanswered(run)
    yield sheet_table(none) if none is not None else None
    yield _worst(cases, opened=alone) if cases else None


def _worst(cases: Sequence[Case], *, opened: bool) -> Html:
    """The worst photographs, to be folded out where several runs have theirs on the page."""
    pictured = any(case.file is not None for case in cases)
    none = None if pictured else element("p", "Their pictures were not found; --pictures DIR says where they are.")
    said = f"The {len(cases)} photographs with the largest errors" if len(cases) > 1 else "The largest error"
    listed = cards([_card(case, pictured) for case in cases])
    return element("details", element("summary", said), none, listed, open=opened)


def _card(case: Case, pictured: bool) -> tuple[Html, Content, Content]:
    picture = Html()
    if case.file is not None:
        picture = thumbnail(case.file, alt=case.photo)
    elif pictured:
        picture = element("span", "This picture was not found.", class_="no-picture")
    why = facts([(name, element("bdi", text)) for name, text in case.why])
    return picture, join([f"{case.error}: ", code(case.photo)]), why


def sheet_table(sheet: Sheet) -> Html:
    """A table with its title, its note, and the sources of its published rows."""
    numbers = "-" * len(sheet.names) + "n" * len(sheet.heads)
    below = (NOTE.capitalize(), [_line(one) for one in sheet.aside]) if sheet.aside else None
    rows = [_line(one) for one in sheet.rows]
    made = table([*sheet.names, *sheet.heads], rows, caption=sheet.title, numbers=numbers, below=below)
    listed = [element("li", source) for source in sheet.sources]
    return join(
        [
            made,
            element("p", sheet.note, class_="note") if sheet.note else None,
            element("p", f"Read in ({NOTE}):", class_="note") if listed else None,
            element("ul", join(listed), class_="note") if listed else None,
        ]
    )


def _line(one: Row) -> list[Content]:
    names, cells = one
    return [*(element("bdi", name) for name in names), *map(_cell, cells)]


def _cell(cell: Cell) -> Content:
    return join([cell.text, element("small", cell.ends, class_="span")]) if cell.ends else cell.text


def _facts(pairs: Sequence[tuple[str, str]]) -> Html:
    return facts([(name, code(text) if name in _AS_CODE else element("bdi", text)) for name, text in pairs])
