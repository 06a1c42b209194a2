"""Constrained approximate nearest neighbours against exact ones, on a made street whose photos share descriptors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from program import called

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.errors import TooFewFeatures, UnknownBackend, UsageError
from geoloc_cli.features.local import LocalFeatures, unit_rows
from geoloc_cli.geo.earth import destination, haversine_m
from geoloc_cli.index.reader import Circle, Index
from geoloc_cli.index.rows import NewPhoto
from geoloc_cli.index.writer import IndexWriter
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.pipeline.batch import locate_photos
from geoloc_cli.pipeline.build import build_index
from geoloc_cli.pipeline.describer import default_spec
from geoloc_cli.pipeline.locate import LocateOptions
from geoloc_cli.retrieval.cann import Axes, CannOptions, CannRetriever, CannSearch, ColouredGrids
from geoloc_cli.testing.coloured import nearest_of_each_colour
from geoloc_cli.types import Fix, Position

if TYPE_CHECKING:
    from conftest import SmallTown

STREET, SEEN, STEP = 40, 200, 80
OPTIONS = CannOptions()
AT = (47.0, 8.0)


def things(count: int, seed: int = 0) -> np.ndarray:
    """Descriptors of the things along the street, in twelve kinds, as corners and windows are: (count, 128)."""
    rng = np.random.default_rng(seed)
    kinds = rng.gamma(0.5, size=(12, 128))
    rows: np.ndarray = kinds[rng.integers(0, 12, count)] * rng.gamma(2.0, size=(count, 128))
    return rows


WORLD = things(STREET * STEP + SEEN)


def photo(at: float, seed: int, noise: float = 0.25) -> LocalFeatures:
    """Taken after `at` steps: 200 things in sight, each looking a little otherwise, and 100 that are nobody else's."""
    rng = np.random.default_rng([seed, 7])
    first = round(at * STEP)
    rows = WORLD[first : first + SEEN] * np.exp(rng.normal(0, noise, (SEEN, 128)))
    return featured(rng.permutation(np.concatenate([rows, things(100, seed + 1000)])))


def featured(rows: np.ndarray) -> LocalFeatures:
    looks = np.round(512 * np.sqrt(rows / rows.sum(axis=1, keepdims=True))).clip(0, 255).astype(np.uint8)
    keypoints = np.zeros((len(rows), 4), np.float32)
    return LocalFeatures(keypoints, looks, 640, 480)


def write_index(folder: Path, photos: list[LocalFeatures]) -> Index:
    """Photos 10 m apart on a line to the north."""
    with IndexWriter(folder, default_spec()) as writer:
        lats = [float(destination(*AT, 0.0, 10.0 * i)[0]) for i in range(len(photos))]
        writer.commit_photos(
            [
                NewPhoto(
                    f"{i:04}.jpg", f"{i:064x}", 1, 1, 640, 480, Position(lats[i], AT[1]), None, None, None, features
                )
                for i, features in enumerate(photos)
            ]
        )
    return Index.open(folder)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("street")
    return write_index(folder / "index", [photo(i, i) for i in range(STREET)])


@pytest.fixture(scope="module")
def search(street: Index) -> CannSearch:
    return CannRetriever().over(street)


def numbers(index: Index, rows: np.ndarray) -> list[int]:
    return [int(found.path.removesuffix(".jpg")) for found in index.photos(rows.tolist())]


def test_photos_rank_as_exact_coloured_neighbours_rank_them(street: Index, search: CannSearch) -> None:
    local = [unit_rows(street.local(one.row_id).descriptors) for one in street.all_photos()]
    rows, colours = np.concatenate(local), np.repeat(np.arange(STREET), [len(one) for one in local])
    first, rank = [], []
    for i in range(0, STREET, 2):
        query = photo(i + 0.2, 500 + i)
        exact = nearest_of_each_colour(unit_rows(query.descriptors), rows, colours)
        # In the unit of the radii: the root mean square distance of two descriptors.
        unit = np.sqrt(2.0 * rows.var(axis=0).sum())
        truth = OPTIONS.score(exact / unit).mean(axis=0)
        scores = search.scores(query)
        assert scores.shape == truth.shape == (STREET,)
        first.append(scores.argmax() == truth.argmax())
        near = np.argsort(-truth)[:8]
        rank.append(np.corrcoef(np.argsort(np.argsort(truth[near])), np.argsort(np.argsort(scores[near])))[0, 1])
    # Photo i has 184 of the 200 things in sight, i + 1 has 136 of them, and i - 1 has 104.
    assert np.mean(first) >= 0.95
    assert np.mean(rank) > 0.85


