"""XFeat by kornia: a narrow network whose keypoints and descriptors of 64 numbers a CPU computes fast (Potje 2024)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from geoloc_cli.features.learned import PIXEL_CENTER, LearnedFeatures, LearnedOptions
from geoloc_cli.models.weights import Weights, fit, imported

# kornia stretches the picture to the next smaller multiple of this, and to one at least.
MULTIPLE_PX = 32


@dataclass(frozen=True, slots=True)
class XFeatOptions(LearnedOptions):
    """Options of `xfeat`; its usual file is xfeat.pt. Scores are the keypoint's probability times its reliability.

    `min_score` lies above what plain pictures give (0.00003 at most) and far below the authors' 0.05, which leaves 1390
    of 4096 keypoints on aerial photographs of fields, and half of their inliers. Beyond 4096 keypoints the ratio test
    drops pairs of one building by tourists (4 of 9 verified by 8192, 6 by 4096, 7 by 2048), below it poses fail: of 7
    photographs of a street 6 are posed by 4096, 3 by 2048. For maps `mutual-nn?max_ratio=0.95` matches them better than
    the usual 0.85, which suits SIFT; of 110 pairs of different places the evidence then reaches 14.8, below the 20 that
    are asked, and by 0.8 none has any. Pictures of 1024 px take 0.12 s of one core and 0.4 GB, of 1600 px twice as long
    and 0.6 GB.
    """

    min_score: float = 0.003


class XFeatFeatures(LearnedFeatures[XFeatOptions]):
    """Descriptors of 64 numbers."""

    name = "xfeat"

    def __init__(self, options: XFeatOptions | None = None) -> None:
        super().__init__(options or XFeatOptions())

    def usual_file(self, options: XFeatOptions) -> str:
        return "xfeat.pt"

    def build(self, options: XFeatOptions, weights: Weights, owner: str) -> Any:
        # A score is at most the probability that kornia compares with its threshold.
        model = imported("kornia.feature", owner).XFeat(options.max_features, options.min_score).eval()
        # Only the semi-dense matching that is not used here refines by it, and some exports leave it out.
        fit(model.net, weights, owner, may_lack=("fine_matcher.",))
        return model

    def detect(self, picture: Any) -> tuple[Any, Any, Any]:
        found = self._model.detectAndCompute(picture)[0]
        xy = found["keypoints"]
        # kornia scales the index i of the stretched picture, whose centre lies at i + 0.5, by the same factor.
        stretch = [side / max(MULTIPLE_PX, side // MULTIPLE_PX * MULTIPLE_PX) for side in picture.shape[:1:-1]]
        return xy + PIXEL_CENTER * xy.new_tensor(stretch), found["scores"], found["descriptors"]
