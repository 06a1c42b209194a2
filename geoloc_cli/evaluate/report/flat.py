"""A report for programs: JSON, and one CSV line a figure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from geoloc_cli.evaluate.plain import plain
from geoloc_cli.evaluate.published import NOTE
from geoloc_cli.evaluate.report.content import Report

HEAD = ("run", "figure", "value", "mark", "source")
# A diagram's bins, and what is a sentence.
_LEFT_OUT = frozenset({"diagnoses", "predictions", "truth"})


def as_json(report: Report) -> dict[str, Any]:
    """All figures as plain JSON, in SI units, with what they are of."""
    runs = [
        {"name": one.name, "facts": dict(one.facts), "record": dict(one.record), **one.run.as_json()}
        for one in report.entries
    ]
    others = [row.as_json() for row in report.published]
    return {"facts": dict(report.facts), "runs": runs, "comparisons": plain(report.comparisons), "published": others}


def figures_csv(report: Report) -> str:
    """Every figure on a line of its own under the path that it has in the JSON, as `within: 25 km`; SI units.

    `mark` and `source` are empty for what was measured here. A text that a spreadsheet would take for a formula has an
    apostrophe before it.
    """
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(HEAD)
    for one in report.entries:
        for figure, value in _flat("", one.run.as_json()):
            lines.writerow([_harmless(one.name), _harmless(figure), value, "", ""])
    for row in report.published:
        for figure, known in row.by_field.items():
            if known is not None:
                lines.writerow([row.method, f"{row.dataset}: {figure}", known, NOTE, f"{row.source}; {row.protocol}"])
    return out.getvalue()


def _flat(name: str, value: Any) -> Iterator[tuple[str, float]]:
    """The numbers of nested objects and lists, by their paths."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in _LEFT_OUT:
                yield from _flat(f"{name}: {key}" if name else str(key), inner)
    elif isinstance(value, list):
        ends = ("low", "high") if len(value) == 2 and name.startswith("intervals") else range(len(value))
        for key, inner in zip(ends, value, strict=True):
            yield from _flat(f"{name}: {key}", inner)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield name, value


def _harmless(text: str) -> str:
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
