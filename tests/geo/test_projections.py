"""Equal-area maps: places against PROJ, areas against the sphere's, wherever the map tears an outline apart."""

from __future__ import annotations

import itertools

import numpy as np
import pyproj
import pytest

from geoloc_cli.geo.earth import EARTH_RADIUS_M, destination, haversine_m
from geoloc_cli.geo.projections import Azimuthal, EqualEarth, Projection, areas, great_circle, placed, strands

SPHERE_AREA = 4.0 * np.pi
MAPS: list[Projection] = [
    EqualEarth(),
    EqualEarth(150.0),
    EqualEarth(-77.7),
    Azimuthal(47.0, 8.0, 130.0),
    Azimuthal(-41.0, 174.0, 100.0),
    Azimuthal(90.0, 0.0, 60.0),
]


def circle(lat: float, lon: float, radius_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """A circle walked with the clock: its inside, seen from above, is on the right."""
    bearings = np.linspace(0.0, 360.0, 721)[:-1]
    return destination(lat, lon, bearings, np.radians(radius_deg) * EARTH_RADIUS_M)


def everywhere(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Places spread evenly over the sphere, on a sunflower spiral."""
    nth = np.arange(n) + 0.5
    return np.degrees(np.arcsin(1.0 - 2.0 * nth / n)), (nth * 180.0 * (3.0 - np.sqrt(5.0))) % 360.0 - 180.0


EVERYWHERE = everywhere(100_000)  # areas to 2e-3 of a steradian


def area(polygons: list[np.ndarray]) -> float:
    """Of what lies on the right of polygons."""
    return sum(-float(np.sum(p[:, 0] * np.roll(p[:, 1], -1) - np.roll(p[:, 0], -1) * p[:, 1])) / 2.0 for p in polygons)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (EqualEarth(), "+proj=eqearth"),
        (EqualEarth(150.0), "+proj=eqearth +lon_0=150"),
        (Azimuthal(47.0, 8.0), "+proj=laea +lat_0=47 +lon_0=8"),
        (Azimuthal(-90.0, 0.0), "+proj=laea +lat_0=-90 +lon_0=0"),
    ],
)
def test_places_are_where_proj_puts_them(ours: Projection, theirs: str) -> None:
    rng = np.random.default_rng(1)
    lat, lon = rng.uniform(-90.0, 90.0, 500), rng.uniform(-180.0, 180.0, 500)
    x, y = pyproj.Proj(f"{theirs} +R=1")(lon, lat)
    np.testing.assert_allclose(placed(ours, lat, lon), np.stack([x, y], axis=-1), atol=1e-9)


def test_equal_earth_has_the_size_of_the_paper() -> None:
    right, top = placed(EqualEarth(), [0.0, 90.0], [180.0 - 1e-12, 0.0])
    assert right == pytest.approx([2.70663, 0.0], abs=1e-5)
    assert top == pytest.approx([0.0, 1.31737], abs=1e-5)
    corner = placed(EqualEarth(), 90.0, 180.0 - 1e-12)[0, 0]
    assert corner / right[0] == pytest.approx(0.59247, abs=1e-5)  # a pole is a line of 59 % of the equator


@pytest.mark.parametrize("projection", MAPS, ids=str)
@pytest.mark.parametrize(
    "center", [(0.0, 0.0), (10.0, 179.5), (-33.0, -180.0), (89.0, 50.0), (-90.0, 0.0), (47.0, 8.0), (41.0, -6.0)]
)
@pytest.mark.parametrize("radius_deg", [0.5, 7.0, 60.0, 89.0, 120.0, 174.0])
def test_a_circle_has_its_area_wherever_the_map_is_torn(
    projection: Projection, center: tuple[float, float], radius_deg: float
) -> None:
    true = 2.0 * np.pi * (1.0 - np.cos(np.radians(radius_deg)))
    if isinstance(projection, Azimuthal):
        middle, reach_m = (projection.lat0, projection.lon0), np.radians(projection.reach_deg) * EARTH_RADIUS_M
        radius_m = np.radians(radius_deg) * EARTH_RADIUS_M
        if haversine_m(*center, *middle) + radius_m > reach_m:
            both = (haversine_m(*EVERYWHERE, *middle) < reach_m) & (haversine_m(*EVERYWHERE, *center) < radius_m)
            true = SPHERE_AREA * float(np.mean(both))
    found = area(areas(projection, *circle(*center, radius_deg)))
    # Edges of the map are drawn by chords of 2 degrees: its whole area is 0.02 % too small.
    assert found == pytest.approx(true, rel=2e-3, abs=5e-3)


def test_a_reach_leaves_what_lies_beyond_it_out() -> None:
    projection = Azimuthal(20.0, 30.0, 25.0)
    assert areas(projection, *circle(-40.0, 30.0, 10.0)) == []
    cap = 2.0 * np.pi * (1.0 - np.cos(np.radians(25.0)))
    assert area(areas(projection, *circle(25.0, 35.0, 80.0))) == pytest.approx(cap, rel=1e-3)
    line = great_circle((20.0, -60.0), (20.0, 120.0))
    for part in strands(projection, *line):
        assert np.hypot(*part.T).max() <= 2.0 * np.sin(np.radians(12.5)) + 1e-12


def test_a_way_across_the_antimeridian_is_two_lines_that_end_at_the_edges() -> None:
    lat, lon = great_circle((35.0, 140.0), (37.0, -122.0))  # Tokyo to San Francisco
    west, east = strands(EqualEarth(), lat, lon)
    assert west[-1, 0] > 0.0 > east[0, 0]
    assert west[-1] == pytest.approx(east[0] * [-1.0, 1.0])
    edge = placed(EqualEarth(), 48.0, 180.0 - 1e-9)[0]
    assert west[-1, 0] == pytest.approx(edge[0], abs=0.1)
    longest = max(np.hypot(*np.diff(part, axis=0).T).max() for part in (west, east))
    assert longest < 0.06  # no chord runs across the map
    assert len(strands(EqualEarth(-170.0), lat, lon)) == 1


def test_a_line_around_the_earth_and_back_is_cut_each_time() -> None:
    lon = np.concatenate([np.arange(-170.0, 561.0, 5.0), np.arange(555.0, 0.0, -5.0)])
    parts = strands(EqualEarth(), np.linspace(-20.0, 30.0, len(lon)), lon)
    assert len(parts) == 5
    for before, after in itertools.pairwise(parts):
        assert abs(before[-1, 0]) == pytest.approx(abs(after[0, 0]), rel=1e-6)
    assert all(np.abs(np.diff(part[:, 0])).max() < 0.1 for part in parts)


@pytest.mark.parametrize(
    ("a", "b"), [((0.0, 0.0), (0.0, 180.0)), ((90.0, 0.0), (-90.0, 0.0)), ((12.0, 50.0), (-12.0, -130.0))]
)
def test_the_way_between_antipodes_is_a_way(a: tuple[float, float], b: tuple[float, float]) -> None:
    lat, lon = great_circle(a, b)
    steps = haversine_m(lat[:-1], lon[:-1], lat[1:], lon[1:])
    assert steps.max() < 2.01 * np.pi / 180.0 * EARTH_RADIUS_M
    assert steps.sum() == pytest.approx(np.pi * EARTH_RADIUS_M, rel=1e-6)
    assert haversine_m(lat[0], lon[0], *a) < 1.0
    assert haversine_m(lat[-1], lon[-1], *b) < 1.0


def test_the_way_is_the_shortest() -> None:
    rng = np.random.default_rng(5)
    for lat_a, lon_a, lat_b, lon_b in rng.uniform([-90, -180, -90, -180], [90, 180, 90, 180], (50, 4)):
        lat, lon = great_circle((lat_a, lon_a), (lat_b, lon_b))
        length = haversine_m(lat[:-1], lon[:-1], lat[1:], lon[1:]).sum()
        assert length == pytest.approx(float(haversine_m(lat_a, lon_a, lat_b, lon_b)), rel=1e-9)
    assert great_circle((5.0, 5.0), (5.0, 5.0))[0].tolist() == [5.0, 5.0]
