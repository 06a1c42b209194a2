"""Vectors drawn towards those of the same place: as a slow loop says, and never towards those of another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import build, found, paths_in

from geoloc_cli.errors import IndexDamaged
from geoloc_cli.geo.cells import cells_of
from geoloc_cli.geo.earth import destination, haversine_m
from geoloc_cli.index.augment import NEAR_M, augmented
from geoloc_cli.index.codes import codes_named
from geoloc_cli.index.derived import Ordered
from geoloc_cli.index.inspect import verify
from geoloc_cli.index.reader import Index
from geoloc_cli.index.writer import IndexWriter
from geoloc_cli.testing.fakes import write_made

Array = np.ndarray


def unit(rows: Array) -> Array:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def ordered(vectors: Array, lat: Array, lon: Array, row_ids: Array | None = None) -> Ordered:
    ids = np.arange(len(lat)) if row_ids is None else row_ids
    return Ordered(unit(vectors), ids.astype(np.int64), np.zeros(len(lat), np.uint64), lat, lon)


def scattered(count: int, about: tuple[float, float], within_m: float, seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return destination(*about, rng.uniform(0, 360, count), within_m * np.sqrt(rng.uniform(0, 1, count)))


def slowly(given: Ordered, neighbours: int) -> Array:
    drawn = []
    for i, own in enumerate(given.vectors.astype(np.float64)):
        near = []
        for j, other in enumerate(given.vectors.astype(np.float64)):
            away = haversine_m(given.lat[i], given.lon[i], given.lat[j], given.lon[j])
            if i != j and away <= NEAR_M and own @ other > 0:
                near.append((-round(float(own @ other), 6), int(given.row_ids[j]), other))
        total = own + sum((-s) ** 3 * other for s, _, other in sorted(near, key=lambda n: n[:2])[:neighbours])
        drawn.append(total / np.linalg.norm(total))
    return np.array(drawn)


@pytest.mark.parametrize("about", [(47.0, 8.5), (89.9999, 30.0), (-90.0, 0.0), (0.0, 180.0), (-33.9, -179.99999)])
@pytest.mark.parametrize("neighbours", [1, 3, 200])
def test_it_is_what_a_slow_loop_finds(about: tuple[float, float], neighbours: int) -> None:
    lat, lon = scattered(80, about, 80.0, seed=0)
    lat[::9], lon[::9] = np.nan, np.nan
    rng = np.random.default_rng(1)
    given = ordered(rng.normal(size=(80, 8)) + 0.5, lat, lon, rng.permutation(80) + 1)
    with np.errstate(invalid="ignore"):
        assert abs(augmented(given, neighbours).vectors - slowly(given, neighbours)).max() < 1e-6
    # Not for want of neighbours: most have at least three, and one without a position keeps what it has.
    changed = abs(augmented(given, neighbours).vectors - given.vectors).max(axis=1) > 1e-3
    assert 50 < changed.sum() < 80
    assert not changed[::9].any()


def test_no_neighbours_change_nothing() -> None:
    lat, lon = scattered(10, (47.0, 8.5), 10.0, seed=0)
    given = ordered(np.eye(10) + 0.1, lat, lon)
    assert augmented(given, 0) is given
    assert len(augmented(ordered(np.zeros((0, 4)), lat[:0], lon[:0]), 3).vectors) == 0


def test_what_looks_the_same_elsewhere_is_not_mixed_in() -> None:
    """Two streets of one look, 40 m apart: each photo is drawn to those of its own street alone."""
    walk = np.arange(6) * 10.0
    lat, lon = destination(47.0, 8.5, 90.0, walk)
    lat_2, lon_2 = destination(lat, lon, 0.0, 40.0)
    rng = np.random.default_rng(0)
    looks = rng.normal(size=(6, 16))
    streets = ordered(np.concatenate([looks, looks]), np.concatenate([lat, lat_2]), np.concatenate([lon, lon_2]))
    one = ordered(looks, lat, lon)
    assert np.array_equal(augmented(streets, 3).vectors[:6], augmented(one, 3).vectors)


def test_it_does_not_depend_on_the_order_of_the_rows() -> None:
    lat, lon = scattered(60, (47.0, 8.5), 60.0, seed=2)
    rng = np.random.default_rng(3)
    given = ordered(rng.normal(size=(60, 8)) + 0.5, lat, lon)
    order = rng.permutation(60)
    shuffled = ordered(given.vectors[order], lat[order], lon[order], order)
    assert abs(augmented(shuffled, 3).vectors - augmented(given, 3).vectors[order]).max() < 1e-6
    assert np.array_equal(augmented(given, 3).vectors, augmented(given, 3).vectors)


def test_photos_of_many_places_are_found_more_often() -> None:
    """200 places, four photos of each within 20 m: a place's look, and as much again that is the photo's own.

    A query of the place is right where the first photo is of it: 0.645 of them, and 0.76 with three neighbours each.
    """
    rng = np.random.default_rng(4)
    places = unit(rng.normal(size=(200, 32)))
    north, east = np.divmod(np.repeat(np.arange(200), 4), 20)
    lat, lon = 47.0 + north * 0.01, 8.5 + east * 0.01
    lat, lon = destination(lat, lon, rng.uniform(0, 360, 800), 10.0)
    photos = np.repeat(places, 4, axis=0) + unit(rng.normal(size=(800, 32)))
    order = np.argsort(cells_of(lat, lon), kind="stable")
    given = ordered(photos[order], lat[order], lon[order], order)
    queries = unit(places + 1.2 * unit(rng.normal(size=(200, 32))))

    def right(held: Ordered) -> float:
        return float((held.row_ids[(queries @ held.vectors.T).argmax(axis=1)] // 4 == np.arange(200)).mean())

    assert right(given) < 0.7
    assert right(augmented(given, 3)) > right(given) + 0.09


def manifest(index: Path) -> dict[str, Any]:
    return json.loads((index / "manifest.json").read_text())


def test_an_index_is_searched_by_augmented_vectors_and_keeps_its_own(pristine: Path, index: Path) -> None:
    plain = found(index)
    with Index.open(index) as reader:
        own = reader.gathered()
    build(index, paths_in(index), augment=3)
    assert manifest(index)["augment"] == 3
    drawn = augmented(own, 3)
    with Index.open(index) as reader:
        assert np.array_equal(reader.gathered().vectors, own.vectors)
        result = reader.search(own.vectors[0], 40)
    best = np.argsort(-np.round(drawn.vectors @ own.vectors[0], 6), kind="stable")
    assert result.row_ids.tolist() == own.row_ids[best].tolist()
    assert abs(result.similarities - (drawn.vectors @ own.vectors[0])[best]).max() < 1e-6
    assert verify(index).faults == ()
    # An index keeps to it as it grows, until it is told otherwise; then nothing is left of it.
    augmented_so = found(index)
    assert augmented_so != plain
    build(index, paths_in(index))
    assert (manifest(index)["augment"], found(index)) == (3, augmented_so)
    with IndexWriter(index, augment=0) as writer:
        writer.compact()
    assert (manifest(index)["augment"], found(index)) == (0, plain)
    assert {path.name.partition("-")[2] for path in (index / "derived").iterdir()} == {
        path.name.partition("-")[2] for path in (pristine / "index" / "derived").iterdir()
    }


@pytest.mark.parametrize("name", ["float16", "pq8"])
def test_codes_are_of_the_augmented_vectors(index: Path, name: str) -> None:
    with IndexWriter(index, codes=codes_named(name), augment=3) as writer:
        writer.seal()
        with Index.open(index) as reader:
            drawn = augmented(reader.gathered(), 3)
            kept = reader.ordered()
            assert np.array_equal(kept.vectors, drawn.vectors.astype(codes_named(name).dtype))
            assert (kept.augment, kept.codes) == (3, codes_named(name))
        # The codes stay where the augmentation goes.
    with IndexWriter(index, augment=0) as writer:
        writer.seal()
    assert (manifest(index)["augment"], manifest(index)["codes"]) == (0, name)


def test_derived_files_of_before_are_not_taken_for_those_of_now(index: Path) -> None:
    plain = found(index)
    with IndexWriter(index, augment=3) as writer:
        waiting = found(index)  # the manifest says three, and nothing is sealed yet
        writer.seal()
    assert found(index) == waiting != plain
    for path in (index / "derived").iterdir():
        path.unlink()
    assert found(index) == waiting


def test_photos_added_in_parts_end_as_those_added_at_once(tmp_path: Path) -> None:
    paths = write_made(tmp_path / "photos", 30)
    build(tmp_path / "once", paths, augment=2)
    build(tmp_path / "parts", paths, augment=2)
    with IndexWriter(tmp_path / "parts") as writer:
        writer.remove(paths[::2])
        writer.seal()
    fewer = found(tmp_path / "parts")
    build(tmp_path / "parts", paths)
    assert found(tmp_path / "parts") == found(tmp_path / "once") != fewer


@pytest.mark.parametrize("said", [-1, 101, 1.5, "3", None])
def test_a_manifest_that_says_another_thing_is_damaged(index: Path, said: Any) -> None:
    (index / "manifest.json").write_text(json.dumps(manifest(index) | {"augment": said}))
    with pytest.raises(IndexDamaged, match=r"manifest\.json"):
        Index.open(index)
