"""LoFTR by kornia: two pictures matched densely, without keypoints of their own (Sun et al. 2021).

Its matches are snapped to the keypoints that describe the two pictures, so that they are rows as every matcher's, and
maps and poses are made of them.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geoloc_cli.errors import UsageError
from geoloc_cli.features.learned import as_tensor
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.models.weights import fit, imported, load_weights, versions

# The coarse map has a cell for each 8 x 8 pixels, and the authors' networks saw sides of whole cells alone.
_CELL_PX = 8
# Matches on the two outermost cells are left out by the network: smaller pictures have no others.
_LEAST_SIDE_PX = 5 * _CELL_PX
# Matches snapped at once: distances of 256 x 4096 float32, x and y, are 8 MiB.
_BLOCK = 256

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LoftrOptions:
    """Options of `loftr`.

    `weights` is the file of the state dict, by default loftr_outdoor.ckpt where weights are looked for, and
    `weights_sha256` pins it. Pictures are compared at `max_size_px` along their longer side: 640 x 480 against the
    same are 4800 cells squared, 92 MB an array, and that grows with the fourth power of the side; a pair took 7 s of
    one core and 1.5 GB. Matches of `min_score` and below are left out, and so are those without a keypoint within
    `snap_px`, in pixels of the described picture, at either end: of the cells of a street photo of 1024 px with 1963
    keypoints of SIFT, 6 % have one within 3 px, 11 % within 4 and 22 % within 6. Networks that were trained on the
    outdoor pictures fit; the newer indoor ones (indoor_ds_new) encode positions otherwise.
    """

    weights: str = ""
    weights_sha256: str = ""
    min_score: float = 0.2
    snap_px: float = 3.0
    max_size_px: int = 640

    def check(self) -> None:
        if not 0 <= self.min_score < 1:
            raise UsageError(f"min_score is {self.min_score}; give a number from 0 to below 1.")
        if not self.snap_px > 0:
            raise UsageError(f"snap_px is {self.snap_px}; give a length above 0.")
        if self.max_size_px < 64:
            raise UsageError(f"max_size_px is {self.max_size_px}; give at least 64 pixels.")


@dataclass(frozen=True, slots=True)
class Pictured:
    """What is compared: pixels (h, w) uint8 with sides of whole cells, and keypoints (N, 2) of the described picture.

    scale: (2,) described pixels for one of these, x and y.
    """

    pixels: NDArray[np.uint8]
    scale: Floats
    keypoints: Floats


class LoftrMatcher:
    """Matches of the network, each at the keypoints nearest to its ends."""

    name = "loftr"
    needs_pictures: ClassVar[bool] = True

    def __init__(self, options: LoftrOptions | None = None) -> None:
        """Raises MissingExtra without torch, WeightsMissing or WeightsMismatch without the model's weights."""
        options = options or LoftrOptions()
        options.check()
        owner = f"matcher '{self.name}'"
        weights = load_weights(options.weights, options.weights_sha256, "loftr_outdoor.ckpt", owner)
        module = imported("kornia.feature.loftr.loftr", owner)
        config = copy.deepcopy(module.default_cfg)
        config["match_coarse"]["thr"] = options.min_score
        # As published, every name begins with `matcher.`.
        state = {name.removeprefix("matcher."): value for name, value in weights.state.items()}
        self._model = fit(module.LoFTR(None, config), replace(weights, state=state), owner)
        self.options = replace(options, weights=str(weights.path), weights_sha256=weights.sha256)
        self.identity = f"{versions('kornia', 'torch')}, weights {weights.sha256}"

    def prepare(self, features: LocalFeatures) -> Pictured:
        """The picture at the compared size. Raises UsageError on features that come without it."""
        if features.picture is None:
            raise UsageError(
                f"The matcher '{self.name}' compares pictures, and these features come without one; take mutual-nn."
            )
        pixels, scale = compared(features.picture, self.options.max_size_px)
        return Pictured(pixels, scale, features.keypoints[:, :2])

    def match(self, query: Pictured, reference: Pictured) -> NDArray[np.int32]:
        """Returns (M, 2) int32 rows of query and reference keypoints, each at most once, in the query's order."""
        in_query, in_reference, scores = self.dense(query.pixels, reference.pixels)
        return snapped(
            in_query * query.scale,
            in_reference * reference.scale,
            scores,
            query.keypoints,
            reference.keypoints,
            self.options.snap_px,
        )

    def dense(self, a: NDArray[np.uint8], b: NDArray[np.uint8]) -> tuple[Floats, Floats, Floats]:
        """a, b: (h, w) uint8 with sides of whole cells. Returns pixels (M, 2) in a and in b, and scores (M,).

        Pixels are COLMAP's as they come: LoFTR learned from depth maps with COLMAP's cameras, and kornia's reference
        says that the centre of its first pixel is (0.5, 0.5).
        """
        import torch

        if min(*a.shape, *b.shape) < _LEAST_SIDE_PX:
            return np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32), np.zeros(0, np.float32)
        with torch.inference_mode():
            found = self._model({"image0": as_tensor(a), "image1": as_tensor(b)})
        in_a, in_b, scores = (found[name].cpu().numpy() for name in ("keypoints0", "keypoints1", "confidence"))
        return in_a, in_b, scores


def compared(picture: NDArray[np.uint8], max_size_px: int) -> tuple[NDArray[np.uint8], Floats]:
    """picture: (H, W) uint8. Returns it with sides of whole cells, at most max_size_px, and (2,) its pixels for one.

    The sides are rounded each for itself, as the authors do: half a cell in 640 pixels is a stretch by 0.6 %. Edges
    stay edges, so that COLMAP's pixels, whose origin is the corner, are but multiplied.
    """
    height, width = picture.shape
    factor = min(1.0, max_size_px / max(width, height))
    w, h = (
        max(_CELL_PX, min(round(side * factor / _CELL_PX), max_size_px // _CELL_PX) * _CELL_PX)
        for side in (width, height)
    )
    scale = np.array([width / w, height / h], np.float32)
    if (w, h) == (width, height):
        return picture, scale
    return np.asarray(Image.fromarray(picture).resize((w, h), Image.Resampling.LANCZOS)), scale


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
