"""Where a picture's file keeps its metadata: JPEG's segments, the chunks of PNG and WebP, found without a decoder."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass

from geoloc_cli.photos.writing.splices import Splice, Tangled

EXIF_HEAD = b"Exif\x00\x00"
XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\x00"
XMP_MORE_HEAD = b"http://ns.adobe.com/xmp/extension/\x00"
PHOTOSHOP_HEAD = b"Photoshop 3.0\x00"
PNG_HEAD = b"\x89PNG\r\n\x1a\n"
_APP0, _APP1, _APP2, _SOS, _EOI = 0xE0, 0xE1, 0xE2, 0xDA, 0xD9
# What ends a scan: anything but a stuffed byte, a restart or one more fill byte (ITU T.81, B.1.1).
_SCAN_END = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_SEGMENT_LIMIT = 65535
_WEBP_EXIF, _WEBP_ALPHA = 0x08, 0x10


@dataclass(frozen=True, slots=True)
class Part:
    """A segment or chunk from `start` to `stop`, its payload from `inner` to `end`; `name` is its marker or type."""

    name: bytes
    start: int
    inner: int
    end: int
    stop: int

    def payload(self, data: bytes) -> bytes:
        return data[self.inner : self.end]


@dataclass(frozen=True, slots=True)
class Jpeg:
    """The segments of a JPEG in their order, scans left out, and where its end is: what follows is something else."""

    parts: tuple[Part, ...]
    stop: int


def jpeg_parts(data: bytes, at: int = 0) -> Jpeg:
    """The picture that begins at `at`. Raises Tangled where a segment is not whole."""
    if data[at : at + 2] != b"\xff\xd8":
        raise Tangled("it does not begin as a JPEG")
    parts: list[Part] = []
    at += 2
    while True:
        start = at
        while data[at : at + 2] == b"\xff\xff":
            at += 1
        marker = data[at + 1 : at + 2]
        if data[at : at + 1] != b"\xff" or not marker:
            raise Tangled("its JPEG segments are damaged")
        if marker[0] == _EOI:
            return Jpeg(tuple(parts), at + 2)
        if marker[0] == 0x01 or 0xD0 <= marker[0] <= 0xD8:
            at += 2
            continue
        stop = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if stop > len(data) or stop < at + 4:
            raise Tangled("a JPEG segment of it is not whole")
        parts.append(Part(marker, start, at + 4, stop, stop))
        at = stop
        if marker[0] == _SOS:
            end = _SCAN_END.search(data, at)
            if end is None:  # cut off, and still shown by most viewers
                return Jpeg(tuple(parts), len(data))
            at = end.start()


def jpeg_of(data: bytes, parts: tuple[Part, ...], head: bytes, marker: int = _APP1) -> list[Part]:
    """The application segments that begin with these bytes; their payload begins behind them."""
    found = [part for part in parts if part.name[0] == marker and data.startswith(head, part.inner)]
    return [Part(part.name, part.start, part.inner + len(head), part.end, part.stop) for part in found]


def jpeg_with_exif(data: bytes, jpeg: Jpeg, block: bytes) -> Splice:
    """The splice that puts a new EXIF segment where readers look for it: first, or behind JFIF's."""
    start = 2
    for part in jpeg.parts:
        if part.name[0] != _APP0:
            break
        start = part.stop
    return Splice(start, start, jpeg_segment(block))


def jpeg_segment(block: bytes) -> bytes:
    """An EXIF segment. Raises Tangled where the block does not fit into one."""
    length = 2 + len(EXIF_HEAD) + len(block)
    if length > _SEGMENT_LIMIT:
        raise Tangled("its EXIF fills its JPEG segment of 64 KiB already")
    return b"\xff\xe1" + length.to_bytes(2, "big") + EXIF_HEAD + block


def is_multi_picture(data: bytes, parts: tuple[Part, ...]) -> list[Part]:
    """The index of a file of several pictures (CIPA DC-007), whose places count from that index."""
    return jpeg_of(data, parts, b"MPF\x00", _APP2)


def png_parts(data: bytes) -> list[Part]:
    """The chunks of a PNG, up to its end."""
    parts: list[Part] = []
    at = len(PNG_HEAD)
    while True:
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        stop = at + 12 + length
        if len(name) < 4 or stop > len(data):
            raise Tangled("its PNG chunks are damaged")
        parts.append(Part(name, at, at + 8, at + 8 + length, stop))
        at = stop
        if name == b"IEND":
            return parts


def png_chunk(name: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", zlib.crc32(name + payload))


def webp_parts(data: bytes) -> list[Part]:
    """The chunks of a WebP."""
    parts: list[Part] = []
    at, end = 12, 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise Tangled("it is a WebP that was cut off")
    while at + 8 <= end:
        inner = at + 8
        stop = inner + int.from_bytes(data[at + 4 : at + 8], "little")
        if stop > end:
            raise Tangled("its WebP chunks are damaged")
        parts.append(Part(data[at : at + 4], at, inner, stop, stop + stop % 2))
        at = stop + stop % 2
    if not parts:
        raise Tangled("it is a WebP without a picture")
    return parts


def webp_with_exif(data: bytes, parts: list[Part], block: bytes) -> list[Splice]:
    """The change that gives a WebP an EXIF chunk in place of its own, and the header that says so.

    A file of the simple form gets that header (VP8X), with its picture's size.
    """
    payload = block
    old = next((part for part in parts if part.name == b"EXIF"), None)
    if old and data.startswith(EXIF_HEAD, old.inner):
        payload = EXIF_HEAD + block
    chunk = b"EXIF" + struct.pack("<I", len(payload)) + payload + bytes(len(payload) % 2)
    head = parts[0]
    if head.name == b"VP8X":
        flags = data[head.inner] | _WEBP_EXIF
        splices = [Splice(head.inner, head.inner + 1, bytes([flags]))]
    else:
        splices = [Splice(12, 12, _webp_head(head, data))]
    xmp = next((part for part in parts if part.name == b"XMP "), None)
    place = (old.start, old.stop) if old else (xmp.start, xmp.start) if xmp else (parts[-1].stop, parts[-1].stop)
    splices.append(Splice(*place, chunk))
    grown = sum(len(splice.data) - (splice.stop - splice.start) for splice in splices)
    total = int.from_bytes(data[4:8], "little") + grown
    return [Splice(4, 8, struct.pack("<I", total)), *splices]


def _webp_head(picture: Part, data: bytes) -> bytes:
    """The VP8X chunk of a simple file (RFC 9649, 2.7), its size read from the bitstream of its picture."""
    start = picture.inner
    if picture.name == b"VP8 " and data[start + 3 : start + 6] == b"\x9d\x01\x2a":
        width, height = (int.from_bytes(data[start + at : start + at + 2], "little") & 0x3FFF for at in (6, 8))
        flags = _WEBP_EXIF
    elif picture.name == b"VP8L" and data[start : start + 1] == b"\x2f":
        bits = int.from_bytes(data[start + 1 : start + 5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        flags = _WEBP_EXIF | (_WEBP_ALPHA if bits >> 28 & 1 else 0)
    else:
        raise Tangled("it is a WebP whose picture does not come first")
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X" + (10).to_bytes(4, "little") + bytes([flags, 0, 0, 0]) + sides
