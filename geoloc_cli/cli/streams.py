"""Standard streams that never fail for a sign that their encoding does not have."""

from __future__ import annotations

import codecs
import io
import sys

# What is said in their place where only ASCII can be shown.
_SIGNS = {"°": " deg", "±": "+-", "…": "...", "–": "-", "—": "-", "×": "x", "─": "-", "━": "-", "•": "*", "²": "^2"}
_HANDLER = "geoloc.spelled"


def _spelled(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(_SIGNS.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in signs), error.end


def make_safe() -> None:
    """Lets stdout and stderr spell out what their encoding lacks, as under `PYTHONIOENCODING=ascii` or a C locale."""
    codecs.register_error(_HANDLER, _spelled)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not stream.encoding.lower().startswith("utf"):
            stream.reconfigure(errors=_HANDLER)
