"""The HTML map in a real browser: it draws, a click opens the evidence, the console is clean, and nothing leaves."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from exported import FIX, POSED, picture
from PIL import Image

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.export.html_map import document, tile_layer
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.types import Belief, Candidate, Component, Failure, Fix, PriorGuess
from headless import Headless, browser

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(browser() is None, reason="no Chromium on this machine")

HOSTILE = "</script><img src=x onerror=alert(1)>\u202egpj.jpg"
SHOWN = "script><img src=x onerror=alert(1)>\\u202egpj.jpg"  # its folder, `</`, is named above the list
MANY = 2000
REST = "new Promise((done) => setTimeout(done, 600))"


@pytest.fixture(scope="module")
def page() -> Iterator[Headless]:
    with Headless() as opened:
        yield opened


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One photograph that is located at the middle of the map, one that is not, and one that failed; all hostile."""
    folder = tmp_path_factory.mktemp("map")
    (folder / "<").mkdir()
    candidates = (Candidate(HOSTILE, -33.5001, -70.2501, 0.5, matches=9, inliers=4),)
    priors = (PriorGuess("vlm", -33.0, -70.0, 1e4, f"{HOSTILE}\nA second line."),)
    fix = replace(POSED, photo=picture(folder / "a.jpg"), candidates=candidates, priors=priors)
    belief = Belief((Component(60.0, 179.0, 300_000.0, 0.6), Component(62.0, -178.0, 300_000.0, 0.3)), 0.1)
    nowhere = replace(FIX, status="unlocated", stage=None, lat=None, lon=None, radius_m=None, confidence=0.0)
    lost = replace(nowhere, photo=HOSTILE, belief=belief)
    answers: list[Fix | Failure] = [replace(fix, photo=HOSTILE), lost, Failure(HOSTILE, "not_found", HOSTILE)]
    path = folder / "map.html"
    path.write_bytes(document(answers, truth=[(-33.5002, -70.25), None, None]))
    (folder / "pictures.html").write_bytes(document([fix], parallel_map=LocalPool(1)))
    return path


def texts(page: Headless, selector: str) -> list[str]:
    found = page.run(f"[...document.querySelectorAll({selector!r})].map((element) => element.innerText)")
    return [str(text) for text in found]


def colours(page: Headless) -> int:
    """How many colours the map has on the screen, the buttons on it left out."""
    x, y, width, height = page.run(
        "(() => { const box = document.getElementById('map').getBoundingClientRect();"
        "return [box.x, box.y, box.width, box.height]; })()"
    )
    seen = Image.open(io.BytesIO(page.picture())).convert("RGB")
    shown = seen.crop((round(x) + 60, round(y), round(x + width), round(min(y + height, seen.height) - 60)))
    return len(shown.getcolors(1 << 24) or ())


def middle(page: Headless, selector: str) -> tuple[float, float]:
    x, y = page.run(
        f"(() => {{ const box = document.querySelector({selector!r}).getBoundingClientRect();"
        "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
    )
    return x, y


def test_it_draws_and_a_click_on_a_mark_opens_the_evidence(page: Headless, small: Path) -> None:
    page.open(small)
    assert colours(page) > 20
    assert texts(page, "#count") == ["3 photographs"]
    assert texts(page, "#list bdi") == [SHOWN] * 3
    assert not page.run("document.getElementById('evidence').checkVisibility()")
    page.click(*middle(page, "#map"))
    assert texts(page, "#evidence h2") == [SHOWN]
    said = "\n".join(texts(page, "#evidence-body"))
    assert "-33.50000, -70.25000" in said
    assert "heading 90.0°, pitch -10.0°" in said
    assert "482.5 m above the sea" in said
    assert "22 m from the true place" in said
    assert "<img src=x onerror=alert(1)>\\u202egpj.jpg\nA second line." in said
    assert page.run("document.querySelector('#list [aria-current]').dataset.number") == "0"
    assert page.run("[document.images.length, document.scripts.length]") == [0, 10]
    assert (page.complaints(), page.requests()) == ([], [])


def test_it_is_used_by_the_keyboard_alone(page: Headless, small: Path) -> None:
    page.open(small)
    page.run("document.querySelector('#list button').focus()")
    for key in ("ArrowDown", "Enter"):
        page.press(key)
    assert page.run("document.activeElement === document.querySelector('#evidence h2')")
    assert texts(page, "#evidence-body dt")[0] == "unlocated"
    page.press("Escape")
    assert not page.run("document.getElementById('evidence').checkVisibility()")
    assert page.run("document.activeElement.dataset.number") == "1"
    page.press("End")
    assert page.run("document.activeElement.dataset.number") == "2"
    assert page.run("document.querySelectorAll('#list button[tabindex=\"0\"]').length") == 1
    # Whatever can be clicked has a name, whatever can be filled in a label.
    nameless = (
        "[...document.querySelectorAll('button, input, select')].filter((one) => !one.innerText.trim() &&"
        "!one.getAttribute('aria-label') && !(one.labels && one.labels.length)).length"
    )
    assert page.run(nameless) == 0
    assert page.complaints() == []


