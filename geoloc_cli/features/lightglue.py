"""LightGlue by kornia: keypoints of two pictures matched by attention to all of them (Lindenberger et al. 2023).

Positions enter by a rotary encoding, which sees differences of positions within one picture alone; where the centre of
the first pixel lies therefore does not matter, and keypoints stay in COLMAP's pixels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import UsageError
from geoloc_cli.features.local import LocalFeatures, unit_rows
from geoloc_cli.models.weights import Weights, fit, imported, load_weights, versions

# kornia's names of configurations, and the file names under which their weights are published.
FILES = {
    "aliked": "aliked_lightglue.pth",
    "disk": "disk_lightglue.pth",
    "sift": "sift_lightglue.pth",
    "superpoint": "superpoint_lightglue.pth",
    "xfeat": "xfeat-lighterglue.pt",
}
# As published, attention is numbered before its layer: self_attn.3.out_proj is transformers.3.self_attn.out_proj.
_NUMBERED = re.compile(r"^(?:matcher\.)?(self_attn|cross_attn)\.(\d+)\.")


@dataclass(frozen=True, slots=True)
class LightGlueOptions:
    """Options of `lightglue`.

    `features` names what it was trained for, by default what described the photos; `weights` is the file of the state
    dict, by default the published name where weights are looked for, and `weights_sha256` pins it. Matches that are
    less likely than `min_score` are left out. `depth_confidence` is the share of sure keypoints at which it stops
    early, `width_confidence` how unmatchable a keypoint must be for being dropped on the way; 1 is never, 0 what kornia
    takes for these features. The first `max_keypoints` of either photo are compared: two times 2048 take 10 s of one
    core where nothing stops early, two times 1024 take 3 s.
    """

    features: str = ""
    weights: str = ""
    weights_sha256: str = ""
    min_score: float = 0.1
    depth_confidence: float = 0.0
    width_confidence: float = 0.0
    max_keypoints: int = 2048

    def check(self) -> None:
        if self.features and self.features not in FILES:
            raise UsageError(
                f"There is no LightGlue for the features {self.features!r}; take another matcher, or say "
                f"?features=NAME with one of {', '.join(FILES)} whose descriptors they are."
            )
        if not 0 <= self.min_score < 1:
            raise UsageError(f"min_score is {self.min_score}; give a number from 0 to below 1.")
        for name, value in (("depth_confidence", self.depth_confidence), ("width_confidence", self.width_confidence)):
            if not 0 <= value <= 1:
                raise UsageError(f"{name} is {value}; give a number from 0 to 1.")
        if self.max_keypoints < 8:
            raise UsageError(f"max_keypoints is {self.max_keypoints}; give at least 8.")


class LightGlueMatcher:
    """Matches that the network finds likelier than any other of either keypoint."""

    name = "lightglue"
    needs_pictures = False

    def __init__(self, options: LightGlueOptions | None = None) -> None:
        """Raises MissingExtra without torch, WeightsMissing or WeightsMismatch without the model's weights."""
        options = options or LightGlueOptions()
        options.check()
        owner = f"matcher '{self.name}'"
        if not options.features:
            raise UsageError(f"{owner} must know whose keypoints it compares; give ?features= and one of {[*FILES]}.")
        weights = load_weights(options.weights, options.weights_sha256, FILES[options.features], owner)
        model = imported("kornia.feature", owner).LightGlue
        wanted = {name: value for name, value in model.features[options.features].items() if name != "weights"}
        # LightGlue(None) downloads nothing.
        given = {"filter_threshold": options.min_score}
        given |= {k: v for k in ("depth_confidence", "width_confidence") if (v := getattr(options, k))}
        made = model(None, **(wanted | given))
        # Derived from the number of layers; and what tells when to stop is of use only to a model that does.
        unused = ("confidence_thresholds",) if made.conf.depth_confidence > 0 else ("confidence_thresholds", "token_")
        self._model = fit(made, replace(weights, state=_renamed(weights)), owner, may_lack=unused)
        self.options = replace(options, weights=str(weights.path), weights_sha256=weights.sha256)
        self.identity = f"{versions('kornia', 'torch')}, weights {weights.sha256}"

    def prepare(self, features: LocalFeatures) -> dict[str, Any]:
        """The tensors that kornia takes of one picture. Raises UsageError on descriptors of another length."""
        import torch

        features = features.first(self.options.max_keypoints)
        dim = self._model.conf.input_dim
        if len(features) and features.descriptors.shape[1] != dim:
            raise UsageError(
                f"The LightGlue of {self.options.features} compares descriptors of {dim} numbers, and these have "
                f"{features.descriptors.shape[1]}; take the matcher mutual-nn, or the weights for these features."
            )
        size = np.array([features.width, features.height], np.float32)
        prepared = {
            # The network refuses keypoints beyond the border, where rounding may put one.
            "keypoints": np.clip(features.keypoints[:, :2], 0, size),
            "descriptors": unit_rows(features.descriptors).reshape(len(features), dim),
            "image_size": size,
        }
        if self._model.conf.add_scale_ori:
            prepared |= {"scales": features.keypoints[:, 2], "oris": features.keypoints[:, 3]}
        return {name: torch.from_numpy(np.ascontiguousarray(array))[None] for name, array in prepared.items()}

    def match(self, query: dict[str, Any], reference: dict[str, Any]) -> NDArray[np.int32]:
        """Returns (M, 2) int32 rows of query and reference keypoints, each at most once, in the query's order."""
        import torch

        with torch.inference_mode():
            found = self._model({"image0": query, "image1": reference})["matches"][0]
        pairs = found.cpu().numpy().astype(np.int32)
        return np.asarray(pairs[np.argsort(pairs[:, 0], kind="stable")])


def _renamed(weights: Weights) -> dict[str, Any]:
    """The tensors under kornia's names."""
    return {_NUMBERED.sub(r"transformers.\2.\1.", k).removeprefix("matcher."): v for k, v in weights.state.items()}
