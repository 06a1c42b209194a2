"""A scene as pixels: drawn at twice its size, and made smaller, so that edges are smooth.

The font is one of the system's, where there is one of those named below, and else the one that Pillow carries, which
has little more than the letters of English. A letter that the font has not is shown as its escape (`\\u4eac`), never
as an empty box; the SVG of the same scene shows the letter itself.
"""

from __future__ import annotations

import io
from functools import cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFont

from geoloc_cli.export.markup import visible
from geoloc_cli.export.scene import HALO, Area, Dots, Item, Line, Panel, Picture, Scene, Words
from geoloc_cli.geo.earth import Floats

_FINER = 2
_DASH, _GAP = 5.0, 6.0
_FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial.ttf", "arial.ttf")
_ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}
# Most pixels of a picture while it is drawn: scenes are bounded, and this holds whatever is asked for.
_MOST_PIXELS = 64_000_000


def png(scene: Scene) -> bytes:
    """The file."""
    out = io.BytesIO()
    image(scene).save(out, "PNG", compress_level=4)
    return out.getvalue()


def image(scene: Scene) -> Image.Image:
    """The picture, RGB."""
    if scene.width * scene.height * _FINER**2 > _MOST_PIXELS:
        raise ValueError(f"a scene of {scene.width:g} x {scene.height:g} is too large to be drawn")
    return _canvas(scene).resize((round(scene.width), round(scene.height)), Image.Resampling.BOX)


def _canvas(scene: Scene) -> Image.Image:
    canvas = Image.new("RGB", (round(scene.width) * _FINER, round(scene.height) * _FINER), scene.ground)
    for item in scene.items:
        _draw(canvas, item)
    return canvas


def _draw(canvas: Image.Image, item: Item) -> None:
    if isinstance(item, Line):
        strands = [_finer(strand) for strand in item.strands]
        if item.halo is not None:
            _stroke(canvas, strands, item.width + 2.0 * HALO, item.halo, 1.0)
        if item.dashed:
            strands = [_finer(dash) for strand in item.strands for dash in _dashes(strand)]
        _stroke(canvas, strands, item.width, item.colour, item.opacity)
    elif isinstance(item, Area):
        _fill(canvas, [_finer(ring) for ring in item.rings], item.fill, item.opacity)
    elif isinstance(item, Dots):
        if item.edge is not None:
            _spots(canvas, item.at, item.radius + 1.0, item.edge, 1.0)
        _spots(canvas, item.at, item.radius, item.colour, item.opacity)
    elif isinstance(item, Words):
        at, width = (item.x * _FINER, item.y * _FINER), 3 if item.halo is not None else 0
        ImageDraw.Draw(canvas).text(
            at,
            legible(item.text),
            fill=item.colour,
            font=_font(item.size * _FINER),
            anchor=_ANCHORS[item.anchor],
            stroke_width=width,
            stroke_fill=item.halo,
        )
    elif isinstance(item, Picture):
        size = max(1, round(item.width * _FINER)), max(1, round(item.height * _FINER))
        pixels = Image.fromarray(item.pixels).resize(size, Image.Resampling.BICUBIC)
        canvas.paste(pixels, (round(item.x * _FINER), round(item.y * _FINER)))
    elif isinstance(item, Panel):
        canvas.paste(_canvas(item.scene), (round(item.x * _FINER), round(item.y * _FINER)))


def _finer(points: Floats) -> Floats:
    finer: Floats = np.asarray(points, np.float64) * _FINER
    return finer


