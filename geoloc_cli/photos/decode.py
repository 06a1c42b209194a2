"""A photograph's file -> upright pixels no larger than asked for.

The order is: decode (JPEG at the eighth, quarter or half that is still large enough), turn upright, only then resample;
so the eight EXIF orientations of one lossless picture give the same bytes.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geoloc_cli.errors import UsageError
from geoloc_cli.photos.opening import Picture, open_picture
from geoloc_cli.photos.tags import read_metadata

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
Box = tuple[float, float, float, float]
_GREY = 128
# The descriptor belongs to the process: two threads must not each keep the other's silence.
_LIBTIFF_LOCK = threading.Lock()
# White of a picture of whole numbers above 8 bit: cameras put 10, 12 and 14 bit into 16.
_WHITES = (255, 1023, 4095, 16383, 65535)


@dataclass(frozen=True, slots=True)
class GrayPicture:
    """An upright picture in grey: pixels (H, W) uint8, C-contiguous; scale is its width over the full upright width."""

    pixels: NDArray[np.uint8]
    scale: float


def decode_gray(path: str, *, max_size: int) -> GrayPicture:
    """The picture upright in grey, its longest side at most max_size pixels; never enlarged.

    See-through parts lie on mid grey, the first frame stands for an animation, the first page for a document.
    Raises only PhotoError's kin: NotAPhoto on a damaged or truncated picture, PhotoTooLarge, PhotoNotFound.
    """
    image, full_width = _decode(path, "L", max_size)
    pixels = np.ascontiguousarray(image, dtype=np.uint8)
    return GrayPicture(pixels, pixels.shape[1] / full_width)


def decode_rgb(path: str, *, max_size: int, before: Callable[[Picture], None] | None = None) -> NDArray[np.uint8]:
    """As decode_gray, in colour: (H, W, 3) uint8, C-contiguous.

    before(picture) is called once its header is read, and may refuse it by one of PhotoError's kin.
    """
    return np.ascontiguousarray(_decode(path, "RGB", max_size, before)[0], dtype=np.uint8)


def _decode(
    path: str, mode: str, max_size: int, before: Callable[[Picture], None] | None = None
) -> tuple[Image.Image, int]:
    """The upright picture in `mode` and the full width that it was reduced from."""
    if max_size < 1:
        raise UsageError(f"max_size is {max_size}; give a number of pixels above 0.")
    with open_picture(path) as picture:
        if before is not None:
            before(picture)
        metadata = read_metadata(picture)
        full_width, full_height = metadata.width, metadata.height
        image, box = _loaded(picture, mode, max_size)
        if picture.kind in ("TIFF", "HEIF"):  # these two are upright once decoded
            full_width, full_height = image.size
            box = (0.0, 0.0, float(full_width), float(full_height))
        elif metadata.orientation in _TURNS:
            box = _turned(box, image.size, metadata.orientation)
            image = image.transpose(_TURNS[metadata.orientation])
        factor = min(1.0, max_size / max(full_width, full_height))
        size = max(1, round(full_width * factor)), max(1, round(full_height * factor))
        image = _in_mode(image, mode)
        return (image if image.size == size else image.resize(size, Image.Resampling.LANCZOS, box)), full_width


def _loaded(picture: Picture, mode: str, max_size: int) -> tuple[Image.Image, Box]:
    """The first frame with its pixels, and the part of it that is picture.

    A JPEG is reduced by the largest power of two that keeps it above max_size. Where its sides are no multiples of
    that, the last column and row reach beyond the picture, and the box ends within them.
    """
    image = picture.image
    width, height = image.size
    box: Box = (0.0, 0.0, float(width), float(height))
    if picture.kind == "JPEG":
        factor = max(1.0, max(width, height) / max_size)
        drafted = image.draft(mode, (max(1, round(width / factor)), max(1, round(height / factor))))
        if drafted is not None:
            box = drafted[1]
    if picture.kind == "TIFF":
        with _LIBTIFF_LOCK, _silenced_stderr():
            image.load()
    else:
        image.load()
    return image, box


def _turned(box: Box, size: tuple[int, int], orientation: int) -> Box:
    """The box of a picture of this size, stored with this orientation, once it is upright."""
    (left, top, right, bottom), (width, height) = box, size
    if orientation in (2, 3, 7, 8):
        left, right = width - right, width - left
    if orientation in (3, 4, 6, 7):
        top, bottom = height - bottom, height - top
    return (top, left, bottom, right) if orientation >= 5 else (left, top, right, bottom)


@contextmanager
def _silenced_stderr() -> Iterator[None]:
    """Descriptor 2 to nowhere: libtiff prints its complaints there from C, and raises what matters besides."""
    try:
        kept = os.dup(2)
    except OSError:  # nothing is open to print on
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    """`image` in 8-bit grey or RGB, whatever it was: alpha on mid grey, deep and float pictures brought to 0 to 255."""
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_to_8_bit(np.asarray(image)))
    elif image.mode in ("PA", "LA", "La", "RGBA", "RGBa") or image.has_transparency_data:
        image = _on_grey(image)
    elif image.mode == "LAB":
        image = image.getchannel("L")
    elif image.mode == "P" and mode == "L":
        image = image.convert("RGB")
    return image if image.mode == mode else image.convert(mode)


def _on_grey(image: Image.Image) -> Image.Image:
    if image.mode == "La":
        image = image.convert("LA")
    rgba = image if image.mode == "RGBA" else image.convert("RGBA")
    ground = Image.new("RGBA", rgba.size, (_GREY, _GREY, _GREY, 255))
    ground.alpha_composite(rgba)
    return ground.convert("RGB")


def _to_8_bit(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Brightness above 8 bit or in floats, to 0 to 255.

    Whole numbers are divided by the smallest usual white that holds them all. Floats from 0 to 1 or 0 to 255 are taken
    so; others (heights, temperatures, radiances) are stretched from their first to their 99th percentile.
    """
    numbers = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(numbers.min()), float(numbers.max())
    if np.issubdtype(values.dtype, np.integer) and low >= 0.0 and high <= _WHITES[-1]:
        white = next(white for white in _WHITES if high <= white)
        numbers *= 255.0 / white
    elif low >= 0.0 and high <= 1.0:
        numbers *= 255.0
    elif low < 0.0 or high > 255.0:
        low, high = (float(v) for v in np.percentile(numbers, (1.0, 99.0)))
        numbers = (numbers - low) * (255.0 / (high - low) if high > low else 0.0)
    return np.clip(np.rint(numbers), 0.0, 255.0).astype(np.uint8)
