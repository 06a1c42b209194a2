"""XMP sidecars: which file is a photo's, and what it is to hold.

Two habits are about: `photo.jpg.xmp` (darktable, digiKam) and `photo.xmp` (Lightroom, Bridge). A file that is there is
kept to; a new one is `photo.jpg.xmp`, which cannot be taken for that of the `photo.cr2` beside it.
"""

# Names stay the strings that the user gave.
# ruff: noqa: PTH119, PTH120, PTH122, PTH208, PTH110

from __future__ import annotations

import os

from geoloc_cli.photos.writing.gps_tags import OF_THE_OLD_POSITION_IN_XMP, Geotag, xmp_values
from geoloc_cli.photos.writing.splices import Splice
from geoloc_cli.photos.writing.xmp_text import EXIF_NS, find, with_exif


def sidecar_of(photo: str) -> str:
    """The sidecar that a photo has, or is to get."""
    stem = os.path.splitext(photo)[0]
    for path in (f"{photo}.xmp", f"{photo}.XMP"):
        if os.path.exists(path):
            return path
    for path in (f"{stem}.xmp", f"{stem}.XMP"):
        if os.path.exists(path) and _alone(photo):
            return path
    return f"{photo}.xmp"


def _alone(photo: str) -> bool:
    """Whether no other file, a raw one for example, has the photo's name but for its ending."""
    own, stem = os.path.basename(photo), os.path.splitext(os.path.basename(photo))[0]
    others = (name for name in os.listdir(os.path.dirname(photo) or ".") if os.path.splitext(name)[0] == stem)
    return all(name == own or name.lower().endswith(".xmp") for name in others)


def says_position(packet: bytes) -> bool:
    """Whether a packet holds a position, be it right or wrong. Raises Tangled where it cannot be read."""
    return bool(find(packet, lambda space, local: (space, local) == (EXIF_NS, "GPSLatitude")).names)


def sidecar_splices(packet: bytes | None, tag: Geotag) -> list[Splice]:
    """The change of a sidecar, None where there is none yet. Raises Tangled where it is no XMP."""
    drop = OF_THE_OLD_POSITION_IN_XMP if packet is not None and says_position(packet) else frozenset[str]()
    return with_exif(packet, xmp_values(tag), drop)
