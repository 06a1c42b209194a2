"""A scene in the terminal: by the picture protocols of kitty and iTerm2 where these are sure, else by half blocks.

A half block is a character of two pixels, one over the other, in two colours. What its size loses is made up for:
lines are fewer and thicker, and words stand below as text.
"""

from __future__ import annotations

import base64
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from geoloc_cli.cli import talk
from geoloc_cli.cli.table import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from PIL.Image import Image
    from rich.console import Console

    from geoloc_cli.export.scene import Item, Scene

_HALF = "\N{UPPER HALF BLOCK}"
_WIDEST = 160
_LINES = 14  # of matches, of which more would hide the pictures
_THICKNESS = 0.8  # of a line, in half blocks
_CHUNK = 4096  # bytes of base64 in one of kitty's commands


def show_small(scene: Scene) -> None:
    """Prints the picture on standard output; where that cannot draw, one sentence on stderr that says why."""
    from rich.console import Console

    console = Console()
    why = _why_not(console)
    if why:
        talk.warn(f"There is no preview: {why}.")
        return
    columns = min(console.width, _WIDEST)
    protocol = protocol_of(os.environ)
    if protocol:
        from geoloc_cli.export.scene_png import png

        sys.stdout.write(escapes(protocol, png(scene), columns) + "\n")
        sys.stdout.flush()
        return
    from geoloc_cli.export.scene_png import image

    _print_blocks(console, image(_bold(scene, scene.width / columns)), columns)
    for line in _words(scene):
        console.print(printable(line), markup=False, highlight=False, emoji=False)


def _why_not(console: Console) -> str:
    if not console.is_terminal:
        return "standard output is not a terminal"
    if console.no_color or console.color_system is None:
        return "the terminal has no colours, or NO_COLOR forbids them"
    try:
        _HALF.encode(console.encoding)
    except (LookupError, UnicodeEncodeError):
        return f"the terminal's encoding, {console.encoding}, has no block characters"
    return ""


def protocol_of(environment: Mapping[str, str]) -> str:
    """`kitty` or `iterm2` where the terminal says so itself, and nothing between would swallow it; else empty.

    Nothing is asked of the terminal: one that does not know the question would print it.
    """
    if any(name in environment for name in ("TMUX", "STY", "ZELLIJ")):
        return ""
    if environment.get("TERM") == "xterm-kitty" and "KITTY_WINDOW_ID" in environment:
        return "kitty"
    return "iterm2" if environment.get("TERM_PROGRAM") == "iTerm.app" else ""


def escapes(protocol: str, png: bytes, columns: int) -> str:
    """A PNG as the control sequences that draw it over so many columns."""
    data = base64.b64encode(png).decode("ascii")
    if protocol == "iterm2":
        return f"\x1b]1337;File=inline=1;width={columns};preserveAspectRatio=1:{data}\x07"
    parts = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]
    last = len(parts) - 1
    heads = (f"a=T,f=100,c={columns},m={int(i < last)}" if i == 0 else f"m={int(i < last)}" for i in range(len(parts)))
    return "".join(f"\x1b_G{head};{part}\x1b\\" for head, part in zip(heads, parts, strict=True))


def _print_blocks(console: Console, picture: Image, columns: int) -> None:
    import numpy as np
    from PIL import Image
    from rich.text import Text

    rows = max(2, 2 * round(columns * picture.height / picture.width / 2))
    pixels = picture.resize((columns, rows), Image.Resampling.BOX)
    cells = np.asarray(pixels).reshape(rows // 2, 2, columns, 3).tolist()
    for upper, lower in cells:
        line = Text()
        for over, under in zip(upper, lower, strict=True):
            line.append(_HALF, style=f"{_hex(over)} on {_hex(under)}")
        console.print(line, no_wrap=True, crop=True)


def _hex(colour: list[int]) -> str:
    red, green, blue = colour
    return f"#{red:02x}{green:02x}{blue:02x}"


def _bold(scene: Scene, shrinks: float) -> Scene:
    """A scene to be made so much smaller: no words, lines and dots as large as can be seen, of matches a few."""
    from geoloc_cli.export.scene import Panel, Picture

    ends = [item.y + item.height for item in scene.items if isinstance(item, Picture)]
    ends += [item.y + item.scene.height for item in scene.items if isinstance(item, Panel)]
    return replace(scene, height=max(ends, default=scene.height), items=list(_bolder(scene, shrinks)))


def _bolder(scene: Scene, shrinks: float) -> Iterator[Item]:
    from geoloc_cli.export.scene import Dots, Line, Panel, Words

    inliers = [item for item in scene.items if isinstance(item, Line) and item.kind == "inlier"]
    kept = {id(inliers[round(i * (len(inliers) - 1) / (_LINES - 1))]) for i in range(_LINES)} if inliers else set()
    for item in scene.items:
        if isinstance(item, Line):
            thick = item.kind in ("inlier", "answer", "radius", "ellipse", "pose", "rim")
            if item.kind not in ("inlier", "rejected") or id(item) in kept:
                width = max(item.width, _THICKNESS * shrinks) if thick else item.width
                yield replace(item, width=width, halo=None, dashed=False)
        elif isinstance(item, Dots):
            if item.kind in ("answer", "camera", "candidate"):
                yield replace(item, radius=max(item.radius, 0.7 * shrinks))
            elif item.kind not in ("", "keypoint"):
                yield item
        elif isinstance(item, Panel):
            yield replace(item, scene=_bold(item.scene, shrinks))
        elif not isinstance(item, Words):
            yield item


def _words(scene: Scene) -> list[str]:
    from geoloc_cli.export.scene import Words

    return [item.text for item in scene.items if isinstance(item, Words)]
