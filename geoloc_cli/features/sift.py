"""SIFT as RootSIFT, dense enough on bare ground: the embedded default, no download and no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import UsageError
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.geometry.colmap import SiftExtractor


@dataclass(frozen=True, slots=True)
class SiftOptions:
    """Options of `sift`.

    Pictures are described at their own size up to `max_size_px`; the doubled first octave of the original paper is
    left out (on aerial and street photographs of 1024 to 1280 px it costs five times as much and verifies no more
    matches). A picture with fewer than `enough_features` at the usual contrast is described again at a quarter of
    it: bare soil, snow and fog then give thousands of keypoints where the usual threshold gives sixty.
    """

    max_size_px: int = 1280
    max_features: int = 4096
    enough_features: int = 3000
    peak_threshold: float = 0.02 / 3
    low_peak_threshold: float = 0.005 / 3

    def check(self) -> None:
        if self.max_size_px < 64:
            raise UsageError(f"max_size_px is {self.max_size_px}; give at least 64 pixels.")
        if not 1 <= self.enough_features <= self.max_features:
            raise UsageError(
                f"enough_features is {self.enough_features}; give 1 to max_features ({self.max_features})."
            )
        if not 0 < self.low_peak_threshold <= self.peak_threshold < 1:
            raise UsageError("Peak thresholds are 0 < low_peak_threshold <= peak_threshold < 1.")


class SiftFeatures:
    """Keypoints of one upright grey picture, the coarsest scales first."""

    name = "sift"

    def __init__(self, options: SiftOptions | None = None) -> None:
        self.options = options or SiftOptions()
        self.options.check()
        self._extractors: dict[float, SiftExtractor] = {}

    def extract(self, gray: NDArray[np.uint8]) -> LocalFeatures:
        """gray: (H, W) uint8, C-contiguous. Returns at most `max_features`, of the largest scales."""
        keypoints, descriptors = self._at(self.options.peak_threshold).extract(gray)
        if len(keypoints) < self.options.enough_features:
            keypoints, descriptors = self._at(self.options.low_peak_threshold).extract(gray)
        order = np.argsort(-keypoints[:, 2], kind="stable")[: self.options.max_features]
        height, width = gray.shape
        return LocalFeatures(keypoints[order], descriptors[order], width, height)

    def _at(self, peak_threshold: float) -> SiftExtractor:
        if peak_threshold not in self._extractors:
            self._extractors[peak_threshold] = SiftExtractor(
                max_features=self.options.max_features, first_octave=0, peak_threshold=peak_threshold
            )
        return self._extractors[peak_threshold]


def unit_descriptors(features: LocalFeatures) -> NDArray[np.float32]:
    """(N, D) float32 of unit length, whatever the stored type: inner products are cosines."""
    rows = features.descriptors.astype(np.float32)
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    rows /= np.maximum(lengths, 1e-9)[:, None]
    return rows
