"""Copies without places: from every corner of every format, with pixels, words and lengths as they were."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from pathlib import Path

import pytest
from exiftool import is_place, needs_exiftool, tags_of
from PIL import Image, PngImagePlugin

from geoloc_cli.errors import UsageError
from geoloc_cli.export.scrubbing import copies
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.photos.opening import Kind
from geoloc_cli.photos.writing.containers import jpeg_parts, png_chunk
from geoloc_cli.photos.writing.scrub import scrubbed
from geoloc_cli.photos.writing.splices import Tangled

XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:Iptc4xmpCore="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
 drone-dji:GpsLatitude="47.4979" drone-dji:GpsLongtitude="8.4979" drone-dji:RelativeAltitude="+70.10"
 drone-dji:GimbalPitchDegree="-90.0" photoshop:City="Secretville" Iptc4xmpCore:Location="Secret street">
<Iptc4xmpExt:LocationCreated><rdf:Bag><rdf:li rdf:parseType="Resource"><Iptc4xmpExt:City>Secretville</Iptc4xmpExt:City>
</rdf:li></rdf:Bag></Iptc4xmpExt:LocationCreated><dc:format>kept</dc:format></rdf:Description></rdf:RDF></x:xmpmeta>"""
IPTC = b"".join(
    b"\x1c\x02" + bytes([field]) + len(text).to_bytes(2, "big") + text
    for field, text in ((5, b"kept title"), (90, b"Secretville"), (101, b"Secretland"), (25, b"kept word"))
)
SECRETS = (b"Secret", b"47.4979", b"8.4979")


def resource(number: int, data: bytes) -> bytes:
    return b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + bytes(len(data) % 2)


def exif() -> Image.Exif:
    made = Image.Exif()
    made[0x010F] = "Kept camera"
    made.get_ifd(0x8825).update({1: "N", 2: (47.0, 30.0, 0.0), 3: "E", 4: (8.0, 30.0, 0.0), 29: "2024:05:06"})
    made.get_ifd(0x8825)[28] = b"ASCII\x00\x00\x00Secret area"
    made.get_ifd(0x8769)[0x927C] = b"kept notes of the camera"
    return made


def jpeg(*segments: tuple[int, bytes]) -> bytes:
    """A JPEG with EXIF, XMP and, behind them, these application segments."""
    out = io.BytesIO()
    Image.effect_noise((24, 16), 60).save(out, "JPEG", exif=exif(), xmp=XMP)
    data = out.getvalue()
    at = jpeg_parts(data).parts[2].stop
    more = b"".join(bytes([0xFF, 0xE0 + n]) + (len(p) + 2).to_bytes(2, "big") + p for n, p in segments)
    return data[:at] + more + data[at:]


def place_free(data: bytes) -> bool:
    return not any(secret in data for secret in SECRETS)


@needs_exiftool
def test_a_jpeg_keeps_its_length_its_pixels_and_all_but_its_places(tmp_path: Path) -> None:
    digest = hashlib.md5(IPTC).digest()
    block = b"Photoshop 3.0\x00" + resource(0x0404, IPTC) + resource(0x0425, digest) + resource(0x0424, XMP)
    data = jpeg((13, block), (1, b"GoPro\x00 GPS5 Secret"))
    (tmp_path / "a.jpg").write_bytes(data)
    (copy,) = copies([str(tmp_path / "a.jpg")], str(tmp_path / "out"))
    assert (copy.error, copy.left_out) == (None, ("its APP1 segment (GoPro)",))
    new = (tmp_path / "out" / "a.jpg").read_bytes()
    assert len(new) == len(data)
    assert place_free(new)
    scan = data.index(b"\xff\xda")
    assert new[scan:] == data[scan:]
    tags = tags_of([tmp_path / "out" / "a.jpg"])[str(tmp_path / "out" / "a.jpg")]
    assert not [name for name in tags if is_place(name)]
    assert (tags["IFD0:Make"], tags["XMP-dc:Format"], tags["IPTC:ObjectName"]) == ("Kept camera", "kept", "kept title")
    assert (tags["IPTC:Keywords"], tags["XMP-drone-dji:GimbalPitchDegree"]) == ("kept word", -90)
    assert tags["Photoshop:IPTCDigest"] == tags["File:CurrentIPTCDigest"]


def test_maker_notes_stay_unless_they_may_not() -> None:
    data = jpeg()
    assert b"kept notes" in scrubbed("a.jpg", "JPEG", data).data
    without = scrubbed("a.jpg", "JPEG", data, maker_notes=False).data
    assert b"kept notes" not in without
    assert len(without) == len(data)
    with Image.open(io.BytesIO(without)) as image:
        assert 0x927C not in image.getexif().get_ifd(0x8769)
        assert image.getexif()[0x010F] == "Kept camera"


