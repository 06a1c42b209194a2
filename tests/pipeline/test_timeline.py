"""The order of an album: cameras apart, clocks that were set anew or never, and photographs without a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from geoloc_cli.photos.moments import Moment, moment_of
from geoloc_cli.pipeline.timeline import Way, ways

NOON = 1_780_000_000.0
GAP = 6 * 3600.0


def at(
    second: float | None, camera: str | None = "A 1", serial: str | None = None, offset: float | None = None
) -> Moment:
    return Moment(camera, serial, None if second is None else NOON + second, offset)


def one_way(moments: dict[str, Moment]) -> Way:
    found = ways(moments, GAP)
    assert len(found) == 1
    return found[0]


def test_two_photographers_in_one_folder_are_two_ways_and_a_night_ends_one() -> None:
    moments = {
        "IMG_1.jpg": at(0.0, serial="1"),
        "IMG_2.jpg": at(5.0, serial="2"),
        "IMG_3.jpg": at(10.0, serial="1"),
        "IMG_4.jpg": at(12 * 3600.0, serial="1"),
    }
    assert [way.paths for way in ways(moments, GAP)] == [("IMG_1.jpg", "IMG_3.jpg"), ("IMG_4.jpg",), ("IMG_2.jpg",)]


def test_fractions_of_seconds_order_a_burst_whatever_its_names() -> None:
    way = one_way({"b.jpg": at(0.25), "a.jpg": at(0.5), "c.jpg": at(0.0)})
    assert way.paths == ("c.jpg", "b.jpg", "a.jpg")
    assert way.time_s == pytest.approx([0.0, 0.25, 0.5])


def test_a_photograph_without_a_time_stands_between_its_names_neighbours() -> None:
    way = one_way({"IMG_9.jpg": at(0.0), "IMG_10.jpg": at(None), "IMG_11.jpg": at(60.0), "IMG_12.jpg": at(None)})
    assert way.paths == ("IMG_9.jpg", "IMG_10.jpg", "IMG_11.jpg", "IMG_12.jpg")
    assert way.time_s == pytest.approx([0.0, 30.0, 60.0, 360.0])
    assert way.stated.tolist() == [True, False, True, False]


def test_without_any_time_the_names_order_and_the_gaps_are_unknown() -> None:
    way = one_way({"10.jpg": at(None, None), "9.jpg": at(None, None)})
    assert way.paths == ("9.jpg", "10.jpg")
    assert not way.stated.any()
    # Of unknown cameras, folders are ways of their own.
    assert len(ways({"a/1.jpg": at(None, None), "b/2.jpg": at(None, None)}, GAP)) == 2


def test_a_clock_that_was_set_anew_keeps_the_order_of_the_names() -> None:
    # After the fourth the battery was changed: the clock begins in the year 2000.
    reset = 946_684_800.0 - NOON
    moments = {f"IMG_{i}.jpg": at(10.0 * i if i < 4 else reset + 10.0 * i) for i in range(8)}
    way = one_way(moments)
    assert way.paths == tuple(moments)
    assert np.diff(way.time_s) == pytest.approx([10, 10, 10, GAP / 2, 10, 10, 10])
    assert way.note is not None
    assert "goes back" in way.note


def test_numbers_that_begin_again_are_no_clock_set_anew() -> None:
    moments = {f"IMG_{n:04d}.jpg": at(3700.0 * i) for i, n in enumerate((9997, 9998, 9999, 1, 2))}
    way = one_way(moments)
    assert way.paths == tuple(moments)
    assert way.note is None


def test_one_second_for_most_is_a_time_for_none() -> None:
    way = one_way({f"{i}.jpg": at(0.0 if i < 4 else 100.0 * i) for i in range(6)})
    assert not way.stated.any()
    assert way.note == "4 of its 6 photographs state the same second"


def test_zones_count_where_all_state_them() -> None:
    # 12:00 in Vienna is before 11:30 in London; of clocks that keep their zone to themselves nobody can know.
    vienna, london = at(0.0, offset=7200.0), at(-1800.0, offset=3600.0)
    assert one_way({"2.jpg": vienna, "1.jpg": london}).paths == ("2.jpg", "1.jpg")
    assert one_way({"2.jpg": vienna, "1.jpg": at(-1800.0)}).paths == ("1.jpg", "2.jpg")


def test_camera_serial_and_fraction_are_read_from_a_file(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Canon", "Canon EOS 5D"
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    inner[ExifTags.Base.DateTimeOriginal], inner[ExifTags.Base.SubsecTimeOriginal] = "2026:06:01 12:00:00", "25"
    inner[ExifTags.Base.OffsetTimeOriginal], inner[ExifTags.Base.BodySerialNumber] = "+02:00", "0042"
    Image.new("RGB", (32, 32)).save(tmp_path / "a.jpg", exif=exif)
    assert moment_of(str(tmp_path / "a.jpg")) == Moment("Canon EOS 5D", "0042", 1_780_315_200.25, 7200.0)
    assert moment_of(str(tmp_path / "none.jpg")) == Moment(None, None, None, None)
