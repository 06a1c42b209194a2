"""Located photos as a table for spreadsheets and databases, one row a photo."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from geoloc_cli.export.located import COLUMNS, Located, readable

# OWASP's list of what a spreadsheet may take for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def document(photos: Iterable[Located]) -> str:
    """A header and the rows of `located.py`, by RFC 4180, with an empty cell where a value is unknown."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for photo in photos:
        table.writerow(["" if value is None else cell(value) for value in photo.row().values()])
    return text.getvalue()


def cell(value: object) -> object:
    """A value as a cell: text that a spreadsheet would take for a formula is prefixed with an apostrophe.

    Numbers stay as they are, those below zero too. Bytes of names that are no UTF-8 are shown as escapes.
    """
    if not isinstance(value, str):
        return value
    text = readable(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
