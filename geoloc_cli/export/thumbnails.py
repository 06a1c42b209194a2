"""Small pictures of photographs for pages: a few kilobytes each, without anything of the file but what is seen."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geoloc_cli.errors import PhotoError, PhotoTooLarge
from geoloc_cli.export.markup import Html, element
from geoloc_cli.photos.decode import decode_rgb
from geoloc_cli.photos.opening import Picture, shown

MAX_BYTES = 12_000
_QUALITIES = (80, 65, 50, 35, 20)

# A baseline JPEG is decoded at an eighth, line by line. Others come whole into memory, three bytes a pixel and more.
_MOST_PIXELS = 60_000_000
_MOST_SIDE = 200
_SIDE_OF_BYTES = 3.0  # sqrt(1 / 9): about 0.9 bits a pixel of a 4:3 picture at WebP's quality 50
_WEBP_QUALITIES = (60, 40, 20)
# Half the time of Pillow's usual 4, for 7 % more bytes.
_WEBP_METHOD = 2


def thumbnail(path: str, *, alt: str, max_size: int = 200) -> Html:
    """The photograph upright, its longer side at most `max_size` pixels; in words why, where it cannot be read."""
    try:
        data, width, height = jpeg(path, max_size=max_size)
    except PhotoError as error:
        return element("span", str(error), class_="no-picture")
    source = "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")
    return element("img", src=source, width=width, height=height, alt=alt, class_="thumbnail")


def jpeg(path: str, *, max_size: int) -> tuple[bytes, int, int]:
    """A JPEG of at most 12 kB, of pixels alone: no EXIF, no profile; with its width and height.

    What is too rich for that at the lowest quality is made smaller by a third until it fits. Raises PhotoError's kin,
    also where the picture would fill the memory.
    """
    pixels = Image.fromarray(pixels_of(path, max_size=max_size))
    while True:
        for quality in _QUALITIES:
            out = io.BytesIO()
            pixels.save(out, "JPEG", quality=quality, optimize=True)
            if out.tell() <= MAX_BYTES:
                return out.getvalue(), *pixels.size
        pixels = pixels.resize((max(1, pixels.width * 2 // 3), max(1, pixels.height * 2 // 3)))


def pixels_of(path: str, *, max_size: int) -> NDArray[np.uint8]:
    """(H, W, 3), upright, the longer side at most `max_size`. Raises PhotoError's kin.

    Also where the picture would fill the memory.
    """
    return decode_rgb(path, max_size=max_size, before=_refuse_what_fills_memory)


def build_maker(spec: dict[str, Any]) -> Callable[[str], str | None]:
    """What makes the text of `webp` of a path, None where it cannot be read; `spec` holds `max_bytes`."""

    def make(path: str) -> str | None:
        try:
            return base64.b64encode(webp(path, max_bytes=spec["max_bytes"])).decode("ascii")
        except PhotoError:
            return None

    return make


def webp(path: str, *, max_bytes: int) -> bytes:
    """A WebP of at most `max_bytes`, from 200 on, of pixels alone; as large as these allow, and at most 200 pixels.

    A kilobyte holds 95 pixels across, of which a JPEG would spend half on its tables. Raises PhotoError's kin, also
    where the picture would fill the memory.
    """
    side = min(_MOST_SIDE, max(16, round(_SIDE_OF_BYTES * math.sqrt(max_bytes))))
    pixels = Image.fromarray(pixels_of(path, max_size=side))
    while True:
        for quality in _WEBP_QUALITIES:
            out = io.BytesIO()
            pixels.save(out, "WEBP", quality=quality, method=_WEBP_METHOD)
            if out.tell() <= max_bytes:
                return out.getvalue()
        pixels = pixels.resize((max(1, pixels.width * 2 // 3), max(1, pixels.height * 2 // 3)))


def _refuse_what_fills_memory(picture: Picture) -> None:
    width, height = picture.size
    by_lines = picture.kind == "JPEG" and not picture.image.info.get("progressive")
    if width * height > _MOST_PIXELS and not by_lines:
        size = f"{shown(picture.path)} is {width} x {height} pixels"
        raise PhotoTooLarge(f"{size}, too many for a small picture of it; save it as a baseline JPEG.")
