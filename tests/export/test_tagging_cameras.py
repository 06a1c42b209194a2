"""The files of many cameras, tagged and scrubbed, as exiftool reads them before and after."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from exiftool import is_place, needs_exiftool, tags_of

from geoloc_cli.errors import PhotoError
from geoloc_cli.export.scrubbing import Copy, copies
from geoloc_cli.photos.opening import open_picture
from geoloc_cli.photos.scan import find_photos
from geoloc_cli.photos.writing.containers import jpeg_parts
from geoloc_cli.photos.writing.gps_tags import Geotag
from geoloc_cli.photos.writing.in_exif import exif_splices
from geoloc_cli.photos.writing.splices import Tangled, applied, inverse

pytestmark = [pytest.mark.realdata, needs_exiftool]
TAG = Geotag(-33.8567844, -151.2152967, 8.44, "geoloc pose", 12.34, 271.5)
# EXIF's pointer is a text in the one, and HEIC is not written.
NOT_TAGGED = {"30-type_error.jpg", "samplefilehub.heif"}
# What each loses with the segments that might hold a place; the FLIR one does.
LEFT_OUT = {
    "kodak-dc240.jpg": ["its APP3 segment (Meta)"],
    "olympus-d320l.jpg": ["its APP12 segment (OLYMPUS OPTICAL CO.)", "what follows its picture"],
    "sony-powershota5.jpg": ["its APP0 segment (II)"],
    "FLIR_Vue_Pro_640.jpg": ["its APP1 segment (FLIR)"],
}


# Larger than the rest and yet looked at: GPS of three kinds, MakerNotes with offsets, tags of false types, FLIR, CIFF.
LARGE = {
    *(
        "DSCN0010.jpg",
        "22-canon_tags.jpg",
        "30-type_error.jpg",
        "33-type_error.jpg",
        "45-gps_ifd.jpg",
        "nikon-e950.jpg",
    ),
    *("samplefilehub.heif", "no_exif.jpg", "FujiFilm_FinePixS1Pro_1.jpg", "gps_xmp.jpg"),
    *("67-0_length_string.jpg", "image00971.jpg", "portrait_6.jpg", "BSG1.tiff", *LEFT_OUT),
}
LARGE_BYTES = 20_000


@dataclass(frozen=True)
class Cameras:
    """Files, tagged and scrubbed by name, and what exiftool finds in each of the three."""

    folder: Path
    refused: set[str]
    copied: dict[str, Copy]
    tags: dict[str, dict[str, dict[str, Any]]]

    def read(self, kind: str, name: str) -> bytes:
        return (self.folder / kind / name).read_bytes()


@pytest.fixture(scope="module")
def cameras(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Cameras:
    folder = tmp_path_factory.mktemp("cameras")
    for kind in ("before", "tagged", "scrubbed"):
        (folder / kind).mkdir()
    refused = set()
    for found in find_photos([str(realdata / "exif"), str(realdata / "exif_gps")]):
        path = Path(found)
        if path.stat().st_size > LARGE_BYTES and path.name not in LARGE:
            continue
        data = path.read_bytes()
        (folder / "before" / path.name).write_bytes(data)
        try:
            with open_picture(found) as picture:
                splices = exif_splices(found, picture.kind, data, TAG)
        except (Tangled, PhotoError):
            refused.add(path.name)
            continue
        new = applied(data, splices)
        assert applied(new, inverse(data, splices)) == data
        (folder / "tagged" / path.name).write_bytes(new)
    copied = copies([str(path) for path in (folder / "before").iterdir()], str(folder / "scrubbed"))
    by_name = {Path(copy.photo).name: copy for copy in copied}
    tags: dict[str, dict[str, dict[str, Any]]] = {"before": {}, "tagged": {}, "scrubbed": {}}
    for name, row in tags_of([folder], "-r").items():
        tags[Path(name).parent.name][Path(name).name] = row
    return Cameras(folder, refused, by_name, tags)


def scans(data: bytes) -> bytes:
    """A JPEG from its first scan to its end."""
    jpeg = jpeg_parts(data)
    return data[next(part.start for part in jpeg.parts if part.name == b"\xda") : jpeg.stop]


def test_a_tagged_file_has_every_other_tag_and_its_pixels_as_before(cameras: Cameras) -> None:
    assert cameras.refused == NOT_TAGGED
    assert len(cameras.tags["tagged"]) >= 40
    for name, tags in cameras.tags["tagged"].items():
        old, before, after = cameras.tags["before"][name], cameras.read("before", name), cameras.read("tagged", name)
        if name.endswith(".tiff"):  # without a position: the head points elsewhere, and the rest is as it was
            assert after[8 : len(before)] == before[8:]
        else:
            assert scans(after) == scans(before)
        lost = [key for key in old if "GPS" not in key and tags.get(key) != old[key]]
        assert lost == (["ExifTool:Warning"] if name == "45-gps_ifd.jpg" else []), name  # its GPS is empty no more
        assert (tags["Composite:GPSLatitude"], tags["Composite:GPSLongitude"]) == (TAG.lat, TAG.lon), name
        assert tags["GPS:GPSProcessingMethod"] == "geoloc pose"
        # exiftool counts copies of a name over all groups, and FLIR has a direction, too.
        assert {8.44, 271.5} <= {
            value for key, value in tags.items() if key.startswith("GPS:") and isinstance(value, float)
        }
        assert "GPS:GPSDateStamp" not in tags or "GPS:GPSDateStamp" in old


def test_a_scrubbed_copy_has_no_place_and_every_other_tag_and_its_pixels_as_before(cameras: Cameras) -> None:
    assert sum(any(map(is_place, tags)) for tags in cameras.tags["before"].values()) >= 8
    assert {name for name, copy in cameras.copied.items() if copy.error} == NOT_TAGGED
    assert {name: list(copy.left_out) for name, copy in cameras.copied.items() if copy.left_out} == LEFT_OUT
    for name, tags in cameras.tags["scrubbed"].items():
        old, before, after = cameras.tags["before"][name], cameras.read("before", name), cameras.read("scrubbed", name)
        assert not [tag for tag in tags if is_place(tag)], name
        assert name.endswith(".tiff") or scans(after) == scans(before)
        assert len(after) == len(before) or name == "olympus-d320l.jpg"
        if name not in LEFT_OUT:
            lost = {key for key in old if not is_place(key) and tags.get(key) != old[key]}
            # The digests of IPTC's fields are those of the fields that are left.
            assert lost <= {"File:CurrentIPTCDigest", "Photoshop:IPTCDigest", "ExifTool:Warning"}, name
            assert "Photoshop:IPTCDigest" not in lost or tags["Photoshop:IPTCDigest"] == tags["File:CurrentIPTCDigest"]
