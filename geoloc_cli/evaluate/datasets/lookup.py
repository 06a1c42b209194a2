"""Files of a data set found under its root, and one sentence where they are not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from geoloc_cli.errors import UsageError
from geoloc_cli.photos.opening import shown

PICTURES = (".jpg", ".jpeg", ".png", ".ppm", ".webp")


def first_of(name: str, root: Path, wanted: Sequence[str], home: str, what: str) -> Path:
    """The first of `wanted` (files or folders, under `root`) that is there; UsageError where none is."""
    for candidate in wanted:
        path = root / candidate
        if path.exists():
            return path
    raise missing(name, root, wanted, home, what)


def missing(name: str, root: Path, wanted: Sequence[str], home: str, what: str) -> UsageError:
    """The one sentence: which file, where it is published, what to do."""
    if not root.is_dir():
        return UsageError(f"{shown(str(root))} is no folder; give the folder in which {name} lies ({home}).")
    either = " or ".join(wanted[:3])
    return UsageError(f"{name} needs {either} ({what}) in {shown(str(root))}; it is published at {home}: put it there.")


def pictures_in(folder: Path) -> list[str]:
    """The names of the pictures right in a folder, sorted; UsageError where it cannot be read."""
    try:
        entries = [entry.name for entry in folder.iterdir()]
    except OSError as error:
        raise UsageError(f"{shown(str(folder))} cannot be read ({error.strerror}); check the folder.") from error
    return sorted(name for name in entries if name.lower().endswith(PICTURES))


def read_lines(path: Path) -> list[str]:
    """The lines of a text; UsageError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig", errors="surrogateescape").splitlines()
    except OSError as error:
        raise UsageError(f"{shown(str(path))} cannot be read ({error.strerror}); check the file.") from error


def pictures_below(folder: Path) -> list[str]:
    """The paths under a folder of all pictures in and below it, sorted.

    A list of them beside the folder (`database_images_paths.txt` beside `database`, as SF-XL brings it) is believed:
    walking through millions of files takes minutes.
    """
    listed = folder.with_name(f"{folder.name}_images_paths.txt")
    if listed.is_file():
        return [line for line in read_lines(listed) if line]
    found = []
    for place, _, names in os.walk(folder):
        inside = Path(place).relative_to(folder).as_posix()
        prefix = "" if inside == "." else f"{inside}/"
        found += [f"{prefix}{name}" for name in names if name.lower().endswith(PICTURES)]
    return sorted(found)
