"""Tagging that is killed leaves every photo whole, tagged or untouched, and can be put back or done again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("write", ["exif", "sidecar"])
def test_killed_at_any_moment_every_photo_is_whole(tmp_path: Path, write: str) -> None:
    script = Path(__file__).with_name("killed_tagging.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "x"), write, "3"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert counts.pop("killed") >= 20
    assert counts.pop("half") >= 5  # some photos tagged, some not: the kills came in the midst of it
    assert counts == {"broken": 0, "not put back": 0, "not done again": 0, "left over": 0}
