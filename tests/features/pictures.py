"""Textures, and keypoints on a grid of them, for matchers that compare pictures."""

from __future__ import annotations

import numpy as np
from PIL import Image

from geoloc_cli.features.local import LocalFeatures


def texture(width: int, height: int, seed: int = 0) -> np.ndarray:
    """(height, width) uint8: random numbers, one for 4 x 4 pixels, interpolated."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def on_grid(picture: np.ndarray, shift: tuple[int, int] = (0, 0), step: int = 8) -> LocalFeatures:
    """Keypoints on the network's grid of a picture, each moved by `shift`; looks do not matter here."""
    height, width = picture.shape
    x, y = np.meshgrid(np.arange(0, width, step), np.arange(0, height, step))
    keypoints = np.zeros((x.size, 4), np.float32)
    keypoints[:, 0], keypoints[:, 1] = x.ravel() + shift[0], y.ravel() + shift[1]
    return LocalFeatures(keypoints, np.zeros((x.size, 2), np.uint8), width, height, picture)
