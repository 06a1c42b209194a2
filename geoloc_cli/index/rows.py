"""One photo of an index, as SQLite holds it."""

from __future__ import annotations

import dataclasses
import json
import os
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.types import Attitude, Camera, Position


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """What an index says of a photo; `path` is the name it was given by when it was added.

    `position` is None for a photo that says nowhere where it was taken: the index of a map may hold such.
    """

    path: str
    sha256: str
    size_bytes: int
    mtime_ns: int
    width: int
    height: int
    position: Position | None
    camera: Camera | None
    taken_at: str | None
    attitude: Attitude | None


@dataclass(frozen=True, slots=True)
class IndexedPhoto(PhotoFacts):
    """A photo of an index, by the number of its row."""

    row_id: int


@dataclass(frozen=True, slots=True)
class NewPhoto(PhotoFacts):
    """A photo to be committed, with its local features."""

    features: LocalFeatures


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a photo's features lie in their segment: keypoints, descriptors, look, from byte `offset` on.

    look_dim: the length of the look; 0 where there is none.
    """

    segment: str
    offset: int
    count: int
    descriptor_dim: int
    descriptor_type: str
    width: int
    height: int
    crc32: int
    look_dim: int


def packed(features: LocalFeatures) -> bytes:
    """The bytes of local features in a segment: (N, 4) float32, (N, D) and the look, little-endian and row by row."""
    look = b"" if features.look is None else features.look.astype("<f4").tobytes()
    return features.keypoints.astype("<f4").tobytes() + np.ascontiguousarray(features.descriptors).tobytes() + look


def unpacked(data: memoryview, extent: Extent) -> LocalFeatures:
    """Views into a segment's bytes; raises ValueError where the extent does not fit them."""
    kind: np.dtype[Any] = np.dtype(np.uint8 if extent.descriptor_type == "uint8" else "<f4")
    size = extent.count * extent.descriptor_dim
    end = extent.count * 16 + size * kind.itemsize
    keypoints: NDArray[np.float32] = np.frombuffer(data, "<f4", extent.count * 4).reshape(-1, 4)
    descriptors: NDArray[Any] = np.frombuffer(data[extent.count * 16 :], kind, size).reshape(
        extent.count, extent.descriptor_dim
    )
    look: NDArray[np.float32] | None = np.frombuffer(data[end:], "<f4", extent.look_dim) if extent.look_dim else None
    return LocalFeatures(keypoints, descriptors, extent.width, extent.height, look=look)


def packed_size(extent: Extent) -> int:
    """Bytes that an extent spans."""
    descriptor_bytes = extent.descriptor_dim * (1 if extent.descriptor_type == "uint8" else 4)
    return extent.count * (16 + descriptor_bytes) + 4 * extent.look_dim


def to_columns(photo: PhotoFacts) -> tuple[Any, ...]:
    """The values of the columns in `ROW_COLUMNS`; a path is stored as its bytes, since not every name is text."""
    position = dataclasses.asdict(photo.position) if photo.position else None
    return (
        os.fsencode(photo.path),
        photo.sha256,
        photo.size_bytes,
        photo.mtime_ns,
        photo.width,
        photo.height,
        json.dumps(position, allow_nan=False),
        json.dumps(dataclasses.asdict(photo.camera), allow_nan=False) if photo.camera else None,
        photo.taken_at,
        json.dumps(dataclasses.asdict(photo.attitude), allow_nan=False) if photo.attitude else None,
    )


_FIRST_COLUMNS = "path, sha256, size_bytes, mtime_ns, width, height, position, camera, taken_at"
ROW_COLUMNS = f"{_FIRST_COLUMNS}, attitude"


def selected(attitudes: bool) -> str:
    """The columns that `from_columns` takes; attitudes: whether the index has any."""
    return f"row_id, {_FIRST_COLUMNS}, {'attitude' if attitudes else 'NULL'}, crc32, row_crc32"


def row_checksum(columns: tuple[Any, ...], features_crc32: int) -> int:
    """CRC-32 of what a row says of its photo, its features' checksum included, but for its file's size and date.

    SQLite sees a page that is torn, but not a digit of a latitude that is another one since.
    """
    path, sha256, _, _, *rest, attitude = columns
    # As it was before there were attitudes, where there is none.
    rest = rest if attitude is None else [*rest, attitude]
    return zlib.crc32(json.dumps([path.hex(), sha256, *rest, features_crc32]).encode())


def from_columns(row: tuple[Any, ...] | None) -> IndexedPhoto:
    """The photo of a row of `selected` columns. Raises ValueError, TypeError or AttributeError where it is not one."""
    if row is None:
        raise ValueError("a row is missing")
    row_id, *columns, features_crc32, checksum = row
    if row_checksum(tuple(columns), features_crc32) != checksum:
        raise ValueError(f"row {row_id} has another checksum")
    path, sha256, size_bytes, mtime_ns, width, height, position, camera_text, taken_at, held_text = columns
    camera = None
    if camera_text is not None:
        values = json.loads(camera_text)
        camera = Camera(**{**values, "params": tuple(values["params"])})
    said = json.loads(position)
    place = None if said is None else Position(**said)
    held = None if held_text is None else Attitude(**json.loads(held_text))
    name = os.fsdecode(path)
    return IndexedPhoto(name, sha256, size_bytes, mtime_ns, width, height, place, camera, taken_at, held, row_id)
