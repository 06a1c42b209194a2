"""EXIF as tags: Pillow finds the directories, and one broken tag costs nothing but itself.

Values are read one by one on demand, so that a huge or lying tag that nobody asks for (a MakerNote, above all) is
never taken apart.
"""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, BinaryIO

from PIL import TiffImagePlugin

from geoloc_cli.photos.opening import Picture

EXIF_IFD, GPS_IFD, ORIENTATION = 0x8769, 0x8825, 0x0112
_MAX_TEXT_CHARS = 200
# No tag that is asked for here is longer than a sentence; unpacked, every number of it costs 40 bytes.
_MAX_TAG_BYTES = 65536
_MAX_PNG_CHUNKS = 10_000
_MAX_EXIF_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Ratio:
    """A rational as it was written; value is None where the denominator is zero."""

    numerator: int
    denominator: int

    @property
    def value(self) -> float | None:
        return self.numerator / self.denominator if self.denominator else None


class Tags:
    """One EXIF directory. Every getter gives None where the tag is missing or is not what it should be."""

    def __init__(self, directory: TiffImagePlugin.ImageFileDirectory_v2 | None = None) -> None:
        self._directory = directory

    def __contains__(self, tag: int) -> bool:
        return self._directory is not None and tag in self._directory

    def raw(self, tag: int) -> Any:
        if self._directory is None or len(self._directory._tagdata.get(tag, b"")) > _MAX_TAG_BYTES:
            return None
        try:
            value = self._directory.get(tag)
        except Exception:  # a tag's bytes are anything, and so is what unpacking them raises
            return None
        return value[0] if isinstance(value, (tuple, list)) and len(value) == 1 else value

    def numbers(self, tag: int) -> list[float | Ratio]:
        """The tag's numbers, rationals as written; empty where there are none."""
        value = self.raw(tag)
        values = value if isinstance(value, (tuple, list)) else [value]
        out: list[float | Ratio] = []
        for item in values[:16]:
            if isinstance(item, TiffImagePlugin.IFDRational):
                out.append(Ratio(_whole(item.numerator), _whole(item.denominator)))
            elif isinstance(item, (int, float)) and not isinstance(item, bool):
                out.append(float(item))
            else:
                return []
        return out

    def number(self, tag: int) -> float | None:
        """The tag's first number where it is finite."""
        numbers = self.numbers(tag)
        if not numbers:
            return None
        value = numbers[0].value if isinstance(numbers[0], Ratio) else numbers[0]
        return value if value is not None and math.isfinite(value) else None

    def integer(self, tag: int) -> int | None:
        """A small whole number, also where it was written as bytes."""
        value = self.raw(tag)
        if isinstance(value, bytes) and len(value) == 1:
            return value[0]
        number = self.number(tag)
        return int(number) if number is not None else None

    def text(self, tag: int) -> str | None:
        """The tag's text up to its first NUL, without control characters; None where nothing is left."""
        value = self.raw(tag)
        if isinstance(value, bytes):
            try:
                value = value.decode("utf-8")
            except UnicodeDecodeError:
                value = value.decode("latin-1")
        if not isinstance(value, str):
            return None
        value = value.split("\0", 1)[0][: 4 * _MAX_TEXT_CHARS]
        return " ".join("".join(c if c.isprintable() else " " for c in value).split())[:_MAX_TEXT_CHARS] or None


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a picture carries beside its pixels. `orientation` is what the pixels still need, 1 to 8."""

    main: Tags
    exif: Tags
    gps: Tags
    xmp: bytes | None
    orientation: int
    width: int
    height: int
    notes: tuple[str, ...] = ()


def read_metadata(picture: Picture) -> Metadata:
    """The directories, the XMP packet, the orientation and the upright size; raises nothing of its own.

    Orientation is EXIF's, or XMP's `tiff:Orientation` where EXIF has none (as in Pillow's `exif_transpose`).
    HEIF pictures come upright out of their decoder, whatever their tags say; TIFF's size is upright from the start.
    """
    notes: list[str] = []
    main, exif, gps = Tags(), Tags(), Tags()
    try:
        found = _main_directory(picture)
        if found is not None:
            directory, stream, head = found
            main = Tags(directory)
            exif = _sub_directory(main, EXIF_IFD, stream, head, "EXIF", notes)
            gps = _sub_directory(main, GPS_IFD, stream, head, "GPS", notes)
    except Exception:  # Pillow's parser meets arbitrary bytes here
        notes.append("Its EXIF block is damaged and was left out.")
    xmp = _xmp(picture)
    width, height = picture.size
    orientation = 1
    if picture.kind != "HEIF":
        stated = main.integer(ORIENTATION) if ORIENTATION in main else _xmp_orientation(xmp)
        if stated is not None and 1 <= stated <= 8:
            orientation = stated
        elif stated is not None:
            notes.append(f"Its orientation {stated} does not exist and was taken as upright.")
        swapped_already = picture.kind == "TIFF" and ORIENTATION in main
        if orientation >= 5 and not swapped_already:
            width, height = height, width
    return Metadata(main, exif, gps, xmp, orientation, width, height, tuple(notes))


def _main_directory(picture: Picture) -> tuple[TiffImagePlugin.ImageFileDirectory_v2, BinaryIO, bytes] | None:
    image = picture.image
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        here = picture.file.tell()
        picture.file.seek(0)
        head = picture.file.read(16)
        picture.file.seek(here)
        return image.tag_v2, picture.file, head if head[2:4] in (b"\x2b\x00", b"\x00\x2b") else head[:8]
    data = image.info.get("exif")
    if data is None and "Raw profile type exif" in image.info:
        data = bytes.fromhex("".join(image.info["Raw profile type exif"].split("\n")[3:]))
    if data is None and picture.kind == "PNG":
        data = _late_png_exif(picture.file)
    if not isinstance(data, bytes):
        return None
    data = re.sub(rb"^(Exif\x00\x00){1,2}", b"", data)
    if not data:
        return None
    stream, head = io.BytesIO(data), data[:8]
    directory = TiffImagePlugin.ImageFileDirectory_v2(head)
    stream.seek(directory.next)
    directory.load(stream)
    return directory, stream, head


def _sub_directory(main: Tags, tag: int, stream: BinaryIO, head: bytes, name: str, notes: list[str]) -> Tags:
    if tag not in main:
        return Tags()
    offset = main.integer(tag)
    here = stream.tell()
    try:
        if offset is None or offset <= 0:
            raise ValueError("no offset")
        directory = TiffImagePlugin.ImageFileDirectory_v2(head, group=tag)
        stream.seek(offset)
        directory.load(stream)
        return Tags(directory)
    except Exception:  # as above: arbitrary bytes
        notes.append(f"Its {name} directory is damaged and was left out.")
        return Tags()
    finally:
        stream.seek(here)


def _late_png_exif(file: BinaryIO) -> bytes | None:
    """The eXIf chunk where it follows the pixels, which Pillow finds only by decoding them."""
    here = file.tell()
    try:
        file.seek(8)
        for _ in range(_MAX_PNG_CHUNKS):
            head = file.read(8)
            length = int.from_bytes(head[:4], "big")
            if len(head) < 8 or head[4:] == b"IEND":
                return None
            if head[4:] == b"eXIf":
                return file.read(length) if length <= _MAX_EXIF_BYTES else None
            file.seek(length + 4, io.SEEK_CUR)
        return None
    finally:
        file.seek(here)


def _xmp(picture: Picture) -> bytes | None:
    for key in ("xmp", "XML:com.adobe.xmp"):
        packet = picture.image.info.get(key)
        if isinstance(packet, str):
            return packet.encode("utf-8", "replace")
        if isinstance(packet, bytes) and packet:
            return packet
    return None


def _xmp_orientation(xmp: bytes | None) -> int | None:
    match = re.search(rb'tiff:Orientation(?:="|>)([0-9])', xmp) if xmp else None
    return int(match[1]) if match else None


def _whole(value: object) -> int:
    """A part of a rational: Pillow turns some into fractions or floats on the way."""
    if isinstance(value, (int, Fraction)):
        return int(value)
    return int(value) if isinstance(value, float) and math.isfinite(value) else 0
