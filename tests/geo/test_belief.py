"""Beliefs: what is fused, mixed, integrated and drawn is held against brute force and against each other."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geoloc_cli.geo.belief import (
    credible_cells,
    credible_radius_m,
    density_per_m2,
    from_components,
    fuse,
    log_density,
    mass_within,
    mix,
    mode,
    sample,
    simplify,
    uniform,
)
from geoloc_cli.geo.cells import cells_of
from geoloc_cli.geo.earth import EARTH_RADIUS_M, HALF_EARTH_M, destination, haversine_m, unit_vectors
from geoloc_cli.types import Belief, Component

SPHERE_M2 = 4.0 * math.pi * EARTH_RADIUS_M**2
HARD_PLACES = [(90.0, 0.0), (-90.0, 10.0), (0.0, 180.0), (35.0, -180.0), (-12.0, 179.9999), (42.4, -76.5)]

components = st.builds(
    Component,
    st.floats(-90.0, 90.0),
    st.floats(-180.0, 180.0),
    st.floats(-2.0, 7.2).map(lambda power: 10.0**power),
    st.floats(0.05, 1.0),
)
beliefs = st.builds(from_components, st.lists(components, max_size=3), st.floats(0.01, 0.5))


def one(lat: float, lon: float, radius_m: float, spread: float = 0.0) -> Belief:
    return from_components([Component(lat, lon, radius_m, 1.0 - spread)], spread)


@cache
def globe(rows: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places all over the sphere and their areas, which sum every spherical harmonic below degree `rows` exactly."""
    z, weights = np.polynomial.legendre.leggauss(rows)
    lon = np.arange(2 * rows) * (180.0 / rows) - 180.0
    lats, lons = np.meshgrid(np.degrees(np.arcsin(z)), lon, indexing="ij")
    area = np.repeat(weights, 2 * rows) * SPHERE_M2 / (4.0 * rows)
    return lats.ravel(), lons.ravel(), area


def total_weight(belief: Belief) -> float:
    return belief.spread + sum(c.weight for c in belief.components)


@pytest.mark.parametrize("place", HARD_PLACES)
def test_density_integrates_to_one_over_the_globe(place: tuple[float, float]) -> None:
    belief = mix([(one(*place, 6e5), 2.0), (one(10.0, 20.0, 4e6), 1.0), (uniform(), 0.5)])
    lat, lon, area = globe()
    assert float(density_per_m2(belief, lat, lon) @ area) == pytest.approx(1.0, abs=1e-8)


@pytest.mark.parametrize("radius", [1e-3, 3.0, 250.0, 4e5])
@pytest.mark.parametrize("place", HARD_PLACES)
def test_density_integrates_to_one_about_a_sharp_component(place: tuple[float, float], radius: float) -> None:
    """Over rings about the centre, whose area is the difference of 2 pi R^2 (1 - cos)."""
    belief = one(*place, radius)
    edges = np.linspace(0.0, 4.0 * radius, 4001)
    middle = (edges[1:] + edges[:-1]) / 2.0
    lat, lon = destination(*place, 77.0, middle)
    area = 4.0 * math.pi * EARTH_RADIUS_M**2 * np.diff(np.sin(edges / (2.0 * EARTH_RADIUS_M)) ** 2)
    # places a millimetre apart are known to a nanometre, hence the wider tolerance there
    assert float(density_per_m2(belief, lat, lon) @ area) == pytest.approx(1.0, abs=1e-5 + 1e-8 / radius)


def test_density_far_away_is_the_spread_alone() -> None:
    belief = one(50.0, 8.0, 5.0, spread=0.1)
    assert density_per_m2(belief, -50.0, -100.0) == pytest.approx(0.1 / SPHERE_M2)
    assert log_density(one(50.0, 8.0, 5.0), -50.0, -100.0) < -1e12
    assert density_per_m2(uniform(), [0.0, 90.0], [[1.0], [2.0]]).shape == (2, 2)


