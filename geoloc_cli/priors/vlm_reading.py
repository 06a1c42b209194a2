"""The writing in a part of a photo, for a model that asks for it, by the bundled OCR where that is installed."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import MissingExtra
from geoloc_cli.priors.reading import Reader

# Lower than where a line is to be looked up by itself: a model sees the picture beside it.
_MIN_SCORE = 0.5

_lock = threading.Lock()
_shared: list[Reader] = []


def by_ocr(pixels: NDArray[np.uint8]) -> list[str] | None:
    """The lines of upright pixels (H, W, 3), the topmost first; None without the extra `ocr`. One reads at a time."""
    with _lock:
        if not _shared:
            try:
                _shared.append(Reader())
            except MissingExtra:
                return None
        return [line.text for line in _shared[0].read(pixels, _MIN_SCORE)]
