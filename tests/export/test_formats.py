"""Exports for maps and tables: what other programs' readers find in them is what the records say."""

from __future__ import annotations

import csv
import io
import json
import re
import struct
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from exported import FIX, HOSTILE, POSED, SEA_M, SHOWN, picture, write

from geoloc_cli.errors import MissingExtra
from geoloc_cli.export import csv as csv_export
from geoloc_cli.export.formats import Asked
from geoloc_cli.export.located import COLUMNS

if TYPE_CHECKING:
    from pathlib import Path

    from geoloc_cli.types import Fix

ODD = replace(POSED, photo=HOSTILE)
FIJI = replace(FIX, photo="fiji.jpg", lat=-16.9, lon=179.99, radius_m=20_000.0)


def taken(folder: Path) -> list[Fix]:
    """Three photos from west to east, in the order of time, given in another one."""
    times = [("c.jpg", "2024:05:01 12:02:00", 3.0), ("a.jpg", "2024:05:01 12:00:00", 1.0)]
    times.append(("b.jpg", "2024:05:01 12:01:00", 2.0))
    return [replace(FIX, photo=picture(folder / name, time, "+02:00"), lat=10.0, lon=lon) for name, time, lon in times]


def test_geojson_has_longitude_first_the_record_and_a_box() -> None:
    found = json.loads(write("geojson", FIX, replace(FIX, lat=-10.0, lon=179.0)))
    assert [f["geometry"]["coordinates"] for f in found["features"]] == [[8.5, 47.25], [179.0, -10.0]]
    assert found["features"][0]["properties"]["candidates"][0]["inliers"] == 40
    assert found["bbox"] == [8.5, -10.0, 179.0, 47.25]
    assert json.loads(write("geojson")) == {"type": "FeatureCollection", "features": []}


def test_geojson_has_heights_where_all_of_it_has_them() -> None:
    high = json.loads(write("geojson", POSED, replace(POSED, alt_m=-2.5)))
    assert high["features"][0]["geometry"]["coordinates"] == [-70.25, -33.5, 512.25]
    assert high["bbox"] == [-70.25, -33.5, -2.5, -70.25, -33.5, 512.25]
    mixed = json.loads(write("geojson", POSED, FIX))
    assert {len(f["geometry"]["coordinates"]) for f in mixed["features"]} == {2}
    assert len(mixed["bbox"]) == 4


def test_geojson_draws_circles_and_the_way_where_shapes_are_asked_for(tmp_path: Path) -> None:
    found = json.loads(write("geojson", FIJI, *taken(tmp_path), asked=Asked(shapes=True)))
    kinds = [feature["geometry"]["type"] for feature in found["features"]]
    assert kinds == ["MultiPolygon", *["Polygon"] * 3, *["Point"] * 4, "LineString"]
    assert found["features"][-1]["geometry"]["coordinates"] == [[1.0, 10.0], [2.0, 10.0], [3.0, 10.0]]
    assert found["features"][-1]["properties"]["photos"] == 3
    west, _, east, _ = found["bbox"]
    assert west == pytest.approx(0.9999, abs=1e-4)
    assert east == pytest.approx(-179.82, abs=0.01)  # Fiji's circle ends beyond the antimeridian: west above east


def test_geojson_is_read_by_gdal(tmp_path: Path) -> None:
    pyogrio = pytest.importorskip("pyogrio", reason="needs pyogrio, the reader of GDAL")
    (tmp_path / "x.geojson").write_bytes(write("geojson", FIX, ODD))
    meta, _, shapes, values = pyogrio.raw.read(tmp_path / "x.geojson", columns=["photo", "radius_m"])
    assert meta["crs"] == "EPSG:4326"
    assert [struct.unpack("<dd", shape[5:21]) for shape in shapes] == [(8.5, 47.25), (-70.25, -33.5)]
    assert values[0][0] == "a.jpg"


def kml(*fixes: Fix) -> Any:
    reader = pytest.importorskip("fastkml", reason="needs fastkml")
    (document,) = reader.KML.from_string(write("kml", *fixes).decode().partition("\n")[2]).features
    return {folder.name: folder.features for folder in document.features}


