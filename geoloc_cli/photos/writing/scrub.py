"""Places taken out of a copy of a picture: EXIF's GPS, XMP's and IPTC's places, and whatever nobody here can read.

JPEG, TIFF and WebP keep their length, so that every offset in MakerNotes and indexes stays right. Pixels stay as they
are. Words that people wrote (titles, captions, keywords, comments) are left alone, and so is what the picture shows.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from geoloc_cli.photos.opening import Kind
from geoloc_cli.photos.writing.containers import (
    EXIF_HEAD,
    PHOTOSHOP_HEAD,
    XMP_HEAD,
    XMP_MORE_HEAD,
    Part,
    jpeg_parts,
    png_chunk,
    png_parts,
    webp_parts,
)
from geoloc_cli.photos.writing.iptc import iptc_splices, photoshop_splices
from geoloc_cli.photos.writing.splices import Splice, Tangled, applied, blanks, shifted
from geoloc_cli.photos.writing.tiff_block import GPS_IFD, Block, without
from geoloc_cli.photos.writing.xmp_text import blanked, find

_MAKER_NOTE, _XMP_TAG, _IPTC_TAG, _PHOTOSHOP_TAG = 0x927C, 700, 33723, 34377
# GeoTIFF's scale, tie points, transformation, keys and their values, and GDAL's text.
_GEOTIFF = (33550, 33922, 34264, 34735, 34736, 34737, 42112)
# An EXIF block within an EXIF block: that of a thumbnail.
_NESTED = re.compile(rb"Exif\x00\x00(?:II\x2a\x00|MM\x00\x2a)")
# By what an application segment begins that holds no place: colour, thumbnails, several pictures, brightness.
_HARMLESS = {
    0xE0: (b"JFIF\x00", b"JFXX\x00"),
    0xE2: (b"ICC_PROFILE\x00", b"MPF\x00", b"FPXR\x00", b"urn:iso:std:iso:ts:21496"),
    0xEC: (b"Ducky",),
    0xED: (b"Adobe_CM\x00",),
    0xEE: (b"Adobe",),
}
_WEBP_KNOWN = (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP")
_PNG_XMP = b"XML:com.adobe.xmp\x00"
_PNG_RAW = re.compile(rb"Raw profile type (?:exif|APP1|iptc|xmp|8bim)\x00", re.IGNORECASE)
_MAX_XMP_BYTES = 16 * 1024 * 1024
_PLACE_NAMES = frozenset(
    (
        *("city", "state", "country", "countrycode", "countryname", "location", "sublocation", "provincestate"),
        *("worldregion", "locationcreated", "locationshown", "locationid", "locationname", "coverage"),
    )
)
_PLACE_WORDS = re.compile(r"^gps|lati?tude|long(?:i|t)+tude|altitude|geotag|geohash", re.IGNORECASE)
# Photoshop's light, which falls from an altitude.
_NO_PLACES = frozenset(("globalaltitude",))


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """A copy's bytes; `left_out` names what was dropped since a place might be in it."""

    data: bytes
    left_out: tuple[str, ...]


def is_place(space: str, name: str) -> bool:
    """Whether an XMP property tells a place, in whatever namespace: position, altitude, names of places."""
    low = name.lower()
    return low not in _NO_PLACES and (low in _PLACE_NAMES or bool(_PLACE_WORDS.search(low)))


def scrubbed(path: str, kind: Kind, data: bytes, *, maker_notes: bool = True) -> Scrubbed:
    """The bytes of a copy without places. Raises Tangled where that cannot be done for sure.

    `maker_notes=False` takes MakerNotes out, too, in which some cameras write places (Panasonic's travel mode).
    """
    if kind == "HEIF":
        raise Tangled("HEIC cannot be scrubbed here (save it as JPEG first)")
    if kind == "TIFF" and os.path.splitext(path)[1].lower() not in (".tif", ".tiff"):  # noqa: PTH122
        raise Tangled("raw files cannot be scrubbed here (save it as JPEG first)")
    scrub = _Scrub(maker_notes)
    doers: dict[Kind, Callable[[bytes], list[Splice]]] = {
        "JPEG": scrub.jpeg,
        "PNG": scrub.png,
        "WEBP": scrub.webp,
        "TIFF": scrub.block,
    }
    return Scrubbed(applied(data, doers[kind](data)), tuple(dict.fromkeys(scrub.left_out)))