def test_pictures_that_follow_are_scrubbed_and_a_film_is_cut_off() -> None:
    first, second = jpeg((2, b"MPF\x00index")), jpeg()
    made = scrubbed("a.jpg", "JPEG", first + bytes(3) + second + b"\x00\x00\x00\x18ftypmp42 Secret film")
    assert made.left_out == ("what follows its picture",)
    assert len(made.data) == len(first) + 3 + len(second)
    assert place_free(made.data)
    assert b"MPF\x00index" in made.data
    again = scrubbed("a.jpg", "JPEG", made.data)
    assert again.data == made.data


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif"])
def test_other_formats_are_scrubbed(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    image = Image.effect_noise((24, 16), 60)
    if name == "a.png":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", XMP.decode(), zip=True)
        info.add_text("Raw profile type xmp", "Secret")
        info.add_text("Title", "kept")
        image.save(path, exif=exif(), pnginfo=info)
    elif name == "a.webp":
        image.save(path, exif=exif(), xmp=XMP, lossless=True)
    else:
        image.save(path, exif=exif(), tiffinfo={700: XMP, 33723: IPTC, 33922: (0.0,) * 3 + (8.4979, 47.4979, 0.0)})
    with Image.open(path) as opened:
        pixels = opened.tobytes()
    (copy,) = copies([str(path)], str(tmp_path / "out"))
    assert copy.error is None, copy
    made = tmp_path / "out" / name
    photo = read_photo(str(made))
    assert (photo.position, photo.altitude, photo.notes) == (None, None, ())
    with Image.open(made) as opened:
        assert opened.tobytes() == pixels
        assert 33922 not in opened.getexif()
        if name == "a.png":
            assert opened.text["Title"] == "kept"  # type: ignore[attr-defined]
            assert b"<dc:format>kept</dc:format>" in opened.info["xmp"]
    assert place_free(made.read_bytes())
    if name != "a.png":
        assert made.stat().st_size == path.stat().st_size


@pytest.mark.parametrize(
    ("name", "kind", "data", "why"),
    [
        ("a.heic", "HEIF", b"", "HEIC"),
        ("a.dng", "TIFF", b"II*\x00", "raw"),
        ("a.tif", "TIFF", b"II+\x00", "BigTIFF"),
        ("a.jpg", "JPEG", jpeg((1, b"Exif\x00\x00MM\x00*")), "several segments"),
        ("a.jpg", "JPEG", jpeg((1, b"http://ns.adobe.com/xmp/extension/\x00" + bytes(40) + XMP)), "extended XMP"),
        ("a.jpg", "JPEG", jpeg((13, b"Photoshop 3.0\x00" + resource(0x0404, IPTC[:-3]))), "IPTC fields are damaged"),
        ("a.jpg", "JPEG", jpeg((13, b"Photoshop 3.0\x00" + resource(0x0404, IPTC)[:-3])), "Photoshop resources"),
        ("a.jpg", "JPEG", jpeg()[:300], "JPEG segment"),
        ("a.jpg", "JPEG", jpeg().replace(b"kept notes of", b"Exif\x00\x00MM\x00*of "), "thumbnail"),
        ("a.png", "PNG", b"\x89PNG\r\n\x1a\n" + png_chunk(b"eXIf", b"junk"), "PNG chunks|begin as one"),
    ],
)
def test_what_cannot_be_scrubbed_for_sure_is_refused(name: str, kind: Kind, data: bytes, why: str) -> None:
    with pytest.raises(Tangled, match=why):
        scrubbed(name, kind, data)


def test_a_bomb_of_compressed_xmp_is_refused() -> None:
    text = b"XML:com.adobe.xmp\x00\x01\x00\x00\x00" + zlib.compress(b" " * (64 << 20))
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"iTXt", text) + png_chunk(b"IEND", b"")
    with pytest.raises(Tangled, match="16 MiB"):
        scrubbed("a.png", "PNG", data)


def test_copies_lie_as_their_originals_do_and_replace_nothing(tmp_path: Path) -> None:
    photos = [tmp_path / "in" / "a" / "1.jpg", tmp_path / "in" / "b" / "1.jpg", tmp_path / "in" / "b" / "no.jpg"]
    for path in photos[:2]:
        path.parent.mkdir(parents=True)
        path.write_bytes(jpeg())
    out = tmp_path / "out"
    made = list(copies(list(map(str, photos)), str(out)))
    assert [copy.target for copy in made] == [str(out / "a" / "1.jpg"), str(out / "b" / "1.jpg"), None]
    assert "no.jpg does not exist" in (made[2].error or "")
    (again,) = copies([str(photos[0])], str(out / "a"))
    assert "exists already" in (again.error or "")
    with pytest.raises(UsageError, match="cannot be made"):
        list(copies([str(photos[0])], str(photos[1] / "x")))
