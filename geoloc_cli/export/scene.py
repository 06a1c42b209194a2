"""Pictures as lists of what is drawn, from the ground up; `scene_svg.py` and `scene_png.py` draw one and the same list.

Units are pixels of the finished picture, x to the right and y down from its upper left corner. Colours are `#rrggbb`.
Series have the colours of Okabe and Ito (2008), which people without red, green or blue receptors tell apart.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo.earth import Floats

INK, PAPER, FAINT = "#1a1a1a", "#ffffff", "#6b6b6b"
ORANGE, SKY, GREEN, YELLOW = "#e69f00", "#56b4e9", "#009e73", "#f0e442"
BLUE, VERMILION, PURPLE = "#0072b2", "#d55e00", "#cc79a7"

HALO = 0.7  # the width of the outline on each side of a line
# The width of a letter over the size of its font, in wide faces; letters of East Asian scripts are as wide as high.
_LETTER, _WIDE_LETTER = 0.57, 1.05

Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Line:
    """Strands (N, 2) in one colour; `halo` is the colour of an outline on each side, HALO wide, below all of them.

    `kind` names what it stands for, for whoever reads the SVG.
    """

    strands: Sequence[Floats]
    colour: str
    width: float = 1.0
    halo: str | None = None
    opacity: float = 1.0
    dashed: bool = False
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Area:
    """What rings (N, 2) enclose, several by even and odd."""

    rings: Sequence[Floats]
    fill: str
    opacity: float = 1.0
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Dots:
    """Discs of one radius at (N, 2); `edge` is the colour of a rim 1 wide about each."""

    at: Floats
    radius: float
    colour: str
    edge: str | None = None
    opacity: float = 1.0
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """One line of text; (x, y) is on its base line. `halo` is the colour of an outline, for text on pictures."""

    x: float
    y: float
    text: str
    size: float = 14.0
    colour: str = INK
    anchor: Anchor = "start"
    halo: str | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """Pixels (H, W, 3) uint8, stretched over a box."""

    x: float
    y: float
    width: float
    height: float
    pixels: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Panel:
    """A scene within a scene: what reaches beyond its edges is cut off."""

    x: float
    y: float
    scene: Scene


Item = Line | Area | Dots | Words | Picture | Panel


@dataclass(slots=True)
class Scene:
    """A picture; `title` says in one sentence what it shows, to those also who do not see it."""

    width: float
    height: float
    title: str = ""
    ground: str = PAPER
    items: list[Item] = field(default_factory=list)

    def add(self, *items: Item) -> None:
        self.items += items


def box(x: float, y: float, width: float, height: float) -> Floats:
    """The corners (5, 2) of a box, the first one once more at the end."""
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height], [x, y]])


def fitted(text: str, size: float, room: float, *, keep_end: bool = False) -> str:
    """Text cut to fit into a room, at its end, or in its middle where that tells most, as of a path."""
    if width_of(text, size) <= room:
        return text
    end = ""
    if keep_end:
        for letter in reversed(text):
            if width_of(f"…{letter}{end}", size) > 0.7 * room:
                break
            end = letter + end
    start = ""
    for letter in text:
        if width_of(f"{start}{letter}…{end}", size) > room:
            break
        start += letter
    return f"{start}…{end}"


def width_of(text: str, size: float) -> float:
    """About how wide a text is, rather too wide than too narrow."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return size * (_LETTER * (len(text) - wide) + _WIDE_LETTER * wide)
