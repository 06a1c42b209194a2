"""Small pictures: bounded whatever the photograph, and nothing of its file but what is seen."""

from __future__ import annotations

import base64
import io
import resource
import struct
import xml.etree.ElementTree as ElementTree
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geoloc_cli.errors import PhotoError
from geoloc_cli.export.thumbnails import MAX_BYTES, build_maker, jpeg, thumbnail, webp

SECRET = "at home, 1 Main Street"


def photo(path: Path, size: tuple[int, int] = (900, 600), orientation: int = 1) -> Path:
    """Noise, which compresses worst, with what EXIF tells of a person."""
    pixels = np.random.default_rng(2).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = SECRET
    exif.get_ifd(0x8825)[2] = (47.0, 22.0, 37.0)
    Image.fromarray(pixels).save(path, quality=95, exif=exif, comment=SECRET.encode())
    return path


def test_a_thumbnail_is_small_upright_and_tells_nothing_of_the_file(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.jpg", orientation=6)
    assert SECRET.encode() in path.read_bytes()
    image = ElementTree.fromstring(thumbnail(str(path), alt="noise"))
    source = image.get("src", "")
    assert source.startswith("data:image/jpeg;base64,")
    data = base64.b64decode(source.partition(",")[2])
    assert len(data) <= MAX_BYTES
    found = Image.open(io.BytesIO(data))
    assert dict(found.getexif()) == {}
    assert set(found.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert SECRET.encode() not in data
    assert found.height > found.width  # 900 x 600, lying
    assert (image.get("width"), image.get("height"), image.get("alt")) == (*map(str, found.size), "noise")


def test_what_is_too_rich_is_made_smaller(tmp_path: Path) -> None:
    data, width, height = jpeg(str(photo(tmp_path / "a.png")), max_size=800)
    assert len(data) <= MAX_BYTES
    assert 60 < width < 500
    assert width / height == pytest.approx(1.5, rel=0.03)


def test_a_small_picture_is_not_enlarged(tmp_path: Path) -> None:
    Image.new("RGB", (30, 20), "red").save(tmp_path / "a.png")
    _, width, height = jpeg(str(tmp_path / "a.png"), max_size=200)
    assert (width, height) == (30, 20)


def test_what_cannot_be_shown_says_why(tmp_path: Path) -> None:
    """A picture of 200 megapixels in 300 bytes, one that is not there, and one that is none."""
    header = struct.pack(">IIBBBBB", 20_000, 10_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    bomb = b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bomb)
    (tmp_path / "text.jpg").write_text("not a picture")
    hostile = "<script>alert(1)</script>.jpg"
    for name in ("bomb.png", "text.jpg", hostile):
        with pytest.raises(PhotoError):
            jpeg(str(tmp_path / name), max_size=200)
        words = ElementTree.fromstring(thumbnail(str(tmp_path / name), alt="x"))
        assert (words.tag, words.get("class")) == ("span", "no-picture")
        assert name in (words.text or "")


def png(width: int, height: int) -> bytes:
    """A header of this size and hardly any pixels, in a file that is large enough to be no obvious trap."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    named = (
        (b"IHDR", header),
        (b"IDAT", zlib.compress(bytes(1000))),
        (b"tEXt", b"a\0" + b"x" * 150_000),
        (b"IEND", b""),
    )
    chunks = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in named)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def stretched(width: int, height: int, **how: bool) -> bytes:
    """A JPEG whose frame says that it is of this size, and which ends long before."""
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(out, "JPEG", **how)
    data, marker = out.getvalue(), b"\xff\xc2" if how.get("progressive") else b"\xff\xc0"
    at = data.index(marker) + 5
    comment = b"\xff\xfe" + struct.pack(">H", 60_002) + b"x" * 60_000
    return data[:2] + 2 * comment + data[2:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def webp_header(width: int, height: int) -> bytes:
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = (
        b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + sizes + b"VP8 " + struct.pack("<I", 150_000) + bytes(150_000)
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


GIGANTIC = {
    "png": png(20_000, 10_000),
    "progressive": stretched(20_000, 10_000, progressive=True),
    "webp": webp_header(16_000, 12_500),
    "baseline": stretched(20_000, 10_000),
}


@pytest.mark.parametrize("kind", list(GIGANTIC))
def test_200_megapixels_take_little_memory(kind: str, tmp_path: Path) -> None:
    """They would take 600 MB. A baseline JPEG alone is looked at, line by line at an eighth; the others are refused."""
    path = tmp_path / "a.jpg"
    path.write_bytes(GIGANTIC[kind])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if kind == "baseline":
        assert len(webp(str(path), max_bytes=1000)) <= 1000
        assert len(jpeg(str(path), max_size=200)[0]) <= MAX_BYTES
    else:
        for make in (lambda: webp(str(path), max_bytes=1000), lambda: jpeg(str(path), max_size=200)):
            with pytest.raises(PhotoError, match="too many"):
                make()
        assert build_maker({"max_bytes": 1000})(str(path)) is None
        assert "no-picture" in thumbnail(str(path), alt="x")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 80_000  # kB