@pytest.mark.parametrize("radius", [1e-3, 0.5, 20.0, 1e3, 5e5, 7e6, 1.5e7])
@pytest.mark.parametrize("place", HARD_PLACES)
def test_radius_m_of_a_component_holds_nine_tenths_of_it(place: tuple[float, float], radius: float) -> None:
    assert mass_within(one(*place, radius), *place, radius) == pytest.approx(0.9, abs=1e-9)
    assert credible_radius_m(one(*place, radius), *place) == pytest.approx(radius, rel=2e-6)


def test_mass_is_what_the_density_sums_to_inside_the_circle() -> None:
    belief = from_components(
        [Component(70.0, 179.0, 2e6, 0.5), Component(-40.0, -60.0, 9e5, 0.3), Component(88.0, 0.0, 1.2e7, 0.2)], 0.2
    )
    lat, lon, area = globe()
    mass = density_per_m2(belief, lat, lon) * area
    for place in HARD_PLACES:
        away = haversine_m(*place, lat, lon)
        for radius in (1e6, 4e6, 1e7, 1.7e7):
            assert mass_within(belief, *place, radius) == pytest.approx(mass[away <= radius].sum(), abs=1e-3)


def test_mass_of_a_sharp_component_beside_the_circle_is_the_plane_gaussian_one() -> None:
    """At 30 m the sphere is flat: Rice's distribution, here by drawing in the plane with the same 90 % radius."""
    sigma = 30.0 / math.sqrt(2.0 * math.log(10.0))
    rng = np.random.default_rng(1)
    xy = rng.normal(0.0, sigma, (400_000, 2))
    for offset, radius in ((10.0, 15.0), (30.0, 20.0), (40.0, 41.0), (5.0, 60.0), (200.0, 195.0)):
        lat, lon = destination(-17.0, 180.0, 123.0, offset)
        flat = float(np.mean(np.hypot(xy[:, 0] - offset, xy[:, 1]) <= radius))
        assert mass_within(one(-17.0, 180.0, 30.0), float(lat), float(lon), radius) == pytest.approx(flat, abs=3e-3)


@settings(deadline=None, max_examples=60)
@given(beliefs, st.floats(-90.0, 90.0), st.floats(-180.0, 180.0))
def test_mass_grows_smoothly_from_nothing_to_one(belief: Belief, lat: float, lon: float) -> None:
    radii = np.concatenate([[0.0], np.geomspace(1e-2, HALF_EARTH_M, 600)])
    mass = mass_within(belief, lat, lon, radii)
    assert mass[0] == 0.0
    assert mass[-1] == pytest.approx(1.0, abs=1e-6)
    assert np.min(np.diff(mass)) > -1e-6


def test_mass_has_no_step_where_the_circle_passes_over_a_centre() -> None:
    belief = one(10.0, 10.0, 100.0)
    lat, lon = (float(x) for x in destination(10.0, 10.0, 45.0, 100.0))
    mass = mass_within(belief, lat, lon, np.linspace(99.0, 101.0, 401))
    assert np.max(np.abs(np.diff(mass, 2))) < 1e-6


@settings(deadline=None, max_examples=40)
@given(beliefs, st.floats(0.05, 0.99))
def test_credible_radius_holds_its_share(belief: Belief, share: float) -> None:
    radius = credible_radius_m(belief, 12.0, 34.0, share)
    assert mass_within(belief, 12.0, 34.0, radius) >= share
    assert mass_within(belief, 12.0, 34.0, radius * (1.0 - 3e-6)) <= share + 1e-9


def test_credible_radius_of_the_uniform_belief_is_its_cap() -> None:
    cap = EARTH_RADIUS_M * math.acos(-0.8)
    assert credible_radius_m(uniform(), 45.0, 45.0) == pytest.approx(cap, rel=2e-6)
    assert credible_radius_m(uniform(), 45.0, 45.0, 1.0) == pytest.approx(HALF_EARTH_M, rel=1e-6)


