"""Beliefs on a globe: what lies where, on the near side and on the far one, and the inset's scale."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geoloc_cli.export.globe import GLOBE, belief_scene
from geoloc_cli.export.scene import BLUE, VERMILION, Area, Dots, Line, Panel, Scene, Words
from geoloc_cli.export.scene_png import image
from geoloc_cli.export.scene_svg import svg
from geoloc_cli.geo.fisher import angle_holding, kappa_from_radius
from geoloc_cli.types import Belief, Component, Fix, PriorGuess

EARTH_M = 6_371_008.8


def fix(lat: float | None, lon: float | None, radius_m: float | None, *components: Component) -> Fix:
    belief = Belief(components, 1.0 - sum(c.weight for c in components))
    status = "ok" if lat is not None else "unlocated"
    return Fix("a.jpg", status, "prior", lat, lon, None, radius_m, 0.5, belief)


def panels(scene: Scene) -> list[Scene]:
    return [item.scene for item in scene.items if isinstance(item, Panel)]


def of_kind(scene: Scene, kind: str) -> list[Area | Dots | Line]:
    return [item for item in scene.items if isinstance(item, (Area, Dots, Line)) and item.kind == kind]


def test_the_answer_is_in_the_middle_and_its_circle_as_large_as_it_is() -> None:
    globe, inset = panels(belief_scene(fix(47.0, 8.0, 1_000_000.0, Component(47.0, 8.0, 1_000_000.0, 0.9))))
    (answer,) = of_kind(globe, "answer")
    assert isinstance(answer, Dots)
    assert answer.at[0].tolist() == pytest.approx([GLOBE / 2.0] * 2)
    (rim,) = of_kind(globe, "radius")
    assert isinstance(rim, Line)
    away = np.linalg.norm(np.concatenate(rim.strands) - GLOBE / 2.0, axis=1)
    # From afar a circle of the angle a about the middle has the radius R sin a; the globe's R is 300 / 1.01.
    assert away == pytest.approx(GLOBE / 2.0 / 1.01 * math.sin(1e6 / EARTH_M), abs=0.01)
    outer = of_kind(globe, "belief")[1]
    assert isinstance(outer, Area)
    assert np.linalg.norm(outer.rings[0] - GLOBE / 2.0, axis=1).max() == pytest.approx(away.max(), rel=2e-3)
    (middle,) = of_kind(inset, "answer")
    assert isinstance(middle, Dots)
    assert middle.at[0].tolist() == pytest.approx([inset.width / 2.0, inset.height / 2.0], abs=0.01)


def test_the_inner_disc_holds_half_of_a_component() -> None:
    inset = panels(belief_scene(fix(10.0, 20.0, 5000.0, Component(10.0, 20.0, 5000.0, 0.9))))[1]
    reach = [
        float(np.linalg.norm(area.rings[0] - (inset.width / 2.0, inset.height / 2.0), axis=1).max())
        for area in of_kind(inset, "belief")
        if isinstance(area, Area)
    ]
    half, most = angle_holding(np.array([0.5, 0.9]), kappa_from_radius(5000.0))
    assert reach[0] / reach[1] == pytest.approx(half / most, rel=1e-3)
    (bar,) = of_kind(inset, "bar")
    assert isinstance(bar, Line)
    metres = {item.text: item for item in inset.items if isinstance(item, Words)}
    assert list(metres) == ["2 km"]
    # The outer disc is 5 km, by the bar of 2 km beside it.
    length = float(np.ptp(bar.strands[0][:, 0]))
    assert reach[1] / length * 2.0 == pytest.approx(5.0, rel=2e-3)


def test_what_lies_on_the_far_side_is_not_seen() -> None:
    near, far = Component(0.0, 0.0, 300_000.0, 0.5), Component(0.0, 180.0, 300_000.0, 0.4)
    scene = belief_scene(fix(0.0, 0.0, 9_000_000.0, near, far))
    (globe,) = panels(scene)  # no inset: the answer is as large as a continent
    assert len(of_kind(globe, "belief")) == 2
    prior = PriorGuess("vlm", 0.0, 179.0, 1e5, "<b>behind</b>")
    seen = Fix("a.jpg", "ok", "prior", 0.0, 0.0, None, 9e6, 0.5, Belief((near, far), 0.1), priors=(prior,))
    assert not of_kind(panels(belief_scene(seen))[0], "prior")
    assert b"&lt;b&gt;behind" in svg(belief_scene(seen))


@pytest.mark.parametrize(
    ("lat", "lon", "is_land"),
    [
        (55.7, 37.6, True),  # Moscow
        (23.0, 79.0, True),  # India
        (9.0, 40.0, True),  # Ethiopia
        (15.0, 65.0, False),  # the Arabian Sea
        (12.0, 88.0, False),  # the Bay of Bengal
        (89.0, 0.0, False),  # the Arctic
        (42.0, 51.0, False),  # the Caspian Sea, a hole in the land
    ],
)
def test_land_and_sea_are_where_they_are_seen_from_afar(
    lat: float, lon: float, is_land: bool, empty: np.ndarray
) -> None:
    """By the formulas of the orthographic projection, about 30 north, 60 east."""
    up, along, middle = math.radians(lat), math.radians(lon - 60.0), math.radians(30.0)
    x = math.cos(up) * math.sin(along)
    y = math.cos(middle) * math.sin(up) - math.sin(middle) * math.cos(up) * math.cos(along)
    scale = GLOBE / 2.0 / 1.01
    at = empty[round(16 + 300 - scale * y), round(16 + 300 + scale * x)]
    assert bool(at[0] > at[2]) == is_land  # sea is bluer than red, and land redder than blue


@pytest.fixture(scope="module")
def empty() -> np.ndarray:
    return np.asarray(image(belief_scene(fix(None, None, None)))).astype(int)


@pytest.mark.parametrize(("lat", "lon"), [(48.0, 8.0), (89.9, 0.0), (-90.0, 0.0), (-17.0, 180.0)])
def test_the_belief_is_blue_with_the_answer_upon_it(lat: float, lon: float) -> None:
    scene = belief_scene(fix(lat, lon, 9_500_000.0, Component(lat, lon, 2_000_000.0, 0.9)))
    seen = np.asarray(image(scene)).astype(int)
    assert seen[16 + 300, 16 + 300].tolist() == list(bytes.fromhex(VERMILION[1:]))
    assert seen[20, 20].tolist() == [255, 255, 255]
    # The ground is seen through it, land or sea: redder than the blue of the disc, and bluer than any ground.
    inner = seen[16 + 300, 16 + 300 + 20]
    assert bytes.fromhex(BLUE[1:])[0] < inner[0] < 210
    assert inner[2] > inner[0] + 20


def test_nothing_known_is_an_empty_globe_that_says_so() -> None:
    scene = belief_scene(fix(None, None, None))
    (globe,) = panels(scene)
    assert not of_kind(globe, "belief") + of_kind(globe, "answer")
    assert "100.0% anywhere on the Earth" in [item.text for item in scene.items if isinstance(item, Words)]
