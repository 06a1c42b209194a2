"""The change of a picture's file that gives it a position in its EXIF; its pixels are not touched, nor decoded."""

from __future__ import annotations

import os
from collections.abc import Callable

from geoloc_cli.photos.opening import Kind
from geoloc_cli.photos.writing.containers import (
    EXIF_HEAD,
    XMP_HEAD,
    is_multi_picture,
    jpeg_of,
    jpeg_parts,
    jpeg_segment,
    jpeg_with_exif,
    png_chunk,
    png_parts,
    webp_parts,
    webp_with_exif,
)
from geoloc_cli.photos.writing.gps_tags import (
    OF_THE_OLD_POSITION,
    OF_THE_OLD_POSITION_IN_XMP,
    Geotag,
    exif_tags,
    xmp_values,
)
from geoloc_cli.photos.writing.splices import Splice, Tangled, applied, shifted
from geoloc_cli.photos.writing.tiff_block import EMPTY, GPS_IFD, Block, with_gps
from geoloc_cli.photos.writing.xmp_text import EXIF_NS, blanked

_EXIF_IFD, _EXIF_VERSION, _MAKER_NOTE, _XMP_TAG, _LAT = 0x8769, 0x9000, 0x927C, 700, 2
_PNG_RAW_EXIF = (b"Raw profile type exif\x00", b"Raw profile type APP1\x00")
# Raw files are TIFF by their first bytes; they are left alone.
_TIFF_SUFFIXES = (".tif", ".tiff")


def exif_splices(path: str, kind: Kind, data: bytes, tag: Geotag) -> list[Splice]:
    """The change of a file's bytes. Raises Tangled, its message the reason, where it could harm something."""
    if kind == "HEIF":
        raise Tangled("positions are not written into HEIC")
    if kind == "TIFF" and os.path.splitext(path)[1].lower() not in _TIFF_SUFFIXES:  # noqa: PTH122
        raise Tangled("it looks like a raw file, which is left as the camera wrote it")
    editors: dict[Kind, Callable[[bytes, Geotag], list[Splice]]] = {
        "JPEG": _in_jpeg,
        "PNG": _in_png,
        "WEBP": _in_webp,
        "TIFF": _in_tiff,
    }
    return editors[kind](data, tag)


def _stale(packet: bytes, tag: Geotag) -> list[Splice]:
    """Spaces over the position in a picture's own XMP, which would contradict the new one; the length is kept."""
    if b"GPSLatitude" not in packet:
        return []
    gone = OF_THE_OLD_POSITION_IN_XMP | set(xmp_values(tag))
    return blanked(packet, lambda space, name: space == EXIF_NS and name in gone)


def _in_tiff(data: bytes, tag: Geotag) -> list[Splice]:
    entry = Block(data).first().entry(_XMP_TAG)
    stale = shifted(_stale(data[slice(*entry.span)], tag), entry.span[0]) if entry else []
    return [*_in_block(data, tag), *stale]


def _in_block(block: bytes, tag: Geotag) -> list[Splice]:
    read = Block(block)
    old = read.below(GPS_IFD)
    drop = OF_THE_OLD_POSITION if old and old.entry(_LAT) else ()
    return with_gps(block, exif_tags(tag, read.order, _exif_version(read)), drop)


def _exif_version(block: Block) -> str | None:
    exif = block.below(_EXIF_IFD)
    entry = exif.entry(_EXIF_VERSION) if exif else None
    return block.data[slice(*entry.span)].decode("latin-1") if entry else None


def _new_block(block: bytes, tag: Geotag) -> bytes:
    return applied(block, _in_block(block, tag))


def _in_jpeg(data: bytes, tag: Geotag) -> list[Splice]:
    jpeg = jpeg_parts(data)
    found = jpeg_of(data, jpeg.parts, EXIF_HEAD)
    index = is_multi_picture(data, jpeg.parts)
    stale = [s for p in jpeg_of(data, jpeg.parts, XMP_HEAD) for s in shifted(_stale(p.payload(data), tag), p.inner)]
    if len(found) > 1:
        raise Tangled("it has several EXIF segments")
    if not found:
        return [jpeg_with_exif(data, jpeg, _new_block(EMPTY, tag)), *stale]
    (part,) = found
    block = part.payload(data)
    if index and index[0].start < part.start:
        raise Tangled("the index of its pictures comes before its EXIF")
    if not index and b"\xff\xd8\xff" in data[jpeg.stop :] and _has_maker_notes(block):
        raise Tangled("a second picture follows it, to which its MakerNotes may point by place")
    segment = jpeg_segment(_new_block(block, tag))
    head = Splice(part.start, part.inner, segment[: 4 + len(EXIF_HEAD)])  # which says how long it is
    return [head, *shifted(_in_block(block, tag), part.inner), *stale]


def _has_maker_notes(block: bytes) -> bool:
    return any(directory.entry(_MAKER_NOTE) for directory in Block(block).directories())


def _in_png(data: bytes, tag: Geotag) -> list[Splice]:
    parts = png_parts(data)
    old = [part for part in parts if part.name == b"eXIf"]
    if not old and any(data.startswith(_PNG_RAW_EXIF, part.inner) for part in parts):
        raise Tangled("its EXIF is a text of ImageMagick's")
    if any(part.name == b"iTXt" and b"GPSLatitude" in part.payload(data) for part in parts):
        raise Tangled("its XMP says a position, too")
    pixels = next((part for part in parts if part.name == b"IDAT"), None)
    if pixels is None or len(old) > 1:
        raise Tangled("its PNG chunks are damaged")
    place = (old[0].start, old[0].stop) if old else (pixels.start, pixels.start)
    block = old[0].payload(data) if old else EMPTY
    return [Splice(*place, png_chunk(b"eXIf", _new_block(block, tag)))]


def _in_webp(data: bytes, tag: Geotag) -> list[Splice]:
    parts = webp_parts(data)
    old = next((part for part in parts if part.name == b"EXIF"), None)
    block = old.payload(data).removeprefix(EXIF_HEAD) if old else EMPTY
    xmp = [part for part in parts if part.name == b"XMP "]
    stale = [splice for part in xmp for splice in shifted(_stale(part.payload(data), tag), part.inner)]
    return [*webp_with_exif(data, parts, _new_block(block, tag)), *stale]
