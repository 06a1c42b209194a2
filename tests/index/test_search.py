"""Search inside a belief against brute force: poles, antimeridian, ties, and the inverted file."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geoloc_cli.geo.cells import cells_of
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.index import faiss_file
from geoloc_cli.index.derived import Ordered
from geoloc_cli.index.search import Circle, rows_within, search

DIM = 16


def ordered_at(lat: np.ndarray, lon: np.ndarray, seed: int = 0, *, inverted: bool = False) -> Ordered:
    """Photos at these places with random unit vectors, as an index orders them."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(len(lat), DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cells = cells_of(lat, lon)
    order = np.argsort(cells, kind="stable")
    rows = rng.permutation(len(lat)).astype(np.int64) + 100
    made = faiss_file.build(vectors[order]) if inverted else None
    return Ordered(vectors[order], rows[order], cells[order], lat[order], lon[order], made)


def brute_force(ordered: Ordered, vector: np.ndarray, k: int, inside: np.ndarray) -> list[int]:
    """Row numbers of the k most similar rows among `inside`, equal ones by their numbers."""
    places = np.flatnonzero(inside)
    similarities = np.round(ordered.vectors[places] @ vector, 6)
    best = sorted(range(len(places)), key=lambda i: (-similarities[i], ordered.row_ids[places[i]]))[:k]
    return [int(ordered.row_ids[places[i]]) for i in best]


def distances(ordered: Ordered, circle: Circle) -> np.ndarray:
    return np.asarray(haversine_m(circle.lat, circle.lon, ordered.lat, ordered.lon))


PLACES = {
    "a town": (47.37, 8.54, 0.02),
    "the antimeridian": (-17.0, 180.0, 0.05),
    "the north pole": (89.9, 30.0, 0.2),
    "the south pole": (-89.95, -120.0, 0.2),
}


@settings(max_examples=60, deadline=None)
@given(
    place=st.sampled_from(sorted(PLACES)),
    seed=st.integers(0, 10_000),
    radius_m=st.floats(1.0, 60_000.0),
    k=st.integers(1, 12),
    outside_k=st.integers(0, 5),
)
def test_region_search_is_brute_force(place: str, seed: int, radius_m: float, k: int, outside_k: int) -> None:
    lat0, lon0, spread = PLACES[place]
    rng = np.random.default_rng(seed)
    lat = np.clip(lat0 + rng.normal(0, spread, 200), -90, 90)
    wide = spread * (1.0 if abs(lat0) < 80 else 400.0)
    lon = (lon0 + rng.normal(0, wide, 200) + 180.0) % 360.0 - 180.0
    ordered = ordered_at(lat, lon, seed)
    circle = Circle(lat0, lon0, radius_m)
    vector = ordered.vectors[seed % 200]
    inside = distances(ordered, circle) <= radius_m
    found = search(ordered, vector, k, [circle], outside_k)
    split = min(k, int(inside.sum()))
    assert found.row_ids[:split].tolist() == brute_force(ordered, vector, k, inside)
    assert found.row_ids[split:].tolist() == brute_force(ordered, vector, outside_k, ~inside)
    if outside_k == 0:
        assert found.looked_at_share == pytest.approx(inside.mean())


def test_several_circles_are_one_region_and_no_row_comes_twice() -> None:
    rng = np.random.default_rng(3)
    ordered = ordered_at(rng.uniform(46, 48, 500), rng.uniform(7, 9, 500))
    circles = [Circle(47.0, 8.0, 30_000.0), Circle(47.1, 8.1, 30_000.0), Circle(46.5, 7.5, 20_000.0)]
    expected = np.zeros(500, bool)
    for circle in circles:
        expected |= distances(ordered, circle) <= circle.radius_m
    assert np.array_equal(rows_within(ordered, circles), np.flatnonzero(expected))
    found = search(ordered, ordered.vectors[0], 500, circles, 500)
    assert sorted(found.row_ids) == sorted(ordered.row_ids)


