"""Located photos as XMP sidecars in a folder of their own, for archives that take metadata in by themselves.

One `photo.jpg.xmp` a photo, as darktable, digiKam and exiftool know them, in the photos' own folders below the one that
holds them all. Nothing beside the photos is touched: that is `geoloc tag`.
"""

# Names stay the strings that the user gave.
# ruff: noqa: PTH100, PTH120

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence

from geoloc_cli.export.located import Located
from geoloc_cli.photos.writing.gps_tags import geotag
from geoloc_cli.photos.writing.sidecars import sidecar_splices
from geoloc_cli.photos.writing.splices import applied


def files(photos: Sequence[Located], left_out: Counter[str]) -> dict[str, bytes]:
    """The sidecars by their names in the folder; photos of which no file can have the name are counted."""
    named = [photo for photo in photos if "\x00" not in photo.fix.photo]
    if len(named) < len(photos):
        left_out["with a NUL in its name"] += len(photos) - len(named)
    paths = {os.path.abspath(photo.fix.photo): photo for photo in named}
    if len(paths) < len(named):
        left_out["named before"] += len(named) - len(paths)
    above = os.path.commonpath([os.path.dirname(path) for path in paths]) if paths else ""
    return {
        f"{os.path.relpath(path, above)}.xmp": applied(b"", sidecar_splices(None, geotag(photo.fix)))
        for path, photo in paths.items()
    }
