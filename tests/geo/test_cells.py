"""H3 cells, and the ranges that cover circles: no place inside may be lost, anywhere."""

from __future__ import annotations

import itertools

import h3.api.basic_int as h3
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geoloc_cli.geo.cells import all_cells, cells_of, centers_of, covering_ranges, reach_m
from geoloc_cli.geo.earth import HALF_EARTH_M, destination, haversine_m

PENTAGON = h3.cell_to_latlng(h3.get_pentagons(15)[3])
HARD_PLACES = [(90.0, 0.0), (-90.0, 55.0), (0.0, 180.0), (12.0, -180.0), (66.5, 179.99999), (42.4, -76.5), PENTAGON]


def covered(cells: np.ndarray, ranges: np.ndarray) -> np.ndarray:
    at = np.searchsorted(ranges[:, 0], cells, side="right") - 1
    return (at >= 0) & (cells <= ranges[np.maximum(at, 0), 1])


def inside(lat: float, lon: float, radius: float, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Places in the circle, half of them within a billionth of its rim."""
    rng = np.random.default_rng(seed)
    share = np.where(np.arange(n) % 2, 1.0 - 1e-9, rng.random(n))
    return destination(lat, lon, rng.uniform(0.0, 360.0, n), radius * share)


@pytest.mark.parametrize("place", HARD_PLACES)
@pytest.mark.parametrize("radius", [0.0, 0.3, 4.0, 150.0, 5e3, 2e5, 3e6, 1.1e7, 1.9e7])
def test_every_place_in_a_circle_has_its_cell_in_a_range(place: tuple[float, float], radius: float) -> None:
    ranges = covering_ranges([(*place, radius)])
    cells = cells_of(*inside(*place, radius, 400, seed=int(radius)))
    assert covered(cells, ranges).all()


@settings(max_examples=150, deadline=None)
@given(st.floats(-90.0, 90.0), st.floats(-180.0, 180.0), st.floats(-1.0, 7.3), st.integers(0, 2**31))
def test_no_circle_anywhere_loses_a_place(lat: float, lon: float, log_radius: float, seed: int) -> None:
    radius = 10.0**log_radius
    ranges = covering_ranges([(lat, lon, radius)])
    assert covered(cells_of(*inside(lat, lon, min(radius, HALF_EARTH_M), 40, seed)), ranges).all()


@pytest.mark.parametrize("radius", [30.0, 2e3, 1e5, 1e6])
def test_ranges_hold_little_beyond_their_circle(radius: float) -> None:
    for place in HARD_PLACES:
        ranges = covering_ranges([(*place, radius)])
        assert len(ranges) < 100
        cells = cells_of(*inside(*place, 3.0 * radius, 600, seed=9))
        far = haversine_m(*place, *centers_of(cells)) > 1.6 * radius
        assert not covered(cells[far], ranges).any()


def test_ranges_are_sorted_disjoint_and_apart() -> None:
    rng = np.random.default_rng(8)
    circles = [(float(a), float(o), float(r)) for a, o, r in rng.uniform([40, 10, 10], [41, 11, 3e4], (60, 3))]
    ranges = covering_ranges(circles)
    assert ranges.dtype == np.uint64
    assert (ranges[:, 0] <= ranges[:, 1]).all()
    assert (ranges[1:, 0] > ranges[:-1, 1] + np.uint64(1)).all()
    for k, circle in enumerate(circles):
        assert covered(cells_of(*inside(*circle, 30, seed=k)), ranges).all()


def test_half_the_earth_is_one_range_and_no_circle_is_none() -> None:
    whole = covering_ranges([(10.0, 20.0, HALF_EARTH_M)])
    assert whole.shape == (1, 2)
    assert covered(np.array([min(h3.cell_to_children(c, 4)) for c in all_cells(0).tolist()]) | (15 << 52), whole).all()
    assert covering_ranges([]).shape == (0, 2)
    assert covering_ranges([(10.0, 20.0, 1e9)]).tolist() == whole.tolist()


@pytest.mark.parametrize("radius", [-1.0, float("nan")])
def test_a_radius_that_is_no_length_is_refused(radius: float) -> None:
    with pytest.raises(ValueError, match="not a length"):
        covering_ranges([(0.0, 0.0, radius)])


def test_descendants_of_a_cell_are_one_interval_of_ids() -> None:
    """What the ranges rest on: h3 orders the children at resolution 15 of any cell before those of the next."""
    for parent_resolution in (9, 11, 12):
        for place in HARD_PLACES:
            parents = sorted(h3.grid_disk(h3.latlng_to_cell(*place, parent_resolution), 1))
            bounds = []
            for parent in parents:
                children = np.array(h3.cell_to_children(parent, 14), dtype=np.uint64)
                bounds.append((children.min(), children.max()))
            assert all(a[1] < b[0] for a, b in itertools.pairwise(bounds))


def test_descendants_stay_within_reach_of_their_ancestor() -> None:
    rng = np.random.default_rng(3)
    for resolution in range(15):
        near_pentagons = [c for p in h3.get_pentagons(resolution) for c in h3.grid_disk(p, 1)]
        for cell in rng.choice(np.array(near_pentagons, dtype=np.uint64), 30).tolist():
            center = h3.cell_to_latlng(cell)
            leaf = cell
            while (finer := h3.get_resolution(leaf) + 1) <= 15:
                children = h3.cell_to_children(leaf, finer)
                away = [float(haversine_m(*center, *h3.cell_to_latlng(c))) for c in children]
                leaf = children[int(np.argsort(away)[rng.integers(-2, 0)])]
            corners = np.array(h3.cell_to_boundary(leaf))
            assert np.max(haversine_m(*center, corners[:, 0], corners[:, 1])) < 0.95 * reach_m(resolution)


def test_cells_of_keeps_shape_and_agrees_with_h3() -> None:
    lat, lon = np.array([[10.0], [20.0]]), np.array([[1.0, 2.0, -180.0]])
    cells = cells_of(lat, lon, 7)
    assert cells.shape == (2, 3)
    assert cells.dtype == np.uint64
    assert int(cells[1, 2]) == h3.latlng_to_cell(20.0, -180.0, 7)
    assert cells_of([], []).shape == (0,)
    assert cells_of(0.0, 180.0) == cells_of(0.0, -180.0)


@pytest.mark.parametrize("place", [(float("nan"), 0.0), (0.0, float("inf"))])
def test_a_place_that_is_not_finite_has_no_cell(place: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        cells_of(*place)


def test_all_cells_counts_what_h3_counts() -> None:
    assert len(all_cells(2)) == h3.get_num_cells(2)
    assert (np.diff(all_cells(1)) > 0).all()
