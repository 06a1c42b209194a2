"""The HTML map: one file that fetches nothing, runs its own scripts alone, and stays small; names are only text."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from exported import FIX, POSED, SEA_M, picture
from PIL import Image

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.errors import UsageError
from geoloc_cli.export import html_data
from geoloc_cli.export.html_data import ground, script_json, told
from geoloc_cli.export.html_map import document, tile_layer
from geoloc_cli.export.thumbnails import webp
from geoloc_cli.types import Candidate, Component, Failure, Fix, PriorGuess

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = "</script><script>alert(1)</script><!--<script>"
HOSTILE = f"{SCRIPT}\u202egpj.\udcff\n\u2028&amp;'\".jpg"
SHOWN = f"{SCRIPT}\\u202egpj.\\udcff\n\u2028&amp;'\".jpg"
OURS = sorted(path.name for path in files("geoloc_cli.export").joinpath("data").iterdir() if path.name[-3:] == ".js")
OURS.remove("leaflet.js")
UNLOCATED = replace(FIX, photo="c.jpg", status="unlocated", stage=None, lat=None, lon=None, radius_m=None)


class Reader(HTMLParser):
    """What a browser's parser finds: elements with their attributes and the text before what they hold besides."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open = False
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), []))
        self._open = True

    def handle_data(self, data: str) -> None:
        if self._open:
            self.elements[-1][2].append(data)

    def handle_endtag(self, tag: str) -> None:
        self._open = False

    def texts(self, tag: str) -> list[str]:
        return ["".join(text) for name, _, text in self.elements if name == tag]

    @property
    def policy(self) -> dict[str, list[str]]:
        (policy,) = [a["content"] for _, a, _ in self.elements if a.get("http-equiv") == "Content-Security-Policy"]
        return {words[0]: words[1:] for words in (part.split() for part in (policy or "").split(";"))}

    @property
    def told(self) -> dict[str, Any]:
        (data,) = ["".join(text) for _, attributes, text in self.elements if attributes.get("id") == "told"]
        found: dict[str, Any] = json.loads(data)
        return found


def hostile() -> Fix:
    candidates = (Candidate(HOSTILE, 47.0, 8.0, 0.5, matches=9, inliers=4),)
    priors = (PriorGuess(HOSTILE, 47.0, 8.0, 1e4, HOSTILE),)
    return replace(POSED, photo=HOSTILE, candidates=candidates, priors=priors, pose=replace(POSED.pose, map=HOSTILE))


def test_the_policy_lets_run_these_scripts_and_nothing_else() -> None:
    reader = Reader(document([FIX, POSED]))
    scripts = [text for tag, a, text in reader.elements if tag == "script" and "type" not in a]
    digests = [hashlib.sha256("".join(text).encode()).digest() for text in scripts]
    assert reader.policy["script-src"] == [f"'sha256-{base64.b64encode(d).decode()}'" for d in digests]
    (style,) = reader.texts("style")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert reader.policy["style-src"] == [f"'sha256-{digest}'"]
    assert reader.policy["default-src"] == reader.policy["base-uri"] == reader.policy["form-action"] == ["'none'"]
    assert reader.policy["img-src"] == ["data:"]
    assert reader.policy["require-trusted-types-for"] == ["'script'"]
    assert len(scripts) == len(OURS) + 1  # and Leaflet


def test_nothing_in_the_file_names_another_place() -> None:
    reader = Reader(document([FIX, POSED]))
    assert not {"link", "iframe", "object", "embed", "form", "base", "img"} & {tag for tag, _, _ in reader.elements}
    links = [a[name] or "" for _, a, _ in reader.elements for name in ("href", "src", "action") if name in a]
    assert links
    assert all(link.startswith("#") for link in links)
    assert not [name for _, attributes, _ in reader.elements for name in attributes if name.startswith("on")]
    assert "url(" not in reader.texts("style")[0]
    assert "@import" not in reader.texts("style")[0]


