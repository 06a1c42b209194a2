"""MixVPR (Ali-bey et al. 2023): maps of a ResNet-50 without its last stage, mixed as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from geoloc_cli.descriptors.learned import LearnedDescriptor, PictureOptions
from geoloc_cli.errors import UsageError

_STAGES = 3
# Pixels of a cell of the maps after three stages.
_CELL_PX = 16


@dataclass(frozen=True, slots=True)
class MixVprOptions(PictureOptions):
    """Options of `mixvpr`; the vectors have `channels` * `rows` numbers.

    Its mixers take maps of one size, so pictures become squares; the authors' are of 320 px, by the bicubic filter
    (amaralibey/MixVPR, demo.py). They published 1024 * 4, 256 * 2 and 64 * 2 numbers. `layers` is the number of mixers,
    `width` the channels of the ResNet's first stage.
    """

    size_px: int = 320
    filter: str = "bicubic"
    channels: int = 1024
    rows: int = 4
    layers: int = 4
    width: int = 64

    def check(self) -> None:
        if self.resize != "square" or self.size_px < 1 or self.size_px % _CELL_PX:
            raise UsageError(
                f"size_px is {self.size_px} and resize is {self.resize!r}; MixVPR takes squares of a multiple of "
                f"{_CELL_PX} px."
            )
        for name in ("channels", "rows", "layers", "width"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; give at least 1.")
        PictureOptions.check(self)


class MixVprDescriptor(LearnedDescriptor[MixVprOptions]):
    """Vectors of 4096 numbers."""

    name = "mixvpr"

    def __init__(self, options: MixVprOptions | None = None) -> None:
        super().__init__(options or MixVprOptions())

    def usual_file(self, options: MixVprOptions) -> str:
        dim = options.channels * options.rows
        return f"resnet50_MixVPR_{dim}_channels({options.channels})_rows({options.rows}).ckpt"

    def build(self, options: MixVprOptions) -> Any:
        from geoloc_cli.descriptors.nets.headed import Headed
        from geoloc_cli.descriptors.nets.mixvpr import MixVpr
        from geoloc_cli.descriptors.nets.resnet import ResNet

        backbone = ResNet("resnet50", _STAGES, options.width)
        cells = (options.size_px // _CELL_PX) ** 2
        head = MixVpr(backbone.channels, cells, options.channels, options.rows, options.layers)
        return Headed(backbone, head, options.channels * options.rows)

    def renamed(self, options: MixVprOptions, state: dict[str, Any]) -> dict[str, Any]:
        from geoloc_cli.descriptors.nets.resnet import from_torchvision

        names = {name: f"head.{name.removeprefix('aggregator.')}" for name in state if name.startswith("aggregator.")}
        return {names.get(name) or from_torchvision(name, "backbone.model."): state[name] for name in state}
