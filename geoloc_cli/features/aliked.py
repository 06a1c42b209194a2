"""ALIKED by kornia: learned corners with descriptors sampled at deformable places (Zhao et al. 2023)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import UsageError
from geoloc_cli.features.learned import PIXEL_CENTER, as_local, as_tensor, check_common
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.models.weights import fit, imported, load_weights, versions

MODELS = ("aliked-t16", "aliked-n16", "aliked-n16rot", "aliked-n32")


@dataclass(frozen=True, slots=True)
class AlikedOptions:
    """Options of `aliked`.

    `weights` is the file of the state dict, by default `<model_name>.pth` where weights are looked for
    (`models/weights.py`), and `weights_sha256` pins it: an index records both. `min_score` lies above what plain
    pictures give (0.018 at most, by the padding at their border) and far below the usual 0.2, which leaves a street of
    1024 px with half of its keypoints. Pictures of 1024 px take 1.2 s on two cores and 1.7 GB; of 1280 px, 2.5 GB.
    """

    weights: str = ""
    weights_sha256: str = ""
    model_name: str = "aliked-n16"
    max_size_px: int = 1024
    max_features: int = 4096
    min_score: float = 0.03

    def check(self) -> None:
        if self.model_name not in MODELS:
            raise UsageError(f"model_name is {self.model_name!r}; give one of {', '.join(MODELS)}.")
        check_common(self.max_size_px, self.max_features, self.min_score)


class AlikedFeatures:
    """Keypoints of one upright grey picture, the strongest first; descriptors: unit rows of 128 numbers (t16: 64)."""

    name = "aliked"

    def __init__(self, options: AlikedOptions | None = None) -> None:
        """Raises MissingExtra without torch, WeightsMissing or WeightsMismatch without the model's weights."""
        options = options or AlikedOptions()
        options.check()
        owner = f"features '{self.name}'"
        weights = load_weights(options.weights, options.weights_sha256, f"{options.model_name}.pth", owner)
        feature = imported("kornia.feature", owner)
        # A threshold of zero asks kornia for the strongest maxima; above zero it fills plain pictures by their mean.
        model = feature.ALIKED(options.model_name, max_num_keypoints=options.max_features, detection_threshold=0.0)
        # The grid is a constant that kornia computes and the published checkpoints do not hold.
        self._model = fit(model, weights, owner, may_lack=("dkd.hw_grid",))
        self.options = replace(options, weights=str(weights.path), weights_sha256=weights.sha256)
        self.identity = f"{versions('kornia', 'torch')}, weights {weights.sha256}"

    def extract(self, gray: NDArray[np.uint8]) -> LocalFeatures:
        """gray: (H, W) uint8, shown to the network as three equal channels. Returns at most `max_features`."""
        import torch

        with torch.inference_mode():
            found = self._model(as_tensor(gray))[0]
        xy = found.keypoints + PIXEL_CENTER
        options = self.options
        return as_local(
            xy, found.keypoint_scores, found.descriptors, gray.shape, options.max_features, options.min_score
        )
