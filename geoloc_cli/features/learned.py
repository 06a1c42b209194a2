"""What learned detectors share: pictures in, keypoints in COLMAP's pixels out, the strongest first."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import UsageError
from geoloc_cli.features.local import LocalFeatures

# kornia and transformers put the centre of the top-left pixel at (0, 0); COLMAP puts it at (0.5, 0.5).
PIXEL_CENTER = 0.5


def check_common(max_size_px: int, max_features: int, min_score: float) -> None:
    """Raises UsageError where an option that all of them have is out of range."""
    if max_size_px < 64:
        raise UsageError(f"max_size_px is {max_size_px}; give at least 64 pixels.")
    if max_features < 1:
        raise UsageError(f"max_features is {max_features}; give at least 1.")
    if not 0 <= min_score < 1:
        raise UsageError(f"min_score is {min_score}; give a number from 0 to below 1.")


def as_tensor(gray: NDArray[np.uint8]) -> Any:
    """gray: (H, W) uint8. Returns a torch tensor (1, 1, H, W) float32 from 0 to 1."""
    import torch

    return torch.from_numpy(gray.astype(np.float32) / np.float32(255))[None, None]


def as_local(
    xy: Any, scores: Any, descriptors: Any, shape: tuple[int, ...], max_features: int, min_score: float
) -> LocalFeatures:
    """Tensors (N, 2) of COLMAP's pixels, (N,) and (N, D) of one picture of `shape` (H, W) -> its features.

    Ordered by score, ties by place, so that the order is the same on every run; those at `min_score` or below, or
    with a number that is none, are left out. Such detectors find neither scale nor orientation: the columns say one
    pixel and zero radians.
    """
    height, width = shape
    points = np.asarray(xy.detach().cpu(), np.float32).reshape(-1, 2)
    strength = np.asarray(scores.detach().cpu(), np.float32).reshape(-1)
    looks = np.asarray(descriptors.detach().cpu(), np.float32)
    sound = np.isfinite(points).all(axis=1) & np.isfinite(looks).all(axis=1) & (strength > min_score)
    kept = np.flatnonzero(sound)
    order = kept[np.lexsort((points[kept, 0], points[kept, 1], -strength[kept]))][:max_features]
    keypoints = np.zeros((len(order), 4), np.float32)
    keypoints[:, :2] = points[order]
    keypoints[:, 2] = 1.0
    return LocalFeatures(keypoints, np.ascontiguousarray(looks[order]), width, height)
