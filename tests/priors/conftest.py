"""A photo with metadata that must stay here, and a key that must appear nowhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scripted import CANARY

from geoloc_cli.priors import vlm_http
from geoloc_cli.types import Photo


@pytest.fixture
def keyed(monkeypatch: pytest.MonkeyPatch) -> str:
    """The key of the server, in the environment; waits between tries are short."""
    monkeypatch.setenv("GEOLOC_VLM_API_KEY", CANARY)
    monkeypatch.setattr(vlm_http, "_FIRST_WAIT_S", 0.01)
    return CANARY


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    """Turned by its EXIF, with a position, a maker and comments."""
    pixels = np.zeros((300, 400, 3), dtype=np.uint8)
    pixels[:60] = (250, 30, 30)  # the top of what is stored, the right of what is upright
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112], exif[0x010F], exif[0x9286] = 6, "SecretMaker", "SecretComment"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 30.0), 3: "E", 4: (2.0, 17.0, 40.0)})
    path = tmp_path / "secret-name.jpg"
    image.save(path, exif=exif, comment=b"SecretJpegComment", quality=95)
    return Photo(str(path), 300, 400)
