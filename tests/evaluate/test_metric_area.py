"""Recall versus Area: areas worked by hand, by fine grids and by ties broken at random."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geoloc_cli.evaluate.metrics.area import (
    belief_areas_km2,
    cell_areas_km2,
    curve,
    point_areas_km2,
    recall_at,
    report,
)
from geoloc_cli.evaluate.metrics.mixtures import EARTH_KM2, log_components, mixtures
from geoloc_cli.evaluate.metrics.regions import denser_regions
from geoloc_cli.geo.belief import density_per_m2, from_components, log_density, sample, uniform
from geoloc_cli.geo.earth import EARTH_RADIUS_M, HALF_EARTH_M, destination, unit_vectors
from geoloc_cli.types import Belief, Component


def circle_km2(radius_m: float) -> float:
    return 2.0 * math.pi * (EARTH_RADIUS_M / 1e3) ** 2 * (1.0 - math.cos(radius_m / EARTH_RADIUS_M))


def area_of(belief: Belief, lat: float, lon: float) -> float:
    return float(belief_areas_km2([belief], [lat], [lon])[0])


def away(distance_m: float, bearing: float = 40.0) -> tuple[float, float]:
    lat, lon = destination(47.0, 8.0, bearing, distance_m)
    return float(lat), float(lon)


def test_the_earth_is_510_million_square_kilometres() -> None:
    assert pytest.approx(510.066e6, rel=1e-6) == EARTH_KM2


@pytest.mark.parametrize("distance", [0.5, 300.0, 2e4, 3e6])
def test_the_region_of_one_component_is_the_circle_through_the_truth(distance: float) -> None:
    belief = from_components([Component(47.0, 8.0, max(distance, 10.0), 1.0)])
    flat = math.pi * (distance / 1e3) ** 2
    assert area_of(belief, *away(distance)) == pytest.approx(flat if distance < 1e3 else circle_km2(distance), rel=1e-6)


def test_components_of_one_centre_are_one_circle_too() -> None:
    belief = from_components([Component(47.0, 8.0, radius, 1.0) for radius in (100.0, 1e4, 1e6)])
    assert area_of(belief, *away(7e4)) == pytest.approx(circle_km2(7e4), rel=1e-6)


def test_an_even_belief_gives_half_of_the_earth_and_a_point_gives_nothing() -> None:
    flat = Belief((Component(0.0, 0.0, HALF_EARTH_M, 1.0),), 0.0)  # a component that is even over the Earth
    assert belief_areas_km2([uniform(), flat], [12.0, -80.0], [34.0, 10.0]) == pytest.approx(EARTH_KM2 / 2.0)
    assert area_of(from_components([Component(47.0, 8.0, 1.0, 1.0)]), 47.0, 8.0) == pytest.approx(0.0, abs=1e-9)


def test_two_like_components_far_apart_are_two_circles() -> None:
    """At 300 m from one, the other is searched out to 300 m as well."""
    belief = from_components([Component(47.0, 8.0, 500.0, 1.0), Component(-20.0, 120.0, 500.0, 1.0)], 0.05)
    assert area_of(belief, *away(300.0)) == pytest.approx(2.0 * math.pi * 0.09, rel=1e-6)


def test_a_wide_component_is_searched_where_it_is_denser_by_hand() -> None:
    """In the plane: w kappa exp(-kappa d^2 / 2) of 100 m and of 1 km, four times as heavy, are level at these radii."""
    belief = from_components([Component(47.0, 8.0, 100.0, 1.0), Component(47.0, 30.0, 1000.0, 4.0)])
    # kappa is ln(10) / h of the radius, so the narrow one is 100 / 4 as dense at its centre as the wide one.
    at_m = 130.0
    log_narrow = math.log(25.0) - math.log(10.0) * (at_m / 100.0) ** 2
    wide_m = 1000.0 * math.sqrt(max(-log_narrow, 0.0) / math.log(10.0))
    assert wide_m == pytest.approx(540.4, abs=0.1)
    by_hand = math.pi * (0.13**2 + (wide_m / 1e3) ** 2)
    assert area_of(belief, *away(at_m)) == pytest.approx(by_hand, rel=1e-4)


def test_a_place_that_no_component_reaches_is_found_halfway_through_the_rest() -> None:
    belief = from_components([Component(47.0, 8.0, 10.0, 0.9)], 0.1)
    found = denser_regions([belief], [-30.0], [100.0])
    # Denser are the places where the component adds a millionth of the even share: some 50 m about its centre.
    assert 2.0 * math.pi * 0.03**2 < found.area_km2[0] < math.pi * 0.06**2
    assert found.area_km2[0] + found.tied_km2[0] == pytest.approx(EARTH_KM2)
    assert found.mass[0] == pytest.approx(0.9, abs=1e-6)
    assert found.mass[0] + found.tied_mass[0] == pytest.approx(1.0)
    assert area_of(belief, -30.0, 100.0) == pytest.approx(EARTH_KM2 / 2.0, rel=1e-6)


def test_the_edge_of_the_ties_is_the_same_with_one_centre_and_with_two() -> None:
    one = from_components([Component(47.0, 8.0, 2e5, 0.9)], 0.1)
    two = from_components([Component(47.0, 8.0, 2e5, 0.9), Component(47.0, 8.000001, 2e5, 1e-9)], 0.1)
    found = denser_regions([one, two], [-30.0, -30.0], [100.0, 100.0])
    assert found.area_km2[1] == pytest.approx(found.area_km2[0], rel=1e-3)
    assert found.mass[1] == pytest.approx(found.mass[0], abs=1e-4)


def patch(half_m: float, count: int = 500) -> tuple[np.ndarray, np.ndarray, float]:
    """Places on an equal-area grid (Lambert's) about 47 N 8 E, and the km2 of each."""
    x = (np.arange(count) + 0.5) / count * 2.0 * half_m - half_m
    east, north = np.meshgrid(x, x)
    arc = 2.0 * EARTH_RADIUS_M * np.arcsin(np.hypot(east, north) / (2.0 * EARTH_RADIUS_M))
    lat, lon = destination(47.0, 8.0, np.degrees(np.arctan2(east, north)), arc)
    return lat.ravel(), lon.ravel(), (2.0 * half_m / count / 1e3) ** 2


@pytest.mark.parametrize(("scale_m", "seed"), [(50.0, 0), (50.0, 1), (3e3, 2), (3e5, 3), (3e5, 4), (1e6, 5)])
def test_overlapping_components_are_what_a_fine_grid_says(scale_m: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(2 + seed % 3):
        lat, lon = away(scale_m * float(rng.uniform(0.2, 2.0)), float(rng.uniform(0.0, 360.0)))
        parts.append(Component(lat, lon, scale_m * float(rng.uniform(0.5, 3.0)), float(rng.uniform(0.2, 1.0))))
    belief = from_components(parts, 0.01)
    # Next to the mode the region would be a dot on the grid.
    lat, lon = away(1.2 * scale_m, 100.0 * seed)
    lats, lons, cell_km2 = patch(8.0 * scale_m)
    density = log_density(belief, lats, lons)
    inside = density > log_density(belief, lat, lon)
    found = denser_regions([belief], [lat], [lon])
    assert found.area_km2[0] == pytest.approx(inside.sum() * cell_km2, rel=0.01)
    assert found.mass[0] == pytest.approx(np.exp(density[inside]).sum() * cell_km2 * 1e6, abs=0.004)


def test_the_order_of_components_changes_nothing() -> None:
    parts = [Component(10.0 + i, 20.0 - i, 1e5 * (1 + i), 0.2) for i in range(4)]
    there = 11.0, 18.0
    assert area_of(from_components(parts), *there) == pytest.approx(area_of(from_components(parts[::-1]), *there))


def test_many_beliefs_at_once_are_the_same_as_one_by_one() -> None:
    """Of none, one, two and three components; with and without even shares, and far from all."""
    made = [
        uniform(),
        from_components([Component(0.0, 0.0, 1e4, 1.0)]),
        from_components([Component(0.0, 0.0, 1e5, 1.0), Component(1.0, 1.0, 1e5, 1.0)], 0.2),
        from_components([Component(0.0, 0.0, radius, 1.0) for radius in (10.0, 1e3, 1e6)], 0.2),
        from_components([Component(50.0, 50.0, 10.0, 1.0)], 0.2),
    ]
    lat, lon = np.full(5, 0.2), np.full(5, 0.1)
    together = denser_regions(made, lat, lon)
    for row, belief in enumerate(made):
        alone = denser_regions([belief], lat[row], lon[row])
        for name in ("area_km2", "tied_km2", "mass", "tied_mass"):
            assert getattr(together, name)[row] == pytest.approx(getattr(alone, name)[0])
    table = mixtures(made)
    log = np.logaddexp(log_components(table, unit_vectors(lat, lon)), np.log(table.spread.clip(1e-300) / (4 * np.pi)))
    said = [density_per_m2(belief, 0.2, 0.1) for belief in made]
    assert np.exp(log) / EARTH_RADIUS_M**2 == pytest.approx(np.array(said), rel=1e-9)


def test_places_drawn_from_a_belief_lie_evenly_through_its_mass() -> None:
    """The probability-integral transform: a tenth of the places in each tenth of the mass."""
    parts = [Component(0.0, 0.0, 1e5, 0.6), Component(1.0, 1.0, 3e5, 0.2), Component(-40.0, 100.0, 2e3, 0.1)]
    belief = from_components(parts, 0.1)
    lat, lon = sample(belief, 600, np.random.default_rng(0))
    found = denser_regions([belief] * 600, lat, lon)
    spot = found.mass + np.random.default_rng(1).random(600) * found.tied_mass
    # 60 a tenth, with a standard deviation of 7.3.
    assert np.histogram(spot, 10, (0.0, 1.0))[0] == pytest.approx(60, abs=26)


def test_the_area_about_an_answer_is_its_circle_and_half_of_the_earth_without_one() -> None:
    errors = [0.0, 1e3, HALF_EARTH_M / 2.0, HALF_EARTH_M, np.nan]
    by_hand = [0.0, math.pi, EARTH_KM2 / 2.0, EARTH_KM2, EARTH_KM2 / 2.0]
    assert point_areas_km2(errors).tolist() == pytest.approx(by_hand, rel=1e-6)


SCORES = np.array([[0.5, 0.2, 0.2, 0.1], [0.1, 0.3, 0.3, 0.3], [0.1, 0.2, 0.3, 0.4]])
SIZES = np.array([10.0, 20.0, 30.0, 40.0])


def test_cells_by_hand() -> None:
    # 10 before it, itself 20, half of the 30 that tie; 30 itself and half of 20 and 40; outside of all: 100 and half.
    assert cell_areas_km2(SCORES, SIZES, [1, 2, -1]).tolist() == [45.0, 60.0, 100.0 + (EARTH_KM2 - 100.0) / 2.0]


def test_ties_of_cells_are_the_mean_over_their_orders() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 3, (5, 12)).astype(float)
    sizes, truth = rng.uniform(1.0, 9.0, 12), rng.integers(0, 12, 5)
    found = cell_areas_km2(scores, sizes, truth)
    mixed = rng.permutation(12)
    assert cell_areas_km2(scores[:, mixed], sizes[mixed], np.argsort(mixed)[truth]) == pytest.approx(found)
    for row in range(5):
        drawn = []
        for _ in range(3000):
            order = np.lexsort((rng.random(12), -scores[row]))
            drawn.append(sizes[order][: order.tolist().index(truth[row]) + 1].sum())
        assert found[row] == pytest.approx(np.mean(drawn), abs=4.0 * np.std(drawn) / math.sqrt(3000) + 1e-9)


def test_even_scores_search_half_of_the_earth_in_expectation() -> None:
    cells = np.full(400, EARTH_KM2 / 400)
    found = cell_areas_km2(np.zeros((3, 400)), cells, [0, 17, 399])
    # Half a cell over, for the truth's is searched whole.
    assert found == pytest.approx(EARTH_KM2 / 2.0, rel=1 / 400 + 1e-9)


AREAS = np.array([3.0, 1e3, 1e3, 5e5])


def test_curve_and_recall_by_hand() -> None:
    areas, recall = curve(AREAS)
    assert (areas.tolist(), recall.tolist()) == ([3.0, 1e3, 5e5], [0.25, 0.75, 1.0])
    assert recall_at(AREAS, [1.0, 3.0, 999.0, 1e3, 1e9]).tolist() == [0.0, 0.25, 0.25, 0.75, 1.0]


def test_the_report_is_the_area_over_and_under_the_curve() -> None:
    said = report(AREAS)
    assert (said.photos, said.median_km2, said.q90_km2) == (4, 1e3, 5e5)
    assert said.recall == {1.0: 0.0, 1e2: 0.25, 1e4: 0.75, 1e6: 1.0}
    assert said.earth_searched == pytest.approx(502_003.0 / 4.0 / EARTH_KM2)
    axis = np.linspace(0.0, math.log(EARTH_KM2), 20001)
    assert said.log_recall == pytest.approx(recall_at(AREAS, np.exp(axis)).mean(), abs=1e-4)
    assert report([0.0, 0.5]).log_recall == 1.0
    assert report([EARTH_KM2]).log_recall == pytest.approx(0.0)
    with pytest.raises(ValueError, match="no photographs"):
        report([])
