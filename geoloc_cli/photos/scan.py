"""From what the user names to the photos to be handled: files, folders, glob patterns, a list on stdin."""

# Names stay the strings that the user gave; pathlib would rewrite `./a.jpg` and `a//b.jpg`.
# ruff: noqa: PTH112, PTH116, PTH118, PTH119, PTH122, PTH207

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from geoloc_cli.errors import UsageError
from geoloc_cli.photos.opening import shown

PICTURE_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".heic", ".heif"))
_BLOCK = 65536


@dataclass(frozen=True, slots=True)
class ExcludeList:
    """Photos to be passed over. A line stands for a path as given, one relative to the scanned folder, or a bare name.

    A line that names a folder in it (`a/b.jpg`) never stands for a `b.jpg` elsewhere.
    """

    names: frozenset[str] = frozenset()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and os.path.normpath(name) in self.names

    def __len__(self) -> int:
        return len(self.names)

    def matches(self, path: str, folder: str | None = None) -> bool:
        """Whether `path`, found while scanning `folder`, is to be passed over."""
        if path in self or os.path.basename(path) in self:
            return True
        return folder is not None and os.path.relpath(path, folder) in self


def read_exclude_list(path: str) -> ExcludeList:
    """One photo per line, empty lines passed over, surrounding blanks kept off; UsageError if it cannot be read."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"--exclude-list {shown(path)} cannot be read ({reason}); check the name.") from error
    lines = (os.fsdecode(line).strip() for line in data.removeprefix(b"\xef\xbb\xbf").splitlines())
    return ExcludeList(frozenset(os.path.normpath(line) for line in lines if line))


def find_photos(
    inputs: Sequence[str], *, exclude: ExcludeList | None = None, stdin: BinaryIO | None = None
) -> Iterator[str]:
    """Photos in the order of the inputs, each path once.

    A folder gives its pictures by suffix, recursively, in sorted order, each folder once however it is linked. A file
    that is named is given whatever it is, also where it does not exist: what is wrong with it is told later, in its
    place. `-` reads one path per line (or NUL-separated, if the first block holds a NUL) from `stdin` as it comes.
    """
    exclude = exclude or ExcludeList()
    seen: set[str] = set()
    for path, folder in _named(inputs, stdin):
        key = os.path.normpath(path)
        if key not in seen:
            seen.add(key)
            if not exclude.matches(path, folder):
                yield path


def common_folder(paths: Iterable[str]) -> str:
    """The beginning that all paths share up to a separator, letter by letter; empty where there is none."""
    folders = {path[: path.rfind(os.sep) + 1] for path in paths}
    shared = min(folders, default="")
    while not all(folder.startswith(shared) for folder in folders):
        shared = shared[: shared[:-1].rfind(os.sep) + 1]
    return "" if shared == os.sep else shared


def _named(inputs: Sequence[str], stdin: BinaryIO | None) -> Iterator[tuple[str, str | None]]:
    for name in inputs:
        if name == "-":
            for line in _lines(stdin if stdin is not None else sys.stdin.buffer):
                yield from _expand(line, patterns=False)
        else:
            yield from _expand(name, patterns=True)


def _expand(name: str, *, patterns: bool) -> Iterator[tuple[str, str | None]]:
    if os.path.isdir(name):
        empty = True
        for path in _walk(name):
            empty = False
            yield path, name
        if empty and _is_picture(name):  # somebody took it for a photo: the failure to open it says what it is
            yield name, None
    elif patterns and glob.has_magic(name) and not os.path.lexists(name):
        matches = sorted(glob.glob(name, recursive=True))
        if not matches:
            yield name, None
        for match in matches:
            yield from _expand(match, patterns=False)
    else:
        yield name, None


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES


def _walk(folder: str) -> Iterator[str]:
    """Pictures below a folder; links to folders are followed, and a folder met again by any name is passed over."""
    visited: set[tuple[int, int]] = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        try:
            status = os.stat(here)
        except OSError:
            folders.clear()
            continue
        if (status.st_dev, status.st_ino) in visited:
            folders.clear()
            continue
        visited.add((status.st_dev, status.st_ino))
        folders.sort()
        for name in sorted(files):
            if _is_picture(name):
                yield os.path.join(here, name)


def _lines(stream: BinaryIO) -> Iterator[str]:
    """Paths of a stream as they arrive, so that a producer and this run side by side."""
    read = getattr(stream, "read1", stream.read)
    rest = read(_BLOCK)
    separator = b"\0" if b"\0" in rest else b"\n"
    block = rest
    while block:
        *whole, rest = rest.split(separator)
        yield from (name for name in map(_path, whole) if name)
        block = read(_BLOCK)
        rest += block
    if _path(rest):
        yield _path(rest)


def _path(line: bytes) -> str:
    return os.fsdecode(line.rstrip(b"\r\n"))