@pytest.mark.parametrize("place", HARD_PLACES)
@pytest.mark.parametrize("radius", [1.0, 800.0, 3e6, 1.4e7])
def test_samples_fall_where_the_mass_is(place: tuple[float, float], radius: float) -> None:
    lat, lon = sample(one(*place, radius, spread=0.02), 20_000, np.random.default_rng(11))
    assert np.all(np.abs(lat) <= 90.0)
    assert np.all(np.abs(lon) <= 180.0)
    away = haversine_m(*place, lat, lon)
    nine_tenths = credible_radius_m(one(*place, radius, spread=0.02), *place)
    assert np.mean(away <= nine_tenths) == pytest.approx(0.9, abs=0.01)
    mean = unit_vectors(lat, lon).mean(axis=0)
    beside = np.linalg.norm(mean - unit_vectors(*place) * (unit_vectors(*place) @ mean))
    assert beside < 0.02  # no side is favoured: the standard error of 20 000 is 0.007 at most


def test_samples_are_the_same_for_the_same_seed() -> None:
    belief = from_components([Component(1.0, 2.0, 50.0, 1.0), Component(3.0, 4.0, 5e4, 1.0)], 0.5)
    first, again = (sample(belief, 50, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first, again)


def test_fusing_two_sharp_sources_is_the_inverse_variance_mean() -> None:
    """In the plane: precisions add, and the centre is their weighted mean. 6 m and 3 m at 10 m: 8 m from the first."""
    lat, lon = (float(x) for x in destination(-17.0, 179.99999, 90.0, 10.0))
    fused = fuse(one(-17.0, 179.99999, 6.0), one(lat, lon, 3.0))
    (only,) = fused.components
    assert haversine_m(-17.0, 179.99999, only.lat, only.lon) == pytest.approx(8.0, abs=1e-5)
    assert only.radius_m == pytest.approx(math.sqrt(1.0 / (1.0 / 36.0 + 1.0 / 9.0)), rel=1e-9)
    assert fused.spread == 0.0


@pytest.mark.parametrize(("doubt_a", "doubt_b"), [(0.0, 0.0), (0.2, 0.05), (1.0, 0.3)])
def test_fused_density_is_the_product_of_the_doubted_densities(doubt_a: float, doubt_b: float) -> None:
    a = from_components([Component(80.0, 170.0, 2e6, 0.6), Component(-10.0, 5.0, 1.5e6, 0.3)], 0.1)
    b = from_components([Component(85.0, -150.0, 1e6, 0.5), Component(0.0, 0.0, 1.2e7, 0.5)])
    lat, lon, area = globe()
    p = (1.0 - doubt_a) * density_per_m2(a, lat, lon) + doubt_a / SPHERE_M2
    q = (1.0 - doubt_b) * density_per_m2(b, lat, lon) + doubt_b / SPHERE_M2
    product = p * q / ((p * q) @ area)
    fused = density_per_m2(fuse(a, b, doubt_a, doubt_b), lat, lon)
    assert np.max(np.abs(fused - product)) < 1e-8 * product.max()


def test_sources_that_contradict_each_other_are_decided_by_their_doubts() -> None:
    sure, unsure = one(48.0, 2.0, 5.0), one(-33.0, 151.0, 5.0)
    fused = fuse(sure, unsure, doubt_a=1e-6, doubt_b=0.2)
    assert haversine_m(*mode(fused), 48.0, 2.0) < 1e-3
    assert mass_within(fused, 48.0, 2.0, 100.0) == pytest.approx(1.0, abs=1e-5)
    between = fuse(sure, unsure)  # exp(-1e13) is not zero in logarithms
    assert total_weight(between) == pytest.approx(1.0)


def test_fusing_antipodes_of_equal_radius_says_nothing() -> None:
    fused = fuse(one(30.0, 40.0, 2e6), one(-30.0, -140.0, 2e6))
    lat, lon, _ = globe(20)
    assert density_per_m2(fused, lat, lon) * SPHERE_M2 == pytest.approx(np.ones(lat.size), abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(beliefs, beliefs, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_fuse_does_not_mind_the_order(a: Belief, b: Belief, doubt_a: float, doubt_b: float) -> None:
    one_way, other_way = fuse(a, b, doubt_a, doubt_b), fuse(b, a, doubt_b, doubt_a)
    assert one_way.spread == pytest.approx(other_way.spread, rel=1e-9)
    for c in (*a.components, *b.components):
        radius = 2.0 * c.radius_m
        assert mass_within(one_way, c.lat, c.lon, radius) == pytest.approx(
            float(mass_within(other_way, c.lat, c.lon, radius)), abs=2e-5
        )


@settings(deadline=None)
@given(beliefs)
def test_fusing_with_the_uniform_belief_or_with_doubt_itself_changes_nothing(belief: Belief) -> None:
    for fused in (fuse(belief, uniform()), fuse(uniform(), belief), fuse(belief, one(1.0, 2.0, 3.0), 0.0, 1.0)):
        assert [(c.lat, c.lon, c.radius_m) for c in fused.components] == [
            (c.lat, c.lon, c.radius_m) for c in belief.components
        ]
        assert [c.weight for c in fused.components] == pytest.approx([c.weight for c in belief.components])
        assert fused.spread == pytest.approx(belief.spread)


@pytest.mark.parametrize("doubt", [-0.1, 1.1, float("nan")])
def test_a_doubt_is_a_share(doubt: float) -> None:
    with pytest.raises(ValueError, match="doubt"):
        fuse(uniform(), uniform(), doubt)


def test_mix_scales_the_shares_and_keeps_the_spread() -> None:
    belief = mix([(one(1.0, 2.0, 30.0, spread=0.5), 3.0), (one(5.0, 6.0, 70.0), 1.0)])
    assert [c.weight for c in belief.components] == pytest.approx([0.375, 0.25])
    assert belief.spread == pytest.approx(0.375)
    assert mix([]) == uniform()


def test_from_components_scales_to_one_and_refuses_what_is_no_share() -> None:
    belief = from_components([Component(1.0, 2.0, 30.0, 4.0), Component(1.0, 2.0, 30.0, 0.0)], 1.0)
    assert [c.weight for c in belief.components] == [0.8]
    assert belief.spread == 0.2
    assert from_components([]) == uniform()
    assert from_components([Component(1.0, 2.0, 30.0, 0.0)]) == uniform()
    for spread in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="shares"):
            from_components([Component(1.0, 2.0, 30.0, 1.0)], spread)


@pytest.mark.parametrize("place", HARD_PLACES)
def test_mode_is_the_centre_of_the_densest_component(place: tuple[float, float]) -> None:
    belief = mix([(one(*place, 20.0), 0.2), (one(20.0, 20.0, 5e5), 0.8)])
    assert haversine_m(*mode(belief), *place) < 1e-3


def test_mode_lies_between_components_that_overlap() -> None:
    west, east = (destination(-17.0, 180.0, bearing, 40.0) for bearing in (270.0, 90.0))
    belief = from_components([Component(float(a), float(o), 100.0, 1.0) for a, o in (west, east)])
    assert haversine_m(*mode(belief), -17.0, 180.0) < 0.5
    lat, lon = destination(*mode(belief), np.arange(0.0, 360.0, 10.0), 1.0)
    assert np.all(log_density(belief, lat, lon) <= log_density(belief, *mode(belief)))


def test_an_even_belief_has_no_mode() -> None:
    for even in (uniform(), one(1.0, 2.0, 1.9e7)):
        with pytest.raises(ValueError, match="densest"):
            mode(even)


@pytest.mark.parametrize(("radius", "resolution"), [(0.5, 9), (60.0, 12), (800.0, 8), (3e5, 3), (5e6, 2)])
@pytest.mark.parametrize("place", HARD_PLACES)
def test_credible_cells_hold_their_share_and_little_more(
    place: tuple[float, float], radius: float, resolution: int
) -> None:
    belief = mix([(one(*place, radius), 0.6), (one(*destination(*place, 20.0, 3.0 * radius), radius), 0.38)])
    cells = credible_cells(belief, 0.8, resolution)
    assert len(np.unique(cells)) == len(cells)
    drawn = cells_of(*sample(belief, 4000, np.random.default_rng(5)), resolution)
    share = np.mean(np.isin(drawn, cells))
    assert share > 0.77
    without_last = np.mean(np.isin(drawn, cells[:-1]))
    assert without_last < 0.83  # the last cell was needed; 0.03 is four standard errors of 4000 draws and more


def test_credible_cells_fall_back_on_the_globe_where_the_spread_holds_the_rest() -> None:
    belief = one(10.0, 20.0, 100.0, spread=0.5)
    cells = credible_cells(belief, 0.75, 1)
    assert len(cells) == pytest.approx(0.5 * 842, abs=2)
    assert cells[0] == cells_of(10.0, 20.0, 1)
    for too_wide, share, resolution in ((belief, 0.75, 9), (one(10.0, 20.0, 1e5), 0.9, 12)):
        with pytest.raises(ValueError, match="coarser"):
            credible_cells(too_wide, share, resolution)
    for share in (0.0, 1.1):
        with pytest.raises(ValueError, match="share"):
            credible_cells(belief, share, 1)
        with pytest.raises(ValueError, match="share"):
            credible_radius_m(belief, 10.0, 20.0, share)


def test_simplify_merges_the_close_ones_first_and_keeps_their_sum() -> None:
    rng = np.random.default_rng(13)
    parts = []
    for lat, lon in ((90.0, 0.0), (0.0, 180.0), (42.0, -76.0)):
        places = zip(*destination(lat, lon, rng.uniform(0.0, 360.0, 30), rng.uniform(0.0, 500.0, 30)), strict=True)
        parts += [Component(float(a), float(o), 400.0, 1.0) for a, o in places]
    belief = from_components(parts, 3.0)
    small = simplify(belief, 3)
    assert len(small.components) == 3
    assert small.spread == belief.spread
    assert total_weight(small) == pytest.approx(1.0)
    for c in small.components:
        assert c.weight == pytest.approx(30.0 / 93.0)
        for radius in (300.0, 600.0, 2000.0):
            was = float(mass_within(belief, c.lat, c.lon, radius))
            assert mass_within(small, c.lat, c.lon, radius) == pytest.approx(was, abs=0.03)
    assert simplify(belief, 90) is belief
    with pytest.raises(ValueError, match="0 components"):
        simplify(belief, 0)


def test_simplify_keeps_the_mean_vector() -> None:
    """The one thing that a merge keeps exactly, checked on draws: components of all widths, down to one."""
    belief = from_components(
        [Component(80.0, 170.0, 3e6, 0.5), Component(70.0, -160.0, 8e6, 0.3), Component(20.0, 100.0, 100.0, 0.2)]
    )
    lat, lon = sample(belief, 200_000, np.random.default_rng(1))
    lat1, lon1 = sample(simplify(belief, 1), 200_000, np.random.default_rng(2))
    difference = unit_vectors(lat, lon).mean(axis=0) - unit_vectors(lat1, lon1).mean(axis=0)
    assert np.linalg.norm(difference) < 0.006  # three standard errors


def test_simplify_takes_thousands_of_components() -> None:
    rng = np.random.default_rng(17)
    lat, lon = destination(47.0, 8.0, rng.uniform(0.0, 360.0, 3000), rng.uniform(0.0, 3e5, 3000))
    belief = from_components([Component(float(a), float(o), 2e4, 1.0) for a, o in zip(lat, lon, strict=True)], 300.0)
    small = simplify(belief, 400)
    assert len(small.components) == 400
    assert small.spread == pytest.approx(belief.spread)
    for radius in (5e4, 1.5e5, 3e5):
        was = float(mass_within(belief, 47.0, 8.0, radius))
        assert mass_within(small, 47.0, 8.0, radius) == pytest.approx(was, abs=0.01)
