"""A scene as one SVG file: text as text, pictures as JPEG within it, no script, and nothing that is fetched."""

from __future__ import annotations

import base64
import io

from PIL import Image

from geoloc_cli.export.markup import Html, element, join, path_data
from geoloc_cli.export.scene import HALO, Area, Dots, Item, Line, Panel, Picture, Scene, Words

_QUALITY = 82
_FONT = "'DejaVu Sans', Verdana, Arial, sans-serif"


def svg(scene: Scene) -> bytes:
    """The file, as UTF-8."""
    body = element(
        "svg",
        element("title", scene.title),
        _ground(scene),
        join([_drawn(item) for item in scene.items]),
        xmlns="http://www.w3.org/2000/svg",
        width=scene.width,
        height=scene.height,
        viewBox=f"0 0 {scene.width:g} {scene.height:g}",
        font_family=_FONT,
        stroke_linejoin="round",
        stroke_linecap="round",
        fill="none",
    )
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + body.encode() + b"\n"


def _ground(scene: Scene) -> Html:
    return element("rect", width=scene.width, height=scene.height, fill=scene.ground)


def _drawn(item: Item) -> Html:
    if isinstance(item, Line):
        return _line(item)
    if isinstance(item, Area):
        opacity = item.opacity if item.opacity < 1.0 else None
        data = path_data(item.rings, closed=True)
        return element(
            "path", d=data, fill=item.fill, fill_rule="evenodd", fill_opacity=opacity, class_=item.kind or None
        )
    if isinstance(item, Dots):
        return _dots(item)
    if isinstance(item, Words):
        return _words(item)
    if isinstance(item, Picture):
        return _picture(item)
    return _panel(item)


def _line(item: Line) -> Html:
    data = path_data(item.strands)
    look = {"stroke_width": item.width, "stroke_dasharray": "5 6" if item.dashed else None}
    opacity = item.opacity if item.opacity < 1.0 else None
    line = element("path", d=data, stroke=item.colour, stroke_opacity=opacity, class_=item.kind or None, **look)
    if item.halo is None:
        return line
    return join([element("path", d=data, stroke=item.halo, stroke_width=item.width + 2.0 * HALO), line])


def _dots(item: Dots) -> Html:
    """Lines of no length with round caps: one path for all of them."""
    points = [point[None] for point in item.at]
    data = path_data(points).replace("h.1", "h0") if points else ""
    opacity = item.opacity if item.opacity < 1.0 else None
    dots = element(
        "path",
        d=data,
        stroke=item.colour,
        stroke_width=2.0 * item.radius,
        stroke_opacity=opacity,
        class_=item.kind or None,
    )
    if item.edge is None:
        return dots
    return join([element("path", d=data, stroke=item.edge, stroke_width=2.0 * item.radius + 2.0), dots])


def _words(item: Words) -> Html:
    halo: dict[str, str | float] = {}
    if item.halo is not None:
        halo = {"stroke": item.halo, "stroke_width": 3.0, "paint_order": "stroke"}
    anchor = None if item.anchor == "start" else item.anchor
    return element(
        "text", item.text, x=item.x, y=item.y, font_size=item.size, fill=item.colour, text_anchor=anchor, **halo
    )


def _picture(item: Picture) -> Html:
    out = io.BytesIO()
    Image.fromarray(item.pixels).save(out, "JPEG", quality=_QUALITY, optimize=True)
    source = "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode("ascii")
    return element(
        "image",
        href=source,
        x=item.x,
        y=item.y,
        width=item.width,
        height=item.height,
        preserveAspectRatio="none",
    )


def _panel(item: Panel) -> Html:
    inner = item.scene
    return element(
        "svg",
        _ground(inner),
        join([_drawn(part) for part in inner.items]),
        x=item.x,
        y=item.y,
        width=inner.width,
        height=inner.height,
        overflow="hidden",
    )
