"""A vision transformer as it is published, without training for places: its own token, or its patches pooled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from geoloc_cli.descriptors.backbones import HABITS, TOWERS, BackboneOptions
from geoloc_cli.descriptors.learned import LearnedDescriptor
from geoloc_cli.errors import UsageError

POOLS = ("cls", "gem", "mean")
# What files of CLIP and SigLIP hold besides the vision tower.
_APART = {
    "logit_scale",
    "logit_bias",
    "text_projection.weight",
    "vision_model.embeddings.position_ids",
}
_TEXT = "text_model."


@dataclass(frozen=True, slots=True)
class VitOptions(BackboneOptions):
    """Options of `vit`.

    `pool` is `cls`, the picture's own token (DINO's class token, CLIP's projected one, SigLIP's attention pool), or
    `gem` or `mean` of its patches; `gem_p` the power of `gem`. An empty `mean`, `std` or `filter` and a `size_px` of -1
    are those of the backbone's authors; only DINOv2's own 518 pixels are 322, as is usual for places.
    """

    size_px: int = -1
    filter: str = ""
    mean: str = ""
    std: str = ""
    pool: str = "cls"
    gem_p: float = 3.0

    def check(self) -> None:
        """Raises UsageError where one is out of range."""
        if self.pool not in POOLS:
            raise UsageError(f"pool is {self.pool!r}; give one of {', '.join(POOLS)}.")
        if not 1 <= self.gem_p <= 100:
            raise UsageError(f"gem_p is {self.gem_p}; give a number from 1 to 100.")
        BackboneOptions.check(self.settled())

    def settled(self) -> VitOptions:
        """With the backbone's own values for what is left open; one that does not exist has none."""
        if self.backbone not in TOWERS:
            return self
        tower = self.tower()
        habits = HABITS[tower.family]
        return replace(
            self,
            size_px=(habits.size_px or tower.image_px) if self.size_px < 0 else self.size_px,
            filter=self.filter or habits.filter,
            mean=self.mean or habits.mean,
            std=self.std or habits.std,
        )


class VitDescriptor(LearnedDescriptor[VitOptions]):
    """DINOv2, DINOv3, CLIP, MetaCLIP 2 or SigLIP, from the files of transformers (`model.safetensors`)."""

    name = "vit"

    def __init__(self, options: VitOptions | None = None) -> None:
        options = options or VitOptions()
        options.check()
        super().__init__(options.settled())

    def usual_file(self, options: VitOptions) -> str:
        return f"{options.backbone}.safetensors"

    def multiple_px(self, options: VitOptions) -> int:
        return options.tower().patch

    def build(self, options: VitOptions) -> Any:
        from geoloc_cli.descriptors.nets.backbones import Vit
        from geoloc_cli.descriptors.nets.pooling import Pooled

        return Pooled(Vit(options.tower(), options.layer, options.norm), options.pool, options.gem_p)

    def renamed(self, options: VitOptions, state: dict[str, Any]) -> dict[str, Any]:
        """`vision_model...` as it is; of a whole CLIP or SigLIP the text tower and the scale are left out."""
        kept = (name for name in state if name not in _APART and not name.startswith(_TEXT))
        return {f"backbone.{name}": state[name] for name in kept}
