"""Project folders of OpenDroneMap as data sets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.datasets.registry import read_dataset


def _project(root: Path, *names: str) -> Path:
    (root / "images").mkdir()
    for name in names:
        Image.new("L", (8, 8)).save(root / "images" / name)
    return root


def test_geo_txt_wins_over_images_json_and_masks_are_none(tmp_path: Path) -> None:
    _project(tmp_path, "a.jpg", "a_mask.png", "b.jpg", "c.jpg")
    rows = [{"filename": "a.jpg", "latitude": 1.0, "longitude": 2.0}, {"filename": "c.jpg", "latitude": None}]
    (tmp_path / "images.json").write_text(json.dumps([*rows, {"filename": "b.jpg", "latitude": 3.0, "longitude": 4.0}]))
    # 500 km east in any zone is its middle: 9 degrees east in zone 32.
    (tmp_path / "geo.txt").write_text("WGS84 UTM 32N\n# name x y z\na.jpg 500000 0 12.5\nother.jpg 500000 10\n")
    queries = (found := read_dataset("odm", str(tmp_path))).queries
    assert list(queries.names) == ["a.jpg", "b.jpg", "c.jpg"]
    np.testing.assert_allclose(queries.lat, [0.0, 3.0, np.nan], atol=1e-9)
    np.testing.assert_allclose(queries.lon, [9.0, 4.0, np.nan], atol=1e-9)
    assert found.notes[0].startswith("images.json states the places of 2 of 3")
    assert found.notes[1].startswith("geo.txt states the places of 1 of 3")
    assert found.notes[2].startswith("1 of 3 photographs have no place")


def test_degrees_in_geo_txt_have_the_longitude_first(tmp_path: Path) -> None:
    _project(tmp_path, "a.jpg")
    (tmp_path / "geo.txt").write_text("EPSG:4326\na.jpg -84.5 41.25\n")
    queries = read_dataset("odm", str(tmp_path)).queries
    assert (queries.lat[0], queries.lon[0]) == (41.25, -84.5)


def test_without_both_the_photographs_say_it_themselves(tmp_path: Path) -> None:
    _project(tmp_path)
    exif = Image.Exif()
    exif[ExifTags.IFD.GPSInfo] = {1: "S", 2: (33.0, 30.0, 0.0), 3: "W", 4: (70.0, 15.0, 36.0)}
    Image.new("L", (8, 8)).save(tmp_path / "images" / "a.jpg", exif=exif)
    (tmp_path / "gcp_list.txt").write_text("EPSG:4326\n8.0 47.0 400 10 10 a.jpg P1\n")
    found = read_dataset("odm", str(tmp_path))
    assert found.queries.lat[0] == pytest.approx(-33.5, abs=1e-9)
    assert found.queries.lon[0] == pytest.approx(-70.26, abs=1e-9)
    assert found.notes == ("gcp_list.txt has 1 ground control points; they place a map, and no photograph.",)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("geo.txt", "", "line 1"),
        ("geo.txt", "Krovak\na.jpg 1 2\n", "line 1: 'Krovak'"),
        ("geo.txt", "EPSG:4326\n\na.jpg 1\n", "line 3: no x and y"),
        ("geo.txt", "EPSG:4326\na.jpg 500000 41\n", "line 2: geo_x"),
        ("images.json", "{}[", "is not ODM's list of photographs"),
        ("images.json", '[{"filename": "a.jpg", "latitude": 91, "longitude": 1}]', "not on the Earth"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(file: str, text: str, said: str, tmp_path: Path) -> None:
    _project(tmp_path, "a.jpg")
    (tmp_path / file).write_text(text)
    with pytest.raises(UsageError) as error:
        read_dataset("odm", str(tmp_path))
    assert file in str(error.value)
    assert said in str(error.value)


def test_a_project_without_images_is_asked_for_them(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^odm needs images \(the project's photographs\)"):
        read_dataset("odm", str(tmp_path))
    _project(tmp_path)
    with pytest.raises(UsageError, match="holds no picture"):
        read_dataset("odm", str(tmp_path))
