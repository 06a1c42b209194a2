"""Files of an index: written whole or not at all, named plainly, and checked before they are believed."""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from geoloc_cli.errors import DiskFull, IndexDamaged

_PLAIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_BLOCK = 1 << 22
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class Written:
    """A file as it was written: its plain name, its length and the SHA-256 of its bytes."""

    name: str
    size_bytes: int
    sha256: str


@contextmanager
def room(folder: Path) -> Iterator[None]:
    """Turns a full disk into the sentence that says so."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise DiskFull(
                f"No room is left on the disk of {folder}; what was committed is kept: free some space and run the "
                "same command again."
            ) from error
        raise


def inside(folder: Path, name: str) -> Path:
    """The path of a file that the index names. Raises IndexDamaged unless it is a plain file of this very folder."""
    path = folder / name
    if not _PLAIN.fullmatch(name) or path.is_symlink():
        raise IndexDamaged(
            f"The index in {folder} names the file {name!r}, which is not a plain file of its own folder; build the "
            "index again from the photos, and do not use this one."
        )
    return path


def write_durable(folder: Path, name: str, chunks: Iterable[bytes | memoryview]) -> Written:
    """Writes to a temporary name, syncs, renames and syncs the folder: the file is there whole, or not at all."""
    temporary = folder / f"{name}.tmp"
    digest, size = hashlib.sha256(), 0
    with room(folder):
        try:
            with temporary.open("wb") as out:
                for chunk in chunks:
                    out.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
                out.flush()
                os.fsync(out.fileno())
            temporary.replace(folder / name)
            sync_folder(folder)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return Written(name, size, digest.hexdigest())


def sync_folder(folder: Path) -> None:
    """Makes renames in a folder outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while block := source.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def damaged(folder: Path, name: str, what: str) -> IndexDamaged:
    """The error for a file that is not what was written."""
    return IndexDamaged(
        f"{folder / name} {what}; run `geoloc index verify {folder.parent}` to see what is lost, then build the index "
        "again into a new folder."
    )


def map_file(folder: Path, name: str, size_bytes: int) -> mmap.mmap | bytes:
    """The bytes of a file, mapped read-only. Raises IndexDamaged where it is missing or of another length."""
    path = inside(folder, name)
    try:
        with path.open("rb") as source:
            found = os.fstat(source.fileno()).st_size
            if found != size_bytes:
                raise damaged(folder, name, f"is {found} bytes long and was written with {size_bytes}")
            return mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) if size_bytes else b""
    except OSError as error:
        raise damaged(folder, name, "is missing or cannot be read") from error
