"""A report on disk: one page, or a folder of the page, Markdown, LaTeX, CSV and JSON."""

from __future__ import annotations

import json
from pathlib import Path

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.report import latex
from geoloc_cli.evaluate.report.content import Report
from geoloc_cli.evaluate.report.flat import as_json, figures_csv
from geoloc_cli.evaluate.report.html import html
from geoloc_cli.evaluate.report.markdown import markdown
from geoloc_cli.photos.opening import shown

NAMES = ("report.html", "report.md", "report.tex", "report.csv", "report.json")


def write_page(report: Report, path: str) -> None:
    """The page alone. Raises UsageError where it cannot be written."""
    _write(Path(path), html(report))


def write_folder(report: Report, folder: str) -> None:
    """All forms of the report, under `NAMES`, in a folder that is made where it is not there."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{shown(folder)} cannot be made ({error.strerror}); give another folder.") from error
    tables = [line for sheet in (*report.tables, *report.compared) for line in (*latex.table(sheet, ends=True), "")]
    data = json.dumps(as_json(report), allow_nan=False, indent=1) + "\n"
    texts = (html(report), markdown(report), "\n".join(tables), figures_csv(report), data)
    for name, text in zip(NAMES, texts, strict=True):
        _write(Path(folder, name), text)


def _write(path: Path, text: str) -> None:
    """The text as UTF-8, whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{shown(str(path))} cannot be written ({error.strerror}); give another place.") from error
