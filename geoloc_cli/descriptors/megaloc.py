"""MegaLoc: DINOv2 with SALAD and a linear layer, trained on street views, landmarks and interiors together.

Berton and Masone, "MegaLoc: One Retrieval to Place Them All", 2025. Published as `megaloc.torch` and, under other
names, as `model.safetensors`; both are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from geoloc_cli.descriptors.learned import LearnedDescriptor
from geoloc_cli.descriptors.names import dinov2_from_hub
from geoloc_cli.descriptors.salad import HUB_OFFSET, SaladOptions
from geoloc_cli.errors import UsageError


@dataclass(frozen=True, slots=True)
class MegaLocOptions(SaladOptions):
    """Options of `megaloc`, those of `salad` and `dim`, the length of the vector.

    The defaults are those of the published weights and of the paper's evaluation, 322 by 322 pixels.
    """

    cluster_dim: int = 256
    dim: int = 8448

    def check(self) -> None:
        """Raises UsageError where one is out of range."""
        SaladOptions.check(self)
        if self.dim < 1:
            raise UsageError(f"dim is {self.dim}; give at least 1.")


class MegaLocDescriptor(LearnedDescriptor[MegaLocOptions]):
    """8448 numbers a picture."""

    name = "megaloc"

    def __init__(self, options: MegaLocOptions | None = None) -> None:
        super().__init__(options or MegaLocOptions())

    def usual_file(self, options: MegaLocOptions) -> str:
        return "megaloc.safetensors"

    def multiple_px(self, options: MegaLocOptions) -> int:
        return options.tower().patch

    def build(self, options: MegaLocOptions) -> Any:
        from geoloc_cli.descriptors.nets.backbones import Vit
        from geoloc_cli.descriptors.nets.megaloc import MegaLocNet, Reduced
        from geoloc_cli.descriptors.nets.salad import Salad

        backbone = Vit(options.tower(), options.layer, options.norm, HUB_OFFSET)
        sizes = options.clusters, options.cluster_dim, options.token_dim, options.mlp_dim
        return MegaLocNet(backbone, Reduced(Salad(backbone.dim, *sizes), options.dim))

    def renamed(self, options: MegaLocOptions, state: dict[str, Any]) -> dict[str, Any]:
        """torch.hub's DINOv2 under `backbone.model.` or, in the later file, `backbone.`; the head keeps its names."""
        later = "backbone.pos_embed" in state
        return dinov2_from_hub(state, "backbone." if later else "backbone.model.")
