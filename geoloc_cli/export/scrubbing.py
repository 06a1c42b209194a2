"""Copies of photographs without their places, each read again before it may stay."""

# Names stay the strings that the user gave.
# ruff: noqa: PTH100, PTH118, PTH120

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from geoloc_cli.errors import NotWritable, PhotoError, UsageError
from geoloc_cli.index.files import room
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.photos.opening import open_picture, shown
from geoloc_cli.photos.writing.replacing import replace
from geoloc_cli.photos.writing.scrub import scrubbed
from geoloc_cli.photos.writing.splices import Tangled


@dataclass(frozen=True, slots=True)
class Copy:
    """A photo's copy and what was left out of it beside the places, or the sentence that says why there is none."""

    photo: str
    target: str | None = None
    left_out: tuple[str, ...] = ()
    error: str | None = None


def copies(photos: Sequence[str], folder: str, *, maker_notes: bool = True, dry_run: bool = False) -> Iterator[Copy]:
    """Copies photos into a folder, below it as they lie below the folder that they share.

    dry_run: makes the copies in memory alone, to say what would be left out of them.
    """
    whole = [os.path.abspath(photo) for photo in photos]
    shared = os.path.commonpath([os.path.dirname(path) for path in whole])
    try:
        if not dry_run:
            Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {shown(folder)} cannot be made ({error.strerror}); name another folder.") from error
    for photo, path in zip(photos, whole, strict=True):
        target = os.path.join(folder, os.path.relpath(path, shared))
        try:
            yield Copy(photo, target, _copy(photo, Path(target), maker_notes, dry_run))
        except PhotoError as error:
            yield Copy(photo, error=str(error))
        except OSError as error:
            sentence = f"{shown(target)} cannot be written ({error.strerror}); check the folder and its rights."
            yield Copy(photo, error=sentence)


def _copy(photo: str, target: Path, maker_notes: bool, dry_run: bool) -> tuple[str, ...]:
    if target.exists():
        raise NotWritable(f"{shown(str(target))} exists already; give an empty folder to --out.")
    with open_picture(photo) as picture:
        kind = picture.kind
    try:
        made = scrubbed(photo, kind, Path(photo).read_bytes(), maker_notes=maker_notes)
    except Tangled as error:
        raise NotWritable(f"{shown(photo)} was not copied: {error}; make a copy of its pixels alone.") from error
    if dry_run:
        return made.left_out
    with room(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        replace(target, None, made.data)
    try:
        found = read_photo(str(target))
    except PhotoError:
        target.unlink()
        raise
    if found.position or found.altitude:
        target.unlink()
        raise NotWritable(f"{shown(photo)} was not copied: its place could not be taken out; copy its pixels alone.")
    return made.left_out
