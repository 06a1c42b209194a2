"""DINOv2 SALAD: DINOv2 trained on street views, its patches shared out among clusters by optimal transport.

Izquierdo and Civera, "Optimal Transport Aggregation for Visual Place Recognition", 2024. The published file is
`dino_salad.ckpt`, a plain state dict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from geoloc_cli.descriptors.backbones import BackboneOptions
from geoloc_cli.descriptors.learned import LearnedDescriptor
from geoloc_cli.descriptors.names import dinov2_from_hub
from geoloc_cli.errors import UsageError

# DINOv2's on torch.hub, with which it was trained: see `nets/backbones.py`.
HUB_OFFSET = 0.1


@dataclass(frozen=True, slots=True)
class SaladOptions(BackboneOptions):
    """Options of `salad`: `clusters` of `cluster_dim` numbers and `token_dim` for the whole, by MLPs of `mlp_dim`.

    The defaults are those of the published weights and of their evaluation, 322 by 322 pixels, bilinear; the vector has
    token_dim + clusters * cluster_dim = 8448 numbers.
    """

    clusters: int = 64
    cluster_dim: int = 128
    token_dim: int = 256
    mlp_dim: int = 512

    def check(self) -> None:
        """Raises UsageError where one is out of range."""
        BackboneOptions.check(self)
        if self.tower().family != "dinov2" or self.tower().registers:
            raise UsageError(f"The backbone '{self.backbone}' is not what it was trained with; give a dinov2-... one.")
        for name in ("clusters", "cluster_dim", "token_dim", "mlp_dim"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; give at least 1.")
        patches = (self.size_px // self.tower().patch) ** 2
        if self.size_px and self.resize == "square" and patches <= self.clusters:
            raise UsageError(
                f"size_px is {self.size_px}, {patches} patches for {self.clusters} clusters; give a larger one."
            )


class SaladDescriptor(LearnedDescriptor[SaladOptions]):
    """8448 numbers a picture."""

    name = "salad"

    def __init__(self, options: SaladOptions | None = None) -> None:
        super().__init__(options or SaladOptions())

    def usual_file(self, options: SaladOptions) -> str:
        return "dino_salad.ckpt"

    def multiple_px(self, options: SaladOptions) -> int:
        return options.tower().patch

    def build(self, options: SaladOptions) -> Any:
        from geoloc_cli.descriptors.nets.backbones import Vit
        from geoloc_cli.descriptors.nets.salad import Salad, SaladNet

        backbone = Vit(options.tower(), options.layer, options.norm, HUB_OFFSET)
        sizes = options.clusters, options.cluster_dim, options.token_dim, options.mlp_dim
        return SaladNet(backbone, Salad(backbone.dim, *sizes))

    def renamed(self, options: SaladOptions, state: dict[str, Any]) -> dict[str, Any]:
        """torch.hub's DINOv2 under `backbone.model.`; the head's names are ours already."""
        return dinov2_from_hub(state, "backbone.model.")
