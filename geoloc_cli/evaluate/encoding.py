"""A file of any encoding -> text, and what was odd about it; workbooks, compressed files and the like are refused."""

# Names stay the strings that the user gave.
# ruff: noqa: PTH112

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, TextIO

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.diagnosis import Diagnosis
from geoloc_cli.photos.opening import shown

_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_BINARY = (
    (b"PK\x03\x04", "an Excel workbook or another ZIP file; save its table as CSV"),
    (b"PAR1", "a Parquet file; save its table as CSV"),
    (b"\x1f\x8b", "compressed; unpack it first"),
    (b"BZh", "compressed; unpack it first"),
    (b"\xfd7zXZ", "compressed; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed; unpack it first"),
    (b"SQLite format 3", "a data base; save its table as CSV"),
    (b"\x93NUMPY", "a NumPy array; save it as CSV, with the photographs' names"),
)
_LEGACY = (("cp1252", "Windows-1252 (Latin-1)"), ("latin-1", "Latin-1"))
_BLOCK = 1 << 20
# In UTF-16 every other byte of plain text is NUL; no encoding of one byte a letter has any.
_NUL_SHARE = 0.2


@contextmanager
def open_text(path: str) -> Iterator[tuple[TextIO, list[Diagnosis]]]:
    """The file's text with its line ends as they are, and a note where it is not UTF-8.

    It is decoded once to find out, then again as it is read, so that a large file is never in memory whole. Raises
    UsageError where there is no such file, or what it holds is no text. `-` is standard input, which is read whole.
    """
    name = shown(path)
    if os.path.isdir(path):
        raise UsageError(f"{name} is a folder; give a file of rows: CSV, TSV, JSON, JSONL or GeoJSON.")
    with _opened(path) as file:
        encoding, notes = _encoding(name, file)
        file.seek(0)
        with io.TextIOWrapper(file, encoding=encoding, newline="") as text:
            yield text, notes


def _opened(path: str) -> BinaryIO:
    if path == "-":
        return io.BytesIO(sys.stdin.buffer.read())
    try:
        return open(path, "rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{shown(path)} cannot be read ({reason}); check the name.") from error


def _encoding(name: str, file: BinaryIO) -> tuple[str, list[Diagnosis]]:
    head = file.read(4096)
    if not head.strip():
        raise UsageError(f"{name} is empty; was what should write it interrupted?")
    for magic, what in _BINARY:
        if head.startswith(magic):
            raise UsageError(f"{name} is {what}.")
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            if _undecodable(file, encoding) is not None:
                raise UsageError(f"{name} begins as {encoding} and is not; save it again as UTF-8.")
            return encoding, [] if bom == codecs.BOM_UTF8 else [_said(name, "UTF-16")]
    nul = [part.count(0) for part in (head[0::2], head[1::2])]
    if max(nul) > _NUL_SHARE * len(head) / 2 and min(nul) < max(nul) / 10:
        encoding = "utf-16-le" if nul[1] > nul[0] else "utf-16-be"
        if _undecodable(file, encoding) is None:
            return encoding, [_said(name, "UTF-16 without a byte order mark")]
    if b"\0" in head:
        raise UsageError(f"{name} is no text; give a file of rows: CSV, TSV, JSON, JSONL or GeoJSON.")
    wrong = _undecodable(file, "utf-8")
    if wrong is None:
        return "utf-8", []
    encoding, words = next((e, w) for e, w in _LEGACY if _undecodable(file, e) is None)
    doubt = f" (byte {wrong[1]:#04x} at {wrong[0]}); names with other letters may be wrong, and then save it as UTF-8"
    return encoding, [_said(name, words, doubt)]


def _said(name: str, words: str, doubt: str = "") -> Diagnosis:
    return Diagnosis("encoding", f"{name} is not UTF-8 and was read as {words}{doubt}.", {"encoding": words})


def _undecodable(file: BinaryIO, encoding: str) -> tuple[int, int] | None:
    """The place and value of the first byte that is not of this encoding, or None."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    done = 0
    while True:
        block = file.read(_BLOCK)
        held = len(decoder.getstate()[0])
        try:
            decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            return done - held + error.start, error.object[error.start]
        if not block:
            return None
        done += len(block)
