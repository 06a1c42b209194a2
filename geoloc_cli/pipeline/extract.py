"""In a worker of a build: one photo's file -> what the index keeps of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import NoPosition, PhotoError, PhotoNotFound
from geoloc_cli.index.rows import NewPhoto
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.photos.intrinsics import CameraOverride
from geoloc_cli.pipeline.describer import build_describer
from geoloc_cli.types import Camera, Failure, Photo, Position

_BLOCK = 1 << 20


Item = tuple[str, Position | None, NDArray[np.float32] | None]


def build_extractor(spec: dict[str, Any]) -> Callable[[Item], NewPhoto | Failure]:
    """spec: {"describer": that of the index, "camera": stated intrinsics, "cache": a folder; each if any,
    "placed": whether a photo needs a position, "ahead": whether looks come with the photos}.

    The result takes a path, a position that wins over the file's own, and the photo's look if it has been found.
    """
    describer = build_describer(spec["describer"], spec.get("cache"), ahead=spec.get("ahead", False))
    override = override_of(spec.get("camera"))

    def extract(item: Item) -> NewPhoto | Failure:
        path, stated, look = item
        try:
            sha256, size_bytes, mtime_ns = fingerprint(path)
            photo = read_photo(path)
            photo = override.apply(photo) if override else photo
            position = position_of(photo, stated, placed=spec.get("placed", True))
            local = describer.describe(describer.decode(path, look), look)
        except PhotoError as error:
            return Failure(path, error.code, str(error))
        return NewPhoto(
            path,
            sha256,
            size_bytes,
            mtime_ns,
            photo.width,
            photo.height,
            position,
            photo.camera,
            photo.taken_at,
            photo.attitude,
            local,
        )

    return extract


def position_of(photo: Photo, stated: Position | None, *, placed: bool) -> Position | None:
    """The stated position, else the photo's own; placed: raises NoPosition where there is neither."""
    position = stated or photo.position
    if position is None and placed:
        why = f" ({photo.notes[0].rstrip('.')})" if photo.notes else ""
        raise NoPosition(
            f"'{photo.path}' says nowhere where it was taken{why}; state its position in a file and pass it with "
            "--positions."
        )
    return position


def override_of(stated: dict[str, Any] | None) -> CameraOverride | None:
    """Stated intrinsics from their JSON."""
    if stated is None:
        return None
    camera = camera_of_record(stated["camera"]) if stated["camera"] is not None else None
    return CameraOverride(focal_px=stated["focal_px"], fov_deg=stated["fov_deg"], camera=camera)


def camera_of_record(said: dict[str, Any]) -> Camera:
    """Intrinsics from their JSON."""
    return Camera(**{**said, "params": tuple(said["params"])})


def fingerprint(path: str) -> tuple[str, int, int]:
    """SHA-256, length and modification time of a file. Raises PhotoNotFound where it cannot be read."""
    try:
        digest = hashlib.sha256()
        with Path(path).open("rb") as source:
            status = os.fstat(source.fileno())
            while block := source.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise PhotoNotFound(f"'{path}' cannot be read ({error.strerror}); check its name and permissions.") from error
    return digest.hexdigest(), status.st_size, status.st_mtime_ns
