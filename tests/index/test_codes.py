"""Half precision and codes: what they cost against exact search, and that they are what was asked for, or done without.

The vectors lie in clusters, sixty places with fifty photos each, most of what there is to see in the first numbers, as
principal axes leave it: without clusters the nearest are chance, and with equal numbers a rotation would do nothing.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import build, found

from geoloc_cli.errors import IndexMismatch, UsageError
from geoloc_cli.geo.cells import cells_of
from geoloc_cli.index import derived, faiss_file
from geoloc_cli.index import search as searching
from geoloc_cli.index.codes import NONE, Codes, codes_named
from geoloc_cli.index.derived import Ordered
from geoloc_cli.index.inspect import info, verify
from geoloc_cli.index.reader import Index
from geoloc_cli.index.search import Circle, search
from geoloc_cli.index.writer import IndexWriter

DIM, PLACES, EACH = 48, 60, 50
# 48 numbers in seven parts do not come out even: those are padded.
ALL = ("float16", "pq6", "pq7", "rabitq")


@cache
def photos() -> np.ndarray:
    """(PLACES * (EACH + 1), DIM) unit vectors; the last of each place are queries, the others indexed."""
    rng = np.random.default_rng(0)
    spread = np.linspace(2.0, 0.3, DIM)
    places = rng.normal(size=(PLACES, DIM)) * spread
    rows = np.tile(places, (EACH + 1, 1)) + 0.5 * rng.normal(size=(PLACES * (EACH + 1), DIM)) * spread
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@cache
def built(name: str) -> Any:
    return faiss_file.build(photos()[: PLACES * EACH], codes_named(name))


def ordered(name: str, rescored: int = 60) -> Ordered:
    """The photos along a meridian, each place in its own village."""
    codes = replace(codes_named(name), rescored=rescored)
    count = PLACES * EACH
    lat, lon = 40.0 + 0.1 * (np.arange(count) % PLACES), np.full(count, 8.0)
    cells = cells_of(lat, lon)
    order = np.argsort(cells, kind="stable")
    vectors = photos()[:count]
    inverted = built(name) if name != "none" else None
    if inverted is not None:
        # Of three lists, which no index of this size has, all are looked at: what is measured is what the codes cost.
        inverted.nprobe = inverted.nlist
        order = np.arange(count)
    return Ordered(
        vectors[order].astype(codes.dtype), order + 100, cells[order], lat[order], lon[order], inverted, codes=codes
    )


def exact(query: np.ndarray, k: int) -> set[int]:
    return {int(row) + 100 for row in np.argsort(-(photos()[: PLACES * EACH] @ query))[:k]}


def recall(name: str, rescored: int) -> float:
    index = ordered(name, rescored)
    queries = photos()[PLACES * EACH :]
    return (
        float(np.mean([len(exact(q, 10) & set(search(index, q, 10, None, 0).row_ids.tolist())) for q in queries])) / 10
    )


@pytest.mark.parametrize("name", ALL)
def test_the_true_ten_nearest_are_among_those_that_are_compared_again(name: str) -> None:
    # Sixty are compared again, which is a place's fifty and a few: codes that tell places apart hold nearly all.
    assert recall(name, 60) > 0.99
    if codes_named(name).are_codes:
        # Without, the order within a place is left to a bit a number, or to six bytes.
        assert 0.3 < recall(name, 10) < 0.6


@pytest.mark.parametrize("name", ALL)
def test_similarities_are_the_exact_ones(name: str) -> None:
    index = ordered(name)
    tolerance = 1e-3 if name == "float16" else 1e-6
    for query in photos()[PLACES * EACH :][:10]:
        hits = search(index, query, 12, None, 0)
        true = photos()[hits.row_ids - 100].astype(np.float64) @ query
        assert np.abs(hits.similarities - true).max() < tolerance
        assert (np.diff(hits.similarities) <= 1e-6).all()
        assert hits.looked_at_share == 1.0


def test_products_of_halves_are_those_of_what_numpy_makes_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    # Every half that is a number and lies below one, the tiny ones that are not normal among them.
    halves = np.arange(0x0000, 0x3C01, dtype=np.uint16).view(np.float16)
    halves = np.concatenate([halves, -halves])[:, None].repeat(2, axis=1)
    halves[:, 1] = 0.25
    few = replace(ordered("float16"), vectors=halves)
    query = np.array([0.75, -0.5], np.float32)
    monkeypatch.setattr(searching, "_HALVES", 1000)  # blocks that do not come out even
    for rows in (None, np.arange(5, len(halves), 7)):
        taken = halves if rows is None else halves[rows]
        expected = (taken.astype(np.float64) @ query.astype(np.float64)).astype(np.float32)
        assert np.abs(searching.products(few, rows, query) - expected).max() < 1e-7


@pytest.mark.parametrize("name", ["none", *ALL])
def test_a_region_is_searched_exactly_and_the_rest_keeps_out_of_it(name: str) -> None:
    index = ordered("none")
    if name != "none":
        # The order along the cells, as an index has it.
        codes = replace(codes_named(name), rescored=60)
        made = faiss_file.build(index.vectors, codes)
        index = replace(index, vectors=index.vectors.astype(codes.dtype), inverted=made, codes=codes)
    circle = Circle(40.5, 8.0, 100.0)  # the place with number 5 and no other
    query = photos()[5]
    hits = search(index, query, 50, [circle], 10)
    assert {int(row - 100) % PLACES for row in hits.row_ids[:50]} == {5}
    true = photos()[hits.row_ids[:50] - 100] @ query
    assert np.abs(hits.similarities[:50] - true).max() < (1e-3 if name == "float16" else 1e-6)
    assert not {int(row - 100) % PLACES for row in hits.row_ids[50:]} & {5}
    assert len(hits.row_ids) == 60


def test_codes_in_lists_say_what_share_they_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faiss_file, "_LISTS_OF_CODES_FROM_ROWS", 1000)
    codes = replace(codes_named("rabitq"), rescored=60)
    made = faiss_file.build(photos()[: PLACES * EACH], codes)
    assert (made.nprobe, made.nlist) == (1, 3)
    index = replace(ordered("rabitq"), inverted=made)
    hits = search(index, photos()[0], 10, None, 0)
    assert hits.looked_at_share == pytest.approx(1 / 3)
    assert hits.row_ids[0] == 100


@pytest.mark.parametrize("name", ALL)
def test_the_same_photos_give_the_same_file_on_any_number_of_cores(name: str, tmp_path: Path) -> None:
    import faiss

    before = faiss.omp_get_max_threads()
    written = []
    try:
        for threads in (1, 2):
            faiss.omp_set_num_threads(threads)
            faiss_file.write(faiss_file.build(photos()[:1000], codes_named(name)), tmp_path, f"{threads}.faiss")
            written.append((tmp_path / f"{threads}.faiss").read_bytes())
    finally:
        faiss.omp_set_num_threads(before)
    assert written[0] == written[1]


def test_a_file_of_other_codes_or_another_length_is_not_read(tmp_path: Path) -> None:
    count = PLACES * EACH
    for name in ALL:
        faiss_file.write(built(name), tmp_path, f"{name}.faiss")
    for name in ALL:
        for asked in ("none", "pq8", *ALL):
            read = faiss_file.read(tmp_path / f"{name}.faiss", count, DIM, codes_named(asked))
            assert (read is not None) == (asked == name), (name, asked)
        assert faiss_file.read(tmp_path / f"{name}.faiss", count + 1, DIM, codes_named(name)) is None
        assert faiss_file.read(tmp_path / f"{name}.faiss", count, DIM + 16, codes_named(name)) is None
    (tmp_path / "text.faiss").write_bytes(b"IwPQ and then some")
    assert faiss_file.read(tmp_path / "text.faiss", count, DIM, codes_named("pq6")) is None


def test_a_prepared_vector_has_the_same_products_and_its_size_is_what_is_said() -> None:
    rows = photos()[:40]
    for name in ALL:
        codes = codes_named(name)
        prepared = codes.prepared(rows)
        assert prepared.shape == (40, codes.width(DIM))
        assert np.abs(prepared @ prepared.T - rows @ rows.T).max() < 1e-6
        assert built(name).code_size == codes.bytes_a_photo(DIM)
    # One bit a number, and eight bytes of factors; two bytes a number; so many bytes as there are parts.
    assert [codes_named(name).bytes_a_photo(DIM) for name in ("none", *ALL)] == [192, 96, 6, 7, 14]
    # A rotation spreads what the first numbers held: each then has about the same variance.
    turned = codes_named("rabitq").prepared(photos()).std(axis=0)
    assert photos().std(axis=0).max() / photos().std(axis=0).min() > 5.0
    assert turned.max() / turned.min() < 3.0


def test_names_are_strict_and_say_what_may_have_been_meant() -> None:
    assert codes_named("pq96") == Codes("pq96")
    assert codes_named("none") == NONE
    for wrong, meant in (("rabbitq", "rabitq"), ("float6", "float16"), ("PQ64", "pq64")):
        with pytest.raises(UsageError, match=f"did you mean '{meant}'"):
            codes_named(wrong)
    for wrong in ("zstd", "pq0", ""):
        with pytest.raises(UsageError, match="give none, float16, rabitq, or pq<M> such as pq64"):
            codes_named(wrong)


def sealed(index: Path, name: str) -> set[str]:
    with IndexWriter(index, codes=codes_named(name)) as writer:
        writer.seal()
    return {path.name.partition("-")[2] for path in (index / "derived").iterdir()}


OTHERS = {"rows.i8", "cells.u8", "lat.f8", "lon.f8"}


def test_an_index_changes_its_codes_and_back(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived, "CODES_FROM_ROWS", 10)
    before = found(index)
    assert info(index)["codes"] == "none"
    assert sealed(index, "rabitq") == {"vectors.f4", "rabitq.faiss", *OTHERS}
    assert info(index)["codes"] == "rabitq"
    with Index.open(index) as reader:
        assert reader.ordered().inverted is not None
    # All forty are compared again.
    assert found(index) == before
    assert sealed(index, "float16") == {"vectors.f2", *OTHERS}
    assert [path for path, _ in found(index)] == [path for path, _ in before]
    assert dict(found(index)) == pytest.approx(dict(before), abs=1e-3)
    assert found(index) != before
    assert verify(index).faults == ()
    # Too few photos to learn 256 words of each part from: searched exactly.
    assert sealed(index, "pq8") == {"vectors.f4", *OTHERS}
    assert found(index) == before
    with IndexWriter(index) as writer:  # which names no codes, and so keeps them
        writer.compact()
    assert info(index)["codes"] == "pq8"
    assert sealed(index, "none") == {"vectors.f4", *OTHERS}


@pytest.mark.parametrize("name", ["float16", "rabitq"])
def test_codes_that_were_named_and_never_made_are_done_without(index: Path, name: str) -> None:
    before = found(index)
    IndexWriter(index, codes=codes_named(name)).close()  # and killed before it sealed
    assert info(index)["codes"] == name
    assert dict(found(index)) == pytest.approx(dict(before), abs=1e-3)
    assert verify(index).faults == ()


def test_small_indexes_are_searched_exactly_whatever_codes_they_are_to_have(index: Path) -> None:
    assert sealed(index, "rabitq") == {"vectors.f4", *OTHERS}


def test_what_photos_hold_is_kept_in_full_whatever_the_codes(pristine: Path, tmp_path: Path) -> None:
    paths = sorted(str(path) for path in (pristine / "photos").iterdir())
    build(tmp_path / "index", paths, codes=codes_named("float16"))
    with Index.open(tmp_path / "index") as reader, Index.open(pristine / "index") as plain:
        assert reader.ordered().vectors.dtype == np.float16
        assert np.array_equal(reader.gathered().vectors, plain.gathered().vectors)
        row = int(reader.gathered().row_ids[0])
        assert reader.around(row, 5, 5) == plain.around(row, 5, 5)
    shutil.rmtree(tmp_path / "index" / "derived")
    without = found(tmp_path / "index")
    with IndexWriter(tmp_path / "index") as writer:
        writer.seal()
    assert found(tmp_path / "index") == without


@pytest.mark.parametrize("harm", ["delete", "flip", "other"])
def test_codes_that_are_not_what_was_written_are_done_without(
    index: Path, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    monkeypatch.setattr(derived, "CODES_FROM_ROWS", 10)
    before = found(index)
    sealed(index, "rabitq")
    path = next((index / "derived").glob("*.faiss"))
    data = bytearray(path.read_bytes())
    if harm == "delete":
        path.unlink()
    elif harm == "flip":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    else:
        faiss_file.write(faiss_file.build(photos()[:40], codes_named("rabitq")), path.parent, path.name)
    with Index.open(index) as reader:
        assert reader.ordered().inverted is None
    assert found(index) == before
    assert [fault for fault in verify(index).faults if "searches do without it" in fault] == list(verify(index).faults)
    assert len(verify(index).faults) == 1


def test_a_manifest_from_before_codes_and_one_of_codes_to_come(index: Path) -> None:
    before = found(index)
    manifest = json.loads((index / "manifest.json").read_text())
    assert manifest.pop("codes") == "none"
    (index / "manifest.json").write_text(json.dumps(manifest))
    assert found(index) == before
    (index / "manifest.json").write_text(json.dumps(manifest | {"codes": "pq6b"}))
    with pytest.raises(IndexMismatch, match=r"manifest\.json.*There are no codes 'pq6b'; did you mean 'pq64'"):
        Index.open(index)
