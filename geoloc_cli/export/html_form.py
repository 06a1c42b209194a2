"""The parts of an HTML map's page: the map, the evidence, the list with its filters, and the licences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from geoloc_cli.export.markup import Html, element, join

SHAPES = {
    "prior": "M0-6.5L6.5 0 0 6.5-6.5 0z",
    "retrieval": "M0-6L6 5H-6z",
    "rerank": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
    "pose": "M-4.6-4.6H4.6V4.6H-4.6z",
}
"""A photograph's mark by the stage of its answer, about (0, 0) in pixels: no two differ by colour alone.

The colours are `--c0` to `--c3` of `page.css`, in this order.
"""

_MEANING = {
    "prior": "prior: priors alone",
    "retrieval": "retrieval: likeness",
    "rerank": "rerank: verified matches",
    "pose": "pose: within a map",
}
_HINT = "Arrow keys move the map, plus and minus bring it nearer; every photograph is in the list, too."


def form(data: dict[str, Any], licences: Sequence[str], layer: dict[str, str] | None) -> Html:
    """The body of the page, of which the scripts fill the map, the list and the evidence."""
    return join(
        [
            element("a", "To the list of photographs", href="#photographs", class_="skip"),
            element(
                "noscript", element("p", "This map is drawn by scripts, which lie in this file: allow them to run.")
            ),
            element("main", _map(data, layer), _evidence(), _photographs(data, layer), id="parts"),
            _footer(licences, layer),
        ]
    )


def _map(data: dict[str, Any], layer: dict[str, str] | None) -> Html:
    buttons = element(
        "div",
        element("button", "+", type="button", id="nearer", aria_label="Bring the map nearer"),
        element("button", "−", type="button", id="farther", aria_label="Take the map farther away"),
        element("button", "⤢", type="button", id="whole", aria_label="Show all photographs on the map"),
        id="zoom",
    )
    scale = element("div", "", id="scale", aria_hidden="true")
    credit = element("div", layer["credit"], id="credit") if layer and layer["credit"] else None
    surface = element("div", id="map", aria_label=f"Map of the photographs. {_HINT}", role="application", tabindex="0")
    return element("section", surface, buttons, scale, credit, _key(data), id="map-part", aria_label="Map")


def _key(data: dict[str, Any]) -> Html:
    """What is drawn on the map besides the marks, which the filters name."""
    rows = [
        ("hollow", SHAPES["rerank"], "hollow: less than half sure to be within 1 km"),
        ("disc", "M-8 0a8 8 0 1 0 16 0a8 8 0 1 0-16 0z", "holds the place with 90 % probability"),
        ("belief", "M-8 0a8 8 0 1 0 16 0a8 8 0 1 0-16 0z", "part of the belief, stronger the heavier"),
        ("candidate", "M-9 0H9", "candidate, with a line to the photograph"),
        ("wedge", "M-8 4L8-3A17 17 0 0 1 6 8z", "where the camera looked; not its angle of view"),
    ]
    if "truth" in data["photos"]:
        rows.append(("error", "M-9 0H5M5-3H11V3H5z", "to the true place"))
    items = [element("li", _swatch(d, f"key-{name}"), said) for name, d, said in rows]
    return element("details", element("summary", "What the map shows"), element("ul", join(items)), id="key")


def _evidence() -> Html:
    close = element("button", "Close", type="button", id="close")
    content = element("div", element("h2", "", tabindex="-1"), element("div", "", id="evidence-body"))
    return element("section", close, content, id="evidence", aria_label="Evidence", hidden=True)


def _photographs(data: dict[str, Any], layer: dict[str, str] | None) -> Html:
    count = element("p", "", id="count", role="status")
    again = element("button", "Show all again", type="button", id="again", hidden=True)
    pages = element(
        "div",
        element("button", "Earlier", type="button", id="earlier"),
        element("button", "Later", type="button", id="later"),
        id="pages",
    )
    folder = element("p", "in ", element("bdi", data["folder"]), id="folder") if data["folder"] else None
    heading = element("h2", "Photographs", id="photographs", tabindex="-1")
    inner = [heading, folder, _filters(data, layer), count, again, element("ol", "", id="list"), pages]
    return element("section", join(inner), id="side", aria_labelledby="photographs")


def _filters(data: dict[str, Any], layer: dict[str, str] | None) -> Html:
    photos = data["photos"]
    counts = Counter(
        stage if status == "ok" else "" for status, stage in zip(photos["status"], photos["stage"], strict=True)
    )
    stages = [
        _tick(f"stage-{name}", f"{_MEANING[name]} ({counts[name]})", _swatch(d, f"series-{number}"), stage=name)
        for number, (name, d) in enumerate(SHAPES.items())
        if counts[name]
    ]
    if counts[""]:
        stages.append(
            _tick("stage-none", f"not located ({counts['']})", _swatch("M-4-4L4 4M4-4L-4 4", "none"), stage="")
        )
    errors = "truth" in photos
    orders = [("given", "as they were given"), ("sure", "the least sure first"), ("name", "by name")]
    orders += [("error", "the largest error first")] if errors else []
    shown = [("circles", "circles"), ("wedges", "directions")]
    shown += [("errors", "errors")] if errors else []
    shown += [("tiles", f"ground from {layer['host']}")] if layer else []
    return element(
        "details",
        element("summary", "Filters and order"),
        element("label", "Name holds ", element("input", type="search", id="search", autocomplete="off")),
        element("fieldset", element("legend", "Located"), join(stages)),
        element(
            "fieldset", element("legend", "Confidence"), _slide("least", "at least", 0), _slide("most", "at most", 1)
        ),
        element("fieldset", element("legend", "On the map"), join([_tick(name, said) for name, said in shown])),
        element(
            "label",
            "Order ",
            element("select", join([element("option", said, value=v) for v, said in orders]), id="order"),
        ),
        id="filters",
        open=True,
    )


def _tick(name: str, said: str, swatch: Html | None = None, stage: str | None = None) -> Html:
    box = element("input", type="checkbox", id=name, checked=True, data_stage=stage)
    return element("label", box, swatch, said, class_="tick")


def _slide(name: str, said: str, value: int) -> Html:
    track = element("input", type="range", id=name, min="0", max="1", step="0.01", value=str(value))
    return element("label", element("span", f"{said} "), track, element("output", "", for_=name), class_="slide")


def _swatch(d: str, kind: str) -> Html:
    return element("svg", element("path", d=d), class_=f"swatch {kind}", viewBox="-10 -8 20 16", aria_hidden="true")


def _footer(licences: Sequence[str], layer: dict[str, str] | None) -> Html:
    ground = "Land and borders: Natural Earth, good to some 20 km; nearer, a grid in metres."
    said = element("p", f"{ground} Drawn with Leaflet." if layer is None else "Drawn with Leaflet.")
    texts = [element("pre", text) for text in licences]
    return element("footer", said, element("details", element("summary", "Licences"), join(texts)))