class _Scrub:
    def __init__(self, maker_notes: bool) -> None:
        self._tags = (GPS_IFD, *_GEOTIFF, *(() if maker_notes else (_MAKER_NOTE,)))
        self.left_out: list[str] = []

    def block(self, data: bytes) -> list[Splice]:
        """Of a TIFF structure: its own tags, and the XMP, IPTC and Photoshop blocks that it holds."""
        block = Block(data)
        splices = without(data, self._tags)
        readers = {_XMP_TAG: self.xmp, _IPTC_TAG: iptc_splices, _PHOTOSHOP_TAG: self.photoshop}
        for directory in block.directories():
            for entry in directory.entries:
                if entry.tag in readers and entry.outside:
                    splices += shifted(readers[entry.tag](data[slice(*entry.span)]), entry.span[0])
        return splices

    def exif(self, data: bytes) -> list[Splice]:
        if _NESTED.search(data):
            raise Tangled("its thumbnail has EXIF of its own")
        return self.block(data)

    def xmp(self, packet: bytes) -> list[Splice]:
        return blanked(packet, is_place)

    def photoshop(self, data: bytes) -> list[Splice]:
        return photoshop_splices(data, self.exif, self.xmp)

    def jpeg(self, data: bytes) -> list[Splice]:
        """Of a JPEG, and of those that follow it in the file; what follows that is none is cut off."""
        splices: list[Splice] = []
        at = end = 0
        while at < len(data):
            if at and data[at : at + 3] != b"\xff\xd8\xff":
                self.left_out.append("what follows its picture")
                return [*splices, Splice(end, len(data), b"")]
            jpeg = jpeg_parts(data, at)
            splices += self._segments(data, jpeg.parts)
            at = end = jpeg.stop
            while data[at : at + 1] == b"\x00":
                at += 1
        return splices

    def _segments(self, data: bytes, parts: Iterable[Part]) -> list[Splice]:
        splices: list[Splice] = []
        seen: set[bytes] = set()
        more = bytearray()
        for part in parts:
            marker, inner = part.name[0], part.payload(data)
            if not 0xE0 <= marker <= 0xEF or inner.startswith(_HARMLESS.get(marker, ())):
                continue
            heads: dict[bytes, Callable[[bytes], list[Splice]]] = {}
            if marker == 0xE1:
                heads = {EXIF_HEAD: self.exif, XMP_HEAD: self.xmp}
            elif marker == 0xED:
                heads = {PHOTOSHOP_HEAD: self.photoshop}
            head = next((head for head in heads if inner.startswith(head)), None)
            if head is not None:
                if head in seen:
                    raise Tangled("it has several segments where one is usual")
                seen.add(head)
                splices += shifted(heads[head](inner[len(head) :]), part.inner + len(head))
            elif marker == 0xE1 and inner.startswith(XMP_MORE_HEAD):
                more += inner[len(XMP_MORE_HEAD) + 40 :]
            elif inner.strip(b"\x00"):
                self.left_out.append(f"its APP{marker - 0xE0} segment {_named(inner)}")
                splices += blanks([(part.inner, part.end)])
        if more and find(bytes(more), is_place).names:
            raise Tangled("its extended XMP tells a place")
        return splices

    def png(self, data: bytes) -> list[Splice]:
        splices: list[Splice] = []
        for part in png_parts(data):
            inner = part.payload(data)
            new: bytes | None = inner
            if part.name == b"eXIf":
                new = applied(inner, self.exif(inner))
            elif part.name == b"iTXt" and inner.startswith(_PNG_XMP):
                new = self._png_xmp(inner)
            elif part.name in (b"tEXt", b"zTXt", b"iTXt") and _PNG_RAW.match(inner):
                self.left_out.append(f"its {inner.split(bytes(1))[0].decode('latin-1').lower()}")
                new = None
            elif part.name[1:2].islower():
                self.left_out.append(f"its private chunk {_named(part.name)}")
                new = None
            if new != inner:
                splices.append(Splice(part.start, part.stop, b"" if new is None else png_chunk(part.name, new)))
        return splices

    def _png_xmp(self, inner: bytes) -> bytes:
        """The packet, unpacked where it is compressed: keyword, flag, method, language, translated keyword, text."""
        head = len(_PNG_XMP)
        language = inner.find(b"\x00", head + 2)
        text = inner.find(b"\x00", language + 1) + 1
        if language < 0 or text <= 0:
            raise Tangled("its PNG chunks are damaged")
        packet = inner[text:]
        if inner[head]:
            unpack = zlib.decompressobj()
            try:
                packet = unpack.decompress(packet, _MAX_XMP_BYTES)
            except zlib.error:
                raise Tangled("its XMP is not whole") from None
            if unpack.unconsumed_tail:
                raise Tangled("its XMP is over 16 MiB")
        splices = self.xmp(packet)
        return _PNG_XMP + bytes(2) + inner[head + 2 : text] + applied(packet, splices) if splices else inner

    def webp(self, data: bytes) -> list[Splice]:
        splices: list[Splice] = []
        for part in webp_parts(data):
            inner = part.payload(data)
            if part.name == b"EXIF":
                head = len(EXIF_HEAD) if inner.startswith(EXIF_HEAD) else 0
                splices += shifted(self.exif(inner[head:]), part.inner + head)
            elif part.name == b"XMP ":
                splices += shifted(self.xmp(inner), part.inner)
            elif part.name not in _WEBP_KNOWN:
                self.left_out.append(f"its chunk {_named(part.name)}")
                splices += blanks([(part.inner, part.end)])
        end = 8 + int.from_bytes(data[4:8], "little")
        if data[end:].strip(b"\x00"):
            self.left_out.append("what follows its picture")
            splices.append(Splice(end, len(data), b""))
        return splices


def _named(payload: bytes) -> str:
    """The first word of a segment, for a message."""
    word = re.match(rb"[A-Za-z0-9_.: -]{2,24}", payload)
    return f"({word[0].decode('ascii').strip()})" if word else "of an unknown kind"
