"""The one file that imports pi_heif: HEIC and HEIF pictures, an extra of the installation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, cast

from PIL import Image

from geoloc_cli.errors import MissingExtra

_MAX_BOXES = 100_000


def open_heif(file: BinaryIO) -> Image.Image:
    """Header of a HEIF picture, no pixel decoded; its size is upright, for libheif turns the picture itself.

    Raises MissingExtra where pi_heif is not installed, ValueError on items that would bring it down, and what Pillow
    raises on a damaged file.
    """
    try:
        from pi_heif import HeifImageFile
    except ImportError as error:
        raise MissingExtra("HEIC pictures are read after: pip install 'geoloc[heic]'") from error
    _check_items(file.read())
    file.seek(0)
    return cast("Image.Image", HeifImageFile(file))


def _check_items(data: bytes) -> None:
    """pi_heif 1.4 makes Python strings of the type and the content type of metadata items, and dies where they are not
    UTF-8; so these are read first (ISO/IEC 14496-12, 8.11.6: ItemInfoBox and its entries).
    """
    for kind, start, end in _boxes(data, 0, len(data)):
        if kind != b"meta":
            continue
        for inner, inner_start, inner_end in _boxes(data, start + 4, end):
            if inner != b"iinf" or inner_end - inner_start < 6:
                continue
            count_bytes = 2 if data[inner_start] == 0 else 4
            for entry, entry_start, entry_end in _boxes(data, inner_start + 4 + count_bytes, inner_end):
                if entry == b"infe":
                    _check_item(data[entry_start:entry_end])


def _check_item(entry: bytes) -> None:
    version = entry[0] if entry else 0
    if version >= 2:
        at = 4 + (4 if version >= 3 else 2) + 2  # version and flags, item ID, protection index
        kind, strings = entry[at : at + 4], entry[at + 4 :].split(b"\0")
    else:
        kind, strings = b"", entry[8:].split(b"\0")
    try:
        kind.decode("utf-8")
        for text in strings[1:]:  # the first is the item's name, which is not asked for
            text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError("one of its items is of a type that is no text") from error


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and end of the contents of each box between start and end, up to the first that does not fit."""
    for _ in range(_MAX_BOXES):
        if end - start < 8:
            return
        size, head = int.from_bytes(data[start : start + 4], "big"), 8
        if size == 1 and end - start >= 16:
            size, head = int.from_bytes(data[start + 8 : start + 16], "big"), 16
        elif size == 0:
            size = end - start
        if size < head or size > end - start:
            return
        yield data[start + 4 : start + 8], start + head, start + size
        start += size