def test_kml_has_a_placemark_a_circle_and_a_view(tmp_path: Path) -> None:
    folders = kml(replace(FIX, photo=taken(tmp_path)[0].photo), ODD, FIJI)
    assert {name: len(marks) for name, marks in folders.items()} == {"Photos": 3, "Accuracy": 3, "Lines of sight": 1}
    plain, posed, _ = folders["Photos"]
    assert (plain.geometry.x, plain.geometry.y) == (8.5, 47.25)
    assert plain.view is None
    assert plain.time_stamp.dt == datetime.fromisoformat("2024-05-01T12:02:00+02:00")
    assert posed.name == SHOWN
    # KML counts heights from the sea, here SEA_M.
    assert (plain.geometry.has_z, posed.geometry.z) == (False, SEA_M)
    values = {data.name: data.value for data in posed.extended_data.elements}
    assert (values["alt_m"], values["alt_sea_m"]) == ("512.25", str(SEA_M))
    assert (values["radius_m"], values["stage"]) == ("12.5", "pose")
    assert (posed.view.heading, posed.view.tilt, posed.view.roll) == (90.0, 80.0, None)
    ring = folders["Accuracy"][0].geometry.exterior.coords
    assert len(ring) == 37
    assert ring[0] == ring[-1]
    assert len(list(folders["Accuracy"][2].geometry.geoms)) == 2
    (sight,) = folders["Lines of sight"]
    (x0, y0), (x1, y1) = (at[:2] for at in sight.geometry.coords)
    assert (x0, y0) == (-70.25, -33.5)
    assert (x1 > x0, y1) == (True, pytest.approx(-33.5, abs=1e-6))  # to the east, as its heading


def test_kml_fits_its_schema(tmp_path: Path) -> None:
    pytest.importorskip("lxml", reason="needs lxml")
    validator = pytest.importorskip("fastkml.validator", reason="needs fastkml")
    (tmp_path / "x.kml").write_bytes(write("kml", FIX, ODD, FIJI))
    assert validator.validate(file_to_validate=tmp_path / "x.kml")


@pytest.mark.parametrize(
    "name", ["</name><Placemark/>", "<script>alert(1)</script>", "a\nb\"'&amp;.jpg", "<!ENTITY a 'b'>&a;"]
)
@pytest.mark.parametrize("kind", ["kml", "gpx"])
def test_a_hostile_name_is_read_back_as_the_text_that_it_is(name: str, kind: str) -> None:
    root = ElementTree.fromstring(write(kind, replace(FIX, photo=name)))
    names = [e.text for e in root.iter() if e.tag.endswith("}name") and e.text not in ("Photos", "Accuracy")]
    assert set(names) == {name}
    assert not [e for e in root.iter() if e.tag.endswith("script")]


def test_kml_of_ten_thousand_photos_is_of_a_sane_size() -> None:
    size = len(write("kml", *[POSED] * 100)) / 100
    assert size * 10_000 < 25e6


def gpx(*fixes: Fix) -> Any:
    return pytest.importorskip("gpxpy", reason="needs gpxpy").parse(write("gpx", *fixes).decode())


def test_gpx_has_waypoints_and_a_track_in_the_order_of_time(tmp_path: Path) -> None:
    found = gpx(ODD, *taken(tmp_path))
    assert [(p.latitude, p.longitude) for p in found.waypoints] == [(-33.5, -70.25), (10, 3), (10, 1), (10, 2)]
    assert found.waypoints[0].name == SHOWN
    (segment,) = found.tracks[0].segments
    assert [p.longitude for p in segment.points] == [1, 2, 3]
    assert segment.points[0].time == datetime(2024, 5, 1, 10, 0, tzinfo=UTC)
    # GPX counts heights from the sea, and a dilution of precision is no accuracy.
    posed, plain = found.waypoints[:2]
    assert (posed.elevation, posed.horizontal_dilution, posed.time) == (SEA_M, None, None)
    assert plain.elevation is None
    ours = {node.tag.rpartition("}")[2]: node.text for node in posed.extensions}
    assert (ours["radius_m"], ours["alt_m"], ours["heading_deg"]) == ("12.5", "512.25", "90.0")


