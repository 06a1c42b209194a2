"""Tables as LaTeX rows between the rules of the package booktabs."""

from __future__ import annotations

from geoloc_cli.evaluate.published import NOTE
from geoloc_cli.evaluate.sheets import Cell, Row, Sheet

_SIGNS = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
    "°": r"$^\circ$",
    "²": r"$^2$",
    "⁴": r"$^4$",
    "⁶": r"$^6$",
    "∞": r"$\infty$",
    "–": "--",
    "−": "$-$",
    "<": "$<$",
    ">": "$>$",
    "\n": " ",
}


def escaped(text: str) -> str:
    """Text that LaTeX sets as it is."""
    return "".join(_SIGNS.get(sign, sign) for sign in text)


def table(sheet: Sheet, *, ends: bool, titled: bool = True) -> list[str]:
    """The lines of a table, with `ends` of intervals in brackets; published rows have a rule and a line of their own.

    `titled`: its title and its note stand above it as comments.
    """
    said = [sheet.title, sheet.note] if titled else []
    lines = [f"% {text}".replace("\n", " ") for text in said if text]
    lines += [f"% {NOTE}: {source}".replace("\n", " ") for source in sheet.sources]
    columns = "l" * len(sheet.names) + "r" * len(sheet.heads)
    heads = " & ".join(escaped(head) for head in (*sheet.names, *sheet.heads))
    lines += [f"\\begin{{tabular}}{{{columns}}}", r"\toprule", f"{heads} \\\\", r"\midrule"]
    lines += [_row(row, ends) for row in sheet.rows]
    if sheet.aside:
        rule = [r"\midrule"] if sheet.rows else []
        lines += [*rule, f"\\multicolumn{{{len(columns)}}}{{l}}{{\\emph{{{escaped(NOTE)}}}}} \\\\"]
        lines += [_row(row, ends) for row in sheet.aside]
    return [*lines, r"\bottomrule", r"\end{tabular}"]


def _row(row: Row, ends: bool) -> str:
    names, cells = row
    return " & ".join([*map(escaped, names), *(_cell(cell, ends) for cell in cells)]) + r" \\"


def _cell(cell: Cell, ends: bool) -> str:
    said = escaped(cell.text)
    return f"{said} ({escaped(cell.ends)})" if ends and cell.ends else said
