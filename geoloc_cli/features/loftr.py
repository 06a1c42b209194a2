"""LoFTR by kornia: two pictures matched densely (Sun et al. 2021)."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.features.dense import DenseMatcher, DenseOptions, Floats, Size, whole_cells
from geoloc_cli.features.learned import as_tensor
from geoloc_cli.models.weights import Weights, fit, imported

# The coarse map has a cell for each 8 x 8 pixels, and the authors' networks saw sides of whole cells alone.
_CELL_PX = 8
# Matches on the two outermost cells are left out by the network: smaller pictures have no others.
_LEAST_SIDE_PX = 5 * _CELL_PX


@dataclass(frozen=True, slots=True)
class LoftrOptions(DenseOptions):
    """Options of `loftr`; its usual file is loftr_outdoor.ckpt.

    640 x 480 pixels against the same are 4800 cells squared, 92 MB an array, and that grows with the fourth power of
    the side; a pair took 7 s of one core and 1.5 GB. Of the cells of a street photo of 1024 px with 1963 keypoints of
    SIFT, 6 % have one within 3 px, 11 % within 4 and 22 % within 6. Networks that were trained on the outdoor pictures
    fit; the newer indoor ones (indoor_ds_new) encode positions otherwise.
    """


class LoftrMatcher(DenseMatcher[LoftrOptions]):
    """Each picture at a size of its own."""

    name = "loftr"
    usual_file = "loftr_outdoor.ckpt"

    def __init__(self, options: LoftrOptions | None = None) -> None:
        super().__init__(options or LoftrOptions())

    def build(self, options: LoftrOptions, weights: Weights, owner: str) -> Any:
        module = imported("kornia.feature.loftr.loftr", owner)
        config = copy.deepcopy(module.default_cfg)
        config["match_coarse"]["thr"] = options.min_score
        # As published, every name begins with `matcher.`.
        state = {name.removeprefix("matcher."): value for name, value in weights.state.items()}
        return fit(module.LoFTR(None, config), replace(weights, state=state), owner)

    def sizes(self, a: Size, b: Size) -> tuple[Size, Size]:
        most = self.options.max_size_px
        return whole_cells(a, most, _CELL_PX), whole_cells(b, most, _CELL_PX)

    def dense(self, a: NDArray[np.uint8], b: NDArray[np.uint8]) -> tuple[Floats, Floats, Floats]:
        """Pixels are COLMAP's as they come: LoFTR learned from depth maps with COLMAP's cameras, and kornia's reference
        says that the centre of its first pixel is (0.5, 0.5).
        """
        import torch

        if min(*a.shape, *b.shape) < _LEAST_SIDE_PX:
            return np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32), np.zeros(0, np.float32)
        with torch.inference_mode():
            found = self._model({"image0": as_tensor(a), "image1": as_tensor(b)})
        in_a, in_b, scores = (found[name].cpu().numpy() for name in ("keypoints0", "keypoints1", "confidence"))
        return in_a, in_b, scores