def _stroke(canvas: Image.Image, strands: list[Floats], width: float, colour: str, opacity: float) -> None:
    """Lines with round joints and ends; where they can be seen through, all of them are one veil."""
    thick = max(1, round(width * _FINER))

    def on(pen: ImageDraw.ImageDraw, ink: str | int, shift: Floats) -> None:
        for strand in strands:
            points = strand - shift
            if len(points) > 1:
                pen.line(points.ravel().tolist(), fill=ink, width=thick, joint="curve")
            if thick > 2:
                for x, y in (points[0].tolist(), points[-1].tolist()):
                    pen.circle((x, y), (thick - 1) / 2.0, fill=ink)

    if opacity >= 1.0:
        on(ImageDraw.Draw(canvas), colour, np.zeros(2))
        return
    edges = _edges(canvas, strands, thick)
    if edges is None:
        return
    veil = Image.new("L", (edges[2] - edges[0], edges[3] - edges[1]))
    on(ImageDraw.Draw(veil), 255, np.array(edges[:2], np.float64))
    _veil(canvas, veil, edges, colour, opacity)


def _fill(canvas: Image.Image, rings: list[Floats], colour: str, opacity: float) -> None:
    edges = _edges(canvas, rings, 1)
    if edges is None:
        return
    shift = np.array(edges[:2], np.float64)
    size = edges[2] - edges[0], edges[3] - edges[1]
    inside = Image.new("1", size)
    for ring in rings:
        one = Image.new("1", size)
        ImageDraw.Draw(one).polygon((ring - shift).ravel().tolist(), fill=1)
        inside = ImageChops.logical_xor(inside, one)
    _veil(canvas, inside.convert("L"), edges, colour, opacity)


def _spots(canvas: Image.Image, at: Floats, radius: float, colour: str, opacity: float) -> None:
    points = _finer(at)
    reach = radius * _FINER
    if opacity >= 1.0:
        pen = ImageDraw.Draw(canvas)
        for x, y in points.tolist():
            pen.circle((x, y), reach, fill=colour)
        return
    edges = _edges(canvas, [points], round(2 * reach) + 1)
    if edges is None:
        return
    veil = Image.new("L", (edges[2] - edges[0], edges[3] - edges[1]))
    pen = ImageDraw.Draw(veil)
    for x, y in (points - np.array(edges[:2], np.float64)).tolist():
        pen.circle((x, y), reach, fill=255)
    _veil(canvas, veil, edges, colour, opacity)


def _edges(canvas: Image.Image, lines: list[Floats], thick: int) -> tuple[int, int, int, int] | None:
    """The part of the canvas that lines of such thickness touch; None where they touch none."""
    points = np.concatenate(lines) if lines else np.zeros((0, 2))
    if not len(points):
        return None
    left, top = (max(0, int(v) - thick - 1) for v in points.min(axis=0))
    right, bottom = (int(v) + thick + 2 for v in points.max(axis=0))
    right, bottom = min(right, canvas.width), min(bottom, canvas.height)
    return (left, top, right, bottom) if right > left and bottom > top else None


def _veil(
    canvas: Image.Image, veil: Image.Image, edges: tuple[int, int, int, int], colour: str, opacity: float
) -> None:
    share = veil if opacity >= 1.0 else veil.point([round(v * opacity) for v in range(256)])
    canvas.paste(colour, edges, share)


def _dashes(strand: Floats) -> list[Floats]:
    """The dashes of a line, each straight: corners within one are cut."""
    lengths = np.linalg.norm(np.diff(strand, axis=0), axis=1)
    way = np.concatenate([[0.0], np.cumsum(lengths)])
    starts = np.arange(0.0, way[-1], _DASH + _GAP)
    ends = np.minimum(starts + _DASH, way[-1])
    return [
        np.stack([np.interp([a, b], way, strand[:, 0]), np.interp([a, b], way, strand[:, 1])], axis=-1)
        for a, b in zip(starts.tolist(), ends.tolist(), strict=True)
    ]


def legible(text: str) -> str:
    """Text in letters that the font has; the others, and those that `visible` escapes, as escapes."""
    return "".join(
        letter if letter.isascii() or _has(letter) else letter.encode("unicode_escape").decode("ascii")
        for letter in visible(text)
    )


@cache
def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in _FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


@cache
def _missing() -> bytes:
    return bytes(_font(16.0).getmask("\uffff"))


@cache
def _has(letter: str) -> bool:
    """Whether the font draws a letter otherwise than a code that is no letter."""
    return bytes(_font(16.0).getmask(letter)) != _missing()