def test_filters_leave_out_what_they_say(page: Headless, small: Path) -> None:
    page.open(small)
    page.run("document.getElementById('stage-none').click()")
    assert texts(page, "#count") == ["1 photograph"]
    page.run("document.getElementById('stage-none').click()")

    def shown(name: str, value: object) -> list[str]:
        one = f"document.getElementById({name!r})"
        page.run(f"{one}.value = {value!r}; {one}.dispatchEvent(new Event('input'))")
        return texts(page, "#count")

    assert shown("least", 0.95) == ["0 photographs"]
    assert shown("least", 0.85) == ["1 photograph"]
    assert shown("least", 0) == ["3 photographs"]
    assert shown("search", "ONERROR") == ["3 photographs"]
    assert shown("search", "nothing") == ["0 photographs"]
    assert page.complaints() == []


def test_pictures_are_shown_and_the_page_fits_by_day_and_by_night(page: Headless, small: Path) -> None:
    page.open(small.with_name("pictures.html"))
    assert page.run("document.querySelector('#list img').decode().then(() => document.images[0].naturalWidth)") == 64
    page.click(*middle(page, "#map"))
    grounds = []
    for dark in (False, True):
        page.dark(dark)
        for width in (1200, 900, 400):
            page.resize(width, 800)
            assert page.run("document.scrollingElement.scrollWidth - innerWidth") <= 0
            assert page.run("document.getElementById('map').clientHeight") > 300
        page.run(REST)
        grounds.append(page.run("getComputedStyle(document.body).backgroundColor"))
        assert colours(page) > 20
    page.dark(False)
    page.resize(1200, 800)
    assert len(set(grounds)) == 2
    assert page.complaints() == []


def test_text_cannot_become_markup_or_run(page: Headless, small: Path) -> None:
    page.open(small)
    for script in (
        "document.body.innerHTML = '<b>'",
        "new Function('1')",
        "document.createElement('script').text = '1'",
    ):
        assert page.run(f"try {{ {script}; 'done' }} catch (error) {{ 'refused' }}") == "refused"


def test_two_thousand_are_groups_that_open_when_they_are_clicked(page: Headless, tmp_path: Path) -> None:
    fixes = [replace(FIX, photo=f"{i}.jpg", lon=8.5 + (i - MANY / 2) * 1e-5) for i in range(MANY)]
    fixes += [replace(FIX, photo="edge.jpg", lon=lon) for lon in (-1.5, 18.5)]
    (tmp_path / "many.html").write_bytes(document(fixes))
    page.open(tmp_path / "many.html")
    assert texts(page, "#count") == [f"1 to 100 of {MANY + 2} photographs"]
    page.run("document.getElementById('later').click()")
    assert texts(page, "#count") == [f"101 to 200 of {MANY + 2} photographs"]
    scale = texts(page, "#scale")
    page.click(*middle(page, "#map"))
    page.run(REST)
    assert (scale, texts(page, "#scale")) == (["200 km"], ["200 m"])
    assert colours(page) > 20
    assert (page.complaints(), page.requests()) == ([], [])


def test_tiles_are_asked_of_the_host_that_was_named_and_of_no_other(page: Headless, tmp_path: Path) -> None:
    layer = tile_layer("https://tiles.example.org/{z}/{x}/{y}.png")
    (tmp_path / "tiles.html").write_bytes(document([FIX], tiles=layer))
    page.open(tmp_path / "tiles.html")
    page.run(REST)
    asked = page.requests()
    assert asked
    assert all(url.startswith("https://tiles.example.org/") for url in asked)
    page.run("document.getElementById('tiles').click()")
    assert page.run("document.querySelectorAll('img.leaflet-tile').length") == 0
    assert colours(page) > 20


def test_the_map_reckons_as_the_program_does(page: Headless, small: Path) -> None:
    page.open(small)
    rng = np.random.default_rng(5)
    pairs = np.stack([rng.uniform(-80, 80, (20, 2)), rng.uniform(-180, 180, (20, 2))], axis=-1).reshape(20, 4)
    away = haversine_m(*pairs.T)
    assert page.run(f"{pairs.tolist()}.map((places) => distance(...places))") == pytest.approx(away.tolist())
    ends = page.run(f"{pairs.tolist()}.map((places) => way(...places).at(-1))")
    assert haversine_m(*np.array(ends).T, pairs[:, 2], pairs[:, 3]).max() < 1.0
    # A box across the antimeridian, and one about a single place.
    assert page.run("boxAbout([[1, 179], [2, -178], [-3, 181]])") == [-3, 179, 2, 182]
    assert page.run("boxAbout([[1, 5]])") == [1, 5, 1, 5]
    # A circle about a pole is closed over it, one that holds half of the Earth is none, others keep their distance.
    rim = page.run("ring(84, 20, 1500000)")
    assert [rim[0][0], rim[-1][0]] == pytest.approx([85.0511287798] * 2)
    assert rim[-1][1] - rim[0][1] > 1000
    assert page.run("ring(0, 0, 10100000)") is None
    assert page.run("ring(-60, 179, 300000).map(([lat, lon]) => distance(-60, 179, lat, lon))") == pytest.approx(
        [3e5] * 90
    )
    assert page.run("[0.44, 9.96, 940, 999.6, 25300].map(spelled)") == ["0.44 m", "10 m", "940 m", "1 km", "25 km"]
    assert page.run("[7, 99, 100, 0.3].map(roundBelow)") == pytest.approx([5, 50, 100, 0.2])
