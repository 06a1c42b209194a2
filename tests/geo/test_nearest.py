"""The nearest of many places: what comparing each with each says."""

from __future__ import annotations

import numpy as np
import pytest

from geoloc_cli.geo.earth import haversine_m, unit_vectors
from geoloc_cli.geo.nearest import Nearest


def anywhere(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, count))), rng.uniform(-180.0, 180.0, count)


@pytest.mark.parametrize("count", [1, 2, 16, 17, 33, 1000, 4097])
def test_the_nearest_is_that_of_all_distances(count: int) -> None:
    places, queries = anywhere(count, 0), anywhere(500, 1)
    number, away = Nearest(*places).of(*queries)
    table = haversine_m(queries[0][:, None], queries[1][:, None], *places)
    assert np.array_equal(number, table.argmin(axis=1))
    assert away == pytest.approx(table.min(axis=1), abs=1e-3)


def test_clusters_poles_and_the_date_line_are_places_like_any() -> None:
    rng = np.random.default_rng(2)
    lat = np.concatenate([rng.normal(47.0, 0.01, 800), [90.0, -90.0, 0.0, 0.0], rng.normal(-17.0, 0.5, 300)])
    lon = np.concatenate([rng.normal(8.0, 0.01, 800), [0.0, 0.0, 180.0, -179.9], rng.normal(179.9, 0.5, 300)])
    queries = np.array([[89.0, -89.9, 0.01, -0.01, 47.0, 0.0], [123.0, -50.0, -179.99, 179.5, 8.0, -30.0]])
    number, away = Nearest(lat, lon).of(*queries)
    table = haversine_m(queries[0][:, None], queries[1][:, None], lat, lon)
    assert away == pytest.approx(table.min(axis=1), abs=1e-3)
    assert np.array_equal(number, table.argmin(axis=1))


def test_a_place_is_nearest_to_itself_also_among_copies() -> None:
    lat, lon = (np.tile(x, 40) for x in anywhere(7, 3))
    number, away = Nearest(lat, lon).of(lat[:7], lon[:7])
    assert np.array_equal(number % 7, np.arange(7))
    assert away.max() == 0.0


def test_more_queries_than_are_worked_at_once_and_some_that_are_nowhere() -> None:
    places = anywhere(50, 4)
    lat, lon = anywhere(40_000, 5)
    lat[::1000], lon[::1000] = np.nan, np.nan
    number, away = Nearest(*places).of(lat, lon)
    lost = np.isnan(lat)
    assert np.array_equal(number == -1, lost)
    assert np.array_equal(np.isnan(away), lost)
    table = haversine_m(lat[~lost][:, None], lon[~lost][:, None], *places)
    assert np.array_equal(number[~lost], table.argmin(axis=1))


def test_it_is_as_scipys_tree_says() -> None:
    spatial = pytest.importorskip("scipy.spatial")
    places, queries = anywhere(20_000, 6), anywhere(5000, 7)
    number, _ = Nearest(*places).of(*queries)
    assert np.array_equal(number, spatial.cKDTree(unit_vectors(*places)).query(unit_vectors(*queries))[1])


def test_of_no_places_none_is_nearest() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Nearest([], [])
    with pytest.raises(ValueError, match="at least one"):
        Nearest([np.nan], [0.0])
    assert Nearest([1.0], [2.0]).of([], [])[0].size == 0
