"""A report as Markdown: what was measured, the tables, the worst photographs."""

from __future__ import annotations

from collections.abc import Iterator

from geoloc_cli.evaluate.published import NOTE
from geoloc_cli.evaluate.report.content import Report
from geoloc_cli.evaluate.report.entry import Entry, Placed
from geoloc_cli.evaluate.report.more_sheets import unanswered
from geoloc_cli.evaluate.report.worst import listed, worst
from geoloc_cli.evaluate.sheets import Cell, Row, Sheet
from geoloc_cli.export.markup import in_markdown


def markdown(report: Report) -> str:
    """The whole report."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield from (f"# {in_markdown(report.title)}", "", in_markdown(report.lead), "")
    yield from (f"- {in_markdown(name)}: {in_markdown(value)}" for name, value in report.facts)
    for sheet in (*report.tables, *report.compared):
        yield from ("", f"## {in_markdown(sheet.title)}", "", *table(sheet, ends=True), *_below(sheet))
    for entry in report.entries:
        yield from ("", f"## {in_markdown(entry.name)}", "", *_run(entry))


def _run(entry: Entry) -> Iterator[str]:
    yield from (f"- {in_markdown(name)}: {in_markdown(value)}" for name, value in (*entry.facts, *entry.record))
    score = entry.run.score
    if score is None:
        return
    yield from (f"- {in_markdown(diagnosis.sentence)}" for diagnosis in score.diagnoses)
    placed = Placed(entry.name, score)
    for sheet in (unanswered(placed), listed(worst(placed, entry.folders))):
        if sheet is not None and sheet.rows:
            yield from ("", f"### {in_markdown(sheet.title)}", "", *table(sheet, ends=True), *_below(sheet))


def table(sheet: Sheet, *, ends: bool) -> Iterator[str]:
    """The lines of a table, with `ends` of intervals in brackets; each published row says that it is one."""
    yield _line([*sheet.names, *sheet.heads])
    yield "| " + " | ".join([":--"] * len(sheet.names) + ["--:"] * len(sheet.heads)) + " |"
    yield from (_row(row, ends) for row in sheet.rows)
    for (name, *rest), cells in sheet.aside:
        yield _row(((f"{name} ({NOTE})", *rest), cells), ends)


def _below(sheet: Sheet) -> Iterator[str]:
    if sheet.note:
        yield from ("", in_markdown(sheet.note))
    if sheet.sources:
        yield ""
        yield from (f"- {in_markdown(NOTE)}: {in_markdown(source)}" for source in sheet.sources)


def _row(row: Row, ends: bool) -> str:
    names, cells = row
    return _line([*names, *(_text(cell, ends) for cell in cells)])


def _line(texts: list[str]) -> str:
    return "| " + " | ".join(map(in_markdown, texts)) + " |"


def _text(cell: Cell, ends: bool) -> str:
    return f"{cell.text} ({cell.ends})" if ends and cell.ends else cell.text
