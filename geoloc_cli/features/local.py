"""The container of one photo's local features."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class LocalFeatures:
    """Keypoints of one upright picture and what they look like.

    keypoints: (N, 4) float32: x, y in pixels of the described picture (centre of the top-left pixel at (0.5, 0.5)),
        scale in pixels, orientation in radians.
    descriptors: (N, D) uint8, RootSIFT times 512 (`features/sift.py`), or float32 for learned features.
    width, height: size in pixels of the picture that was described, which may be smaller than the photo.
    picture: (height, width) uint8, that picture in grey, for matchers that compare pictures; an index never keeps it.
    look: (D,) float32 of unit length, what a descriptor of pictures (`contracts.PictureDescriptor`) makes of the whole,
        before anything that an index learned; None where the index's vectors are made of the keypoints.
    """

    keypoints: NDArray[np.float32]
    descriptors: NDArray[np.uint8] | NDArray[np.float32]
    width: int
    height: int
    picture: NDArray[np.uint8] | None = None
    look: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        n = len(self.keypoints)
        if self.keypoints.shape != (n, 4) or self.keypoints.dtype != np.float32:
            raise ValueError(f"keypoints are (N, 4) float32, not {self.keypoints.shape} {self.keypoints.dtype}")
        if self.descriptors.ndim != 2 or len(self.descriptors) != n:
            raise ValueError(f"descriptors are (N, D) with N = {n}, not {self.descriptors.shape}")
        if self.picture is not None and self.picture.shape != (self.height, self.width):
            raise ValueError(f"the picture is {self.height} x {self.width} pixels, not {self.picture.shape}")
        if self.look is not None and (self.look.ndim != 1 or self.look.dtype != np.float32):
            raise ValueError(f"the look is (D,) float32, not {self.look.shape} {self.look.dtype}")

    def __len__(self) -> int:
        return len(self.keypoints)

    def first(self, count: int) -> LocalFeatures:
        """The first `count` keypoints, in their own rows: the largest scales, or the strongest; itself if no more."""
        if len(self) <= count:
            return self
        return replace(self, keypoints=self.keypoints[:count], descriptors=self.descriptors[:count])


def unit_rows(descriptors: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, D) float32 rows of unit length, whatever the stored type: inner products are cosines."""
    rows = descriptors.astype(np.float32)
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    rows /= np.maximum(lengths, 1e-9)[:, None]
    return rows
