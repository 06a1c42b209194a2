"""The masked product of many queries, here on the CPU: the answers of exact search, ties, regions and all."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch: make test sets it up")

from geoloc_cli.device import Device  # noqa: E402
from geoloc_cli.geo.cells import cells_of  # noqa: E402
from geoloc_cli.geo.earth import haversine_m  # noqa: E402
from geoloc_cli.index import derived, reader  # noqa: E402
from geoloc_cli.index.codes import codes_named  # noqa: E402
from geoloc_cli.index.derived import Ordered  # noqa: E402
from geoloc_cli.index.search import Circle, SearchResult, search  # noqa: E402
from geoloc_cli.index.search_torch import OnDevice  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

COUNT, DIM = 3000, 24
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"))]


def made(seed: int = 0) -> Ordered:
    """Photos of a hundred places, so that many are alike, each twentieth the same as the one before to the last bit."""
    rng = np.random.default_rng(seed)
    place = rng.integers(0, 100, COUNT)
    vectors = rng.normal(size=(100, DIM))[place] + rng.normal(0, 0.05, (COUNT, DIM))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    vectors[20::20] = vectors[19:-1:20]
    lat, lon = rng.uniform(46, 48, COUNT), rng.uniform(7, 9, COUNT)
    cells = cells_of(lat, lon)
    order = np.argsort(cells, kind="stable")
    lat[:5] = lon[:5] = np.nan
    return Ordered(vectors, rng.permutation(COUNT).astype(np.int64) + 100, cells[order], lat[order], lon[order])


def queries(ordered: Ordered, count: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.choice(COUNT, count, replace=False)
    asked = ordered.vectors[rows] + rng.normal(0, 0.01, (count, DIM)).astype(np.float32)
    asked[::3] = ordered.vectors[rows[::3]]
    return asked / np.linalg.norm(asked, axis=1, keepdims=True)


def same(found: SearchResult, exact: SearchResult) -> bool:
    """Rows in one order, but for such as are equal to the sixth decimal within the last bits of a product."""
    assert found.similarities == pytest.approx(exact.similarities, abs=1e-5)
    assert found.similarities.dtype == np.float32
    assert found.looked_at_share == pytest.approx(exact.looked_at_share)
    return found.row_ids.tolist() == exact.row_ids.tolist()


@pytest.mark.parametrize("device", DEVICES)
def test_an_index_in_half_precision_has_its_own_answers(device: str) -> None:
    halves = replace(made(), vectors=made().vectors.astype(np.float16), codes=codes_named("float16"))
    held = OnDevice(halves.vectors, device, half=True)
    asked = queries(made(), 30)
    found = held.search(halves, asked, 10, [None] * len(asked), 0)
    # As below, one pair's last bits may round otherwise.
    assert sum(same(a, search(halves, one, 10, None, 0)) for a, one in zip(found, asked, strict=True)) >= 29


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("outside_k", [0, 4])
def test_answers_are_those_of_exact_search(device: str, half: bool, outside_k: int) -> None:
    ordered = made()
    held = OnDevice(ordered.vectors, device, half=half)
    asked = queries(ordered, 60)
    rng = np.random.default_rng(2)
    within: list[list[Circle] | None] = [
        [Circle(rng.uniform(46, 48), rng.uniform(7, 9), float(r)) for r in rng.uniform(1e3, 4e4, rng.integers(1, 4))]
        for _ in asked
    ]
    within[::7] = [None] * len(within[::7])
    within[3] = [Circle(-30.0, 20.0, 1000.0)]
    found = held.search(ordered, asked, 10, within, outside_k)
    exact = [search(ordered, one, 10, circles, outside_k) for one, circles in zip(asked, within, strict=True)]
    # A product's last bits may round the sixth decimal otherwise: one pair of 600 neighbours or so.
    assert sum(same(*pair) for pair in zip(found, exact, strict=True)) >= 59
    for result, circles in zip(found, within, strict=True):
        places = np.flatnonzero(np.isin(ordered.row_ids, result.row_ids))
        away = [haversine_m(c.lat, c.lon, ordered.lat[places], ordered.lon[places]) / c.radius_m for c in circles or []]
        outside = int((np.min(away, axis=0) > 1.0).sum()) if circles else outside_k
        assert outside == outside_k


def test_equal_rows_come_in_the_order_of_their_numbers_however_many_there_are() -> None:
    ordered = made()
    repeated = np.where(np.arange(COUNT)[:, None] % 2 == 0, ordered.vectors[:1], ordered.vectors)
    ordered = replace(ordered, vectors=repeated)
    (found,) = OnDevice(repeated, "cpu", half=True).search(ordered, repeated[:1], 7, [None], 0)
    alike = np.flatnonzero((repeated @ repeated[0]) > 1 - 5e-7)
    assert len(alike) >= COUNT // 2
    assert found.row_ids.tolist() == sorted(ordered.row_ids[alike].tolist())[:7]


def test_answers_do_not_depend_on_how_many_queries_are_taken_together() -> None:
    ordered = made()
    asked = queries(ordered, 9)
    within = [None, [Circle(47.0, 8.0, 30_000.0)], [Circle(46.5, 8.5, 20_000.0)]] * 3
    together = OnDevice(ordered.vectors, "cpu")
    apart = OnDevice(ordered.vectors, "cpu", max_memory_mib=1)
    assert (together._together >= 9, apart._together) == (True, 1)
    for a, b in zip(
        together.search(ordered, asked, 5, within, 3), apart.search(ordered, asked, 5, within, 3), strict=True
    ):
        assert np.array_equal(a.row_ids, b.row_ids)
        assert np.array_equal(a.similarities, b.similarities)


@pytest.mark.parametrize(("free", "bits"), [(3.0, 32), (2.0, 32), (1.9, 16), (1.0, 16), (0.9, 0)])
def test_what_fits_no_half_of_the_memory_is_kept_in_halves(
    free: float, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = made().vectors
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (int(free * vectors.nbytes), 1 << 40))
    held = OnDevice.where_it_fits(vectors, "cpu")
    assert (held._kept.element_size() * 8 if held else 0) == bits


def test_a_large_index_is_searched_where_there_is_a_gpu(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU stands in for the GPU; a small index, and one for which there is no room, stay off it."""
    circle = [Circle(50.0 + 10 * 9e-5, 10.0, 45.0)]
    monkeypatch.setattr(reader, "choose", lambda: Device("cuda:0", "bfloat16"))
    monkeypatch.setattr(OnDevice, "where_it_fits", lambda vectors, device: OnDevice(vectors, "cpu"))
    answers, devices = [], []
    for enough in (1000, 10):
        monkeypatch.setattr(derived, "FAISS_FROM_ROWS", enough)
        with reader.Index.open(index) as opened:
            vector = opened.gathered().vectors[7]
            answers.append(
                [opened.search(vector, 5), opened.search(vector, 5, circle), opened.search(vector, 5, circle, 3)]
            )
            devices.append(opened.ordered().on_device is not None)
    assert devices == [False, True]
    assert all(same(*pair) for pair in zip(*answers, strict=True))
    assert [len(found.row_ids) for found in answers[1]] == [5, 5, 8]
    monkeypatch.setattr(OnDevice, "where_it_fits", lambda vectors, device: None)
    with reader.Index.open(index) as opened:
        assert opened.ordered().on_device is None
        assert opened.search(vector, 5).row_ids.tolist() == answers[0][0].row_ids.tolist()


