"""Truth read from tables and from photographs' own GPS, and what a truth must not be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.truth import Truth, read_truth


def read(tmp_path: Path, content: str, **columns: str) -> Truth:
    path = tmp_path / "t.csv"
    path.write_text(content, encoding="utf-8")
    return read_truth(str(path), columns)


def test_a_table_gives_places_and_what_else_it_knows(tmp_path: Path) -> None:
    got = read(tmp_path, "key,lat,lon,altitude,compass_angle,captured_at\nb,1,2,300,45,2024-01-02T03:04:05\na,3,4,,,\n")
    assert (got.photos, got.lat.tolist(), got.lon.tolist()) == (["b", "a"], [1.0, 3.0], [2.0, 4.0])
    assert (got.alt_m[0], got.heading_deg[0]) == (300.0, 45.0)
    assert np.isnan([got.alt_m[1], got.heading_deg[1]]).all()
    assert (got.taken_at, got.notes) == (["2024-01-02T03:04:05", None], ())


def test_the_truth_may_stand_beside_predictions(tmp_path: Path) -> None:
    text = "image,label_lat,label_lon,pred_lat,pred_lon\na,1,2,3,4\n"
    assert read(tmp_path, text).lat.tolist() == [1.0]
    assert read(tmp_path, text, lat="pred_lat", lon="pred_lon").lon.tolist() == [4.0]


def photograph(path: Path, lat: int | None) -> None:
    """A small JPEG, taken at so many degrees north and 30 minutes west, or nowhere."""
    exif = Image.Exif()
    if lat is not None:
        exif.get_ifd(0x8825).update({1: "N", 2: (lat, 0, 0), 3: "W", 4: (0, 30, 0), 16: "T", 17: 90})
        exif.get_ifd(0x8769)[0x9003] = "2024:01:02 03:04:05"
    Image.new("RGB", (8, 8)).save(path, exif=exif)


def test_a_folder_of_photographs_tells_by_their_own_gps(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name, lat in (("b.jpg", 10), ("sub/a.jpg", 20), ("nowhere.jpg", None)):
        photograph(tmp_path / name, lat)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    got = read_truth(str(tmp_path))
    assert got.photos == [str(tmp_path / "b.jpg"), str(tmp_path / "sub" / "a.jpg")]
    assert (got.lat.tolist(), got.lon.tolist()) == ([10.0, 20.0], [-0.5, -0.5])
    assert (got.heading_deg.tolist(), got.taken_at[0]) == ([90.0, 90.0], "2024-01-02T03:04:05")
    assert np.isnan(got.alt_m).all()
    (note,) = got.notes
    assert "not counted are 1 photograph without a position and 1 that cannot be read" in note.sentence


def test_a_folder_without_positions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no photograph with a position; give a table of names and places"):
        read_truth(str(tmp_path))


def test_rows_without_a_place_do_not_count_and_same_rows_count_once(tmp_path: Path) -> None:
    got = read(tmp_path, "photo,lat,lon\na,1,2\nb,,\na,1.000001,2\nc,5,6\n")
    assert (got.photos, got.lat.tolist()) == (["a", "c"], [1.0, 5.0])
    assert [(note.code, note.figures["rows"]) for note in got.notes] == [("no_truth", 1), ("truth_repeated", 1)]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("a,1,2\nb,95,2\n", "row 3 lat 95, lon 2 is not on the Earth; correct them (lat and lon are swapped?)"),
        ("a,95,95\n", "row 2 lat 95, lon 95 is not on the Earth; correct them: WGS84 degrees"),
        ("a,inf,2\n", "row 2 lat inf, lon 2 is not on the Earth"),
        ("a,1,\n", "row 2 has one of lat and lon alone"),
        ('a,"48,5","2,5"\n', "row 2 has lat '48,5', which is no number (a comma for a point?)"),
        ("a,1,2\n,3,4\n", "row 3 has no name"),
        ("".join(f"p{n},100,200\n" for n in range(7)), "row 6 lat 100, lon 200 is not on the Earth (7 rows are wrong)"),
        ("a,1,2\nb,1,2\na,3,2\na,4,2\n", "says two places of a (rows 2 and 4), and of 2 rows in all"),
        ("a,,\n", "holds no row with a place"),
        ("", "holds no row with a place"),
    ],
)
def test_a_truth_that_is_wrong_is_refused_with_its_rows(tmp_path: Path, rows: str, words: str) -> None:
    with pytest.raises(UsageError) as error:
        read(tmp_path, "photo,lat,lon\n" + rows)
    assert words in str(error.value)
    assert "t.csv" in str(error.value)


def test_places_off_the_earth_are_no_truth() -> None:
    one = np.zeros(1)
    with pytest.raises(ValueError, match="not on the Earth"):
        Truth("t", ["a"], one + 91.0, one, one, one, [None])
    with pytest.raises(ValueError, match=r"alt_m is float64 \(2,\)"):
        Truth("t", ["a"], one, one, np.zeros(2), one, [None])
