"""SuperPoint by transformers: corners and descriptors learned from synthetic shapes (DeTone, Malisiewicz, Rabinovich
2018). The published weights are licensed for research that is not commercial.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from geoloc_cli.features.learned import PIXEL_CENTER, LearnedFeatures, LearnedOptions
from geoloc_cli.models.weights import Weights, fit, imported


@dataclass(frozen=True, slots=True)
class SuperPointOptions(LearnedOptions):
    """Options of `superpoint`; its usual file is superpoint.safetensors, which is published as model.safetensors of
    magic-leap-community/superpoint.

    Not measured here but the authors': `min_score` is SuperGlue's, maxima lie 4 px apart as in theirs, and
    pictures of 1024 px with 4096 keypoints are what hloc takes for localization (superpoint_aachen). One takes
    1.7 s of one core and 1.1 GB.
    """

    min_score: float = 0.005


class SuperPointFeatures(LearnedFeatures[SuperPointOptions]):
    """Descriptors of 256 numbers."""

    name = "superpoint"
    libraries = ("transformers", "torch")
    # The network's cells; transformers would leave out a part of one.
    multiple_px = 8

    def __init__(self, options: SuperPointOptions | None = None) -> None:
        super().__init__(options or SuperPointOptions())

    def usual_file(self, options: SuperPointOptions) -> str:
        return "superpoint.safetensors"

    def build(self, options: SuperPointOptions, weights: Weights, owner: str) -> Any:
        transformers = imported("transformers", owner)
        config = transformers.SuperPointConfig(keypoint_threshold=options.min_score, max_keypoints=options.max_features)
        return fit(transformers.SuperPointForKeypointDetection(config), weights, owner)

    def detect(self, picture: Any) -> tuple[Any, Any, Any]:
        found = self._model(picture)
        # transformers divides pixels by the picture's width and height.
        size = found.keypoints.new_tensor(picture.shape[:1:-1])
        xy = found.keypoints[0] * size + PIXEL_CENTER
        # It leaves out what the border makes up, but at the right and the bottom looks for it eight sizes away.
        kept = (xy < size - self._model.config.border_removal_distance).all(dim=1)
        return xy[kept], found.scores[0][kept], found.descriptors[0][kept]