def test_our_scripts_are_strict_short_and_never_make_markup_of_text() -> None:
    assert len(OURS) == 8
    sinks = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|setTimeout\('|https?://"
    for name in OURS:
        text = files("geoloc_cli.export").joinpath(f"data/{name}").read_text(encoding="utf-8")
        assert text.startswith("'use strict';\n")
        assert len(text.splitlines()) <= 350
        assert not re.search(sinks, text), name
        assert "</" not in text


def test_hostile_names_and_rationales_are_text_and_seen_as_they_are() -> None:
    page = document([hostile(), Failure(HOSTILE, "not_found", HOSTILE), replace(UNLOCATED, photo=HOSTILE)])
    reader = Reader(page)
    assert len(reader.texts("script")) == len(Reader(document([FIX])).texts("script"))
    data = reader.told
    assert [data["folder"] + name for name in data["photos"]["name"]] == [SHOWN] * 3
    assert data["photos"]["reason"] == [None, SHOWN, None]
    assert data["photos"]["priors"][0][0][4] == SHOWN
    assert data["photos"]["pose"][0][0] == SHOWN
    assert data["indexed_folder"] + data["indexed"][0][0] == SHOWN
    assert b"<script>alert" not in page
    assert json.loads(script_json(HOSTILE)) == HOSTILE
    assert not set(script_json(HOSTILE)) & set("<>&")


def test_a_shared_folder_is_named_once() -> None:
    data, _ = told([replace(FIX, photo=f"trip/day/{name}") for name in ("a.jpg", "b/c.jpg")], None)
    assert (data["folder"], data["photos"]["name"]) == ("trip/day/", ["a.jpg", "b/c.jpg"])
    assert (data["indexed_folder"], data["indexed"]) == ("", [["=near.jpg", 47.25, 8.5]])


def test_what_is_told_of_a_photograph_is_what_the_record_says() -> None:
    data, _ = told(
        [POSED, UNLOCATED, Failure("d.jpg", "not_found", "d.jpg does not exist.")], [(-33.5, -70.0), None, None]
    )
    photos = data["photos"]
    assert {len(column) for column in photos.values()} == {3}
    assert photos["status"] == ["ok", "unlocated", "error"]
    assert (photos["lat"], photos["lon"]) == ([-33.5, None, None], [-70.25, None, None])
    assert (photos["radius_m"][0], photos["confidence"][0], photos["stage"][0]) == (12.5, 0.9, "pose")
    assert photos["alt_sea_m"] == [SEA_M, None, None]
    assert photos["disclosed"] == [None, None, None]
    assert photos["belief"][0] == [[47.25, 8.5, 12.5, 0.9]]
    assert photos["pose"][0] == ["maps/city#0", 90.0, -10.0, 5.0, 50, 1.0, [0.5, 0.6, 0.9]]
    assert photos["candidates"][0] == [[0, 0.75, None, 40]]
    assert photos["truth"] == [[-33.5, -70.0], None, None]
    assert "truth" not in told([POSED], None)[0]["photos"]


def test_much_that_is_told_is_cut_until_it_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    components = tuple(Component(1.0 + i / 50, 2.0, 1000.0, 0.02) for i in range(50))
    candidates = tuple(Candidate(f"{'n' * 200}{i}.jpg", 1.0, 2.0, 0.5) for i in range(30))
    belief = replace(FIX.belief, components=components, spread=0.0)
    rich = replace(FIX, belief=belief, candidates=candidates, priors=(PriorGuess("vlm", 1.0, 2.0, 9.0, "ü" * 90_000),))
    data, kept = told([rich] * 3, None)
    assert [len(data["photos"][name][0]) for name in ("belief", "candidates", "priors")] == [40, 15, 1]
    assert len(data["photos"]["priors"][0][0][4]) == kept.letters == 2000
    monkeypatch.setattr(html_data, "_MAX_BYTES", 800_000)
    page = document([replace(rich, photo=f"{i}.jpg") for i in range(300)])
    assert len(page) - len(document([])) < 800_000
    assert b"Of each photograph the best 5 candidates are told." in page


def test_the_same_answers_give_the_same_bytes(tmp_path: Path) -> None:
    fixes = [replace(FIX, photo=picture(tmp_path / f"{i}.jpg")) for i in range(3)]
    first = document(fixes, parallel_map=LocalPool(1))
    assert first == document(fixes, parallel_map=LocalPool(1))
    assert b"of 3 photographs are shown small" not in first


def test_small_pictures_are_evenly_chosen_and_made_once_a_photograph(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.jpg")
    asked: list[str] = []

    def count(build: str, spec: dict[str, Any], items: Any) -> Any:
        asked.extend(items)
        return LocalPool(1)(build, spec, list(asked))

    fixes = [replace(FIX, photo=path if i % 3 else str(tmp_path / "none.jpg")) for i in range(10)]
    small = Reader(document(fixes, thumbnails=4, parallel_map=count)).told["photos"]["thumbnail"]
    assert asked == sorted({path, fixes[0].photo})
    assert [i for i, text in enumerate(small) if text] == [2, 5, 7]  # of 0, 2, 5 and 7; 0 cannot be read
    image = Image.open(io.BytesIO(base64.b64decode(small[2])))
    assert (image.format, image.size) == ("WEBP", (64, 48))
    assert not any(Reader(document(fixes, thumbnails=0, parallel_map=count)).told["photos"]["thumbnail"])


@pytest.mark.parametrize("max_bytes", [200, 1000, 5000])
def test_a_small_picture_keeps_to_its_bytes_and_tells_of_nothing_else(tmp_path: Path, max_bytes: int) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (400, 600, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x010E] = "at home"
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif)
    data = webp(str(tmp_path / "a.jpg"), max_bytes=max_bytes)
    image = Image.open(io.BytesIO(data))
    assert len(data) <= max_bytes
    assert max(image.size) > 8
    assert (dict(image.getexif()), b"at home" in data) == ({}, False)


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("https://tile.example.org/{z}/{x}/{y}.png", "https://tile.example.org"),
        ("https://{s}.tile.openstreetmap.org/{z}/{x}/{y}.png", "https://*.tile.openstreetmap.org"),
        ("http://localhost:8080/{z}/{x}/{y}.webp?key=a&b=c", "http://localhost:8080"),
    ],
)
def test_tiles_come_from_the_host_that_was_named_and_from_no_other(address: str, source: str) -> None:
    layer = tile_layer(address)
    reader = Reader(document([FIX], tiles=layer))
    assert reader.policy["img-src"] == ["data:", source]
    assert reader.told["tiles"]["url"] == address
    lead = " ".join(reader.texts("p"))
    assert f"fetched from {layer['host']}, which is thereby told which places are looked at" in lead
    assert bool(layer["credit"]) == ("openstreetmap" in address)


