"""Maps: the true outlines, places where they belong, well-formed pictures of bounded size."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from typing import get_args

import numpy as np
import pytest

from geoloc_cli.export.ground import ground, length, outlines, round_step, square_m
from geoloc_cli.export.views import WIDTH, View, around, whole_earth
from geoloc_cli.export.world import Kind, WorldMap, legend
from geoloc_cli.geo.earth import EARTH_RADIUS_M, destination, haversine_m
from geoloc_cli.geo.projections import areas
from geoloc_cli.types import Belief, Component

VIEWS = {
    "earth": whole_earth(),
    "pacific": whole_earth(-160.0),
    "europe": around([(36.0, -9.0), (60.0, 25.0)]),
    "fiji": around([(-16.5, 179.2), (-17.8, -178.8)], room_m=4e5),
    "south pole": around([(-78.0, 166.0), (-70.0, 20.0)]),
    "streets": around([(47.37, 8.54), (47.38, 8.55)]),
    "a place": around([(1.0, 103.0)]),
}


def parsed(map_: WorldMap, title: str = "map") -> ElementTree.Element:
    return ElementTree.fromstring(map_.svg(title))


def of_class(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [e for e in root.iter() if name in e.get("class", "").split()]


def corners(data: str) -> np.ndarray:
    """All points of a path of M, l, z and h."""
    found = []
    for part in re.findall(r"M([^M]*)", data):
        start, _, steps = part.rstrip("z").replace("h.1", "").partition("l")
        numbers = [float(v) for v in re.findall(r"-?\d*\.?\d+", start + " " + steps)]
        found.append(np.cumsum(np.reshape(numbers, (-1, 2)), axis=0))
    return np.concatenate(found)


def test_the_land_is_as_large_as_the_land() -> None:
    land, borders = outlines()
    for view in (VIEWS["earth"], VIEWS["pacific"]):
        plane = [p for ring in land for p in areas(view.projection, *ring)]
        # The inside lies on the right, so that the Caspian Sea, a hole, is taken off by hand: it is 0.37 million km2.
        size = sum(-float(np.sum(p[:, 0] * np.roll(p[:, 1], -1) - np.roll(p[:, 0], -1) * p[:, 1])) / 2.0 for p in plane)
        assert size * EARTH_RADIUS_M**2 / 1e12 == pytest.approx(148.0, abs=1.5)  # million km2; the Earth's are 148.9
    assert len(borders) > 250


@pytest.mark.parametrize(
    ("lat", "lon", "is_land"),
    [
        (47.0, 8.0, True),
        (0.0, 25.0, True),
        (-90.0, 0.0, True),
        (-87.0, 179.9, True),
        (-80.0, 179.9, False),  # the ice of the Ross Sea
        (67.0, 179.9, True),
        (67.0, -179.9, True),
        (42.0, 51.0, False),  # the Caspian Sea, a hole
        (0.0, -150.0, False),
        (89.0, 10.0, False),
        (-60.0, 100.0, False),
    ],
)
@pytest.mark.parametrize("lon0", [0.0, 150.0])
def test_land_is_land_and_sea_is_sea(lat: float, lon: float, is_land: bool, lon0: float) -> None:
    view = whole_earth(lon0)
    at = view.drawn(view.projection.flat(view.projection.turned(np.array([lat]), np.array([lon]))))[0]
    # A hair towards the equator: the pole itself lies on the edge.
    assert inside(land_of(view), at + np.array([0.01, 0.013 * np.sign(lat)])) == is_land


def land_of(view: View) -> list[np.ndarray]:
    return [view.drawn(p) for ring in outlines()[0] for p in areas(view.projection, *ring)]


def inside(polygons: list[np.ndarray], at: np.ndarray) -> bool:
    """By even and odd, as the picture is filled."""
    crossings = 0
    for polygon in polygons:
        a, b = polygon, np.roll(polygon, -1, axis=0)
        spans = (a[:, 1] > at[1]) != (b[:, 1] > at[1])
        a, b = a[spans], b[spans]
        crossings += int(np.sum(a[:, 0] + (at[1] - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0]) > at[0]))
    return crossings % 2 == 1


@pytest.mark.parametrize("name", VIEWS)
def test_each_view_is_well_formed_small_and_stays_on_its_sheet(name: str) -> None:
    view = VIEWS[name]
    map_ = WorldMap(view)
    map_.belief(Belief((Component(-17.0, 179.5, 8e5, 0.5), Component(-89.0, 0.0, 1e6, 0.3)), 0.2))
    map_.circle(47.0, 8.0, 2e6, title="circle")
    map_.error((35.0, 139.0), (37.0, -122.0))
    map_.point(47.375, 8.545, title="Zürich")
    svg = map_.svg("a map")
    assert len(svg) < 90_000
    root = ElementTree.fromstring(svg)
    assert root.get("viewBox") == f"0 0 960 {view.height:.1f}"
    for path in of_class(root, "sea"):
        if path.tag == "path":
            at = corners(path.get("d", ""))
            assert at.min() >= 1.0
            assert np.all(at.max(axis=0) <= [WIDTH - 1.0, view.height - 1.0])
    if view.whole:
        for path in root.iter("path"):
            at = corners(path.get("d", "")) if path.get("class") != "bar" else np.zeros((1, 2))
            assert at.min() >= -0.1
            assert np.all(at.max(axis=0) <= [WIDTH + 0.1, view.height + 0.1])


def test_a_regional_view_holds_its_places_and_is_true_to_scale() -> None:
    rng = np.random.default_rng(3)
    for _ in range(40):
        lat, lon = float(rng.uniform(-89.0, 89.0)), float(rng.uniform(-180.0, 180.0))
        size_m = 10.0 ** float(rng.uniform(1.0, 6.3))
        places = [
            (float(a), float(b))
            for a, b in np.transpose(destination(lat, lon, rng.uniform(0, 360, 9), rng.uniform(0, size_m, 9)))
        ]
        view = around(places)
        at = [view.point(*place) for place in places]
        assert all(p is not None for p in at)
        if view.metres < 1e6:
            one, two = (p[0] for p in at[:2] if p is not None)
            metres = float(np.hypot(*(one - two))) / WIDTH * view.metres
            assert metres == pytest.approx(float(haversine_m(*places[0], *places[1])), rel=5e-3, abs=1e-3)
        assert 1.29 < WIDTH / view.height < 2.01


def test_places_far_apart_are_shown_on_the_whole_earth_and_one_with_its_street() -> None:
    assert around([]).whole
    assert around([(0.0, 0.0), (0.0, 180.0)]).whole
    assert around([(50.0, 8.0), (-33.0, 151.0)]).whole
    assert not around([(-18.0, 179.0), (-18.0, -179.0)]).whole
    assert VIEWS["a place"].metres == pytest.approx(100.0)
    assert around([(1.0, 103.0)], room_m=2000.0).metres >= 4000.0


def test_points_are_where_they_belong_and_tell_their_titles() -> None:
    map_ = WorldMap()
    name = '"><script>alert(1)</script>\u202egpj.exe'
    map_.point(0.0, 0.0, title=name, kind="truth")
    map_.point(0.0, 180.0, title="east")
    map_.point(90.0, 0.0, title="north", kind="grade-5")
    root = parsed(map_, name)
    middle, east, north = of_class(root, "point")
    assert middle.findtext("title") == '"><script>alert(1)</script>\\u202egpj.exe'
    assert {e.tag for e in root.iter()} <= {"svg", "g", "path", "title", "rect"}
    assert corners(middle.get("d", ""))[0] == pytest.approx([480.0, root_height(root) / 2.0], abs=0.06)
    assert abs(corners(east.get("d", ""))[0, 0] - 480.0) == pytest.approx(478.0, abs=0.06)
    assert corners(north.get("d", ""))[0] == pytest.approx([480.0, 2.0], abs=0.06)
    assert [p.get("class") for p in (middle, north)] == ["point truth", "point grade-5"]


def root_height(root: ElementTree.Element) -> float:
    return float(root.get("viewBox", "").split()[3])


def test_points_outside_of_a_view_are_counted() -> None:
    map_ = WorldMap(VIEWS["streets"])
    map_.point(47.375, 8.545, title="in")
    map_.point(48.0, 9.0, title="out")
    map_.point(-47.375, -171.455, title="antipode")
    assert (map_.left_out, len(of_class(parsed(map_), "point"))) == (2, 1)


def test_an_error_across_the_antimeridian_does_not_run_through_the_map() -> None:
    map_ = WorldMap()
    map_.error((-17.0, 179.0), (-17.0, -179.0))
    (path,) = of_class(parsed(map_), "error")
    at = corners(path.get("d", ""))
    assert np.all(np.abs(at[:, 0] - 480.0) > 440.0)
    assert path.get("d", "").count("M") == 2


def test_a_circle_is_as_large_on_the_map_as_on_the_earth() -> None:
    view = VIEWS["europe"]
    map_ = WorldMap(view)
    map_.circle(50.0, 5.0, 300_000.0, title="radius")
    (disc,) = of_class(parsed(map_), "disc")
    x, y = corners(disc.get("d", "")).T
    size = abs(float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))) / 2.0
    true = 2.0 * np.pi * (1.0 - np.cos(300_000.0 / EARTH_RADIUS_M)) * view.scale**2
    assert size == pytest.approx(true, rel=5e-3)


def test_a_belief_is_darker_where_it_is_heavier_and_is_never_too_small_to_see() -> None:
    map_ = WorldMap()
    map_.belief(Belief((Component(10.0, 10.0, 5.0, 0.6), Component(-20.0, 100.0, 1e6, 0.15)), 0.25))
    discs = of_class(parsed(map_), "belief")
    assert len(discs) == 6
    heavy, light = (float(discs[i].get("fill-opacity", "")) for i in (0, 3))
    assert heavy == pytest.approx(0.26)
    assert light == pytest.approx(0.16)
    tiny = corners(discs[0].get("d", ""))
    assert np.ptp(tiny[:, 0]) > 6.0
    crowd = Belief(tuple(Component(0.0, float(i), 1e5, 1 / 200) for i in range(100)), 0.5)
    many = WorldMap()
    many.belief(crowd)
    assert len(of_class(parsed(many), "belief")) == 3 * 40
    nothing = WorldMap()
    nothing.belief(Belief())
    assert of_class(parsed(nothing), "belief") == []


def test_streets_have_a_grid_in_metres_and_regions_have_coasts_and_degrees() -> None:
    streets, europe, earth = (parsed(WorldMap(VIEWS[name])) for name in ("streets", "europe", "earth"))
    assert not of_class(streets, "land")
    assert [t.text for t in streets.iter("text")] == [length(square_m(VIEWS["streets"]))]
    assert of_class(europe, "land")
    degrees = {t.text for t in europe.iter("text")}
    assert {"40°N", "50°N", "0°", "10°E"} <= degrees
    assert "180°" in {t.text for t in parsed(WorldMap(VIEWS["fiji"])).iter("text")}
    assert not list(earth.iter("text"))


def test_round_numbers() -> None:
    assert [round_step(v) for v in (0.9, 1.0, 1.1, 2.5, 49.0, 51.0, 0.003)] == [1, 1, 2, 5, 50, 100, 0.005]
    lengths = [length(v) for v in (0.43, 9.99, 25.4, 999.4, 999.6, 1234.0, 25_400.0, 2_500_000.0)]
    assert lengths == ["0.43 m", "10 m", "25 m", "999 m", "1 km", "1.2 km", "25 km", "2500 km"]


def test_the_legend_shows_every_kind() -> None:
    kinds = [kind for part in get_args(Kind) for kind in (get_args(part) or (part,))]
    rows = list(ElementTree.fromstring(legend([(kind, f"<{kind}>") for kind in kinds])))
    assert len(rows) == len(kinds) == 12
    for kind, row in zip(kinds, rows, strict=True):
        assert "".join(row.itertext()) == f"<{kind}>"
        assert of_class(row, kind)


def test_a_point_with_its_title_takes_at_most_150_bytes() -> None:
    rng = np.random.default_rng(4)
    map_ = WorldMap()
    for lat, lon in rng.uniform([-80.0, -180.0], [80.0, 180.0], (2000, 2)):
        map_.point(float(lat), float(lon), title="IMG_20240101_120000.jpg: 123 km")
    svg = map_.svg("many")
    assert len(svg) - len(ground(map_.view)) < 2000 * 150
    assert 'class="many"' in svg
