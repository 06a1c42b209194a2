"""ALIKED by kornia: learned corners with descriptors sampled at deformable places (Zhao et al. 2023)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from geoloc_cli.errors import UsageError
from geoloc_cli.features.learned import PIXEL_CENTER, LearnedFeatures, LearnedOptions
from geoloc_cli.models.weights import Weights, fit, imported

MODELS = ("aliked-t16", "aliked-n16", "aliked-n16rot", "aliked-n32")


@dataclass(frozen=True, slots=True)
class AlikedOptions(LearnedOptions):
    """Options of `aliked`; its usual file is `<model_name>.pth`.

    `min_score` lies above what plain pictures give (0.018 at most, by the padding at their border) and far below the
    usual 0.2, which leaves a street of 1024 px with half of its keypoints. Pictures of 1024 px take 1.2 s on two cores
    and 1.7 GB; of 1280 px, 2.5 GB. A picture that is turned by a quarter it does not know again: a street photo and its
    neighbour have 530 matches upright and none turned, by `aliked-n16rot` 476 and none, by SIFT 221 and 222.
    """

    min_score: float = 0.03
    model_name: str = "aliked-n16"

    def check(self) -> None:
        if self.model_name not in MODELS:
            raise UsageError(f"model_name is {self.model_name!r}; give one of {', '.join(MODELS)}.")
        LearnedOptions.check(self)


class AlikedFeatures(LearnedFeatures[AlikedOptions]):
    """Descriptors of 128 numbers (t16: 64)."""

    name = "aliked"

    def __init__(self, options: AlikedOptions | None = None) -> None:
        super().__init__(options or AlikedOptions())

    def usual_file(self, options: AlikedOptions) -> str:
        return f"{options.model_name}.pth"

    def build(self, options: AlikedOptions, weights: Weights, owner: str) -> Any:
        feature = imported("kornia.feature", owner)
        # A threshold of zero asks kornia for the strongest maxima; above zero it fills plain pictures by their mean.
        model = feature.ALIKED(options.model_name, max_num_keypoints=options.max_features, detection_threshold=0.0)
        # The grid is a constant that kornia computes and the published checkpoints do not hold.
        return fit(model, weights, owner, may_lack=("dkd.hw_grid",))

    def detect(self, picture: Any) -> tuple[Any, Any, Any]:
        """kornia shows a grey picture to the network as three equal channels."""
        found = self._model(picture)[0]
        return found.keypoints + PIXEL_CENTER, found.keypoint_scores, found.descriptors
