"""A position put into EXIF: every odd file keeps what it has, or is refused; none is broken."""

from __future__ import annotations

import io
import random
import struct

import pytest
from PIL import Image, PngImagePlugin

from geoloc_cli.photos.gps import R90_PER_R68
from geoloc_cli.photos.opening import Kind
from geoloc_cli.photos.writing.containers import PNG_HEAD, jpeg_parts, png_chunk, png_parts
from geoloc_cli.photos.writing.gps_tags import Geotag, exif_tags, geotag, xmp_values
from geoloc_cli.photos.writing.in_exif import exif_splices
from geoloc_cli.photos.writing.scrub import scrubbed
from geoloc_cli.photos.writing.splices import Splice, Tangled, applied, inverse, ordered
from geoloc_cli.photos.writing.tiff_block import EMPTY, GPS_IFD, Block, with_gps
from geoloc_cli.types import Belief, Component, Fix

TAG = Geotag(-33.8567844, -151.2152967, 8.44, "geoloc pose", 12.34, 271.5)
XMP = b"""<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:exif="http://ns.adobe.com/exif/1.0/">
<r:Description r:about="" exif:GPSLatitude="47,30.0N" exif:GPSLongitude="8,30.0E" exif:GPSTimeStamp="t"/></r:RDF>"""


def picture(kind: str = "JPEG", mode: str = "L", **more: object) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((24, 16), 60).convert(mode).save(out, kind, **more)
    return out.getvalue()


def tagged(data: bytes, kind: Kind = "JPEG", name: str = "a.jpg") -> bytes:
    return applied(data, exif_splices(name, kind, data, TAG))


def gps_of(data: bytes) -> dict[int, object]:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return dict(image.getexif().get_ifd(0x8825))


@pytest.mark.parametrize("lat", [-90.0, -33.99999999999, -0.00000001, 0.5, 47.0, 59.9999999999, 90.0])
def test_degrees_are_exact_to_a_tenth_of_a_millimetre_and_never_sixty(lat: float) -> None:
    tag = Geotag(lat, 180.0, 0.0, "geoloc prior", 0.0, 359.999)
    for order in "<>":
        tags = {new.tag: new.value for new in exif_tags(tag, order, None)}
        d, d1, m, m1, s, s1 = struct.unpack(f"{order}6I", tags[2])
        assert (-1 if tags[1] == b"S\x00" else 1) * (d / d1 + m / m1 / 60 + s / s1 / 3600) == pytest.approx(
            lat, abs=1e-9
        )
        assert max(m / m1, s / s1) < 60
        assert struct.unpack(f"{order}2I", tags[17]) == (0, 1)  # 359.999 degrees are 0, not 360
        assert struct.unpack(f"{order}2I", tags[31])[0] > 0  # an error of zero would be none at all
    degrees, minutes = xmp_values(tag)["GPSLatitude"][:-1].split(",")
    assert float(degrees) + float(minutes) / 60 == pytest.approx(abs(lat), abs=2e-9)
    assert float(minutes) < 60


def test_what_is_too_long_for_a_rational_is_cut_and_no_altitude_of_a_photo_left_out() -> None:
    place = Component(1.0, 2.0, 1e7, 1.0)
    wide = Fix("a", "ok", "prior", 1.0, 2.0, 1e8, 1e9, 0.1, Belief((place,), 0.0))
    tag = geotag(wide, 40.0)
    assert tag.alt_m is None
    assert struct.unpack(">2I", exif_tags(tag, ">", None)[-1].value) == (round(1e9 / R90_PER_R68), 1)


@pytest.mark.parametrize(
    ("kind", "mode", "lossless"), [("WEBP", "RGB", False), ("WEBP", "RGB", True), ("WEBP", "RGBA", True)]
)
def test_a_webp_of_the_simple_form_gets_its_header(kind: Kind, mode: str, lossless: bool) -> None:
    data = picture("WEBP", mode, lossless=lossless)
    new = tagged(data, "WEBP")
    assert gps_of(new)[1] == "S"
    with Image.open(io.BytesIO(new)) as after, Image.open(io.BytesIO(data)) as before:
        assert (after.size, after.mode, after.tobytes()) == (before.size, before.mode, before.tobytes())
    assert int.from_bytes(new[4:8], "little") == len(new) - 8
    assert gps_of(tagged(new, "WEBP"))[1] == "S"


def test_the_position_in_a_picture_s_own_xmp_goes_with_the_one_in_exif() -> None:
    for kind, name in (("JPEG", "a.jpg"), ("WEBP", "a.webp")):
        new = tagged(picture(kind, xmp=XMP), kind, name)  # type: ignore[arg-type]
        assert b"47,30.0N" not in new
        assert b'GPSTimeStamp="t"' in new
    new = tagged(picture("TIFF", tiffinfo={700: XMP}), "TIFF", "a.tif")
    assert b"47,30.0N" not in new
    assert b'GPSTimeStamp="t"' in new
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    with pytest.raises(Tangled, match="XMP says a position"):
        tagged(picture("PNG", pnginfo=info), "PNG")


def test_a_gps_directory_without_a_position_keeps_what_it_has() -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({5: b"\x00", 6: 431.0, 7: (10.0, 11.0, 12.0), 16: "M", 17: 10.0, 29: "2024:05:06"})
    data = picture(exif=exif)
    still = Geotag(47.0, 8.0, 3.0, "geoloc rerank")
    gps = gps_of(applied(data, exif_splices("a.jpg", "JPEG", data, still)))
    assert (gps[6], gps[7], gps[16], gps[29]) == (431.0, (10.0, 11.0, 12.0), "M", "2024:05:06")
    assert gps[1] == "N"
    turned = gps_of(tagged(data))
    assert (turned[16], turned[17], turned[6]) == ("T", 271.5, 12.34)


