"""AnyLoc (Keetha et al. 2023): hard VLAD of DINOv2's dense tokens, over a vocabulary that needs no labels.

The vocabulary is a file: `centers`, (words, C), as `scripts/learn_vocabulary.py` learns them from photographs of the
kind that is to be described, or one of AnyLoc's own, a tensor alone.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.descriptors.backbones import BackboneOptions
from geoloc_cli.descriptors.learned import LearnedDescriptor
from geoloc_cli.descriptors.names import dinov2_from_hub
from geoloc_cli.descriptors.salad import HUB_OFFSET
from geoloc_cli.errors import TooFewFeatures, UsageError, WeightsMismatch, WeightsMissing
from geoloc_cli.models.places import WEIGHTS_VARIABLE
from geoloc_cli.models.weights import load_weights

FACETS = ("query", "key", "value", "token")
_HUB = {"small": "dinov2_vits14", "base": "dinov2_vitb14", "large": "dinov2_vitl14", "giant": "dinov2_vitg14"}


@dataclass(frozen=True, slots=True)
class AnyLocOptions(BackboneOptions):
    """Options of `anyloc`: the `facet` of the `layer`-th block of DINOv2 (from 1; AnyLoc's own 31 is 32 here).

    `vocabulary` is the file of the words, pinned by `vocabulary_sha256`; its usual name is that of AnyLoc's release for
    streets. Pictures keep their size up to `size_px` along the longer side (demo/anyloc_vlad_generate.py of
    AnyLoc/AnyLoc).
    """

    size_px: int = 1024
    resize: str = "within"
    filter: str = "bicubic"
    batch: int = 1
    backbone: str = "dinov2-giant"
    layer: int = 32
    norm: bool = False
    facet: str = "value"
    vocabulary: str = ""
    vocabulary_sha256: str = ""

    def check(self) -> None:
        """Raises UsageError where one is out of range."""
        BackboneOptions.check(self)
        if self.tower().family != "dinov2" or self.tower().registers:
            raise UsageError(f"The backbone '{self.backbone}' has no facets here; give a dinov2-... one.")
        if self.facet not in FACETS:
            raise UsageError(f"facet is {self.facet!r}; give one of {', '.join(FACETS)}.")
        if not self.layer:
            raise UsageError("layer is 0; give the block whose facet is wanted, from 1.")
        if self.norm:
            raise UsageError("norm is true, and no final norm follows a facet; leave it out.")


class _Facets(LearnedDescriptor[AnyLocOptions]):
    """What describes by dense tokens, and what draws them for a vocabulary."""

    name = "anyloc"

    def usual_file(self, options: AnyLocOptions) -> str:
        return f"{options.backbone}.safetensors"

    def build(self, options: AnyLocOptions) -> Any:
        from geoloc_cli.descriptors.nets.facets import Facets
        from geoloc_cli.descriptors.nets.headed import Headed

        head, dim = self.head(options.tower().hidden)
        return Headed(Facets(options.tower(), options.layer, options.facet, HUB_OFFSET), head, dim)

    @abstractmethod
    def head(self, channels: int) -> tuple[Any, int]:
        """What makes a row of (N, channels) tokens, and how long it is."""

    def renamed(self, options: AnyLocOptions, state: dict[str, Any]) -> dict[str, Any]:
        """torch.hub's names, or those of transformers' files."""
        if "cls_token" in state:
            return dinov2_from_hub(state, "")
        return {f"backbone.{name}": value for name, value in state.items()}


class AnyLocDescriptor(_Facets):
    """words * C numbers: 49152 for 32 words and the giant DINOv2."""

    def __init__(self, options: AnyLocOptions | None = None) -> None:
        """Raises WeightsMissing or WeightsMismatch without the vocabulary, too."""
        options = options or AnyLocOptions()
        options.check()
        self._centers, options = _vocabulary(options)
        super().__init__(options)

    def head(self, channels: int) -> tuple[Any, int]:
        from geoloc_cli.descriptors.nets.facets import HardVlad

        words = len(self._centers)
        return HardVlad(words, channels), words * channels

    def renamed(self, options: AnyLocOptions, state: dict[str, Any]) -> dict[str, Any]:
        return super().renamed(options, state) | {"head.centers": self._centers}


def _vocabulary(options: AnyLocOptions) -> tuple[Any, AnyLocOptions]:
    """The centers (words, C) float32, and the options with their file pinned."""
    owner, channels = "The vocabulary of descriptor 'anyloc'", options.tower().hidden
    hub = _HUB[options.backbone.removeprefix("dinov2-")]
    usual = f"{hub}_l{options.layer - 1}_{options.facet}_c32_urban_c_centers.pt"
    try:
        weights = load_weights(options.vocabulary, options.vocabulary_sha256, usual, owner)
    except WeightsMissing as error:
        raise WeightsMissing(
            f"{owner}: there is no file {options.vocabulary or usual} that can be read; learn one with "
            "scripts/learn_vocabulary.py, and give `?vocabulary=/path/to/vocabulary.safetensors` after the name, or "
            f"put it into the folder that {WEIGHTS_VARIABLE} names."
        ) from error
    centers = weights.state.get("centers", weights.state.get(""))
    if centers is None or centers.ndim != 2 or centers.shape[1] != channels or len(centers) < 1:
        raise WeightsMismatch(
            f"{owner}: {weights.path} holds no words of {channels} numbers for {options.backbone}; learn one with "
            "scripts/learn_vocabulary.py."
        )
    return centers.float(), replace(options, vocabulary=str(weights.path), vocabulary_sha256=weights.sha256)


class _Drawn(_Facets):
    """`each` unit tokens of each picture, side by side."""

    def __init__(self, options: AnyLocOptions, each: int, seed: int) -> None:
        self._each, self._seed = each, seed
        super().__init__(options)

    def head(self, channels: int) -> tuple[Any, int]:
        from geoloc_cli.descriptors.nets.facets import Sample

        return Sample(self._each, self._seed), self._each * channels


def learn_vocabulary(
    pictures: Iterable[NDArray[np.uint8]],
    options: AnyLocOptions,
    cluster: Callable[..., NDArray[np.float32]],
    *,
    words: int = 32,
    each: int = 128,
    seed: int = 0,
) -> NDArray[np.float32]:
    """pictures: upright RGB, (H, W, 3) uint8. Returns the centers (words, C) of `each` unit tokens of every picture.

    cluster(rows (N, C) float32, k, seed) -> (k, C) float32 means. AnyLoc clusters by cosine; of unit rows, the squared
    distance to a mean orders nearly the same. 128 of 1024 pictures are 800 MB for the giant DINOv2. The result depends
    on the pictures, their order and the arguments alone. Raises TooFewFeatures with fewer tokens than twice the words.
    """
    if words < 2 or each < 1:
        raise UsageError(f"{each} tokens of each picture make no {words} words; give at least 1 and 2.")
    sampler = _Drawn(options, each, seed)
    drawn = [sampler.embed([picture]).reshape(each, -1) for picture in pictures]
    if len(drawn) * each < 2 * words:
        raise TooFewFeatures(
            f"The {len(drawn)} photos give {len(drawn) * each} tokens, too few to learn {words} words from; add photos."
        )
    return cluster(np.concatenate(drawn), words, seed)
