"""What a file says of itself: real files against their known truth, and tags written one by one against the rules."""

from __future__ import annotations

import csv
import struct
import tracemalloc
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin, TiffImagePlugin

from geoloc_cli.photos.exif import read_photo
from geoloc_cli.types import Photo, Position

Rational = TiffImagePlugin.IFDRational
LAT = (Rational(41), Rational(2), Rational(481488, 100000))
LON = (Rational(83), Rational(18), Rational(206, 10))
PLACE = {1: "N", 2: LAT, 3: "W", 4: LON}
# The same in degrees, worked out by hand.
LAT_DEG, LON_DEG = 41.0346708, -83.305722222


def photo_with(
    folder: Path,
    *,
    gps: dict[int, object] | None = None,
    exif: dict[int, object] | None = None,
    main: dict[int, object] | None = None,
    xmp: bytes | None = None,
    size: tuple[int, int] = (64, 48),
) -> Photo:
    """Reads a JPEG written with these tags."""
    image = Image.new("RGB", size, "grey")
    block = Image.Exif()
    for tag, value in (main or {}).items():
        block[tag] = value
    block.get_ifd(0x8825).update(gps or {})
    block.get_ifd(0x8769).update(exif or {})
    path = folder / "photo.jpg"
    image.save(path, exif=block, **({"xmp": xmp} if xmp is not None else {}))
    return read_photo(str(path))


def position_of(photo: Photo) -> Position:
    assert photo.position is not None, photo.notes
    return photo.position


