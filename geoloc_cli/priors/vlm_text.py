"""A model's words as plain text: printable, in one form of digits and signs, and short where they are kept."""

from __future__ import annotations

import html
import re
import unicodedata

# Of a longer answer, the beginning and the end: what lies between is reasoning.
_LONGEST = 60_000
# Of what is kept of an answer, in characters.
RATIONALE = 600

_ANSI = re.compile(r"\x1b(?:\[[0-?]{0,32}[ -/]{0,8}[@-~]|\][^\x07\x1b]{0,2000}(?:\x07|\x1b\\)|[@-_])")
_TAG = re.compile(r"</?(?:[a-zA-Z][a-zA-Z0-9]{0,15})(?:\s[^<>]{0,300})?/?>")
_SAME = str.maketrans(
    {"−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "‒": "-", "﹣": "-", "－": "-", "º": "°", "˚": "°", "∘": "°"}
    | {
        "′": "'",
        "’": "'",
        "‘": "'",
        "ʹ": "'",
        "`": "'",
        "″": '"',
        "”": '"',
        "“": '"',
        "„": '"',
        "ʺ": '"',
        "\u00a0": " ",
    }
)


def clean(text: str) -> str:
    """Text without terminal codes and control characters, its digits, minus signs, degrees and quotes in one form."""
    if len(text) > _LONGEST:
        text = text[: _LONGEST // 2] + "\n" + text[-_LONGEST // 2 :]
    text = html.unescape(_ANSI.sub("", text)).translate(_SAME)
    return "".join(_plain_character(c) for c in text)


def _plain_character(c: str) -> str:
    if c.isascii():
        return c if c.isprintable() or c in "\n\t" else ("\n" if c == "\r" else " ")
    if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
        return " "
    digit = unicodedata.digit(c, None) if c.isdecimal() else None
    return c if digit is None else str(digit)


def untagged(text: str) -> str:
    """Text with a space in place of each tag of HTML."""
    return _TAG.sub(" ", text)


def plain(text: str, longest: int = RATIONALE) -> str:
    """One line of printable text, shortened at a word's end: safe to print wherever it is escaped for its format."""
    line = " ".join(untagged(clean(text)).split())
    return line if len(line) <= longest else line[: longest - 1].rsplit(" ", 1)[0] + "…"