def test_a_second_tagging_leaves_nothing_of_the_first() -> None:
    once = tagged(picture())
    again = applied(once, exif_splices("a.jpg", "JPEG", once, Geotag(1.0, 2.0, 3.0, "geoloc rerank")))
    gps = gps_of(again)
    assert (gps[2], gps[27]) == ((1.0, 0.0, 0.0), b"ASCII\x00\x00\x00geoloc rerank")
    assert 6 not in gps  # the altitude of the position that went
    assert b"geoloc pose" not in again


def test_jpegs_that_might_be_harmed_are_refused() -> None:
    notes = Image.Exif()
    notes.get_ifd(0x8769)[0x927C] = b"a preview is at 12345"
    data = picture(exif=notes)
    with pytest.raises(Tangled, match="second picture"):
        tagged(data + picture())
    assert gps_of(tagged(data + b"trailing"))[1] == "S"
    mpf = b"\xff\xe2\x00\x08MPF\x00xx"
    with pytest.raises(Tangled, match="index of its pictures"):
        tagged(data[:2] + mpf + data[2:])
    at = jpeg_parts(data).parts[1].stop
    rest = mpf + data[at:] + picture()
    assert tagged(data[:at] + rest).endswith(rest)  # whose places count from the index
    with pytest.raises(Tangled, match="several EXIF"):
        tagged(data[:at] + data[20:at] + data[at:])
    full = Image.Exif()
    full[0x010E] = "x" * 65_400
    with pytest.raises(Tangled, match="64 KiB"):
        tagged(picture(exif=full))


def test_formats_that_are_not_written_are_refused() -> None:
    tiff = picture("TIFF")
    for name, kind, data, why in (
        ("a.heic", "HEIF", b"", "HEIC"),
        ("a.NEF", "TIFF", tiff, "raw"),
        ("a.tif", "TIFF", b"II+\x00" + tiff[4:], "BigTIFF"),
    ):
        with pytest.raises(Tangled, match=why):
            exif_splices(name, kind, data, TAG)  # type: ignore[arg-type]
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", "\nexif\n 0\n\n")
    with pytest.raises(Tangled, match="ImageMagick"):
        tagged(picture("PNG", pnginfo=info), "PNG")


def test_pages_and_the_rest_of_a_tiff_stay() -> None:
    out = io.BytesIO()
    pages = [Image.new("L", (8, 8), k) for k in (10, 20, 30)]
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:])
    data = out.getvalue()
    new = tagged(data, "TIFF", "a.tif")
    assert new[8 : len(data)] == data[8:]
    with Image.open(io.BytesIO(new)) as image:
        assert image.n_frames == 3  # type: ignore[attr-defined]
        image.seek(2)
        assert image.getpixel((0, 0)) == 30


def test_an_exif_chunk_behind_the_pixels_of_a_png_is_used() -> None:
    data = picture("PNG")
    end = png_parts(data)[-1].start
    block = applied(EMPTY, with_gps(EMPTY, exif_tags(TAG, ">", None)))
    late = data[:end] + png_chunk(b"eXIf", block) + data[end:]
    new = tagged(late, "PNG")
    assert new.count(b"eXIf") == 1
    assert new.startswith(PNG_HEAD)
    assert gps_of(new)[1] == "S"


def test_directories_that_lie_on_one_another_are_refused() -> None:
    block = bytearray(applied(EMPTY, with_gps(EMPTY, exif_tags(TAG, ">", None))))
    pointer = Block(bytes(block)).first().entries[0]
    struct.pack_into(">I", block, pointer.at + 8, Block(bytes(block)).first().at)
    with pytest.raises(Tangled):
        with_gps(bytes(block), exif_tags(TAG, ">", None))
    loop = bytearray(EMPTY)
    struct.pack_into(">I", loop, 10, 8)
    assert Block(bytes(loop)).below(GPS_IFD) is None
    with pytest.raises(Tangled, match="one another"):
        ordered([Splice(0, 5, b""), Splice(4, 6, b"")])


def test_a_thousand_damaged_files_are_changed_as_asked_or_refused() -> None:
    exif = Image.Exif()
    exif[0x010F] = "camera"
    exif.get_ifd(0x8825).update({1: "N", 2: (47.0, 30.0, 0.0), 3: "E", 4: (8.0, 30.0, 0.0)})
    exif.get_ifd(0x8769)[0x927C] = b"notes"
    rng = random.Random(7)
    refused = 0
    names: list[tuple[Kind, str]] = [("JPEG", "a.jpg"), ("PNG", "a.png"), ("WEBP", "a.webp"), ("TIFF", "a.tif")]
    for kind, name in names:
        whole = picture(kind, exif=exif, **({"xmp": XMP} if kind in ("JPEG", "WEBP") else {}))
        for _ in range(250):
            data = bytearray(whole)
            for _ in range(rng.randint(1, 4)):
                data[rng.randrange(4, min(len(data), 420))] = rng.choice((0, 1, 0x7F, 0xFF, rng.randrange(256)))
            bad = bytes(data[: rng.randint(8, len(data))] if rng.random() < 0.2 else data)
            refused += outcomes(name, kind, bad)
    assert 200 < refused < 1800


def outcomes(name: str, kind: Kind, data: bytes) -> int:
    """How many of tagging and scrubbing a file are refused; what is made of it is short, and leads back."""
    refused = 0
    try:
        splices = exif_splices(name, kind, data, TAG)
        made = applied(data, splices)
        assert applied(made, inverse(data, splices)) == data
        assert len(made) < len(data) + 2000
    except Tangled:
        refused += 1
    try:
        assert len(scrubbed(name, kind, data).data) < len(data) + 2000
    except Tangled:
        refused += 1
    return refused
