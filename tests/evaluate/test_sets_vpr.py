"""Sets of visual place recognition, from small copies of their layouts, and which references are right in them."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pyproj
import pytest

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.datasets.labelled import Labelled, LabelledSet, Rule
from geoloc_cli.evaluate.datasets.near import on_earth, positives, within
from geoloc_cli.evaluate.datasets.registry import read_dataset
from geoloc_cli.evaluate.datasets.utm_names import read_names
from geoloc_cli.geo.earth import destination

# The example in the README of SF-XL.
_SFXL = "@0544388.51@4172758.25@10@S@037.70098@-122.49646@kPnABhWJ1kA61eMNPLs1vQ@@210@@@@201606@@.jpg"


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def _named(east: float, north: float, zone: str = "17@T", stated: str = "@") -> str:
    return f"@{east:010.2f}@{north:010.2f}@{zone}@{stated}@pano@00@@@@@@@.jpg"


def test_the_documented_name_is_read_to_a_metre() -> None:
    places = read_names("database", [_SFXL])
    np.testing.assert_array_equal(places.plane, [[544388.51, 4172758.25]])
    # The name prints five decimals of a degree and cuts off the rest: a metre.
    assert abs(places.lat[0] - 37.70098) < 1e-5
    assert abs(places.lon[0] + 122.49646) < 1e-5
    assert (places.zones, places.notes) == (["10 north"], [])


def test_the_letter_of_the_zone_tells_the_hemisphere() -> None:
    """St Lucia, Brisbane, is in zone 56J; an M is south of the equator still, an N north of it."""
    to_utm = pyproj.Transformer.from_crs(4326, 32756, always_xy=True)
    east, north = to_utm.transform(153.01, -27.5)
    places = read_names(
        "database", [_named(east, north, "56@J"), _named(5e5, 9.99e6, "32@M"), _named(5e5, 1e4, "32@N")]
    )
    assert places.lat[0] == pytest.approx(-27.5, abs=1e-7)
    assert places.lon[0] == pytest.approx(153.01, abs=1e-7)
    assert np.sign(places.lat[1:]).tolist() == [-1.0, 1.0]


def test_without_a_zone_the_stated_degrees_serve_and_without_both_there_is_no_place() -> None:
    places = read_names(
        "d", ["@1.5@2.5@@@045.5@-001.25@@@@@@@@@.jpg", "@0@0002.4@@@@@1@@@@@@@@.jpg", "@1@2@61@T@@@.jpg"]
    )
    np.testing.assert_array_equal(places.lat, [45.5, np.nan, np.nan])
    np.testing.assert_array_equal(places.plane, [[1.5, 2.5], [0.0, 2.4], [1.0, 2.0]])
    assert places.zones == ["", "", ""]


def test_degrees_that_contradict_the_easting_are_said() -> None:
    places = read_names("database", [_SFXL.replace("-122.49646", "122.49646"), _SFXL])
    assert places.lon[0] == places.lon[1]
    assert places.notes == ["1 names in database state another latitude and longitude; their UTM was taken."]


@pytest.mark.parametrize("name", ["a.jpg", "@a@b@17@T@@@.jpg", "x/@1@2.jpg"])
def test_a_name_without_a_place_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"does not carry its place|has no easting and northing"):
        read_names("database", [name])


def _benchmark(root: Path, split: str = "images/test", database: str = "database", queries: str = "queries") -> None:
    for east in (0.0, 24.9, 25.0, 25.1, 80.0):
        _touch(root / split / database / _named(585000.0 + east, 4477000.0))
    _touch(root / split / queries / _named(585000.0, 4477000.0))
    _touch(root / split / queries / "night" / _named(586000.0, 4477000.0))


@pytest.mark.parametrize("name", ["pitts30k", "Pitts250k", "Tokyo 24/7", "St-Lucia", "eynsham"])
def test_right_is_what_is_within_25_m_by_easting_and_northing(name: str, tmp_path: Path) -> None:
    _benchmark(tmp_path, database="gallery" if name == "St-Lucia" else "database")
    found = read_dataset(name, str(tmp_path))
    assert (len(found.references), len(found.queries)) == (5, 2)
    assert found.queries.path(0).is_file()
    assert found.queries.names[1].startswith("night/")
    assert [rows.tolist() for rows in positives(found)] == [[0, 1, 2], []]


@pytest.mark.parametrize("suffix", ["v1", "v2", "night", "occlusion"])
def test_sfxl_is_read_by_the_list_beside_its_database(suffix: str, tmp_path: Path) -> None:
    _benchmark(tmp_path, "processed/test", queries=f"queries_{suffix}")
    listed = [_named(585001.0, 4477000.0), "a/" + _named(585002.0, 4477000.0)]
    (tmp_path / "processed/test/database_images_paths.txt").write_text("\n".join(listed) + "\n")
    found = read_dataset("sfxl" if suffix == "v1" else f"sf-xl {suffix}", str(tmp_path))
    assert list(found.references.names) == listed
    assert [len(rows) for rows in positives(found)] == [2, 0]


def test_two_zones_are_measured_over_the_earth(tmp_path: Path) -> None:
    """At 6 degrees east zones 31 and 32 meet; the same easting and northing in both are 300 km apart."""
    lat, lon = destination(48.0, 6.0, 90.0, np.array([-10.0, 10.0]))
    east, north = np.array(
        [pyproj.Transformer.from_crs(4326, 32631 + i, always_xy=True).transform(lon[i], lat[i]) for i in range(2)]
    ).T
    _touch(tmp_path / "database" / _named(east[0], north[0], "31@U"))
    _touch(tmp_path / "database" / _named(east[0], north[0], "32@U"))
    _touch(tmp_path / "queries" / _named(east[1], north[1], "32@U"))
    found = read_dataset("pitts30k", str(tmp_path))
    (rows,) = positives(found)
    assert [found.references.names[row].split("@")[3] for row in rows] == ["31"]
    assert "2 zones" in found.notes[0]


def test_two_letters_of_one_zone_are_one_plane(tmp_path: Path) -> None:
    """At 40 degrees north the letter turns from S to T, and the easting and northing go on."""
    _touch(tmp_path / "database" / _named(585000.0, 4428236.0, "17@T"))
    _touch(tmp_path / "queries" / _named(585000.0, 4428216.0, "17@S"))
    found = read_dataset("pitts30k", str(tmp_path))
    assert found.queries.plane is not None
    assert [rows.tolist() for rows in positives(found)] == [[0]]


def test_nordland_counts_frames(tmp_path: Path) -> None:
    for frame in range(30):
        _touch(tmp_path / "summer" / f"images-{frame:05d}.png")
        _touch(tmp_path / "winter" / f"images-{frame:05d}.png")
    (tmp_path / "cleanImageNames.txt").write_text("".join(f"images-{frame:05d}.png\n" for frame in range(2, 30)))
    found = read_dataset("nordland", str(tmp_path))
    assert found.rule == Rule(10.0, "frames")
    rights = positives(found)
    assert (len(rights), rights[0].tolist(), len(rights[14])) == (28, list(range(11)), 21)
    assert found.queries.names[0] == "images-00002.png"


def test_nordland_as_the_downloader_forms_it_counts_the_same_frames(tmp_path: Path) -> None:
    for frame in range(30):
        # The downloader cuts off after one decimal.
        north = int(frame * 25 / 10.5 * 10) / 10
        for side in ("database", "queries"):
            _touch(tmp_path / "images" / "test" / side / f"@0@{north:06.1f}@@@@@{frame}@@@@@@@@.jpg")
    rights = positives(read_dataset("nordland", str(tmp_path)))
    assert [rows.tolist() for rows in rights] == [list(range(max(0, i - 10), min(30, i + 11))) for i in range(30)]


def _msls(root: Path, city: str, east: float) -> None:
    for side in ("query", "database"):
        folder = root / "train_val" / city / side
        folder.mkdir(parents=True)
        keys = [f"{city}_{side}_{i}" for i in range(4)]
        pano, chosen = ("False", "False", "True", "False"), ("True", "True", "True", "False")
        raw = [f"{i},{key},12.5,{55.6 + i},180.0,2019-01-01,{pano[i]}" for i, key in enumerate(keys)]
        post = [f"{i},{key},{east + 20 * i},6170000.0,1,False,False,Forward" for i, key in enumerate(keys)]
        (folder / "raw.csv").write_text("\n".join([",key,lon,lat,ca,captured_at,pano", *raw]) + "\n")
        header = ",key,easting,northing,unique_cluster,control_panel,night,view_direction"
        (folder / "postprocessed.csv").write_text("\n".join([header, *post]) + "\n")
        tasks = ["all,s2w", *(f"{value},False" for value in chosen)]
        (folder / "subtask_index.csv").write_text(
            "\n".join(f",{t}" if i == 0 else f"{i - 1},{t}" for i, t in enumerate(tasks))
        )


def test_msls_leaves_out_panoramas_and_keeps_its_cities_apart(tmp_path: Path) -> None:
    """The same easting and northing in Copenhagen and in San Francisco are not the same place."""
    for city in ("cph", "sf"):
        _msls(tmp_path, city, 350_000.0)
    found = read_dataset("msls", str(tmp_path))
    names = ["cph/query/images/cph_query_0.jpg", "cph/query/images/cph_query_1.jpg"]
    assert list(found.queries.names[:2]) == names
    assert found.queries.groups == ["cph", "cph", "sf", "sf"]
    np.testing.assert_array_equal(found.queries.lat, [55.6, 56.6, 55.6, 56.6])
    assert [rows.tolist() for rows in positives(found)] == [[0, 1], [0, 1], [2, 3], [2, 3]]
    assert found.notes == ()


def test_a_city_of_msls_that_is_absent_is_said_and_a_table_that_is_absent_is_asked_for(tmp_path: Path) -> None:
    _msls(tmp_path, "sf", 550_000.0)
    assert "train_val/cph is not there" in read_dataset("msls", str(tmp_path)).notes[0]
    (tmp_path / "train_val/sf/query/postprocessed.csv").unlink()
    with pytest.raises(
        UsageError, match=r"msls needs train_val/sf/query/postprocessed.csv .* published at https://www"
    ):
        read_dataset("msls", str(tmp_path))


@pytest.mark.parametrize("name", ["pitts30k", "tokyo247", "sfxl", "nordland", "stlucia", "eynsham", "msls"])
def test_a_missing_folder_is_one_sentence(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        read_dataset(name, str(tmp_path))
    assert str(error.value).startswith(f"{name} needs ")
    assert "\n" not in str(error.value)


def test_a_set_without_a_rule_has_no_right_references(tmp_path: Path) -> None:
    nothing = Labelled.none(tmp_path)
    with pytest.raises(UsageError, match="no retrieval"):
        positives(LabelledSet("im2gps", nothing, nothing))


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_search_in_cells_finds_what_comparing_all_finds(dimensions: int) -> None:
    rng = np.random.default_rng(dimensions)
    queries, points = rng.uniform(-50, 50, (300, dimensions)), rng.uniform(-50, 50, (700, dimensions))
    queries[3], points[5] = np.nan, np.nan
    points[7] = queries[8]
    for radius in (0.5, 12.0, 500.0):
        rows, others = within(queries, points, radius)
        distances = np.linalg.norm(queries[:, None] - points[None], axis=2)
        expected = np.nonzero(distances <= radius)
        np.testing.assert_array_equal(rows, expected[0])
        np.testing.assert_array_equal(others, expected[1])


def test_places_on_both_sides_of_the_date_line_are_near() -> None:
    rows, others = within(
        on_earth(np.array([0.0]), np.array([179.9999])), on_earth(np.zeros(2), np.array([-179.9999, 0])), 25
    )
    assert (rows.tolist(), others.tolist()) == ([0], [0])


def test_a_hundred_thousand_places_are_compared_in_seconds() -> None:
    """Seen: 0.3 s; comparing all would be ten billion distances."""
    rng = np.random.default_rng(0)
    places = rng.uniform(0, 20_000, (100_000, 2))
    started = time.process_time()
    rows, others = within(places, places, 25.0)
    assert time.process_time() - started < 2.0
    # A disc of 25 m holds 0.49 of the others on average, and each place itself.
    assert 1.45 < len(rows) / 100_000 < 1.55
    assert np.count_nonzero(rows == others) == 100_000