def test_the_first_radius_follows_the_distance() -> None:
    rng = np.random.default_rng(3)
    radii = OPTIONS.radii()
    points = rng.normal(0, 1 / np.sqrt(2 * OPTIONS.dims), (3000, OPTIONS.dims)).astype(np.float32)
    grids = ColouredGrids(points, np.arange(3000), OPTIONS)
    away = rng.normal(size=points.shape)
    away /= np.linalg.norm(away, axis=1, keepdims=True)

    def met(distance: float) -> np.ndarray:
        moved = (points + distance * away).astype(np.float32)
        levels = np.concatenate(list(grids.levels(moved)))
        found: np.ndarray = np.diagonal(levels)
        return found

    assert (met(0.0) == 0).all()
    for level, radius in enumerate(radii):
        # A grid joins one pair in forty at the radius itself, and there are forty: 1 - 1 / e of them.
        assert (met(0.7 * radius) <= level).mean() > 0.95
        assert (met(1.0 * radius) <= level).mean() == pytest.approx(0.65, abs=0.1)
        assert (met(1.5 * radius) <= level).mean() < 0.15
        assert (met(2.0 * radius) <= level).mean() < 0.01


def test_a_repeated_structure_gains_nothing(tmp_path: Path) -> None:
    photos = [photo(i, i) for i in range(8)]
    brick = WORLD[[5 * STEP]]  # the query sees it once, and the façade of number 8 consists of it
    rng = np.random.default_rng(0)
    facade = featured(brick * np.exp(rng.normal(0, 0.1, (500, 128))))
    search = CannRetriever().over(write_index(tmp_path / "index", [*photos, facade]))
    scores = search.scores(photo(4.4, 900))
    assert scores.argmax() in (4, 5)
    assert scores[8] < 0.1 * scores.max()
    # And a query that is little but bricks is worth no more to one that shows five of them than to one that shows one.
    alone = CannRetriever().over(write_index(tmp_path / "one", [featured(np.repeat(brick, n, axis=0)) for n in (9, 1)]))
    both = alone.scores(featured(np.repeat(brick, 20, axis=0)))
    assert both[0] == both[1]


def test_circles_bound_the_search_and_what_is_outside_comes_last(street: Index, search: CannSearch) -> None:
    query = photo(20.4, 77)
    free = search(query, 6)
    assert set(numbers(street, free.row_ids)[:2]) == {20, 21}
    assert free.looked_at_share == 1.0
    assert (np.diff(free.similarities) <= 0).all()
    assert free.similarities.dtype == np.float32
    assert 0.0 < free.similarities.min() <= free.similarities.max() <= 1.0
    lat = float(destination(*AT, 0.0, 180.0)[0])
    here = Circle(lat, AT[1], 14.0)  # photos 17, 18 and 19
    bounded = search(query, 6, [here])
    assert sorted(numbers(street, bounded.row_ids)) == [17, 18, 19]
    assert bounded.looked_at_share == pytest.approx(3 / STREET)
    both = search(query, 2, [here], outside_k=2)
    assert set(numbers(street, both.row_ids)[:2]) <= {17, 18, 19}
    assert set(numbers(street, both.row_ids)[2:]) == {20, 21}
    assert len(search(query, 6, [Circle(-47.0, 8.0, 1000.0)]).row_ids) == 0


