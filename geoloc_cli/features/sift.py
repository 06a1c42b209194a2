"""SIFT as RootSIFT, dense enough on bare ground: the embedded default, no download and no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import UsageError
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.geometry.colmap import SiftExtractor, version


@dataclass(frozen=True, slots=True)
class SiftOptions:
    """Options of `sift`.

    Pictures are described at their own size up to `max_size_px`; the doubled first octave of the original paper is
    left out (on aerial and street photographs of 1024 to 1280 px it costs five times as much and verifies no more
    matches). The contrast threshold is a quarter of the usual one: bare soil, snow and fog then give thousands of
    keypoints instead of sixty, and pictures of high contrast keep the largest scales, as they would have anyway.
    """

    max_size_px: int = 1280
    max_features: int = 4096
    peak_threshold: float = 0.005 / 3

    def check(self) -> None:
        if self.max_size_px < 64:
            raise UsageError(f"max_size_px is {self.max_size_px}; give at least 64 pixels.")
        if self.max_features < 1:
            raise UsageError(f"max_features is {self.max_features}; give at least 1.")
        if not 0 < self.peak_threshold < 1:
            raise UsageError(f"peak_threshold is {self.peak_threshold}; give a number between 0 and 1.")


class SiftFeatures:
    """Keypoints of one upright grey picture, the coarsest scales first."""

    name = "sift"

    def __init__(self, options: SiftOptions | None = None) -> None:
        self.options = options or SiftOptions()
        self.options.check()
        self.identity = f"pycolmap {version()}"
        self._extractor = SiftExtractor(
            max_features=self.options.max_features, first_octave=0, peak_threshold=self.options.peak_threshold
        )

    def extract(self, gray: NDArray[np.uint8]) -> LocalFeatures:
        """gray: (H, W) uint8, C-contiguous. Returns at most `max_features`, of the largest scales."""
        keypoints, descriptors = self._extractor.extract(gray)
        order = np.argsort(-keypoints[:, 2], kind="stable")[: self.options.max_features]
        height, width = gray.shape
        return LocalFeatures(keypoints[order], descriptors[order], width, height)
