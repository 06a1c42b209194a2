"""What exiftool, which knows more cameras than anybody, reads in files; tests that ask it are skipped without it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

needs_exiftool = pytest.mark.skipif(shutil.which("exiftool") is None, reason="no exiftool (libimage-exiftool-perl)")

# What belongs to the file or to the program that reads it, and the byte order, which a file without EXIF has none of.
_NOT_TAGS = ("SourceFile", "System:", "ExifTool:ExifToolVersion", "File:FileSize", "File:ExifByteOrder")
_PLACES = re.compile(r"GPS|latitude|longitude|altitude|:city|country|:state|province|location", re.IGNORECASE)
# Light falls from an altitude, and a border has a location.
_NO_PLACES = ("Photoshop:GlobalAltitude", "KodakBordersIFD:BorderLocation")


def tags_of(paths: Iterable[Path], *more: str) -> dict[str, dict[str, Any]]:
    """Every tag that is found in each file, thumbnails and MakerNotes byte by byte, by group and name."""
    command = ["exiftool", "-json", "-a", "-G1:4", "-n", "-b", "-U", *more, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return {
        row["SourceFile"]: {name: value for name, value in row.items() if not name.startswith(_NOT_TAGS)}
        for row in json.loads(done.stdout)
    }


def is_place(name: str) -> bool:
    """Whether a tag of exiftool's tells a place."""
    return bool(_PLACES.search(name)) and name not in _NO_PLACES