def test_the_same_seed_finds_the_same_in_whatever_parts(
    street: Index, search: CannSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = photo(11.4, 78)
    scores = search.scores(query)
    other = CannRetriever(replace(OPTIONS, seed=1)).over(street).scores(query)
    assert not np.array_equal(scores, other)
    assert np.abs(scores - other).max() < 0.2 * scores.max()
    monkeypatch.setattr("geoloc_cli.retrieval.cann._PAIRS_AT_ONCE", 70 * STREET)
    assert CannRetriever().over(street).scores(query) == pytest.approx(scores, abs=1e-12)


def test_the_grids_take_what_was_promised_and_no_more(street: Index, search: CannSearch) -> None:
    count = len(OPTIONS.radii()) * OPTIONS.grids_of(OPTIONS.dims)
    assert search.size_bytes() <= 8 * count * 300 * STREET
    scarce = CannRetriever(replace(OPTIONS, memory_mb=4)).over(street)
    assert scarce.size_bytes() <= 4_000_000
    assert scarce.scores(photo(20.4, 77)).argmax() in (20, 21)
    with pytest.raises(UsageError, match=r"40 photos of .* need 2 MB"):
        CannRetriever(replace(OPTIONS, memory_mb=1)).over(street)


def test_nothing_to_search_by_and_nothing_to_search_in(search: CannSearch, tmp_path: Path) -> None:
    with pytest.raises(TooFewFeatures):
        search(featured(WORLD[:7]), 5)
    one = write_index(tmp_path / "one", [featured(WORLD[:50])])
    assert len(CannRetriever().over(one)(photo(0, 1), 5).row_ids) == 1
    blank = write_index(tmp_path / "blank", [featured(WORLD[:0]), featured(WORLD[:1])])
    assert len(CannRetriever().over(blank)(photo(0, 1), 5).row_ids) == 0
    with IndexWriter(tmp_path / "none", default_spec()):
        pass
    empty = CannRetriever().over(Index.open(tmp_path / "none"))
    assert len(empty(photo(0, 1), 5, [Circle(47.0, 8.0, 10.0)]).row_ids) == 0
    # One and the same descriptor everywhere has no spread to measure by, and must not divide by it.
    same = write_index(tmp_path / "same", [featured(np.repeat(WORLD[:1], 20, axis=0)) for _ in range(2)])
    assert CannRetriever().over(same).scores(featured(np.repeat(WORLD[:1], 20, axis=0))).tolist() == [1.0, 1.0]


def test_axes_measure_in_distances_of_unrelated_descriptors() -> None:
    rows = unit_rows(featured(things(4000)).descriptors)
    for dims in (16, 128, 500):
        points = Axes(rows, dims)(rows)
        assert points.shape == (4000, min(dims, 128))
        apart = np.sqrt(((points[:2000] - points[2000:]) ** 2).sum(axis=1).mean())
        assert apart == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize(
    "wrong",
    [{"features": 3}, {"grids": 0}, {"cell": 0.0}, {"max_radius": 0.05}, {"falloff": 1.0}, {"growth": 1.0}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_options_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match={"growth": "factor"}.get(name := next(iter(wrong)), name)):
        CannRetriever(replace(OPTIONS, **wrong))  # type: ignore[arg-type]


def test_the_town_is_found_by_its_local_descriptors_alone(town: SmallTown) -> None:
    paths = [query.path for query in town.queries] + [town.strangers[0].path]
    done = called("locate", *paths, "--index", town.index, "--workers", "1", "--retriever", "cann")
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["status"] for record in found] == ["ok", "ok", "ok", "unlocated"]
    for record, truth in zip(found, town.queries, strict=False):
        assert haversine_m(record["lat"], record["lon"], truth.lat, truth.lon) < min(12.0, record["radius_m"])
        assert all(0.0 < candidate["similarity"] <= 1.0 for candidate in record["candidates"])


def test_a_retriever_that_is_not_there_is_refused_before_a_photo_is_read(town: SmallTown) -> None:
    for text, sentence in (("can", "no retriever 'can'; did you mean 'cann'"), ("cann?grid=9", "did you mean 'grids'")):
        with pytest.raises(UnknownBackend, match=sentence):
            list(locate_photos(town.index, ["missing.jpg"], LocateOptions(), LocalPool(1), retriever=text))


@pytest.mark.realdata
def test_real_photos_of_a_street_are_all_found(realdata: Path, tmp_path: Path, described: str) -> None:
    split = json.loads((realdata / "splits.json").read_text())["lund"]
    folder = realdata / split["photos"]
    queries = [str(folder / query) for query in split["queries"]]
    photos = [str(path) for path in sorted(folder.iterdir()) if str(path) not in queries]
    build_index(tmp_path / "index", photos, parallel_map=LocalPool(1), cache=described)
    index = tmp_path / "index"
    fixes = locate_photos(index, queries, LocateOptions(), LocalPool(1), cache=described, retriever="cann")
    errors = []
    for fix, query in zip(fixes, queries, strict=True):
        truth = read_photo(query).position
        assert isinstance(fix, Fix)
        assert truth is not None
        assert fix.lat is not None, query
        assert fix.lon is not None
        errors.append(float(haversine_m(fix.lat, fix.lon, truth.lat, truth.lon)))
    # As with the index's own vectors: photographs 7 m apart, GPS of a phone.
    assert np.median(errors) < 10.0
    assert max(errors) < 25.0
