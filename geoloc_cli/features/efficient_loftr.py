"""EfficientLoFTR by transformers: two pictures matched densely, in less time than by LoFTR (Wang et al. 2024).

transformers 5.23 lists what it finds in either picture in the other's order, so that its two lists are no pairs, and
refines the places between what it did not pair. Its networks are used here, and what follows them is done as its
authors do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.features.dense import DenseMatcher, DenseOptions, Floats, Size, whole_cells
from geoloc_cli.features.learned import as_tensor
from geoloc_cli.models.weights import Weights, fit, imported

# The coarse map has a cell for each 8 x 8 pixels; attention sees it in groups of 4 x 4 cells, and needs whole ones.
_CELL_PX = 8
_GROUP_PX = 32


@dataclass(frozen=True, slots=True)
class EfficientLoftrOptions(DenseOptions):
    """Options of `efficient-loftr`; its usual file is efficientloftr.safetensors, which is published as
    model.safetensors of zju-community/efficientloftr.

    The network wants both pictures at one size. It is `max_size_px` along its longer side, and as wide for its height
    as the two pictures are in the geometric mean: 640 x 480 for two photos of a phone held across, as the authors have
    it, 480 x 640 upright, and 640 x 640 for one of each. A pair of 640 x 480 takes 4.4 s of one core and 1.4 GB, where
    LoFTR takes 6.5 s. Of MatchAnything the same network is published, trained for pictures of unlike kinds
    (zju-community/matchanything_eloftr).
    """


class EfficientLoftrMatcher(DenseMatcher[EfficientLoftrOptions]):
    """Both pictures at one size."""

    name = "efficient-loftr"
    usual_file = "efficientloftr.safetensors"
    libraries = ("transformers", "torch")

    def __init__(self, options: EfficientLoftrOptions | None = None) -> None:
        super().__init__(options or EfficientLoftrOptions())

    def build(self, options: EfficientLoftrOptions, weights: Weights, owner: str) -> Any:
        transformers = imported("transformers", owner)
        model = transformers.EfficientLoFTRForKeypointMatching(transformers.EfficientLoFTRConfig())
        return fit(model, weights, owner)

    def sizes(self, a: Size, b: Size) -> tuple[Size, Size]:
        longest = min(self.options.max_size_px, max(*a, *b))
        ratio = math.sqrt(a[0] * b[0] / (a[1] * b[1]))
        wanted = max(1, round(longest * min(1.0, ratio))), max(1, round(longest / max(1.0, ratio)))
        size = whole_cells(wanted, self.options.max_size_px, _GROUP_PX)
        return size, size

    def dense(self, a: NDArray[np.uint8], b: NDArray[np.uint8]) -> tuple[Floats, Floats, Floats]:
        """Pixels are COLMAP's as they come: the network learned places from depth maps with COLMAP's cameras."""
        import torch

        config = self._model.config
        with torch.inference_mode():
            pictures = torch.cat([as_tensor(a), as_tensor(b)])[None]
            coarse, *finer = self._model.efficientloftr(pictures).feature_maps
            channels, height, width = coarse.shape[2:]
            cells = coarse[0].reshape(2, channels, height * width).mT
            rows_a, rows_b, scores = paired(cells[0], cells[1], config.coarse_matching_temperature * channels)
            inside = inner_cells(height, width, config.coarse_matching_border_removal)
            kept = (scores > self.options.min_score) & inside[rows_a] & inside[rows_b]
            rows_a, rows_b, scores = rows_a[kept], rows_b[kept], scores[kept]
            windows_a, windows_b = self._model.refinement_layer(coarse / math.sqrt(channels), finer)
            moved_a, moved_b = refined(
                windows_a[0, rows_a],
                windows_b[0, rows_b],
                config.fine_matching_slice_dim,
                config.fine_matching_regress_temperature,
            )
            places = [
                torch.stack([rows % width, rows // width], dim=1) * _CELL_PX + moved
                for rows, moved in ((rows_a, moved_a), (rows_b, moved_b))
            ]
        return places[0].numpy(), places[1].numpy(), scores.numpy()


def paired(a: Any, b: Any, temperature: float) -> tuple[Any, Any, Any]:
    """Cells (N, C) and (M, C) -> rows (K,) of a and of b that are each other's likeliest, in a's order, and scores.

    A score is the softmax over a times the softmax over b of the products, over the temperature: 0 to 1.
    """
    import torch

    products = a @ b.mT / temperature
    scores = products.softmax(dim=0).mul_(products.softmax(dim=1))
    best, rows_b = scores.max(dim=1)
    rows_a = torch.arange(len(a))
    mutual = scores.argmax(dim=0)[rows_b] == rows_a
    return rows_a[mutual], rows_b[mutual], best[mutual]


def inner_cells(height: int, width: int, border: int) -> Any:
    """(height * width,) bool: whether a cell is none of the `border` outermost on each side."""
    import torch

    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    inside = (x >= border) & (x < width - border) & (y >= border) & (y < height - border)
    return inside.reshape(-1)


def refined(a: Any, b: Any, local: int, temperature: float) -> tuple[Any, Any]:
    """Windows (K, S * S, C) in a and (K, (S + 2)^2, C) in b -> pixels (K, 2), x and y, from their cells' places.

    First the likeliest pair of pixels, by all but the last `local` channels; then the expected place among 3 x 3 pixels
    of b, by the last ones and over the temperature. The network learned to see what is at a cell's place half a window
    beside it, and those 3 x 3 pixels counted from the rim of b's larger window: negative ones from its end.
    """
    import torch

    side = math.isqrt(a.shape[1])
    rimmed = side + 2
    k = torch.arange(len(a))
    products = a[..., :-local] @ b[..., :-local].mT / a.shape[2]
    likely = products.softmax(dim=1).mul_(products.softmax(dim=2)).reshape(len(a), side * side, rimmed, rimmed)
    best = likely[..., 1:-1, 1:-1].reshape(len(a), side**4).argmax(dim=1)
    in_a, in_b = best // side**2, best % side**2
    around = torch.tensor([-1, 0, 1])
    y = (in_b // side)[:, None] + around.repeat_interleave(3)
    x = (in_b % side)[:, None] + around.repeat(3)
    near = b[k[:, None], (y % rimmed) * rimmed + x % rimmed, -local:]
    weights = ((near @ a[k, in_a, -local:, None])[..., 0] / math.sqrt(local) / temperature).softmax(dim=1)
    by = torch.stack([weights @ around.repeat(3).float(), weights @ around.repeat_interleave(3).float()], dim=1)
    first_a, first_b = (torch.stack([at % side, at // side], dim=1) - side // 2 + 0.5 for at in (in_a, in_b))
    return first_a, first_b + by
