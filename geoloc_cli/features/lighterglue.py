"""LighterGlue for XFeat's keypoints, as an ONNX network: LightGlue made narrow and shallow (Potje et al. 2024)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import UsageError
from geoloc_cli.features.local import LocalFeatures, unit_rows
from geoloc_cli.models.onnx import load_network
from geoloc_cli.models.weights import versions

DIM = 64

Prepared = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class LighterGlueOptions:
    """Options of `lighterglue`.

    `weights` is the ONNX file, by default lighterglue_L3.onnx where weights are looked for, and `weights_sha256` pins
    it. It takes kpts0, kpts1 (1, N, 2), from -1 to 1 along the longer side, and desc0, desc1 (1, N, 64), and gives
    matches (M, 2) and scores (M,), of which those of `min_score` and below are left out: at the authors' 0.1 the
    network, which is cut to three of its six layers, bent the map of a street by 20 m, and at 0.5 it did not. The first
    `max_keypoints` of either photo are compared.
    """

    weights: str = ""
    weights_sha256: str = ""
    min_score: float = 0.5
    max_keypoints: int = 2048

    def check(self) -> None:
        if not 0 <= self.min_score < 1:
            raise UsageError(f"min_score is {self.min_score}; give a number from 0 to below 1.")
        if self.max_keypoints < 8:
            raise UsageError(f"max_keypoints is {self.max_keypoints}; give at least 8.")


class LighterGlueMatcher:
    """Matches that the network finds likelier than any other of either keypoint."""

    name = "lighterglue"
    needs_pictures = False

    def __init__(self, options: LighterGlueOptions | None = None) -> None:
        """Raises MissingExtra without onnxruntime, WeightsMissing or WeightsMismatch without the network."""
        options = options or LighterGlueOptions()
        options.check()
        network = load_network(
            options.weights,
            options.weights_sha256,
            "lighterglue_L3.onnx",
            f"matcher '{self.name}'",
            takes=("kpts0", "kpts1", "desc0", "desc1"),
            gives=("matches", "scores"),
        )
        self._session = network.session
        self.options = replace(options, weights=str(network.path), weights_sha256=network.sha256)
        self.identity = f"{versions('onnxruntime')}, weights {network.sha256}"

    def prepare(self, features: LocalFeatures) -> Prepared:
        """Returns places (1, N, 2) and descriptors (1, N, 64). Raises UsageError on descriptors of another length."""
        features = features.first(self.options.max_keypoints)
        if len(features) and features.descriptors.shape[1] != DIM:
            raise UsageError(
                f"LighterGlue compares XFeat's descriptors of {DIM} numbers, and these have "
                f"{features.descriptors.shape[1]}; take the matcher mutual-nn, or features of XFeat."
            )
        size = np.array([features.width, features.height], np.float32)
        # Of positions only differences within a picture count: where the first pixel's centre lies does not matter.
        places = (features.keypoints[:, :2] - size / 2) / (size.max() / 2)
        return places[None], unit_rows(features.descriptors).reshape(1, len(features), DIM)

    def match(self, query: Prepared, reference: Prepared) -> NDArray[np.int32]:
        """Returns (M, 2) int32 rows of query and reference keypoints, each at most once, in the query's order."""
        if not query[0].size or not reference[0].size:
            return np.zeros((0, 2), np.int32)
        given = {"kpts0": query[0], "kpts1": reference[0], "desc0": query[1], "desc1": reference[1]}
        matches, scores = self._session.run(["matches", "scores"], given)
        kept = matches[scores > self.options.min_score].astype(np.int32)
        return np.asarray(kept[np.argsort(kept[:, 0], kind="stable")])
