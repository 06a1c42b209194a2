"""Answers as a map in one HTML file, which fetches nothing unless tiles are asked for.

What the map is told lies in the file as JSON and becomes text, never markup: the policy in its head lets run only the
scripts whose digests it names (Leaflet, and `data/map-*.js`), and lets none of them make markup of text. Small pictures
are what is left of 18 MB, for a thousand photographs by default.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from geoloc_cli.contracts import ParallelMap
from geoloc_cli.errors import UsageError
from geoloc_cli.export.html_data import Kept, Place, ground, script_json, told
from geoloc_cli.export.html_form import SHAPES, form
from geoloc_cli.export.markup import Html, element, join
from geoloc_cli.photos.opening import shown
from geoloc_cli.privacy.levels import GRIDS
from geoloc_cli.types import Failure, Fix, Level

THUMBNAILS = 1000
_MAX_BYTES = 18_000_000
_THUMBNAIL_BYTES = 200, 5000  # a smaller one shows nothing, a larger one no more
_STYLES = ("page.css", "leaflet.css", "map.css")
_SCRIPTS = (
    *("map-guard.js", "leaflet.js", "map-earth.js", "map-groups.js", "map-drawing.js", "map-canvas.js"),
    *("map-evidence.js", "map-list.js", "map-main.js"),
)
_TILES = re.compile(r"(https?)://((?:\{s\}\.)?)([A-Za-z0-9.-]+|\[[0-9a-f:]+\])(:\d+)?(/[^\s\"'<>\\]*)?")
_CREDITS = {"openstreetmap.org": "© OpenStreetMap contributors"}


def document(
    answers: Sequence[Fix | Failure],
    *,
    truth: Sequence[Place | None] | None = None,
    tiles: dict[str, str] | None = None,
    thumbnails: int = THUMBNAILS,
    parallel_map: ParallelMap | None = None,
    missing: int = 0,
) -> bytes:
    """The file. `truth` are the true places in the answers' order, None where one is not known.

    `tiles` is a `tile_layer`. `thumbnails` photographs at most are shown small, evenly chosen from all; without a
    `parallel_map` there are none. `missing` photographs were asked about, and the run was interrupted before. The same
    answers and files give the same bytes.
    """
    data, kept = told(answers, truth)
    data |= {"ground": ground(), "shapes": SHAPES, "tiles": tiles}
    small = _thumbnails(answers, thumbnails, _MAX_BYTES - len(script_json(data).encode()), parallel_map)
    data["photos"]["thumbnail"] = small
    return _page(data, _lead(answers, kept, small, tiles, missing), tiles).encode()


def _thumbnails(
    answers: Sequence[Fix | Failure], number: int, room: int, parallel_map: ParallelMap | None
) -> list[str | None]:
    """A picture's text for each answer, None for those that have none, in `room` bytes altogether."""
    small: list[str | None] = [None] * len(answers)
    shown_ones = [i * len(answers) // number for i in range(number)] if number < len(answers) else range(len(answers))
    paths = sorted({answers[i].photo for i in shown_ones})
    if not paths or parallel_map is None:
        return small
    least, most = _THUMBNAIL_BYTES
    max_bytes = min(most, room * 3 // 4 // len(shown_ones))
    if max_bytes < least:
        return small
    made = parallel_map("geoloc_cli.export.thumbnails:build_maker", {"max_bytes": max_bytes}, paths)
    of_path = {path: text for path, text in zip(paths, made, strict=True) if isinstance(text, str)}
    for i in shown_ones:
        small[i] = of_path.get(answers[i].photo)
    return small


def tile_layer(address: str) -> dict[str, str]:
    """Pictures of the ground that a browser is to fetch from an address with {z}, {x} and {y}.

    Its host is told which places are looked at: it is named for the content policy and for a person, with whom it is to
    be credited to. Raises UsageError where the address is no such.
    """
    found = _TILES.fullmatch(address)
    if not found or not all(part in address for part in ("{z}", "{x}", "{y}")):
        raise UsageError(
            f"--tiles {shown(address)} is no address of tiles; give one as in https://tiles.example.org/{{z}}/{{x}}/{{y}}.png."
        )
    scheme, many, host, port = found.group(1), found.group(2), found.group(3), found.group(4) or ""
    credit = next((said for end, said in _CREDITS.items() if host.endswith(end)), "")
    return {"url": address, "source": f"{scheme}://{'*.' if many else ''}{host}{port}", "host": host, "credit": credit}


def _lead(
    answers: Sequence[Fix | Failure],
    kept: Kept,
    small: Sequence[str | None],
    layer: dict[str, str] | None,
    missing: int,
) -> Iterator[str]:
    """What is said at the top of the page, in sentences."""
    counts = Counter("error" if isinstance(answer, Failure) else answer.status for answer in answers)
    yield f"{counts['ok']} located, {counts['unlocated']} unlocated, {counts['error']} failed."
    yield from _coarsened(Counter(a.disclosed.level for a in answers if isinstance(a, Fix) and a.disclosed))
    if missing:
        yield f"The run was interrupted before it came to {missing} more."
    if layer:
        yield f"The ground is fetched from {layer['host']}, which is thereby told which places are looked at."
    else:
        yield "This file fetches nothing."
    pictures = sum(text is not None for text in small)
    if 0 < pictures < len(answers):
        yield f"{pictures} of {len(answers)} photographs are shown small."
    if kept.candidates < 15:
        yield f"Of each photograph the best {kept.candidates} candidates are told."


def _coarsened(levels: Counter[Level]) -> Iterator[str]:
    cells = [f"{levels[level]} by {level}" for level in GRIDS if levels[level]]
    if cells:
        yield f"Places are told by cells ({', '.join(cells)}): a mark is the middle of one, and its circle holds it."
    if levels["none"]:
        yield f"Of {levels['none']} the place is withheld."


def _page(data: dict[str, Any], lead: Iterator[str], layer: dict[str, str] | None) -> str:
    style = "".join(_file(name) for name in _STYLES)
    scripts = [_file(name) for name in _SCRIPTS]
    policy = (
        f"default-src 'none'; script-src {' '.join(_digest(text) for text in scripts)}; style-src {_digest(style)}; "
        f"img-src data:{' ' + layer['source'] if layer else ''}; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types default"
    )
    title = "Where the photographs were taken"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Html(style)),
    )
    header = element("header", element("h1", title), element("p", " ".join(lead), class_="lead"))
    licences = [_file("LICENSE.leaflet"), _file("LICENSE.world-atlas")]
    block = element("script", Html(script_json(data)), type="application/json", id="told")
    code = join([element("script", Html(text)) for text in scripts])
    body = element("body", header, form(data, licences, layer), block, code)
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"


@cache
def _file(name: str) -> str:
    return files("geoloc_cli.export").joinpath(f"data/{name}").read_text(encoding="utf-8")
