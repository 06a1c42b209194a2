"""What learned detectors share: pictures in, keypoints in COLMAP's pixels out, the strongest first."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import UsageError
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.models.weights import Weights, load_weights, versions

# kornia and transformers put the centre of the top-left pixel at (0, 0); COLMAP puts it at (0.5, 0.5).
PIXEL_CENTER = 0.5


@dataclass(frozen=True, slots=True)
class LearnedOptions:
    """Options that all of them have; each backend gives its own defaults, and says what was measured with them.

    `weights` is the file of the state dict, by default one of the backend's usual name where weights are looked for
    (`models/weights.py`), and `weights_sha256` pins it: an index records both. Pictures are described at `max_size_px`
    along their longer side; keypoints at `min_score` or below are left out, and so are all beyond the strongest
    `max_features`.
    """

    weights: str = ""
    weights_sha256: str = ""
    max_size_px: int = 1024
    max_features: int = 4096
    min_score: float = 0.0

    def check(self) -> None:
        """Raises UsageError where one is out of range."""
        if self.max_size_px < 64:
            raise UsageError(f"max_size_px is {self.max_size_px}; give at least 64 pixels.")
        if self.max_features < 1:
            raise UsageError(f"max_features is {self.max_features}; give at least 1.")
        if not 0 <= self.min_score < 1:
            raise UsageError(f"min_score is {self.min_score}; give a number from 0 to below 1.")


Options = TypeVar("Options", bound=LearnedOptions)


class LearnedFeatures(ABC, Generic[Options]):
    """Keypoints of one upright grey picture by a network, the strongest first, with unit rows as descriptors."""

    name: ClassVar[str]
    libraries: ClassVar[tuple[str, ...]] = ("kornia", "torch")
    # Both sides that the network sees are multiples of this: what is lacking continues the last row and column.
    multiple_px: ClassVar[int] = 1

    def __init__(self, options: Options) -> None:
        """Raises MissingExtra without torch, WeightsMissing or WeightsMismatch without the model's weights."""
        options.check()
        owner = f"features '{self.name}'"
        weights = load_weights(options.weights, options.weights_sha256, self.usual_file(options), owner)
        self._model = self.build(options, weights, owner)
        self.options = replace(options, weights=str(weights.path), weights_sha256=weights.sha256)
        self.identity = f"{versions(*self.libraries)}, weights {weights.sha256}"

    @abstractmethod
    def usual_file(self, options: Options) -> str:
        """The name under which the weights are published."""

    @abstractmethod
    def build(self, options: Options, weights: Weights, owner: str) -> Any:
        """The network with these weights, for inference."""

    @abstractmethod
    def detect(self, picture: Any) -> tuple[Any, Any, Any]:
        """picture: tensor (1, 1, H, W) float32 from 0 to 1, H and W multiples of `multiple_px`.

        Returns tensors: COLMAP's pixels (N, 2), scores (N,) and descriptors (N, D).
        """

    def extract(self, gray: NDArray[np.uint8]) -> LocalFeatures:
        """gray: (H, W) uint8. Returns at most `max_features`."""
        import torch

        lacking = [(0, -side % self.multiple_px) for side in gray.shape]
        with torch.inference_mode():
            xy, scores, descriptors = self.detect(as_tensor(np.pad(gray, lacking, "edge")))
        return as_local(xy, scores, descriptors, gray.shape, self.options.max_features, self.options.min_score)


def as_tensor(gray: NDArray[np.uint8]) -> Any:
    """gray: (H, W) uint8. Returns a torch tensor (1, 1, H, W) float32 from 0 to 1."""
    import torch

    return torch.from_numpy(gray.astype(np.float32) / np.float32(255))[None, None]


def as_local(
    xy: Any, scores: Any, descriptors: Any, shape: tuple[int, ...], max_features: int, min_score: float
) -> LocalFeatures:
    """Tensors (N, 2) of COLMAP's pixels, (N,) and (N, D) of one picture of `shape` (H, W) -> its features.

    Ordered by score, ties by place, so that the order is the same on every run; those at `min_score` or below, beyond
    the picture, or with a number that is none, are left out. Such detectors find neither scale nor orientation: the
    columns say one pixel and zero radians.
    """
    height, width = shape
    points = np.asarray(xy.detach().cpu(), np.float32).reshape(-1, 2)
    strength = np.asarray(scores.detach().cpu(), np.float32).reshape(-1)
    looks = np.asarray(descriptors.detach().cpu(), np.float32)
    inside = ((points >= 0) & (points <= (width, height))).all(axis=1)
    sound = inside & np.isfinite(looks).all(axis=1) & (strength > min_score)
    kept = np.flatnonzero(sound)
    order = kept[np.lexsort((points[kept, 0], points[kept, 1], -strength[kept]))][:max_features]
    keypoints = np.zeros((len(order), 4), np.float32)
    keypoints[:, :2] = points[order]
    keypoints[:, 2] = 1.0
    return LocalFeatures(keypoints, np.ascontiguousarray(looks[order]), width, height)