def test_gpx_without_an_offset_has_the_order_and_no_time(tmp_path: Path) -> None:
    late, early, _ = taken(tmp_path)
    # By its own clock it comes between, if it was in their zone, and what its UTC was nobody says.
    local = replace(FIX, photo=picture(tmp_path / "local.jpg", "2024:05:01 12:01:30"), lat=10.0, lon=5.0)
    found = gpx(late, early, local, FIX)
    assert [p.longitude for p in found.tracks[0].segments[0].points] == [1, 5, 3]
    assert [p.time is None for p in found.waypoints] == [False, False, True, True]
    assert gpx(early, FIX).tracks == []  # one time is no way


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_a_clock_that_was_never_set_says_no_time(year: str, tmp_path: Path) -> None:
    odd = replace(FIX, photo=picture(tmp_path / "odd.jpg", f"{year}:01:01 00:00:00", "+14:00"))
    for name in ("gpx", "kml", "csv"):
        assert not re.search(rb"-01-01|-12-31|<time>|<when>", write(name, odd))
    assert json.loads(write("mapillary", odd)) == []


def test_gpx_keeps_longitudes_within_its_schema() -> None:
    (point,) = gpx(replace(FIX, lon=180.0, lat=1e-7)).waypoints
    assert (point.longitude, point.latitude) == (-180.0, 1e-7)
    assert b"e-07" not in write("gpx", replace(FIX, lat=1e-7))


def test_csv_is_flat_and_guards_spreadsheets(tmp_path: Path) -> None:
    named = [replace(FIX, photo=name, lat=-47.25) for name in ("=1+1.jpg", "+a", "-b", "@c", "\td", 'e,"f\n.jpg', "ü")]
    text = write("csv", *named, replace(POSED, photo=taken(tmp_path)[0].photo)).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["photo"] for row in rows[:7]] == ["'=1+1.jpg", "'+a", "'-b", "'@c", "'\td", 'e,"f\n.jpg', "ü"]
    assert list(rows[0]) == list(COLUMNS)
    # A number below zero is a number.
    assert (rows[0]["lat"], rows[0]["alt_m"], rows[0]["best_candidate"]) == ("-47.25", "", "'=near.jpg")
    assert (rows[7]["alt_sea_m"], rows[0]["alt_sea_m"]) == (str(SEA_M), "")
    assert (rows[7]["alt_m"], rows[7]["heading_deg"], rows[7]["std_up_m"]) == ("512.25", "90.0", "0.9")
    assert rows[7]["taken_at"] == "2024-05-01T12:02:00+02:00"
    assert csv_export.cell("x\udcff.jpg") == "x\\xff.jpg"


def parquet_table(tmp_path: Path, *fixes: Fix) -> Any:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
    (tmp_path / "x.parquet").write_bytes(write("parquet", *fixes))
    return parquet.read_table(tmp_path / "x.parquet")


def test_parquet_has_typed_columns_and_says_where_its_geometry_is(tmp_path: Path) -> None:
    table = parquet_table(tmp_path, FIX, ODD)
    assert table.column_names == [*COLUMNS, "geometry"]
    assert table["best_inliers"].to_pylist() == [40, 40]
    assert table["alt_m"].to_pylist() == [None, 512.25]
    assert table["photo"].to_pylist()[1].endswith("\\xff.jpg")
    assert {str(table.schema.field(name).type) for name in ("lat", "confidence", "std_up_m")} == {"double"}
    geo = json.loads(table.schema.metadata[b"geo"])
    column = geo["columns"]["geometry"]
    assert (geo["version"], geo["primary_column"], column["encoding"]) == ("1.1.0", "geometry", "WKB")
    assert column["geometry_types"] == ["Point", "Point Z"]
    assert column["bbox"] == [-70.25, -33.5, 8.5, 47.25]
    assert parquet_table(tmp_path).num_rows == 0


def test_parquet_is_read_by_geopandas(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    geopandas = pytest.importorskip("geopandas", reason="needs geopandas")
    (tmp_path / "x.parquet").write_bytes(write("parquet", FIX, POSED))
    frame = geopandas.read_parquet(tmp_path / "x.parquet")
    assert frame.crs.equals("OGC:CRS84")
    assert [(p.x, p.y) for p in frame.geometry] == [(8.5, 47.25), (-70.25, -33.5)]
    assert (frame.geometry[1].z, frame["photo"][0]) == (512.25, "a.jpg")


def test_without_pyarrow_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"pip install 'geoloc\[arrow\]'"):
        write("parquet", FIX)
