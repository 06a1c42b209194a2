"""Photographs that are in memory, as files: the pipeline reads these, and its caches know a photo by its bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geoloc_cli.errors import UsageError

Photograph: TypeAlias = "str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8]"
"""A file's name; a file's bytes; Pillow's image; or pixels (H, W), (H, W, 3) or (H, W, 4) of uint8, RGB."""

_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})


@contextmanager
def as_file(photo: Photograph, name: str | None = None) -> Iterator[tuple[str, str]]:
    """The path of the photo, and the name that its answer is to have: by default its path, or its kind and digest.

    What is in memory is written to a folder that only this user can read, and that is gone at the end: bytes as they
    are, pixels as PNG, to the last bit, with the EXIF that Pillow's image has.
    """
    if isinstance(photo, (str, os.PathLike)):
        path = os.fspath(photo)
        if path.endswith("\n") or "\0" in path:
            raise UsageError(f"{path!r} is no name of a file; check it for what was read along with it.")
        yield path, name or path
        return
    with TemporaryDirectory(prefix="geoloc-") as folder:
        path = str(Path(folder) / "photo")
        kind = _write(photo, path)
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        yield path, name or f"{kind}:{digest[:16]}"


def _write(photo: Any, path: str) -> str:
    """Writes it, and gives its kind."""
    if isinstance(photo, (bytes, bytearray, memoryview)):
        Path(path).write_bytes(photo)
        return "bytes"
    if isinstance(photo, np.ndarray):
        channels = photo.shape[2] if photo.ndim == 3 else 1
        if photo.dtype != np.uint8 or photo.ndim not in (2, 3) or channels not in (1, 3, 4) or 0 in photo.shape:
            raise UsageError(
                f"An array of shape {photo.shape} and type {photo.dtype} is no picture; give uint8, (H, W) or "
                "(H, W, 3), its channels red, green and blue."
            )
        _save(Image.fromarray(photo[:, :, 0] if photo.ndim == 3 and channels == 1 else photo), path)
        return "array"
    if isinstance(photo, Image.Image):
        _save(photo if photo.mode in _MODES else photo.convert("RGB"), path, photo.getexif().tobytes())
        return "image"
    raise UsageError(f"A {type(photo).__name__} is no photograph; give a path, bytes, Pillow's image or an array.")


def _save(image: Image.Image, path: str, exif: bytes = b"") -> None:
    """compress_level: at 1, a picture of 12 megapixels takes half a second and a third more room than at 6."""
    image.save(path, "PNG", compress_level=1, **({"exif": exif} if exif else {}))
