"""An answer as a notebook draws it: well-formed, small, complete in itself, and hostile text is only text."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest

from geoloc_cli.export.card import card
from geoloc_cli.export.views import around
from geoloc_cli.export.world import WorldMap
from geoloc_cli.types import Belief, Candidate, Component, Disclosed, Failure, Fix, Pose, PriorGuess

HOSTILE = "</style></script><script>alert(1)</script>\"'&\u202egpj.\n\x00\udc80" + 5000 * "x"
NOTHING = (0.0, 0.0, 0.0)


def fix(lat: float, lon: float, radius_m: float, *parts: Component, pose: Pose | None = None) -> Fix:
    found = tuple(Candidate(HOSTILE, lat + 1e-5 * i, lon, 0.5, inliers=20) for i in range(9))
    said = tuple(PriorGuess(HOSTILE, lat, lon, 9e4, HOSTILE) for _ in range(9))
    belief = Belief(parts, 1.0 - sum(part.weight for part in parts))
    stage = "pose" if pose else "rerank"
    return Fix(HOSTILE, "ok", stage, lat, lon, 281.7, radius_m, 0.9, belief, None, found, pose, said)


def facing(heading_deg: float) -> Pose:
    turn = (1.0, 0.0, 0.0, 0.0)
    return Pose("m", True, turn, NOTHING, NOTHING, NOTHING, heading_deg, -3.0, 1.0, 50, 0.9, 0.5, None, None, "poselib")


ANSWERS = {
    "streets": fix(41.0, -83.3, 17.0, Component(41.0, -83.3, 17.0, 0.9), Component(41.0002, -83.3, 30.0, 0.05)),
    "posed": fix(41.0, -83.3, 0.4, Component(41.0, -83.3, 0.4, 0.99), pose=facing(123.0)),
    "antimeridian": fix(-17.8, 179.99, 25_000.0, Component(-17.8, 179.99, 25_000.0, 0.9)),
    "pole": fix(90.0, 0.0, 5.0, Component(90.0, 0.0, 5.0, 0.9)),
    "everywhere": fix(48.0, 2.0, 9e6, *(Component(lat, 40.0 * lat % 180, 3e6, 0.1) for lat in range(-40, 50, 10))),
    "no radius": fix(41.0, -83.3, 0.0),
    "unlocated": Fix(HOSTILE, "unlocated", None, None, None, None, None, 0.0, Belief(), "not_in_index"),
    "failed": Failure(HOSTILE, "not_a_photo", HOSTILE),
}


@pytest.mark.parametrize("name", list(ANSWERS))
def test_a_card_is_small_well_formed_and_alone(name: str) -> None:
    text = str(card(ANSWERS[name]))
    assert len(text.encode()) < 60_000
    root = ElementTree.fromstring(text)
    assert root.get("class") == "geoloc-fix"
    elements = list(root.iter())
    assert {e.tag for e in elements} <= {
        *("div", "style", "p", "bdi", "span", "b", "svg", "g", "path", "rect", "title", "text", "ul", "li"),
        *("dl", "dt", "dd"),
    }
    attributes = {key for e in elements for key in e.keys()}  # noqa: SIM118 - of an element, not of a mapping
    assert not {key for key in attributes if key.startswith("on") or key in ("id", "href", "src", "style")}
    (style,) = [e.text or "" for e in elements if e.tag == "style"]
    assert "url(" not in style
    assert "@import" not in style
    rules = [rule for rule in re.findall(r"([^{}]+)\{", style) if not rule.strip().startswith("@")]
    assert rules
    assert all(".geoloc-fix" in part for rule in rules for part in rule.split(","))
    assert "alert(1)" in "".join(root.itertext())


def test_the_figures_are_told_in_words() -> None:
    told = " ".join(ElementTree.fromstring(str(card(ANSWERS["posed"]))).itertext())
    # 281.7 m above the ellipsoid, which is 35.8 m above the sea in Ohio.
    camera = "heading 123.0°, pitch -3.0°, roll 1.0°"
    for words in ("41.000000, -83.300000", "0.4 m (90 %)", "90% sure", "317.5 m above the sea", camera):
        assert words in told


@pytest.mark.parametrize(
    ("lat", "lon", "heading_deg"), [(41.0, -83.3, 0.0), (41.0, -83.3, 123.0), (-70.0, 179.9, 270.0)]
)
def test_a_wedge_points_where_the_camera_looked(lat: float, lon: float, heading_deg: float) -> None:
    """North is up in the middle of a map, and east to the right of it."""
    world = WorldMap(around([(lat, lon)], room_m=200.0))
    world.wedge(lat, lon, heading_deg, title="there")
    root = ElementTree.fromstring(str(world.svg("map")))
    (data,) = [e.get("d", "") for e in root.iter() if e.get("class") == "wedge"]
    numbers = [float(v) for v in re.findall(r"-?\d*\.?\d+", data)]
    corners = np.cumsum(np.reshape(numbers, (-1, 2)), axis=0)
    x, y = corners[1:].mean(axis=0) - corners[0]
    assert math.degrees(math.atan2(x, -y)) % 360.0 == pytest.approx(heading_deg, abs=1.0)


def test_a_card_of_a_cell_claims_no_nearness_to_its_middle() -> None:
    told = card(
        replace(fix(55.7, 13.15, 13_000.0, Component(55.7, 13.15, 13_000.0, 0.99)), disclosed=Disclosed("city"))
    )
    assert "within 1 km" not in told
    assert "55.7, 13.15" in told
    assert "55.700" not in told.partition("<dl")[2]
    assert "within 1 km" in card(fix(55.7, 13.15, 13.0, Component(55.7, 13.15, 13.0, 0.99)))
