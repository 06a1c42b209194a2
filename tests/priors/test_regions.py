"""Galleries of regions, areas, roads and tracks: evenly filled, whatever crosses the antimeridian or holds a pole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from geoloc_cli.errors import UsageError
from geoloc_cli.geo.earth import destination, haversine_m
from geoloc_cli.priors.gallery import Gallery, gallery_of
from geoloc_cli.priors.regions import MOST

if TYPE_CHECKING:
    from pathlib import Path


def nearest_m(gallery: Gallery) -> np.ndarray:
    away = haversine_m(gallery.lat[:, None], gallery.lon[:, None], gallery.lat, gallery.lon)
    np.fill_diagonal(away, np.inf)
    return away.min(axis=1)


def geojson(path: Path, kind: str, coordinates: Any) -> str:
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": kind, "coordinates": coordinates}}
    nothing = {"type": "Feature", "properties": {}, "geometry": None}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [nothing, feature]}))
    return str(path)


@pytest.mark.parametrize("where", ["near:47,8,100km", "near:-90,0,100km", "near:0,180,100km"])
def test_a_circle_is_filled(where: str) -> None:
    """pi 100^2 / 5^2 places, wherever it lies."""
    found = gallery_of(where)
    assert len(found.lat) == pytest.approx(1257, abs=2)
    assert 3_500.0 < nearest_m(found).min() <= nearest_m(found).max() < 6_000.0


@pytest.mark.parametrize("box", ["46,7,47,8", "66,179.5,67,-178", "-17,179.5,-16,-179.5"])
def test_a_box_is_filled_across_the_antimeridian_too(box: str) -> None:
    found = gallery_of(f"bbox:{box}", 3_000.0)
    south, west, north, east = (float(part) for part in box.split(","))
    width = (east - west) % 360.0
    area = 111_195.0**2 * width * np.cos(np.radians((south + north) / 2.0))
    assert len(found.lat) == pytest.approx(area / 3_000.0**2, rel=0.02)
    assert 2_700.0 < nearest_m(found).min() <= nearest_m(found).max() < 3_300.0
    assert ((found.lon - west) % 360.0 <= width).all()


def test_a_wide_region_is_thinner_and_what_is_too_much_is_refused() -> None:
    world = gallery_of("bbox:-90,-180,90,180")
    assert 99_000 < len(world.lat) < 101_000
    assert np.abs(np.sin(np.radians(world.lat)).mean()) < 1e-3
    with pytest.raises(UsageError, match=rf"every 0\.1 km has more than {MOST}.*larger spacing_km"):
        gallery_of("bbox:46,7,47,8", 100.0)
    with pytest.raises(UsageError, match="give SOUTH,WEST,NORTH,EAST"):
        gallery_of("bbox:47,7,46,8")
    with pytest.raises(UsageError, match="give LAT,LON,RADIUS"):
        gallery_of("near:Bern")


@pytest.mark.parametrize("west", [7.0, 179.5])
def test_an_area_is_filled_without_its_holes(tmp_path: Path, west: float) -> None:
    """A square with another cut out of it, here and across the antimeridian: 3/4 of its area remain."""

    def ring(margin: float) -> list[list[float]]:
        corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.0, 0.0)]
        places = [(west + margin + (1 - 2 * margin) * x, 46.0 + margin + (1 - 2 * margin) * y) for x, y in corners]
        return [[lon - 360.0 if lon > 180.0 else lon, lat, 500.0] for lon, lat in places]

    found = gallery_of(geojson(tmp_path / "area.geojson", "Polygon", [ring(0.0), ring(0.25)]), 2_000.0)
    whole = gallery_of(f"bbox:46,{west},47,{(west + 181.0) % 360.0 - 180.0}", 2_000.0)
    assert len(found.lat) / len(whole.lat) == pytest.approx(0.75, abs=0.02)
    x, y = (found.lon - west) % 360.0, found.lat - 46.0
    assert not ((np.abs(x - 0.5) < 0.25) & (np.abs(y - 0.5) < 0.25)).any()
    assert x.max() <= 1.0


def test_an_area_about_a_pole_is_filled(tmp_path: Path) -> None:
    """As GeoJSON must draw the Antarctic: along the 70th parallel, and back along the edge of the map."""
    ring = [[lon, -70.0] for lon in range(-180, 181, 10)] + [[180.0, -90.0], [-180.0, -90.0], [-180.0, -70.0]]
    found = gallery_of(geojson(tmp_path / "south.json", "MultiPolygon", [[ring]]), 100_000.0)
    cap = 2.0 * np.pi * 6371.0**2 * (1.0 - np.sin(np.radians(70.0)))
    assert len(found.lat) == pytest.approx(cap / 100.0**2, rel=0.03)
    assert found.lat.max() < -70.0
    assert found.lat.min() < -88.0


def test_a_road_is_followed_and_a_dense_town_is_thinned(tmp_path: Path) -> None:
    """A road of 99.9 km with one bend has a place every 2 km; two hundred short streets in 1 km are a few places."""
    corner = destination(46.0, 7.0, 30.0, 60_000.0)
    end = destination(*corner, 120.0, 39_900.0)
    road = [[7.0, 46.0], [float(corner[1]), float(corner[0])], [float(end[1]), float(end[0])]]
    found = gallery_of(geojson(tmp_path / "road.geojson", "LineString", road), 2_000.0)
    assert len(found.lat) == 51
    assert 1_500.0 < nearest_m(found).min() <= nearest_m(found).max() < 2_001.0
    assert haversine_m(*corner, found.lat, found.lon).min() < 1_001.0
    rng = np.random.default_rng(0)
    starts = np.array([7.0, 46.0]) + rng.uniform(0.0, 0.01, (200, 2))
    streets = [[start.tolist(), (start + 0.001).tolist()] for start in starts]
    town = gallery_of(geojson(tmp_path / "town.geojson", "MultiLineString", streets), 2_000.0)
    assert 1 <= len(town.lat) <= 9


def test_a_track_of_a_receiver_is_followed(tmp_path: Path) -> None:
    """Two segments, which are not joined, a route and a waypoint; a namespace or none."""
    path = tmp_path / "way.gpx"
    path.write_text(
        '<?xml version="1.0"?><gpx xmlns="http://www.topografix.com/GPX/1/1"><wpt lat="50" lon="9"/><trk>'
        '<trkseg><trkpt lat="46" lon="7"><ele>3</ele></trkpt><trkpt lat="46.09" lon="7"/></trkseg>'
        '<trkseg><trkpt lat="47" lon="7"/></trkseg></trk><rte><rtept lat="48" lon="7"/></rte></gpx>'
    )
    found = gallery_of(str(path), 1_000.0)
    assert len(found.lat) == 1 + 12 + 1 + 1  # 10.008 km in steps of at most 1 km are 11 steps
    assert sorted(np.round(found.lat[found.lat > 46.5])) == [47.0, 48.0, 50.0]
    assert (np.abs(found.lon[found.lat < 46.5] - 7.0) < 1e-9).all()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.geojson", "{", "cannot be read as GeoJSON or GPX"),
        ("a.json", '{"type": "Point"}', "cannot be read"),
        ("a.json", "[1, 2]", "cannot be read"),
        ("a.json", '{"type": "Circle", "coordinates": [1, 2]}', "no geometry 'Circle'"),
        ("a.geojson", '{"type": "Point", "coordinates": [1, 91]}', "latitude 91 and longitude 1"),
        ("a.geojson", '{"type": "FeatureCollection", "features": []}', "holds no places"),
        ("a.gpx", "<gpx><wpt lat='x' lon='1'/></gpx>", "cannot be read"),
        ("a.gpx", "<gpx><wpt lon='1'/></gpx>", "cannot be read"),
        ("a.gpx", "<gpx>", "cannot be read"),
        ("a.gpx", '<!DOCTYPE gpx [<!ENTITY a "b">]><gpx/>', "declares a document type"),
        ("a.gpx", "<gpx/>", "holds no places"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=said) as error:
        gallery_of(str(tmp_path / name))
    assert str(tmp_path / name) in str(error.value)
