"""Altitudes of photos, with a position or without: what they count from, how good they are, and a drone's two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from geoloc_cli.photos.exif import read_photo
from geoloc_cli.types import Altitude, Photo

if TYPE_CHECKING:
    from pathlib import Path

DRONE = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/" {}/></rdf:RDF></x:xmpmeta>'
)


def photo(folder: Path, gps: dict[int, Any], xmp: str = "") -> Photo:
    image = Image.new("RGB", (40, 30))
    exif = image.getexif()
    exif.get_ifd(0x8825).update(gps)
    path = folder / "photo.jpg"
    image.save(path, exif=exif, xmp=DRONE.format(xmp).encode() if xmp else b"")
    return read_photo(str(path))


def test_an_altitude_needs_no_position(tmp_path: Path) -> None:
    found = photo(tmp_path, {5: b"\0", 6: 812.5})
    assert found.position is None
    assert found.altitude == Altitude(812.5, "sea_level", "exif")
    assert photo(tmp_path, {5: b"\1", 6: 3.0}).altitude == Altitude(-3.0, "sea_level", "exif")
    assert photo(tmp_path, {}).altitude is None
    assert photo(tmp_path, {5: b"\0", 6: 0.0}).altitude is None


def test_it_is_the_positions_own_where_there_is_one(tmp_path: Path) -> None:
    place = {1: "N", 2: (47.0, 0.0, 0.0), 3: "E", 4: (8.0, 0.0, 0.0)}
    found = photo(tmp_path, place | {5: b"\0", 6: 812.5})
    assert found.position is not None
    assert found.altitude is not None
    assert (found.altitude.alt_m, found.altitude.datum) == (found.position.alt_m, found.position.alt_datum)


@pytest.mark.parametrize("place", [{}, {1: "N", 2: (47.0, 0.0, 0.0), 3: "E", 4: (8.0, 0.0, 0.0)}])
def test_what_cannot_be_believed_is_left_out_and_said_once(tmp_path: Path, place: dict[int, Any]) -> None:
    found = photo(tmp_path, place | {6: 200_000.0})
    assert found.altitude is None
    assert [note for note in found.notes if "altitude" in note] == [
        "Its altitude was left out: no photo is taken at 200000 m."
    ]


def test_the_vertical_error_comes_of_the_horizontal_one(tmp_path: Path) -> None:
    """9 m across and 15 m in height hold 95 % alike: 5.55 m across hold 68 %, and 7.65 m is the deviation in height."""
    found = photo(tmp_path, {6: 400.0, 31: 5.55})
    assert found.altitude is not None
    assert found.altitude.std_m == pytest.approx(7.65, abs=0.01)
    for senseless in (0.0, 3e7):
        other = photo(tmp_path, {6: 400.0, 31: senseless}).altitude
        assert other is not None
        assert other.std_m is None


def test_a_drone_tells_its_height_above_where_it_took_off(tmp_path: Path) -> None:
    heights = 'drone-dji:AbsoluteAltitude="+620.33" drone-dji:RelativeAltitude="+110.20"'
    assert photo(tmp_path, {}, heights).altitude == Altitude(620.33, None, "xmp", None, 110.2)
    assert photo(tmp_path, {6: 618.0}, heights).altitude == Altitude(618.0, "sea_level", "exif", None, 110.2)
    below = photo(tmp_path, {}, 'drone-dji:AbsoluteAltitude="20" drone-dji:RelativeAltitude="-7.5"').altitude
    assert below == Altitude(20.0, None, "xmp", None, -7.5)
    assert photo(tmp_path, {}, 'drone-dji:RelativeAltitude="+110.20"').altitude is None
    assert photo(tmp_path, {6: 618.0}, 'drone-dji:RelativeAltitude="1e9"').altitude == Altitude(
        618.0, "sea_level", "exif"
    )


@pytest.mark.realdata
def test_a_camera_without_reception_knows_no_altitude(realdata: Path) -> None:
    """It wrote three zeros; another one wrote what it knew."""
    images = realdata / "exif_gps" / "images"
    assert read_photo(str(images / "FLIR_Vue_Pro_640.jpg")).altitude is None
    assert read_photo(str(images / "Nikon_D5000.jpg")).altitude == Altitude(324.145, "sea_level", "exif")
