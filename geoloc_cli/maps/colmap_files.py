"""Whether the binary files of a COLMAP model are whole: pycolmap reads past the end of one without a word.

What it finds there it takes for a count, and asks for that much memory. The format is that of COLMAP's documentation
("Output format"), little-endian, and has been the same since version 3.
"""

from __future__ import annotations

import struct
from pathlib import Path

from geoloc_cli.errors import MapDamaged

# Parameters of each camera model, by COLMAP's number for it.
_PARAMETERS = dict(enumerate((3, 4, 4, 5, 8, 8, 12, 5, 4, 5, 12, 16, 4, 5, 3, 4, 6, 2)))
_CAMERA, _IMAGE, _POINT = struct.Struct("<IiQQ"), struct.Struct("<I7dI"), struct.Struct("<Q3d3BdQ")


def check_whole(folder: Path) -> None:
    """Raises MapDamaged where a binary file of the model in `folder` ends too early or too late."""
    for name, walk in (("cameras.bin", _cameras), ("images.bin", _images), ("points3D.bin", _points)):
        file = folder / name
        if not file.is_file():
            continue
        try:
            data = file.read_bytes()
            end = 8
            for _ in range(struct.unpack_from("<Q", data)[0]):
                end = walk(data, end)
                if end > len(data):
                    break
            whole = end == len(data)
        except (struct.error, ValueError, KeyError):
            whole = False
        if not whole:
            raise MapDamaged(f"{file} was cut short, or is no file of a COLMAP model; export the model again.")


def _cameras(data: bytes, at: int) -> int:
    _, model, _, _ = _CAMERA.unpack_from(data, at)
    return at + _CAMERA.size + 8 * _PARAMETERS[model]


def _images(data: bytes, at: int) -> int:
    _IMAGE.unpack_from(data, at)
    name_end = data.index(b"\0", at + _IMAGE.size)
    (points,) = struct.unpack_from("<Q", data, name_end + 1)
    return name_end + 9 + 24 * int(points)


def _points(data: bytes, at: int) -> int:
    track = _POINT.unpack_from(data, at)[-1]
    return at + _POINT.size + 8 * int(track)
