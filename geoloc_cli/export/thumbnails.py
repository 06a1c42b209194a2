"""Small pictures of photographs for pages: a few kilobytes each, without anything of the file but what is seen."""

from __future__ import annotations

import base64
import io

from PIL import Image

from geoloc_cli.errors import PhotoError
from geoloc_cli.export.markup import Html, element
from geoloc_cli.photos.decode import decode_rgb

MAX_BYTES = 12_000
_QUALITIES = (80, 65, 50, 35, 20)


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

    What is too rich for that at the lowest quality is made smaller by a third until it fits. Raises PhotoError's kin.
    """
    pixels = Image.fromarray(decode_rgb(path, max_size=max_size))
    while True:
        for quality in _QUALITIES:
            out = io.BytesIO()
            pixels.save(out, "JPEG", quality=quality, optimize=True)
            if out.tell() <= MAX_BYTES:
                return out.getvalue(), *pixels.size
        pixels = pixels.resize((max(1, pixels.width * 2 // 3), max(1, pixels.height * 2 // 3)))
