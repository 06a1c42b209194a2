"""The clock's offset from UTC and the scene's brightness, of files that say it, say it twice, or say nonsense."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational as Rational
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from geoloc_cli.photos.clock import read_clock
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.photos.light import ev100
from geoloc_cli.photos.tags import Metadata, Tags
from geoloc_cli.types import Clock, Photo

TAKEN, OFFSET, DATE_TIME, OFFSET_TIME = 0x9003, 0x9011, 0x0132, 0x9010


def photo_with(
    folder: Path,
    exif: dict[int, object] | None = None,
    *,
    main: dict[int, object] | None = None,
    gps: dict[int, object] | None = None,
    xmp_date: str = "",
) -> Photo:
    """Reads a JPEG written with these tags, and an XMP date of taking where one is given."""
    block = Image.Exif()
    for tag, value in (main or {}).items():
        block[tag] = value
    block.get_ifd(0x8769).update(exif or {})
    block.get_ifd(0x8825).update(gps or {})
    packet = (
        "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
        f"<rdf:Description xmlns:exif='http://ns.adobe.com/exif/1.0/' exif:DateTimeOriginal='{xmp_date}'/>"
        "</rdf:RDF></x:xmpmeta>"
    )
    path = folder / "photo.jpg"
    Image.new("L", (16, 8)).save(path, exif=block, **({"xmp": packet.encode()} if xmp_date else {}))
    return read_photo(str(path))


def gps_at(hour: int, minute: int, second: int, date: str = "2021:07:04") -> dict[int, object]:
    return {7: (Rational(hour), Rational(minute), Rational(second)), 29: date}


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("+02:00", 120), ("-03:30", -210), ("+05:45", 345), ("+0200", 120), ("+2:00", 120), ("Z", 0), ("+14:00", 840)],
)
def test_stated_offset_gives_the_moment(tmp_path: Path, text: str, minutes: int) -> None:
    clock = photo_with(tmp_path, {TAKEN: "2021:07:04 12:30:15", OFFSET: text}).clock
    assert clock is not None
    assert (clock.offset_min, clock.source) == (minutes, "exif")
    assert (
        clock.utc
        == {
            120: "2021-07-04T10:30:15+00:00",
            -210: "2021-07-04T16:00:15+00:00",
            345: "2021-07-04T06:45:15+00:00",
            0: "2021-07-04T12:30:15+00:00",
            840: "2021-07-03T22:30:15+00:00",
        }[minutes]
    )


@pytest.mark.parametrize(
    "text", ["", "   :  ", "+25:00", "-12:15", "+02:07", "+02:75", "CEST", "2", "+-2:00", "\x00\x00"]
)
def test_offset_of_no_place_is_no_offset(tmp_path: Path, text: str) -> None:
    photo = photo_with(tmp_path, {TAKEN: "2021:07:04 12:30:15", OFFSET: text})
    assert (photo.clock, photo.notes) == (None, ())


@pytest.mark.parametrize("time", ["0000:00:00 00:00:00", "1970:01:01 00:00:00", "2021:02:30 12:00:00", "yesterday"])
def test_offset_of_a_clock_that_was_never_set_says_nothing(tmp_path: Path, time: str) -> None:
    assert photo_with(tmp_path, {TAKEN: time, OFFSET: "+02:00"}).clock is None


def test_offset_of_the_last_change_holds_only_where_nothing_was_changed(tmp_path: Path) -> None:
    exif = {TAKEN: "2021:07:04 12:30:15", OFFSET_TIME: "+02:00"}
    clock = photo_with(tmp_path, exif, main={DATE_TIME: "2021:07:04 12:30:15"}).clock
    assert clock == Clock("2021-07-04T10:30:15+00:00", 120, "exif")
    assert photo_with(tmp_path, exif, main={DATE_TIME: "2021:07:09 20:00:00"}).clock is None


def test_whole_hours_of_tiff_ep_are_an_offset_too(tmp_path: Path) -> None:
    clock = photo_with(tmp_path, {TAKEN: "2021:07:04 12:30:15", 0x882A: 9}).clock
    assert clock == Clock("2021-07-04T03:30:15+00:00", 540, "exif")


def test_satellites_time_beside_the_cameras_gives_the_offset(tmp_path: Path) -> None:
    taken = {TAKEN: "2021:07:04 12:30:15"}
    # 90 s of drift over +5:45, Nepal's.
    clock = photo_with(tmp_path, taken, gps=gps_at(6, 43, 45)).clock
    assert clock == Clock("2021-07-04T06:45:15+00:00", 345, "gps")
    # The date changes between the two.
    clock = photo_with(tmp_path, {TAKEN: "2021:07:05 01:00:00"}, gps=gps_at(15, 0, 0)).clock
    assert clock is not None
    assert clock.offset_min == 600
    # Five minutes off every quarter of an hour; and a day and more between: a clock that was set wrongly.
    assert photo_with(tmp_path, taken, gps=gps_at(6, 40, 15)).clock is None
    assert photo_with(tmp_path, taken, gps=gps_at(10, 30, 15, "2021:07:05")).clock is None
    assert photo_with(tmp_path, taken, gps=gps_at(10, 30, 15, "0000:00:00")).clock is None


def test_two_witnesses_agree_or_leave_a_note(tmp_path: Path) -> None:
    exif = {TAKEN: "2021:07:04 12:30:15", OFFSET: "+02:00"}
    photo = photo_with(tmp_path, exif, gps=gps_at(10, 30, 10))
    assert photo.clock == Clock("2021-07-04T10:30:15+00:00", 120, "exif+gps")
    photo = photo_with(tmp_path, exif, gps=gps_at(11, 30, 10))
    assert photo.clock == Clock("2021-07-04T10:30:15+00:00", 120, "exif")
    assert photo.notes == ("Its clock is +02:00 from UTC by its own word and +01:00 by its GPS time.",)


def test_xmp_date_with_its_offset_comes_last(tmp_path: Path) -> None:
    date = "2021-07-04T12:30:15.5-04:00"
    assert photo_with(tmp_path, xmp_date=date).clock == Clock("2021-07-04T16:30:15+00:00", -240, "xmp")
    stated = {TAKEN: "2021:07:04 12:30:15", OFFSET: "+02:00"}
    assert photo_with(tmp_path, stated, xmp_date=date).clock == Clock("2021-07-04T10:30:15+00:00", 120, "exif")
    assert photo_with(tmp_path, xmp_date="2021-07-04").clock is None
    assert photo_with(tmp_path, xmp_date="2021-07-04T12:30:15").clock is None


def test_exposure_gives_the_brightness(tmp_path: Path) -> None:
    sunny = {0x829A: Rational(1, 125), 0x829D: Rational(16), 0x8827: 100}
    # The rule of the sunny sixteen: log2(256 * 125) = 14.97.
    assert photo_with(tmp_path, sunny).ev100 == pytest.approx(14.966, abs=1e-3)
    assert photo_with(tmp_path, {**sunny, 0x8827: 1600}).ev100 == pytest.approx(10.966, abs=1e-3)
    assert photo_with(tmp_path, {**sunny, 0x9209: 1}).ev100 is None  # the flash fired
    assert photo_with(tmp_path, {**sunny, 0x9209: 16}).ev100 is not None  # it was off
    assert photo_with(tmp_path, {0x9203: Rational(9)}).ev100 == pytest.approx(14.0)
    for nonsense in ({0x829A: Rational(0)}, {0x829A: Rational(1, 0)}, {0x829D: Rational(0)}, {0x8827: 0}):
        assert photo_with(tmp_path, {**sunny, **nonsense}).ev100 is None
    assert photo_with(tmp_path, {0x9203: Rational(99)}).ev100 is None


def directory(numbers: dict[int, float], texts: dict[int, str] | None = None) -> Tags:
    """Tags with numbers as doubles, which Pillow reads and never writes."""
    made = ImageFileDirectory_v2()
    for tag, value in numbers.items():
        made.tagtype[tag] = 12
        made[tag] = value
    for tag, text in (texts or {}).items():
        made[tag] = text
    return Tags(made)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300, 1e-310, -1.0])
def test_numbers_of_any_size_say_nothing_and_stop_nothing(value: float) -> None:
    sunny = {0x829A: 0.008, 0x829D: 16.0, 0x8827: 100.0}
    assert ev100(directory(sunny)) == pytest.approx(14.966, abs=1e-3)
    for tag in sunny:
        assert ev100(directory({**sunny, tag: value})) is None
    exif = directory({0x882A: value - 30.0}, {TAKEN: "2021:07:04 12:30:15"})
    assert read_clock(Metadata(Tags(), exif, Tags(), None, 1, 8, 8), {}) == (None, [])


@pytest.mark.realdata
def test_real_cameras_clocks(realdata: Path) -> None:
    # Milan and Paderborn in summer by the satellites, Dublin in summer; the last states no place.
    for name, minutes, source in (
        ("exif_gps/images/HTC_Desire.jpg", 120, "gps"),
        ("exif_gps/images/Sony_DSC-HX5V_2.jpg", 120, "gps"),
        ("exif_gps/images/Nokia_Lumia_800.jpg", 60, "xmp"),
        ("exif/jpg/Pentax_K10D.jpg", 540, "xmp"),
    ):
        clock = read_photo(str(realdata / name)).clock
        assert clock is not None, name
        assert (clock.offset_min, clock.source) == (minutes, source), name
    # Its calendar is a day behind the satellites'.
    assert read_photo(str(realdata / "exif" / "jpg" / "gps" / "DSCN0010.jpg")).clock is None
