"""Positions from a file of the user's: three formats, forgiving about paths, strict about numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from geoloc_cli.errors import UsageError
from geoloc_cli.photos.positions import Positions, read_positions
from geoloc_cli.types import Position

FULL = Position(41.03, -83.3, 281.7, "ellipsoid", 90.0, "true", 12.0, "file")


def written(folder: Path, name: str, text: str) -> Positions:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_positions(str(path))


def test_csv_jsonl_and_geojson_say_the_same(tmp_path: Path) -> None:
    row = {"path": "a.jpg", "lat": 41.03, "lon": -83.3, "alt_m": 281.7, "heading_deg": 90, "radius_m": 12}
    feature = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [-83.3, 41.03, 281.7]},
        "properties": {"path": "a.jpg", "heading_deg": 90, "radius_m": 12},
    }
    comma = "path,lat,lon,alt_m,heading_deg,radius_m\na.jpg,41.03,-83.3,281.7,90,12\n"
    texts = {
        "p.csv": "\ufeff" + comma,
        "semicolon.csv": comma.replace(",", ";"),
        "tab.tsv": comma.replace(",", "\t").replace("lat", "Latitude"),
        "p.jsonl": json.dumps(row) + "\n\n",
        "p.geojson": json.dumps({"type": "FeatureCollection", "features": [feature]}),
        "indented.json": json.dumps({"type": "FeatureCollection", "features": [feature]}, indent=1),
    }
    for name, text in texts.items():
        positions = written(tmp_path, name, text)
        assert len(positions) == 1, name
        assert positions.get("a.jpg") == FULL, name


def test_empty_cells_are_unknown(tmp_path: Path) -> None:
    positions = written(tmp_path, "p.csv", "path,lat,lon,alt_m,heading_deg\na.jpg,41.03,-83.3,,\nb.jpg,,,,\n")
    assert positions.get("a.jpg") == Position(41.03, -83.3, source="file")
    assert positions.get("b.jpg") is None


def test_photo_is_found_by_its_path_from_here_from_the_file_and_by_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set").mkdir()
    text = "path,lat,lon\nphotos/1.jpg,1,1\nother/1.jpg,2,2\n2.jpg,3,3\n"
    positions = written(tmp_path / "set", "p.csv", text)

    def lat(path: str) -> float | None:
        found = positions.get(path)
        return found.lat if found is not None else None

    assert lat("photos/1.jpg") == 1.0
    assert lat("./set/photos/1.jpg") == 1.0
    assert lat(str(tmp_path / "set" / "other" / "1.jpg")) == 2.0
    assert lat("/elsewhere/photos/1.jpg") == 1.0
    assert lat("/elsewhere/2.jpg") == 3.0
    # A bare name that two rows end in, and a folder that no row names, have no answer.
    assert lat("1.jpg") is None
    assert lat("third/1.jpg") is None
    assert lat("3.jpg") is None


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("a.jpg,91,8", "line 3: lat 91 is not within -90 to 90 .lat and lon are swapped"),
        ("a.jpg,139.7,35.6", "swapped"),
        (
            "a.jpg,5433210.5,396012.1",
            "line 3: lat 5433210.5, lon 396012.1 are no degrees, but look like metres of a map grid .UTM.",
        ),
        ("a.jpg,47,190", "lon 190 is not within -180 to 180"),
        ("a.jpg,north,8", "lat 'north' is not a number"),
        ("a.jpg,nan,8", "lat 'nan' is not a number"),
        ("a.jpg,47,", "no lon"),
        (",47,8", "no path"),
        ("a.jpg,0,0", "lat and lon are 0"),
        ("good.jpg,48,8", "good.jpg was given another position before"),
    ],
)
def test_bad_line_is_named_with_its_number_and_reason(tmp_path: Path, row: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        written(tmp_path, "p.csv", f"path,lat,lon\ngood.jpg,47,8\n{row}\n")


def test_only_the_first_bad_lines_are_listed(tmp_path: Path) -> None:
    text = "path,lat,lon\n" + "".join(f"{i}.jpg,99,200\n" for i in range(40))
    with pytest.raises(UsageError, match=r"line 6: .*; and 35 more; correct the file") as caught:
        written(tmp_path, "p.csv", text)
    assert "line 7" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("p.csv", "file,x,y\na.jpg,1,2\n", "no column lat and lon"),
        ("p.csv", "", "no column path and lat and lon"),
        ("p.csv", 'path,lat,lon\n"a.jpg,1,2\n', "is not CSV"),
        ("p.jsonl", "{not json\n", "line 1: no path"),
        ("p.jsonl", "[" * 100_000, "line 1: no path"),
        ("p.geojson", "{}", "no GeoJSON FeatureCollection"),
        ("p.geojson", '{"type": "FeatureCollection", "features": [{"properties": {"path": "a"}, '
         '"geometry": {"type": "Polygon", "coordinates": []}}]}', "feature 1: lat 'not a point'"),
    ],
)  # fmt: skip
def test_files_of_another_kind_are_refused_in_one_sentence(tmp_path: Path, name: str, text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        written(tmp_path, name, text)
    assert "\n" not in str(caught.value)


def test_missing_file_is_named() -> None:
    with pytest.raises(UsageError, match=r"gone\.csv cannot be read"):
        read_positions("gone.csv")


def test_numbers_that_only_json_can_hold_are_refused(tmp_path: Path) -> None:
    for value in ("true", "[1]", "1e999", "NaN", "1" + "0" * 400):
        with pytest.raises(UsageError, match="line 1: lat"):
            written(tmp_path, "p.jsonl", f'{{"path": "a.jpg", "lat": {value}, "lon": 8}}')
