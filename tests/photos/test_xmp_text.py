"""XMP edited as text: what is asked for goes or comes, and every other byte stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from exiftool import needs_exiftool, tags_of

from geoloc_cli.photos.writing.gps_tags import Geotag
from geoloc_cli.photos.writing.scrub import is_place
from geoloc_cli.photos.writing.sidecars import says_position, sidecar_of, sidecar_splices
from geoloc_cli.photos.writing.splices import Tangled, applied
from geoloc_cli.photos.writing.xmp_text import blanked, find
from geoloc_cli.photos.xmp import read_xmp, xmp_position

DARKTABLE = """\ufeff<?xml version="1.0" encoding="UTF-8"?>
<!-- not to be lost -->
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about='uuid:"7"'
    xmlns:e="http://ns.adobe.com/exif/1.0/" xmlns:other="http://example.org/exif/1.0/"
    xmlns:darktable="http://darktable.sf.net/" xmlns:dc="http://purl.org/dc/elements/1.1/"
   e:GPSLatitude="47,30.0N" e:GPSLongitude="8,30.0E"
   e:GPSDOP="2/1" other:GPSLatitude="mine" e:ExposureTime="1/60 > 1/90"
   darktable:history_end="3">
   <e:GPSAltitude>4000/10</e:GPSAltitude><e:GPSAltitudeRef/>
   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">Zürich &lt; Genève 東京</rdf:li></rdf:Alt></dc:title>
   <darktable:history><rdf:Seq/></darktable:history>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""
TAG = Geotag(-33.8567844, 151.2152967, 8.44, "geoloc rerank", None, None)


def test_a_new_sidecar_says_what_is_read(tmp_path: Path) -> None:
    made = applied(b"", sidecar_splices(None, TAG))
    position, doubts = xmp_position(read_xmp(made)[0])
    assert doubts == []
    assert position
    assert (position.lat, position.lon) == pytest.approx((TAG.lat, TAG.lon), abs=2e-9)
    assert says_position(made)


def test_merging_replaces_the_position_and_keeps_every_other_byte() -> None:
    packet = DARKTABLE.encode()
    made = applied(packet, sidecar_splices(packet, TAG)).decode()
    for gone in ("47,30.0N", "8,30.0E", "e:GPSDOP", "4000/10", "GPSAltitudeRef"):
        assert gone not in made
    position, _ = xmp_position(read_xmp(made.encode())[0])
    assert position
    assert position.lat == pytest.approx(TAG.lat)
    # What was put in begins and ends here; the rest is the old text but for what went.
    start = made.index(" <rdf:Description xmlns:rdf=")
    stop = made.index("</rdf:Description>\n </rdf:RDF>") + len("</rdf:Description>\n ")
    old = DARKTABLE
    for gone in (
        '\n   e:GPSLatitude="47,30.0N"',
        ' e:GPSLongitude="8,30.0E"',
        '\n   e:GPSDOP="2/1"',
        "<e:GPSAltitude>4000/10</e:GPSAltitude>",
        "<e:GPSAltitudeRef/>",
    ):
        assert gone in old
        old = old.replace(gone, "")
    assert made[:start] + made[stop:] == old
    assert 'rdf:about="uuid:&quot;7&quot;"' in made[start:stop]  # one resource, by the same name
    again = applied(made.encode(), sidecar_splices(made.encode(), TAG))
    assert len(read_xmp(again)[0]) == len(read_xmp(made.encode())[0])
    assert again.count(b"<exif:GPSLatitude>") == 1


@needs_exiftool
def test_exiftool_reads_the_same_in_four_quarters_of_the_earth(tmp_path: Path) -> None:
    wanted = {}
    # exiftool takes a property of that name in any namespace, and ends a tag at the first `>`.
    old = DARKTABLE.replace('other:GPSLatitude="mine"', "").replace(" > ", " ").encode()
    for k, (lat, lon) in enumerate([(47.5, 8.25), (-33.8567844, 151.2152967), (40.7, -74.0000001), (-54.8, -68.3)]):
        tag = Geotag(lat, lon, 8.44, "geoloc pose", -3.5, 271.5)
        path = tmp_path / f"{k}.xmp"
        path.write_bytes(applied(old, sidecar_splices(old, tag)))
        wanted[str(path)] = lat, lon
    for name, tags in tags_of([tmp_path]).items():
        assert [float(v) for v in tags["Composite:GPSPosition"].split()] == pytest.approx(wanted[name], abs=1e-9)
        assert tags["XMP-exif:GPSHPositioningError"] == 8.44
        assert (tags["XMP-exif:GPSImgDirection"], tags["Composite:GPSAltitude"]) == (271.5, -3.5)
        assert tags["XMP-dc:Title"] == "Zürich < Genève 東京"
        assert tags["XMP-darktable:History_end"] == 3
        assert not [key for key in tags if "Warning" in key]


def test_blanking_keeps_the_length_and_takes_all_namespaces() -> None:
    packet = DARKTABLE.encode() + bytes(40)
    made = applied(packet, blanked(packet, is_place))
    assert len(made) == len(packet)
    assert find(made, is_place).names == frozenset()
    assert b"ExposureTime" in made
    assert b"GPS" not in made


NS = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:p="http://example.org/p/"'


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ('<p:City a="x&gt;/>">Rome</p:City>', ""),
        ("<p:LocationCreated><rdf:Bag><rdf:li><p:City>Rome</p:City></rdf:li></rdf:Bag></p:LocationCreated>", ""),
        ('<p:GpsLongtitude v="1>2"/><p:x>1</p:x>', "<p:x>1</p:x>"),
        ('<p:Latitude xmlns:p="urn:else">1</p:Latitude>', ""),
        ("<p:x p:RelativeAltitude = '+3.1' p:y='2'/>", "<p:x p:y='2'/>"),
        ("<p:GpsStatus>\n <p:deep>1</p:deep></p:GpsStatus>", ""),
        ("<p:flexible>longitudinal</p:flexible>", "<p:flexible>longitudinal</p:flexible>"),
    ],
)
def test_what_tells_a_place_is_found_however_it_is_written(body: str, left: str) -> None:
    packet = f"<rdf:RDF {NS}>{body}</rdf:RDF>".encode()
    made = applied(packet, blanked(packet, is_place)).decode()
    assert made.replace(" ", "") == f"<rdf:RDF {NS}>{left}</rdf:RDF>".replace(" ", "")


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document type"),
        ("<a/>".encode("utf-16"), "UTF-8"),
        (b"<a><b></a>", "well-formed"),
        (b"", "well-formed"),
        (b"<a/>" + b" " * (17 << 20), "16 MiB"),
        (b"<a xmlns='urn:x'><b/></a>", "no rdf:RDF"),
    ],
)
def test_what_is_no_plain_xmp_is_refused(packet: bytes, why: str) -> None:
    with pytest.raises(Tangled, match=why):
        sidecar_splices(packet, TAG)


def test_a_sidecar_that_is_there_is_kept_to(tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    photo.touch()
    assert sidecar_of(str(photo)) == str(tmp_path / "a.jpg.xmp")
    (tmp_path / "a.XMP").touch()
    assert sidecar_of(str(photo)) == str(tmp_path / "a.XMP")
    (tmp_path / "a.cr2").touch()  # whose sidecar it may be
    assert sidecar_of(str(photo)) == str(tmp_path / "a.jpg.xmp")
    (tmp_path / "a.jpg.xmp").touch()
    assert sidecar_of(str(photo)) == str(tmp_path / "a.jpg.xmp")
