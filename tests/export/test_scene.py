"""One scene, two files: what is drawn where, by numbers of the SVG and by pixels of the PNG."""

from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

from geoloc_cli.export.scene import (
    BLUE,
    GREEN,
    INK,
    VERMILION,
    Area,
    Dots,
    Line,
    Panel,
    Picture,
    Scene,
    Words,
    box,
    fitted,
    width_of,
)
from geoloc_cli.export.scene_png import legible, png
from geoloc_cli.export.scene_svg import svg

SVG = "{http://www.w3.org/2000/svg}"


def rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def pixels(scene: Scene) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png(scene))))


def test_both_files_have_each_thing_at_its_place() -> None:
    grey = np.full((4, 6, 3), 128, np.uint8)
    inner = Scene(40, 40, ground=GREEN, items=[Dots(np.array([[40.0, 20.0]]), 8, BLUE)])
    scene = Scene(200, 120, "of all kinds")
    scene.add(
        Picture(10, 10, 60, 40, grey),
        Line([np.array([[10.0, 100.0], [190.0, 100.0]])], VERMILION, 3, halo=INK, kind="way"),
        Area([box(80, 10, 40, 40), box(90, 20, 20, 20)], BLUE, kind="ring"),
        Panel(140, 20, inner),
        Words(100, 80, "<b>&", 14, anchor="middle"),
    )
    seen = pixels(scene)
    assert seen.shape == (120, 200, 3)
    expected = {
        (40, 30): (128, 128, 128),
        (100, 100): rgb(VERMILION),
        (100, 95): (255, 255, 255),
        (85, 30): rgb(BLUE),
        (100, 30): (255, 255, 255),  # the hole, by even and odd
        (150, 30): rgb(GREEN),
        (176, 40): rgb(BLUE),
        (184, 40): (255, 255, 255),  # the dot reaches beyond its panel, and is cut off
    }
    for (x, y), colour in expected.items():
        assert tuple(seen[y, x]) == colour, (x, y)
    # The outline is 0.7 wide on each side of a line 3 wide: on white, some row of it is darker than the line.
    assert min(seen[96:99, 100, 0]) < 150
    assert min(seen[101:104, 100, 0]) < 150

    root = ElementTree.fromstring(svg(scene))
    assert root.findtext(f"{SVG}title") == "of all kinds"
    assert [e.text for e in root.iter(f"{SVG}text")] == ["<b>&"]
    assert next(e.get("d") for e in root.iter() if e.get("class") == "way") == "M10 100l180 0"
    ring = next(e for e in root.iter() if e.get("class") == "ring")
    assert ring.get("fill-rule") == "evenodd"
    picture = next(root.iter(f"{SVG}image"))
    kind, _, data = str(picture.get("href")).partition(",")
    assert kind == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (6, 4)
    panel = root.find(f"{SVG}svg")
    assert panel is not None
    assert [panel.get(key) for key in ("x", "y", "width", "overflow")] == ["140", "20", "40", "hidden"]
    assert not re.search(rb"(?i)<script|http(?!://www\.w3\.org/2000/svg)", svg(scene))


@pytest.mark.parametrize("kind", ["line", "area", "dots"])
def test_what_is_seen_through_lets_the_ground_shine_evenly(kind: str) -> None:
    """A quarter of black on white is 191, and stays so where strands of one line cross."""
    cross = [np.array([[0.0, 20.0], [40.0, 20.0]]), np.array([[20.0, 0.0], [20.0, 40.0]])]
    items = {
        "line": Line(cross, "#000000", 6, opacity=0.25),
        "area": Area([box(5, 5, 30, 30)], "#000000", 0.25),
        "dots": Dots(np.array([[20.0, 20.0], [22.0, 20.0]]), 8, "#000000", opacity=0.25),
    }
    seen = pixels(Scene(40, 40, items=[items[kind]]))
    assert seen[20, 20].tolist() == pytest.approx([191] * 3, abs=1)


def test_dashes_have_gaps() -> None:
    seen = pixels(Scene(60, 10, items=[Line([np.array([[0.0, 5.0], [60.0, 5.0]])], "#000000", 2, dashed=True)]))
    dark = seen[5, :, 0] < 60
    assert 0.3 < dark.mean() < 0.75
    assert np.count_nonzero(np.diff(dark.astype(int))) >= 8


@pytest.mark.parametrize("name", ['"><script>alert(1)</script>', "京都\u202egpj.exe", "a\x00b\udcff", "Ωμέγα.jpg"])
def test_a_hostile_name_is_text_in_both(name: str) -> None:
    scene = Scene(300, 30, name, items=[Words(5, 20, name)])
    root = ElementTree.fromstring(svg(scene))
    assert {e.tag for e in root.iter()} == {f"{SVG}svg", f"{SVG}title", f"{SVG}rect", f"{SVG}text"}
    text = next(root.iter(f"{SVG}text")).text or ""
    assert "\u202e" not in text
    assert pixels(scene)[:, :, 0].min() < 100


def test_letters_that_the_font_lacks_are_escaped() -> None:
    assert legible("Oslo ±3 m · 45°…") == "Oslo ±3 m · 45°…"
    # No font of the list has a letter of the Linear A script.
    assert legible("\U00010600.jpg") == "\\U00010600.jpg"


def test_text_is_cut_where_it_does_not_fit() -> None:
    path = "/archive/of/many/photographs/taken/on/one/day/IMG_0448.jpg"
    assert fitted(path, 14, 1000, keep_end=True) == path
    short = fitted(path, 14, 200, keep_end=True)
    assert short.endswith("_0448.jpg")
    assert short.startswith("/ar")
    assert width_of(short, 14) <= 200
    assert fitted(path, 14, 200).endswith("…")
    assert width_of(fitted("京" * 50, 14, 200), 14) <= 200


def test_a_scene_beyond_bounds_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        png(Scene(10_000, 10_000))
