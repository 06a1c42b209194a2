"""An index of made photos, built once and copied for whoever wants to change it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from made import build

from geoloc_cli.testing.fakes import write_made


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `photos/` (40 made photos) and `index/` of them all; not to be changed."""
    folder = tmp_path_factory.mktemp("pristine")
    build(folder / "index", write_made(folder / "photos", 40))
    return folder


@pytest.fixture
def index(pristine: Path, tmp_path: Path) -> Path:
    """A copy of the pristine index, to be changed at will."""
    shutil.copytree(pristine / "index", tmp_path / "index")
    return tmp_path / "index"
