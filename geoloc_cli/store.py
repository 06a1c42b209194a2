"""Arrays kept on disk by what they were made of: content, backend, options and the versions or weights behind it.

A cache and never a truth: an entry that is damaged, or that cannot be written, is as if it were not there.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Some 7 000 photos at 0.6 MB each.
_LARGEST_BYTES = 4 << 30
# How much is left after old entries were dropped, so that they are not dropped one by one.
_KEPT_SHARE = 0.9
_DIGEST_BYTES = 32
# In place of a folder: nothing is to be kept.
_NOWHERE = "none"


def key_of(**parts: Any) -> str:
    """SHA-256 of the parts as JSON: any of them different is another entry."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def opened(folder: str | None, usual: str = "") -> Store | None:
    """The store in a folder; where none is stated, in the folder `usual` of this system's cache, if that is named.

    None for the word `none`. A folder of the system's cache is its owner's alone: what is kept there tells of places.
    """
    if folder == _NOWHERE or not (folder or usual):
        return None
    if folder:
        return Store(folder)
    path = usual_folder(usual)
    with contextlib.suppress(OSError):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Store(path)


def usual_folder(name: str) -> Path:
    """A folder of this name in this system's cache."""
    from platformdirs import user_cache_path

    return user_cache_path("geoloc") / name


class Store:
    """A folder of entries, bounded in bytes: the ones that were not asked for longest go first."""

    def __init__(self, folder: str | Path, largest_bytes: int = _LARGEST_BYTES) -> None:
        self._folder = Path(folder)
        self._largest_bytes = largest_bytes
        self._bytes: int | None = None
        self._counting = threading.Lock()

    def get(self, key: str) -> dict[str, NDArray[Any]] | None:
        """The arrays of an entry, or None."""
        path = self._path(key)
        try:
            data = path.read_bytes()
            digest, body = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
            if hashlib.sha256(body).digest() != digest:
                raise ValueError("damaged")
            with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
                found = {name: arrays[name] for name in arrays.files}
            os.utime(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, zipfile.BadZipFile):
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        return found

    def put(self, key: str, arrays: dict[str, NDArray[Any]]) -> None:
        """Keeps an entry, whole or not at all; a full or read-only disk keeps none, and that is no error."""
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        body = buffer.getvalue()
        path = self._path(key)
        temporary = path.with_name(f"{key}.{os.getpid()}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(hashlib.sha256(body).digest() + body)
            temporary.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            return
        with self._counting:  # by many threads, of which one looks through the folder
            self._bytes = self.size_bytes() if self._bytes is None else self._bytes + len(body)
            if self._bytes > self._largest_bytes:
                self._drop_oldest()

    def size_bytes(self) -> int:
        """What all the entries take."""
        return sum(size for _, size, _ in self._entries())

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.npz"

    def _entries(self) -> Iterator[tuple[int, int, Path]]:
        """Date of the last use, size and path of each entry; another process may be dropping some."""
        for path in self._folder.glob("??/*.npz"):
            with contextlib.suppress(OSError):
                status = path.stat()
                yield status.st_mtime_ns, status.st_size, path

    def _drop_oldest(self) -> None:
        entries = sorted(self._entries())
        self._bytes = sum(size for _, size, _ in entries)
        for _, size, path in entries:
            if self._bytes <= _KEPT_SHARE * self._largest_bytes:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                self._bytes -= size
