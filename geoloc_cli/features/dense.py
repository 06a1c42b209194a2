"""What dense matchers share: two pictures compared as they are, and what is found snapped to their keypoints.

The networks have no keypoints of their own. Snapped, their matches are rows as every matcher's, and maps and poses are
made of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geoloc_cli.errors import UsageError
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.models.weights import Weights, load_weights, versions

# Matches snapped at once: distances of 256 x 4096 float32, x and y, are 8 MiB.
_BLOCK = 256

Floats = NDArray[np.float32]
# Width and height in pixels.
Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class DenseOptions:
    """Options that all of them have; each matcher says what was measured with them.

    `weights` is the file of the state dict, by default one of the matcher's usual name where weights are looked for
    (`models/weights.py`), and `weights_sha256` pins it. Pictures are compared at `max_size_px` along their longer side
    at most. Matches of `min_score` and below are left out, and so are those without a keypoint within `snap_px`, in
    pixels of the described picture, at either end.
    """

    weights: str = ""
    weights_sha256: str = ""
    min_score: float = 0.2
    snap_px: float = 3.0
    max_size_px: int = 640

    def check(self) -> None:
        """Raises UsageError where one is out of range."""
        if not 0 <= self.min_score < 1:
            raise UsageError(f"min_score is {self.min_score}; give a number from 0 to below 1.")
        if not self.snap_px > 0:
            raise UsageError(f"snap_px is {self.snap_px}; give a length above 0.")
        if self.max_size_px < 64:
            raise UsageError(f"max_size_px is {self.max_size_px}; give at least 64 pixels.")


Options = TypeVar("Options", bound=DenseOptions)


@dataclass(frozen=True, slots=True)
class Pictured:
    """What is compared: the described picture (H, W) uint8, and its keypoints (N, 2)."""

    picture: NDArray[np.uint8]
    keypoints: Floats


class DenseMatcher(ABC, Generic[Options]):
    """Matches of a network, each at the keypoints nearest to its ends."""

    name: ClassVar[str]
    usual_file: ClassVar[str]
    libraries: ClassVar[tuple[str, ...]] = ("kornia", "torch")
    needs_pictures: ClassVar[bool] = True

    def __init__(self, options: Options) -> None:
        """Raises MissingExtra without torch, WeightsMissing or WeightsMismatch without the model's weights."""
        options.check()
        owner = f"matcher '{self.name}'"
        weights = load_weights(options.weights, options.weights_sha256, self.usual_file, owner)
        self._model = self.build(options, weights, owner)
        self.options = replace(options, weights=str(weights.path), weights_sha256=weights.sha256)
        self.identity = f"{versions(*self.libraries)}, weights {weights.sha256}"

    @abstractmethod
    def build(self, options: Options, weights: Weights, owner: str) -> Any:
        """The network with these weights, for inference, which leaves out what scores `min_score` and less."""

    @abstractmethod
    def sizes(self, a: Size, b: Size) -> tuple[Size, Size]:
        """The sizes at which pictures of these sizes are compared."""

    @abstractmethod
    def dense(self, a: NDArray[np.uint8], b: NDArray[np.uint8]) -> tuple[Floats, Floats, Floats]:
        """a, b: (h, w) uint8 of the sizes that `sizes` gave.

        Returns COLMAP's pixels (M, 2) in a and in b, and scores (M,).
        """

    def prepare(self, features: LocalFeatures) -> Pictured:
        """Raises UsageError on features that come without their picture."""
        if features.picture is None:
            raise UsageError(
                f"The matcher '{self.name}' compares pictures, and these features come without one; take mutual-nn."
            )
        return Pictured(features.picture, features.keypoints[:, :2])

    def match(self, query: Pictured, reference: Pictured) -> NDArray[np.int32]:
        """Returns (M, 2) int32 rows of query and reference keypoints, each at most once, in the query's order."""
        shapes = query.picture.shape, reference.picture.shape
        size_a, size_b = self.sizes(*((width, height) for height, width in shapes))
        (a, scale_a), (b, scale_b) = resized(query.picture, size_a), resized(reference.picture, size_b)
        in_a, in_b, scores = self.dense(a, b)
        snap_px = self.options.snap_px
        return snapped(in_a * scale_a, in_b * scale_b, scores, query.keypoints, reference.keypoints, snap_px)


def whole_cells(size: Size, max_size_px: int, cell_px: int) -> Size:
    """The size brought to at most max_size_px along its longer side, and to sides of whole cells, one at least.

    The sides are rounded each for itself: half a cell of 8 in 640 pixels is a stretch by 0.6 %.
    """
    factor = min(1.0, max_size_px / max(size))
    most = max_size_px // cell_px
    w, h = (max(1, min(round(side * factor / cell_px), most)) * cell_px for side in size)
    return w, h


def resized(picture: NDArray[np.uint8], size: Size) -> tuple[NDArray[np.uint8], Floats]:
    """picture: (H, W) uint8. Returns it at the size (w, h), and (2,) its pixels for one of these, x and y.

    Edges stay edges, so that COLMAP's pixels, whose origin is the corner, are but multiplied.
    """
    height, width = picture.shape
    scale = np.array([width / size[0], height / size[1]], np.float32)
    if size == (width, height):
        return picture, scale
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS)), scale


def snapped(
    in_a: Floats, in_b: Floats, scores: Floats, keypoints_a: Floats, keypoints_b: Floats, snap_px: float
) -> NDArray[np.int32]:
    """Matches in_a, in_b (M, 2) with scores (M,) -> rows (K, 2) int32 of keypoints (N, 2), in the order of a's.

    Each end goes to the nearest keypoint, the first of those at one place, and no farther than snap_px; a keypoint of
    either side keeps the most confident match that none of more confidence shares an end with.
    """
    if not len(in_a) or not len(keypoints_a) or not len(keypoints_b):
        return np.zeros((0, 2), np.int32)
    row_a, near_a = _nearest(in_a, keypoints_a, snap_px)
    row_b, near_b = _nearest(in_b, keypoints_b, snap_px)
    near = np.flatnonzero(near_a & near_b)
    order = near[np.lexsort((row_b[near], row_a[near], -scores[near]))]
    taken_a, taken_b, kept = set[int](), set[int](), list[tuple[int, int]]()
    for a, b in zip(row_a[order].tolist(), row_b[order].tolist(), strict=True):
        if a not in taken_a and b not in taken_b:
            taken_a.add(a)
            taken_b.add(b)
            kept.append((a, b))
    return np.array(sorted(kept), np.int32).reshape(-1, 2)


def _nearest(points: Floats, keypoints: Floats, snap_px: float) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """points (M, 2) -> the row of the keypoint nearest to each, and whether it is within snap_px."""
    rows, near = np.empty(len(points), np.int64), np.empty(len(points), bool)
    for start in range(0, len(points), _BLOCK):
        part = points[start : start + _BLOCK]
        away = ((part[:, None] - keypoints[None]) ** 2).sum(axis=2)
        rows[start : start + _BLOCK] = away.argmin(axis=1)
        near[start : start + _BLOCK] = away.min(axis=1) <= snap_px**2
    return rows, near