@pytest.mark.parametrize(
    "address",
    [
        *("", "tile.example.org/{z}/{x}/{y}", "https://h/{z}/{x}.png", "file:///{z}/{x}/{y}", "https:///{z}/{x}/{y}"),
        *(
            "https://h; script-src */{z}/{x}/{y}",
            "https://h /{z}/{x}/{y}",
            "https://h/'\"<{z}{x}{y}",
            "https://*/{z}{x}{y}",
        ),
        "https://a@h/{z}/{x}/{y}",
    ],
)
def test_what_is_no_address_of_tiles_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="is no address of tiles"):
        tile_layer(address)


def test_the_ground_is_land_where_land_is() -> None:
    """By even and odd, as the map fills it; rings about a pole and across the antimeridian among them."""
    polygons = [np.cumsum(np.reshape(steps, (-1, 2)), axis=0) * 0.01 for steps in ground()["land"]]
    borders = [np.cumsum(np.reshape(steps, (-1, 2)), axis=0) * 0.01 for steps in ground()["borders"]]
    assert all(np.abs(p).max(axis=0)[0] <= 90.0 and np.abs(p).max(axis=0)[1] <= 180.0 for p in [*polygons, *borders])
    assert max(np.abs(np.diff(line[:, 1])).max() for line in borders) < 90.0

    def inside(lat: float, lon: float) -> bool:
        odd = False
        for polygon in polygons:
            (y, x), (y2, x2) = polygon.T, np.roll(polygon, -1, axis=0).T
            spans = (x > lon) != (x2 > lon)
            at = y[spans] + (lon - x[spans]) / (x2[spans] - x[spans]) * (y2[spans] - y[spans])
            odd ^= bool(np.count_nonzero(at > lat) % 2)
        return odd

    land = [(48.85, 2.35), (-85.0, 10.0), (67.0, -175.0), (67.0, 179.0), (-25.0, 134.0), (40.0, -100.0)]
    sea = [(0.0, -30.0), (42.0, 51.0), (-50.0, 179.9), (85.0, 0.0)]  # the second is the Caspian Sea
    assert [inside(*place) for place in land] == [True] * len(land)
    assert [inside(*place) for place in sea] == [False] * len(sea)
