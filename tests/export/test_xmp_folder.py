"""Sidecars in a folder of their own: named by their photographs, and read by exiftool."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from exiftool import needs_exiftool, tags_of
from exported import FIX, HOSTILE, POSED

from geoloc_cli.export.formats import FORMATS, Asked
from geoloc_cli.export.located import Located
from geoloc_cli.export.target import put_folder

if TYPE_CHECKING:
    from pathlib import Path

    from geoloc_cli.types import Fix


def sidecars(left_out: Counter[str], *fixes: Fix) -> dict[str, bytes]:
    content = FORMATS["xmp"].write([Located(fix) for fix in fixes], left_out, Asked())
    assert isinstance(content, dict)
    return content


def test_folders_of_the_photos_are_kept_below_the_one_that_holds_all() -> None:
    left_out: Counter[str] = Counter()
    names = ["trip/one/a.jpg", "trip/two/a.jpg", "trip/one/../one/a.jpg", HOSTILE, HOSTILE.replace("\x00", "/../")]
    found = sidecars(left_out, *(replace(FIX, photo=name) for name in names))
    flat = HOSTILE.replace("\x00", "/../").replace("</name>&\"'/../", "</")
    assert set(found) == {"trip/one/a.jpg.xmp", "trip/two/a.jpg.xmp", f"{flat}.xmp"}
    assert left_out == {"with a NUL in its name": 1, "named before": 1}
    assert set(sidecars(left_out, replace(FIX, photo="../../trip/a.jpg"))) == {"a.jpg.xmp"}
    assert sidecars(left_out) == {}


@needs_exiftool
def test_exiftool_reads_place_accuracy_and_method(tmp_path: Path) -> None:
    put_folder(tmp_path / "xmp", sidecars(Counter(), FIX, replace(POSED, photo="sub/b.jpg")))
    one, two = tags_of([tmp_path / "xmp" / "a.jpg.xmp", tmp_path / "xmp" / "sub" / "b.jpg.xmp"]).values()
    assert (one["XMP-exif:GPSLatitude"], one["XMP-exif:GPSLongitude"]) == pytest.approx((47.25, 8.5), abs=1e-9)
    assert two["XMP-exif:GPSLatitude"] == pytest.approx(-33.5, abs=1e-9)
    assert one["XMP-exif:GPSHPositioningError"] == pytest.approx(12.5 / 1.42, abs=0.1)
    assert (one["XMP-exif:GPSProcessingMethod"], two["XMP-exif:GPSImgDirection"]) == ("geoloc rerank", 90)
