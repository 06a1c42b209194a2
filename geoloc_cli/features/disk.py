"""DISK by kornia: keypoints and descriptors learned together by policy gradient (Tyszkiewicz, Fua, Trulls 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from geoloc_cli.features.learned import PIXEL_CENTER, LearnedFeatures, LearnedOptions
from geoloc_cli.models.weights import Weights, fit, imported


@dataclass(frozen=True, slots=True)
class DiskOptions(LearnedOptions):
    """Options of `disk`; its usual file is depth-save.pth, whose scores are logits.

    Not measured here but the authors': keypoints are all maxima in 5 px above a score of zero (their detect.py). hloc
    describes pictures of 1600 px by 5000 keypoints; the size here is that of the other features, for on 1024 px one
    takes 3.9 s of one core and 2.0 GB.
    """


class DiskFeatures(LearnedFeatures[DiskOptions]):
    """Descriptors of 128 numbers."""

    name = "disk"
    # The network halves four times, and normalizes by the variance of what is left: of more than one place.
    multiple_px = 32

    def __init__(self, options: DiskOptions | None = None) -> None:
        super().__init__(options or DiskOptions())

    def usual_file(self, options: DiskOptions) -> str:
        return "depth-save.pth"

    def build(self, options: DiskOptions, weights: Weights, owner: str) -> Any:
        return fit(imported("kornia.feature", owner).DISK(), weights, owner)

    def detect(self, picture: Any) -> tuple[Any, Any, Any]:
        """The network, which was trained on colours, sees a grey picture as three equal channels."""
        options = self.options
        found = self._model(
            picture.expand(-1, 3, -1, -1),
            n=options.max_features,
            score_threshold=options.min_score,
        )[0]
        return found.keypoints + PIXEL_CENTER, found.detection_scores, found.descriptors