def test_a_region_without_photos_gives_those_outside_alone() -> None:
    ordered = ordered_at(np.full(20, 47.0), np.linspace(8, 9, 20))
    found = search(ordered, ordered.vectors[4], 5, [Circle(-30.0, 20.0, 1000.0)], 3)
    assert found.row_ids.tolist() == brute_force(ordered, ordered.vectors[4], 3, np.ones(20, bool))


def test_an_empty_index_finds_nothing() -> None:
    nowhere = np.zeros(0)
    found = search(ordered_at(nowhere, nowhere), np.ones(DIM, np.float32), 5, None, 0)
    assert len(found.row_ids) == 0


def test_equal_similarities_come_in_the_order_of_their_rows() -> None:
    ordered = ordered_at(np.full(10, 47.0), np.linspace(8, 8.1, 10))
    others = (ordered.row_ids, ordered.cells, ordered.lat, ordered.lon)
    same = Ordered(np.repeat(ordered.vectors[:1], 10, axis=0), *others)
    found = search(same, same.vectors[0], 4, None, 0)
    assert found.row_ids.tolist() == sorted(ordered.row_ids.tolist())[:4]


@pytest.fixture(scope="module")
def large() -> Ordered:
    rng = np.random.default_rng(7)
    return ordered_at(rng.uniform(46, 48, 6000), rng.uniform(7, 9, 6000), inverted=True)


def test_inverted_file_tells_true_similarities_and_what_share_it_looked_at(large: Ordered) -> None:
    vector = large.vectors[17]
    found = search(large, vector, 8, None, 0)
    place = {int(row): i for i, row in enumerate(large.row_ids)}
    true = [float(large.vectors[place[int(row)]] @ vector) for row in found.row_ids]
    assert found.similarities.tolist() == pytest.approx(true, abs=1e-5)
    assert found.row_ids[0] == large.row_ids[17]
    assert found.looked_at_share == pytest.approx(large.inverted.nprobe / large.inverted.nlist)
    assert found.looked_at_share < 0.5


def test_inverted_file_that_looks_everywhere_is_brute_force(large: Ordered) -> None:
    before = large.inverted.nprobe
    large.inverted.nprobe = large.inverted.nlist
    try:
        for i in range(20):
            found = search(large, large.vectors[i], 6, None, 0)
            assert found.row_ids.tolist() == brute_force(large, large.vectors[i], 6, np.ones(6000, bool))
            assert found.looked_at_share == 1.0
    finally:
        large.inverted.nprobe = before


def test_inverted_file_keeps_the_region_and_the_rest_apart(large: Ordered) -> None:
    circle = Circle(47.0, 8.0, 15_000.0)
    inside = distances(large, circle) <= circle.radius_m
    assert 50 < inside.sum() < 500
    rows_inside = set(large.row_ids[inside].tolist())
    for i in np.flatnonzero(inside)[:10]:
        # The query is an indexed vector of the region itself, so the nearest of all must not come from outside it.
        found = search(large, large.vectors[i], 5, [circle], 5)
        assert found.row_ids[:5].tolist() == brute_force(large, large.vectors[i], 5, inside)
        assert not rows_inside & set(found.row_ids[5:].tolist())
        assert len(found.row_ids) == 10


def test_a_library_that_drops_its_selector_is_found_out(large: Ordered, monkeypatch: pytest.MonkeyPatch) -> None:
    without = faiss_file.search

    def dropping(index: object, vector: np.ndarray, k: int, keep_out: object = None) -> object:
        return without(index, vector, k)

    monkeypatch.setattr(faiss_file, "search", dropping)
    circle = Circle(47.0, 8.0, 15_000.0)
    i = int(np.flatnonzero(distances(large, circle) <= circle.radius_m)[0])
    with pytest.raises(RuntimeError, match="inside the region"):
        search(large, large.vectors[i], 5, [circle], 5)


def test_circle_around_the_whole_earth_holds_every_photo() -> None:
    rng = np.random.default_rng(5)
    lat = np.degrees(np.arcsin(rng.uniform(-1, 1, 300)))
    ordered = ordered_at(lat, rng.uniform(-180, 180, 300))
    assert len(rows_within(ordered, [Circle(12.0, 34.0, math.pi * 6_400_000.0)])) == 300
