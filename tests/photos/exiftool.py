"""What exiftool, which knows more cameras than anybody, reads in files; tests that ask it are skipped without it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

needs_exiftool = pytest.mark.skipif(shutil.which("exiftool") is None, reason="no exiftool (libimage-exiftool-perl)")

# What belongs to the file, or to the program that reads it, or names the place where a value stands.
_NOT_TAGS = ("SourceFile", "System:", "ExifTool:Now", "ExifTool:ExifToolVersion", "File:FileSize")


def tags_of(paths: Iterable[Path], *more: str) -> dict[str, dict[str, Any]]:
    """Every tag that is found in each file, thumbnails and MakerNotes as they are, by family and name."""
    command = ["exiftool", "-json", "-a", "-G1:4", "-n", "-b", "-U", *more, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return {
        row["SourceFile"]: {name: value for name, value in row.items() if not name.startswith(_NOT_TAGS)}
        for row in json.loads(done.stdout)
    }
