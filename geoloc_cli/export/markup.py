"""Markup of pages and pictures that is escaped by construction, well-formed as XML and as HTML.

`element` takes text, which is escaped, and `Html`, which is markup already and only ever made here.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from geoloc_cli.geo.earth import Floats
from geoloc_cli.photos.opening import shown

# What HTML takes as one tag: its elements that never hold anything, and those of a picture that hold nothing.
_VOID = frozenset({"meta", "img", "input"})
_LEAVES = frozenset({"path", "line", "rect"})
# XML forbids control characters, halves of surrogate pairs and two of the planes' last codes.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


_OF_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~])")


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


Content = str | Html | None


def esc(text: object) -> Html:
    """Text as markup that shows it, as `visible` does, and does nothing else; `Html` as it is."""
    if isinstance(text, Html):
        return text
    return Html(_escaped(str(text)))


def visible(text: str) -> str:
    """Text of which every character is seen, and none acts on the others.

    Characters that XML forbids, among them undecodable bytes of file names, and those that turn the direction of the
    text about them are shown as escapes, so that no name looks like another or hides its ending.
    """
    shown = _FORBIDDEN.sub(lambda match: _named(match.group()), text)
    return shown if shown.isascii() else "".join(_named(c) if _turns(c) else c for c in shown)


def _escaped(text: str) -> str:
    return html.escape(visible(text), quote=True)


def _turns(character: str) -> bool:
    """Whether it is a mark of direction: the letters of Arabic and Hebrew are not."""
    return character in "\u200e\u200f\u061c" or unicodedata.bidirectional(character) in (
        *("LRE", "RLE", "LRO", "RLO", "PDF"),
        *("LRI", "RLI", "FSI", "PDI"),
    )


def _named(character: str) -> str:
    """As in \\u202e."""
    return ascii(character)[1:-1]


def in_markdown(text: str) -> str:
    """Text that Markdown shows as it is, in one line: no picture, link, markup or cell comes of it."""
    return _OF_MARKDOWN.sub(r"\\\1", shown(" ".join(text.split())))


def join(parts: Sequence[Content], between: str = "") -> Html:
    """Parts one after the other; None is left out."""
    return Html(esc(between).join(esc(part) for part in parts if part is not None))


def element(name: str, /, *content: Content, **attributes: str | float | bool | None) -> Html:
    """One element: text is escaped, None left out, numbers are written shortly, True is an attribute without value.

    An underscore at the end of an attribute's name is dropped (`class_`), others become hyphens.
    """
    words = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        text = "" if value is True else number(value) if isinstance(value, (int, float)) else value
        words.append(f'{key.rstrip("_").replace("_", "-")}="{_escaped(text)}"')
    start = " ".join(words)
    if name in _VOID or (name in _LEAVES and not content):
        return Html(f"<{start}/>")
    return Html(f"<{start}>{join(content)}</{name}>")


def number(value: float) -> str:
    """A number with at most two decimals, as 3.5 or -0.25."""
    text = f"{float(value):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def path_data(lines: Sequence[Floats], *, closed: bool = False, least: float = 0.0) -> str:
    """The data of an SVG path through lines (N, 2), to a tenth; points nearer than `least` to the last are left out.

    Steps are written from rounded point to rounded point, so that no error adds up.
    """
    out = []
    for line in lines:
        points = np.rint(np.asarray(line, dtype=np.float64) * 10.0).astype(np.int64).tolist()
        (x, y), last = points[0], len(points) - 1
        words = [f"M{_tenth(x)} {_tenth(y)}"]
        steps = []
        for i, (next_x, next_y) in enumerate(points[1:], 1):
            dx, dy = next_x - x, next_y - y
            if (dx or dy) and (i == last or dx * dx + dy * dy >= 100.0 * least * least):
                steps.append(f"{_tenth(dx)} {_tenth(dy)}")
                x, y = next_x, next_y
        if closed and len(steps) < 2:
            continue  # no area
        if steps:
            words.append("l" + " ".join(steps).replace(" -", "-"))
        else:
            words.append("h.1")  # a point: PDF shows the caps of a line of no length only where they are round
        out.append("".join(words) + ("z" if closed else ""))
    return "".join(out)


def _tenth(tenths: int) -> str:
    whole, rest = divmod(abs(tenths), 10)
    text = f"{whole or ''}.{rest}" if rest else str(whole)
    return f"-{text}" if tenths < 0 else text
