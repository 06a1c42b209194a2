"""Pages: one file that asks for nothing and runs nothing, readable aloud, by day, by night and by the colour-blind."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
import xml.etree.ElementTree as ElementTree
from importlib.resources import files

import numpy as np
import pytest

from geoloc_cli.export.charts import COLOURS, DASHES
from geoloc_cli.export.markup import element
from geoloc_cli.export.page import Page, cards, code, facts, figure, row, table
from geoloc_cli.export.world import WorldMap

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>\u202egpj.exe'
SHOWN = HOSTILE.replace("\u202e", "\\u202e")
STYLE = files("geoloc_cli.export").joinpath("data/page.css").read_text(encoding="utf-8")


def full_page() -> str:
    page = Page(HOSTILE, lead=HOSTILE)
    page.section(HOSTILE, HOSTILE, table([HOSTILE, "n"], [[HOSTILE, "1"], [code(HOSTILE), None]], caption=HOSTILE))
    page.section("Map", row(figure(WorldMap().svg(HOSTILE), HOSTILE)), facts([(HOSTILE, HOSTILE)]), None)
    page.section("Worst", cards([(element("img", src="data:,", alt=HOSTILE), HOSTILE, HOSTILE)]))
    return page.html()


@pytest.fixture(scope="module")
def page() -> str:
    return full_page()


@pytest.fixture(scope="module")
def root(page: str) -> ElementTree.Element:
    assert page.startswith("<!DOCTYPE html>\n<html ")
    return ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))


def test_hostile_text_is_only_text(page: str, root: ElementTree.Element) -> None:
    tags = {e.tag for e in root.iter()}
    assert not tags & {"script", "iframe", "object", "embed", "link", "base", "form"}
    assert all(not name.startswith("on") for e in root.iter() for name in e.attrib)
    (picture,) = root.iter("img")
    assert (picture.get("src"), picture.get("alt")) == ("data:,", SHOWN)
    assert root.findtext("head/title") == SHOWN
    # Title, heading, lead, contents, heading, paragraph; a table's caption, head and two rows; a figure, facts, a card.
    assert page.count("&lt;script&gt;alert(2)&lt;/script&gt;\\u202egpj.exe") >= 14
    assert "\u202e" not in page


def test_nothing_is_fetched_and_only_the_style_of_the_file_is_allowed(page: str, root: ElementTree.Element) -> None:
    (policy,) = [e.get("content", "") for e in root.iter("meta") if e.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    style = re.search(r"<style>(.*)</style>", page, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert rules == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert "style" not in {name for e in root.iter() for name in e.attrib}  # the policy would drop it
    links = {e.get(name, "") for e in root.iter() for name in ("href", "src") if name in e.attrib}
    assert all(link.startswith(("#", "data:")) for link in links)
    assert not re.search(r"https?:|@import|url\(|</", STYLE)


def test_the_page_can_be_read_aloud(root: ElementTree.Element) -> None:
    assert root.get("lang") == "en"
    assert [len(list(root.iter(tag))) for tag in ("h1", "main", "header", "nav")] == [1, 1, 1, 1]
    ids = [e.get("id") for e in root.iter() if "id" in e.attrib]
    assert len(set(ids)) == len(ids)
    targets = {e.get("href", "")[1:] for e in root.iter("a")} | {e.get("aria-labelledby", ids[0]) for e in root.iter()}
    assert targets <= set(ids)
    assert [e.text for e in root.iter("h2")] == [SHOWN, "Map", "Worst"]
    (table_,) = root.iter("table")
    assert [e.get("scope") for e in table_.iter("th")] == ["col", "col", "row", "row"]
    assert table_.get("aria-label") == SHOWN
    names = {svg.get("aria-label") or svg.get("aria-hidden") for svg in root.iter("svg")}
    assert names == {SHOWN}


def test_a_page_of_one_part_has_no_list_of_contents_and_a_ragged_table_is_an_error() -> None:
    page = Page("t", lang="de")
    page.section("only")
    assert "<nav" not in page.html()
    assert '<html lang="de">' in page.html()
    with pytest.raises(ValueError, match="longer"):
        table(["a", "b"], [["1"]], caption="c")
    assert '<td class="n">1</td>' in table(["a", "b"], [["x", "1"]], caption="c", numbers="-n")


def test_rows_of_another_kind_stand_below_a_heading_that_says_of_which() -> None:
    both = ElementTree.fromstring(
        str(table(["a", "b"], [["x", "1"]], caption="c", numbers="-n", below=(HOSTILE, [["y", "2"], ["z", None]])))
    )
    own, others = both.iter("tbody")
    assert (own.get("class"), others.get("class")) == (None, "aside")
    heading, *rows = others.iter("tr")
    assert [(e.text, e.get("colspan"), e.get("scope")) for e in heading] == [(SHOWN, "2", "rowgroup")]
    assert [[e.text for e in row] for row in rows] == [["y", "2"], ["z", None]]
    alone = ElementTree.fromstring(str(table(["a"], [], caption="c", below=("others", [["y"]]))))
    assert len(list(alone.iter("tbody"))) == 1


def test_a_card_has_a_paragraph_or_whatever_it_is_given() -> None:
    made = cards([(element("img", src="data:,", alt=""), "one", "text"), (element("b"), "two", facts([("a", "b")]))])
    first, second = ElementTree.fromstring(str(made))
    assert (first.findtext("div/p"), second.find("div/p"), second.findtext("div/dl/dd")) == ("text", None, "b")


def themes() -> dict[str, dict[str, np.ndarray]]:
    """The colours (3,) 0 to 1 of each theme by their names."""
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    found = [
        {name: np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)]) / 255.0 for name, code in colours}
        for colours in (re.findall(r"--([\w-]+): #([0-9a-f]{6})", block) for block in blocks)
    ]
    return dict(zip(("light", "dark"), found, strict=True))


def linear(colour: np.ndarray) -> np.ndarray:
    return np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)


def contrast(a: np.ndarray, b: np.ndarray) -> float:
    """WCAG 2: (L1 + 0.05) / (L2 + 0.05)."""
    one, two = (float(linear(c) @ [0.2126, 0.7152, 0.0722]) + 0.05 for c in (a, b))
    return max(one, two) / min(one, two)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear RGB (3,) under D65."""
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ rgb
    t = xyz / [0.9505, 1.0, 1.089]
    f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16.0 / 116.0)
    return np.array([116.0 * f[1] - 16.0, 500.0 * (f[0] - f[1]), 200.0 * (f[1] - f[2])])