@pytest.mark.realdata
def test_fifteen_cameras_agree_with_their_expected_positions(realdata: Path) -> None:
    with open(realdata / "exif_gps" / "expected_gps.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 15
    for row in rows:
        photo = read_photo(str(realdata / "exif_gps" / "images" / row["name"]))
        if not row["status"].startswith("ok"):  # (0, 0) without reception, and an empty directory
            assert photo.position is None, row
            continue
        position = position_of(photo)
        # The table gives eight decimals: half of the last is 0.6 mm.
        assert position.lat == pytest.approx(float(row["lat"]), abs=6e-9), row
        assert position.lon == pytest.approx(float(row["lon"]), abs=6e-9), row
        if row["alt_m"]:
            assert position.alt_m == pytest.approx(float(row["alt_m"]), abs=6e-4), row
        else:
            assert position.alt_m is None, row


@pytest.mark.realdata
def test_phone_states_heading_time_with_fraction_and_accuracy(realdata: Path) -> None:
    photo = read_photo(str(realdata / "exif_gps" / "images" / "Issue_508.jpg"))
    position = position_of(photo)
    assert (photo.make, photo.model) == ("Apple", "iPhone XR")
    assert photo.taken_at == "2020-09-02T18:52:42.892000"
    assert position.heading_deg == pytest.approx(174.0660173)
    assert position.heading_ref == "true"
    # 4.7927 m hold 68 %; sqrt(ln 0.10 / ln 0.32) = 1.4215 times that holds 90 %.
    assert position.radius_m == pytest.approx(4.79272646 * 1.42155, rel=1e-4)


@pytest.mark.realdata
def test_heic_is_read_upright_with_its_position(realdata: Path) -> None:
    pytest.importorskip("pi_heif")
    photo = read_photo(str(realdata / "immich" / "formats" / "heic" / "IMG_2682.heic"))
    position = position_of(photo)
    assert (photo.width, photo.height, photo.orientation, photo.model) == (4032, 3024, 1, "iPhone 7")
    assert (position.lat, position.lon) == pytest.approx((41.2203, -96.071625), abs=1e-6)
    assert position.heading_ref == "true"


def test_degrees_minutes_seconds_and_hemispheres(tmp_path: Path) -> None:
    for lat_ref, lon_ref in (("N", "E"), ("N", "W"), ("S", "E"), ("S", "W")):
        position = position_of(photo_with(tmp_path, gps={**PLACE, 1: lat_ref, 3: lon_ref}))
        assert position.lat == pytest.approx(LAT_DEG if lat_ref == "N" else -LAT_DEG, abs=1e-9)
        assert position.lon == pytest.approx(-LON_DEG if lon_ref == "E" else LON_DEG, abs=1e-8)
        assert position.source == "exif"


def test_seconds_of_zero_over_zero_count_as_none(tmp_path: Path) -> None:
    gps = {**PLACE, 2: (Rational(48), Rational(5332358, 100000), Rational(0, 0))}
    assert position_of(photo_with(tmp_path, gps=gps)).lat == pytest.approx(48.88872633, abs=1e-8)


@pytest.mark.parametrize(
    ("gps", "why"),
    [
        ({2: (Rational(91), Rational(0), Rational(0))}, "latitude 91 is not within -90 to 90"),
        ({4: (Rational(181), Rational(0), Rational(0))}, "longitude 181 is not within -180 to 180"),
        ({2: (Rational(0, 0), Rational(0, 0), Rational(0, 0))}, "zero denominator"),
        ({2: (Rational(41), Rational(2), Rational(4, 0))}, "zero denominator"),
        ({2: (Rational(41), Rational(75), Rational(0))}, "75 minutes"),
        ({1: ""}, "does not say whether it is N or S"),
        ({3: "X"}, "does not say whether it is E or W"),
        ({2: (Rational(0), Rational(0), Rational(0)), 4: (Rational(0), Rational(0), Rational(0))}, "without reception"),
    ],
)
def test_implausible_position_is_left_out_and_the_note_says_why(
    tmp_path: Path, gps: dict[int, object], why: str
) -> None:
    photo = photo_with(tmp_path, gps={**PLACE, **gps})
    assert photo.position is None
    assert len(photo.notes) == 1
    assert why in photo.notes[0]


def test_missing_references_and_coordinates_leave_no_position(tmp_path: Path) -> None:
    photo = photo_with(tmp_path, gps={2: LAT, 4: LON})
    assert photo.position is None
    assert "N or S" in photo.notes[0]
    photo = photo_with(tmp_path, gps={1: "N", 2: LAT})
    assert photo.position is None
    assert "longitude is missing" in photo.notes[0]
    photo = photo_with(tmp_path, gps={0: b"\x02\x03\x00\x00"})
    assert (photo.position, photo.notes) == (None, ())


def test_not_a_number_in_a_gps_tag_leaves_no_position(tmp_path: Path) -> None:
    # Type 12 (double) where rationals belong; Pillow writes none, so the directory is written by hand.
    nan = struct.pack("<3d", float("nan"), 0.0, 0.0)
    head = b"II\x2a\x00\x08\x00\x00\x00"
    main = struct.pack("<HHHLLL", 1, 0x8825, 4, 1, 26, 0)
    at = 26 + 2 + 4 * 12 + 4
    entries = struct.pack("<H", 4)
    entries += struct.pack("<HHL4s", 1, 2, 2, b"N\0\0\0") + struct.pack("<HHLL", 2, 12, 3, at)
    entries += struct.pack("<HHL4s", 3, 2, 2, b"E\0\0\0") + struct.pack("<HHLL", 4, 12, 3, at)
    path = tmp_path / "nan.jpg"
    Image.new("L", (8, 8)).save(path, exif=b"Exif\0\0" + head + main + entries + struct.pack("<L", 0) + nan)
    photo = read_photo(str(path))
    assert photo.position is None
    assert "latitude is not a number" in photo.notes[0]


@pytest.mark.parametrize(
    ("ref", "version", "alt_m", "datum"),
    [
        (None, b"0230", 120.5, "sea_level"),
        (b"\x00", b"0232", 120.5, "sea_level"),
        (b"\x01", b"0232", -120.5, "sea_level"),
        (b"\x00", b"0300", 120.5, "ellipsoid"),
        (b"\x01", b"0300", -120.5, "ellipsoid"),
        (b"\x02", b"0300", 120.5, "sea_level"),
        (b"\x03", b"0300", -120.5, "sea_level"),
        (b"\x00", b"030\xb9", 120.5, "sea_level"),
    ],
)
def test_altitude_counts_from_what_its_reference_says(
    tmp_path: Path, ref: bytes | None, version: bytes, alt_m: float, datum: str
) -> None:
    gps = {**PLACE, 6: Rational(1205, 10), **({5: ref} if ref is not None else {})}
    position = position_of(photo_with(tmp_path, gps=gps, exif={0x9000: version}))
    assert (position.alt_m, position.alt_datum) == (alt_m, datum)


def test_senseless_altitude_heading_and_accuracy_are_left_out_one_by_one(tmp_path: Path) -> None:
    gps = {**PLACE, 6: Rational(5, 0), 16: "T", 17: Rational(361), 31: Rational(0), 11: Rational(3)}
    photo = photo_with(tmp_path, gps=gps)
    position = position_of(photo)
    # GPSDOP (tag 11) is a factor, not metres: it must not become a radius.
    assert (position.alt_m, position.heading_deg, position.radius_m) == (None, None, None)
    assert position.lat == pytest.approx(LAT_DEG)
    assert len(photo.notes) == 3


def test_heading_keeps_its_north_and_the_way_of_travel_is_no_heading(tmp_path: Path) -> None:
    position = position_of(photo_with(tmp_path, gps={**PLACE, 16: "M", 17: Rational(3600, 10)}))
    assert (position.heading_deg, position.heading_ref) == (0.0, "magnetic")
    position = position_of(photo_with(tmp_path, gps={**PLACE, 14: "T", 15: Rational(70)}))
    assert position.heading_deg is None


def test_time_carries_its_offset_and_falls_back_to_gps_in_utc(tmp_path: Path) -> None:
    taken = {0x9003: "2021:07:04 18:30:15", 0x9011: "+02:00", 0x9291: "25"}
    assert photo_with(tmp_path, exif=taken).taken_at == "2021-07-04T18:30:15.250000+02:00"
    assert photo_with(tmp_path, exif={0x9003: "2021:07:04 18:30:15"}).taken_at == "2021-07-04T18:30:15"
    gps = {**PLACE, 7: (Rational(16), Rational(30), Rational(15)), 29: "2021:07:04"}
    zeros = {0x9003: "0000:00:00 00:00:00"}
    assert photo_with(tmp_path, gps=gps, exif=zeros).taken_at == "2021-07-04T16:30:15+00:00"
    assert photo_with(tmp_path, exif={0x9003: "2021:02:30 18:30:15"}).taken_at is None


def xmp(properties: str, before: str = "") -> bytes:
    return (
        f"{before}<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
        f"<rdf:Description xmlns:exif='http://ns.adobe.com/exif/1.0/' "
        f"xmlns:drone-dji='http://www.dji.com/drone-dji/1.0/' {properties}/></rdf:RDF></x:xmpmeta>"
    ).encode()


@pytest.mark.parametrize(
    "properties",
    [
        "exif:GPSLatitude='41,2.080248N' exif:GPSLongitude='83,18.343333W'",
        "exif:GPSLatitude='41,2,4.81488N' exif:GPSLongitude='83,18,20.6W'",
        "drone-dji:GpsLatitude='+41.0346708' drone-dji:GpsLongitude='-83.30572222'",
        "drone-dji:GpsLatitude='41.0346708' drone-dji:GpsLongtitude='-83.30572222'",
    ],
)
def test_xmp_is_the_second_source_of_position(tmp_path: Path, properties: str) -> None:
    position = position_of(photo_with(tmp_path, xmp=xmp(properties)))
    assert position.source == "xmp"
    assert (position.lat, position.lon) == pytest.approx((LAT_DEG, LON_DEG), abs=1e-7)
    # EXIF wins where both speak.
    both = position_of(photo_with(tmp_path, gps={**PLACE, 1: "S"}, xmp=xmp(properties)))
    assert (both.source, both.lat) == ("exif", pytest.approx(-LAT_DEG))


def test_xmp_with_a_document_type_is_refused_before_any_entity_is_expanded(tmp_path: Path) -> None:
    laughs = "".join(f"<!ENTITY l{i} '{f'&l{i - 1};' * 10 if i else 'ha'}'>" for i in range(10))
    for document_type in (f"<!DOCTYPE x [{laughs}]>", "<!DOCTYPE x SYSTEM 'file:///etc/passwd'>"):
        packet = xmp("exif:GPSLatitude='41,2N' exif:GPSLongitude='83,18W'", document_type)
        photo = photo_with(tmp_path, xmp=packet)
        assert photo.position is None
        assert photo.notes == ("Its XMP packet declares a document type and was left out.",)


def test_xmp_null_island_and_bad_values_are_left_out(tmp_path: Path) -> None:
    zero = photo_with(tmp_path, xmp=xmp("drone-dji:GpsLatitude='0.0' drone-dji:GpsLongitude='0.0'"))
    assert zero.position is None
    assert "reception" in zero.notes[0]
    for value in ("nan", "1e5", "north", "91.0"):
        photo = photo_with(tmp_path, xmp=xmp(f"drone-dji:GpsLatitude='{value}' drone-dji:GpsLongitude='8.0'"))
        assert photo.position is None
        assert len(photo.notes) == 1, value


def test_lying_makernote_changes_nothing(tmp_path: Path) -> None:
    # The first words of a Fujifilm note with an offset far outside and 65535 entries.
    note = b"FUJIFILM" + struct.pack("<L", 0xFFFFFF00) + b"\xff\xff" * 40
    plain = photo_with(tmp_path, gps=PLACE, main={0x010F: "FUJIFILM"})
    assert photo_with(tmp_path, gps=PLACE, main={0x010F: "FUJIFILM"}, exif={0x927C: note}) == plain


def test_text_tags_are_cut_at_nul_and_carry_no_control_characters(tmp_path: Path) -> None:
    photo = photo_with(tmp_path, main={0x010F: "Ac\x1b[31mme  \n", 0x0110: "X" * 5000})
    assert photo.make == "Ac [31mme"
    assert photo.model == "X" * 200


def test_png_exif_behind_the_pixels_is_found_without_decoding_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = Image.Exif()
    block[0x0112] = 6
    path = tmp_path / "late.png"
    Image.new("L", (30, 20)).save(path)
    data = path.read_bytes()
    exif = block.tobytes().removeprefix(b"Exif\0\0")
    chunk = b"eXIf" + exif
    end = data.rindex(b"IEND") - 4
    late = struct.pack(">L", len(exif)) + chunk + struct.pack(">L", PngImagePlugin._crc32(chunk))
    path.write_bytes(data[:end] + late + data[end:])
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda self: pytest.fail("pixels were decoded"))
    photo = read_photo(str(path))
    assert (photo.orientation, photo.width, photo.height) == (6, 20, 30)


def test_tag_of_millions_of_numbers_is_passed_over_unread(tmp_path: Path) -> None:
    # The maker's name as four million 16-bit numbers: 8 MB in the file, 160 MB and more once they are Python's.
    count = 4_000_000
    path = tmp_path / "long.tif"
    Image.new("L", (8, 8)).save(path)
    data = path.read_bytes()
    at = int.from_bytes(data[4:8], "little")
    entries = int.from_bytes(data[at : at + 2], "little")
    directory = data[at + 2 : at + 2 + 12 * entries]
    long_entry = struct.pack("<HHLL", 0x010F, 3, count, len(data))
    new_at = len(data) + 2 * count
    tags = sorted([directory[i : i + 12] for i in range(0, len(directory), 12)] + [long_entry], key=lambda e: e[1::-1])
    new = struct.pack("<H", entries + 1) + b"".join(tags) + bytes(4)
    path.write_bytes(data[:4] + struct.pack("<L", new_at) + data[8:] + b"\x41\x00" * count + new)
    tracemalloc.start()
    photo = read_photo(str(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (photo.width, photo.make) == (8, None)
    # The bytes are held some times over on their way; unpacked they would be 4 million objects.
    assert peak < 64_000_000