def test_an_empty_index_finds_nothing_on_a_device_either() -> None:
    nothing = Ordered(
        *(part[:0] for part in (made().vectors, *(np.zeros(1, kind) for kind in ("i8", "u8", "f8", "f8"))))
    )
    there = replace(nothing, on_device=OnDevice(nothing.vectors, "cpu"))
    assert len(search(there, made().vectors[0], 5, None, 0).row_ids) == 0


@pytest.mark.parametrize(("masked", "message"), [(True, "inside the region"), (False, "outside its region")])
def test_a_mask_that_does_not_hold_is_found_out(masked: bool, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ordered = made()
    held = OnDevice(ordered.vectors, "cpu")
    likely = OnDevice._likely

    def careless(self: OnDevice, cosines: object, allowed: object, k: int) -> object:
        outside = k == 3
        return likely(self, cosines, torch.ones_like(allowed) if outside is masked else allowed, k)  # type: ignore[arg-type, call-overload]

    monkeypatch.setattr(OnDevice, "_likely", careless)
    circle = Circle(47.0, 8.0, 30_000.0)
    inside = haversine_m(circle.lat, circle.lon, ordered.lat, ordered.lon) <= circle.radius_m
    one = ordered.vectors[np.flatnonzero(inside if masked else ~inside)[:1]]
    with pytest.raises(RuntimeError, match=message):
        held.search(ordered, one, 5, [[circle]], 3)


def test_the_working_set_stays_within_its_bound() -> None:
    """1024 queries of 20000 rows are 80 MB of cosines, and as much again of those that are left."""
    program = (
        "import resource, numpy as np\n"
        "from geoloc_cli.index.derived import Ordered\n"
        "from geoloc_cli.index.search_torch import OnDevice\n"
        "def peak_mib(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "rng = np.random.default_rng(0)\n"
        "v = rng.normal(size=(20000, 16)).astype(np.float32)\n"
        "v /= np.linalg.norm(v, axis=1, keepdims=True)\n"
        "nowhere = np.zeros(20000)\n"
        "ordered = Ordered(v, np.arange(20000), nowhere.astype(np.uint64), nowhere, nowhere)\n"
        "held = OnDevice(v, 'cpu', max_memory_mib=64)\n"
        "held.search(ordered, v[:1], 5, [None], 0)\n"
        "before = peak_mib()\n"
        "found = held.search(ordered, v[:1024], 5, [None] * 1024, 0)\n"
        "assert [r.row_ids[0] for r in found] == list(range(1024))\n"
        "print(peak_mib() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 64