# What eyes without one kind of cones see, of linear RGB (Machado, Oliveira and Fernandes 2009, severity 1).
EYES = {
    "all": np.eye(3),
    "no red": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "no green": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
    ),
    "no blue": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]]
    ),
}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_lines_and_points_stand_out_from_their_ground(theme: str) -> None:
    colour = themes()[theme]
    for text, ground in itertools.product(("ink", "soft", "link"), ("paper", "panel")):
        assert contrast(colour[text], colour[ground]) >= 4.5, (text, ground)
    for i in range(COLOURS):
        assert contrast(colour[f"c{i}"], colour["paper"]) >= 3.0, i
    points = ["truth", "guess", "candidate", "error", *(f"g{i}" for i in range(6))]
    for point, ground in itertools.product(points, ("sea", "land", "panel")):
        assert contrast(colour[point], colour[ground]) >= 3.0, (point, ground)
    assert contrast(colour["land"], colour["sea"]) >= 1.2


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("eyes", EYES)
def test_colours_that_mean_different_things_differ_for_every_eye(theme: str, eyes: str) -> None:
    seen = {name: lab(np.clip(EYES[eyes] @ linear(c), 0.0, 1.0)) for name, c in themes()[theme].items()}

    def apart(a: str, b: str) -> float:
        return float(np.linalg.norm(seen[a] - seen[b]))

    # 10 is plainly different side by side; shapes and dashes tell the rest apart.
    assert apart("truth", "guess") > 15.0
    for one, two in itertools.combinations(range(6), 2):
        assert apart(f"g{one}", f"g{two}") > 8.0, (one, two)
    for i in range(COLOURS - 1):
        assert apart(f"c{i}", f"c{i + 1}") > 10.0, i


def test_each_class_that_pictures_use_has_a_style() -> None:
    for number in range(COLOURS):
        assert f".series-{number} " in STYLE
    for number in range(1, DASHES):
        assert f".dash-{number} " in STYLE
    for name in (
        "point",
        "truth",
        "guess",
        "candidate",
        "error",
        "disc",
        "rim",
        "belief",
        "land",
        "sea",
        "sheet",
        "net",
    ):
        assert re.search(rf"\.{name}\b", STYLE), name
    assert "@media print" in STYLE
