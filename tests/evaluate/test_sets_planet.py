"""Sets of places over the whole Earth, from small copies of the layouts in which they are published."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.datasets.planet import READERS
from geoloc_cli.evaluate.datasets.registry import read_dataset

# Two rows of the table of IM2GPS3k: Bermuda, and Odessa.
_BERMUDA = "1000269685_e60e9cdfb4_1125_78841376@N00.jpg"
_ODESSA = "1008804117_ce4e6fef8a_1349_97522422@N00.jpg"
_TABLE = (
    "IMG_ID,AUTHOR,{0},{1},S3_Label,S16_Label,S365_Label,Prob_indoor,Prob_natural,Prob_urban\n"
    f"{_BERMUDA},78841376@N00,32.325436,-64.764404,2,12,353,0.27,0.04,0.68\n"
    f"{_ODESSA},97522422@N00,46.478536,30.758714,0,0,198,0.97,0.002,0.02\n"
    "1005977048_5ccf8b05d3_1201_91728102@N00.jpg,91728102@N00,29.976052,122.390356,2,6,273,0.003,0.47,0.51\n"
)


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_im2gps3k_is_read_and_its_pictures_are_found(tmp_path: Path) -> None:
    (tmp_path / "im2gps3k_places365.csv").write_text(_TABLE.format("LAT", "LON"))
    _touch(tmp_path / "im2gps3ktest" / _ODESSA)
    found = read_dataset("im2gps3k", str(tmp_path))
    assert len(found.references) == 0
    assert found.queries.names[:2] == [_BERMUDA, _ODESSA]
    assert found.queries.path(1).is_file()
    assert found.queries.ids is None
    np.testing.assert_array_equal(found.queries.lat, [32.325436, 46.478536, 29.976052])
    np.testing.assert_array_equal(found.queries.lon, [-64.764404, 30.758714, 122.390356])
    assert found.notes == ()


def test_the_published_table_whose_header_swaps_the_two_is_swapped_back(tmp_path: Path) -> None:
    """One published version of the table calls its third column LON, and it holds latitudes."""
    (tmp_path / "im2gps3k_places365.csv").write_text(_TABLE.format("LON", "LAT"))
    found = read_dataset("IM2GPS-3k", str(tmp_path))
    np.testing.assert_array_equal(found.queries.lat, [32.325436, 46.478536, 29.976052])
    swapped, absent = found.notes
    assert "swapped back" in swapped
    assert "No picture" in absent


def test_one_slip_of_the_pen_swaps_nothing(tmp_path: Path) -> None:
    rows = [f"{i}.jpg,{i % 80},{i % 89}" for i in range(200)]
    (tmp_path / "im2gps3k.csv").write_text("\n".join(["IMG_FILE,LAT,LON", *rows, "slip.jpg,91,12"]))
    found = read_dataset("im2gps3k", str(tmp_path))
    assert (found.queries.lat[81], found.queries.lon[81]) == (1.0, 81.0)
    assert np.isnan(found.queries.lat[200])
    assert "1 of 201" in found.notes[0]


def test_im2gps_is_read_from_the_comments_of_its_pictures(tmp_path: Path) -> None:
    comments = ["Paris", "latitude: 48.86494", "longitude: 2.346954", "accuracy: 16", "x"]
    (tmp_path / "info.json").write_text(json.dumps({"a.jpg": comments, "no place.jpg": []}))
    queries = read_dataset("im2gps", str(tmp_path)).queries
    assert (list(queries.names), queries.lat[0], queries.lon[0]) == (["a.jpg"], 48.86494, 2.346954)


def test_yfcc4k_is_read_from_lines_of_yfcc100m_whose_longitude_comes_first(tmp_path: Path) -> None:
    row = [
        "7",
        "10201275523",
        "hash",
        "nsid",
        "nick",
        "",
        "",
        "",
        "a title",
        "",
        "",
        "",
        "-79.387153",
        "43.642423",
        "16",
    ]
    (tmp_path / "info.txt").write_text("\t".join(row) + "\n")
    _touch(tmp_path / "images" / "10201275523.jpg")
    queries = read_dataset("yfcc4k", str(tmp_path)).queries
    assert (queries.lat[0], queries.lon[0]) == (43.642423, -79.387153)
    assert (list(queries.names), queries.ids) == (["10201275523.jpg"], ["10201275523"])


def test_yfcc26k_is_found_under_the_names_that_its_script_gives(tmp_path: Path) -> None:
    (tmp_path / "yfcc25600_places365.csv").write_text("IMG_ID,LAT,LON\n00/4c/2283161368.jpg,1.5,2.5\n")
    _touch(tmp_path / "yfcc25600" / "00_4c_2283161368.jpg")
    queries = read_dataset("yfcc26k", str(tmp_path)).queries
    assert (queries.names[0], queries.path(0).is_file()) == ("00_4c_2283161368.jpg", True)


def test_gws15k_is_read_from_a_copy_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "meta.jsonl").write_text('{"ID": 12, "LAT": "-1.25", "LON": 36.5}\n\n')
    _touch(tmp_path / "images" / "12.jpg")
    queries = read_dataset("gws15k", str(tmp_path)).queries
    assert (queries.path(0), queries.lat[0], queries.lon[0]) == (tmp_path / "images" / "12.jpg", -1.25, 36.5)


def test_osv5m_is_found_in_the_folders_of_its_archives(tmp_path: Path) -> None:
    header = "id,latitude,longitude,thumb_original_url,country,cell"
    rows = ['3859149887465501,-43.8,-176.6,,NZ,"(0, 8)"', '12,5,6,,KE,"(1, 2)"', '13,95,6,,KE,"(1, 2)"']
    (tmp_path / "test.csv").write_text("\n".join([header, *rows]) + "\n")
    _touch(tmp_path / "images" / "test" / "00" / "12.jpg")
    _touch(tmp_path / "images" / "test" / "03" / "3859149887465501.jpg")
    found = read_dataset("osv5m", str(tmp_path))
    assert list(found.queries.names) == ["03/3859149887465501.jpg", "00/12.jpg", "13.jpg"]
    assert np.isnan(found.queries.lat).tolist() == [False, False, True]
    assert "1 of 3 photographs" in found.notes[0]


def test_mp16_is_a_gallery(tmp_path: Path) -> None:
    (tmp_path / "mp16_places365.csv").write_text("IMG_ID,LAT,LON\n34/8d/9055806529.jpg,1,2\nab/cd/1.jpg,3,4\n")
    _touch(tmp_path / "mp16" / "34" / "8d" / "9055806529.jpg")
    found = read_dataset("mp16", str(tmp_path))
    assert (len(found.queries), len(found.references)) == (0, 2)
    assert found.references.path(0).is_file()


@pytest.mark.parametrize("name", [reader.name for reader in READERS])
def test_a_missing_table_is_one_sentence_that_says_where_it_is_published(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        read_dataset(name, str(tmp_path))
    said = str(error.value)
    assert said.startswith(f"{name} needs ")
    assert str(tmp_path) in said
    assert "\n" not in said
    with pytest.raises(UsageError, match="is no folder"):
        read_dataset(name, str(tmp_path / "nowhere"))


def test_what_is_no_table_of_the_set_is_refused_with_its_first_line(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("id,place\n1,Rome\n")
    with pytest.raises(UsageError, match=r"has no column for lat and lon; its columns are id, place"):
        read_dataset("osv5m", str(tmp_path))
    (tmp_path / "test.csv").write_text("id,lat,lon\n1,2\n2,3,4\n")
    found = read_dataset("osv5m", str(tmp_path))
    assert np.isnan(found.queries.lat).tolist() == [True, False]
    assert "1 of 2 photographs in test.csv have no place" in found.notes[0]


def test_an_unknown_set_is_guessed() -> None:
    with pytest.raises(UsageError, match=r"did you mean im2gps3k\?"):
        read_dataset("im2gsp3k", ".")


def test_fifty_thousand_rows_are_read_at_once(tmp_path: Path) -> None:
    """Seen: 0.3 s, of 32 columns each, and 1.3 s for the 210 thousand rows of OSV-5M; six times that is slow."""
    row = "{},{},{}," + ",".join(["Waitangi"] * 29)
    lines = [row.format("id", "latitude", "longitude"), *(row.format(i, i % 90, i % 180) for i in range(50_000))]
    (tmp_path / "test.csv").write_text("\n".join(lines))
    started = time.process_time()
    queries = read_dataset("osv5m", str(tmp_path)).queries
    assert time.process_time() - started < 2.0
    assert (len(queries), queries.lat[-1], queries.names[-1]) == (50_000, 49_999 % 90, "49999")
