"""The one file that imports pi_heif: HEIC and HEIF pictures, an extra of the installation."""

from __future__ import annotations

from typing import BinaryIO, cast

from PIL import Image

from geoloc_cli.errors import MissingExtra


def open_heif(file: BinaryIO) -> Image.Image:
    """Header of a HEIF picture, no pixel decoded; its size is upright, for libheif turns the picture itself.

    Raises MissingExtra where pi_heif is not installed, and what Pillow raises on a damaged file.
    """
    try:
        from pi_heif import HeifImageFile
    except ImportError as error:
        raise MissingExtra("HEIC pictures are read after: pip install 'geoloc[heic]'") from error
    return cast("Image.Image", HeifImageFile(file))
