"""Bag-of-Queries (Ali-bey et al. 2024): learned queries that look for what tells places apart, over either backbone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from geoloc_cli.descriptors.backbones import BackboneOptions
from geoloc_cli.descriptors.learned import LearnedDescriptor, PictureOptions
from geoloc_cli.descriptors.names import dinov2_from_hub
from geoloc_cli.descriptors.salad import HUB_OFFSET
from geoloc_cli.errors import UsageError

# Channels of one head of attention (src/boq.py of amaralibey/Bag-of-Queries).
_HEAD_CHANNELS = 64
_STAGES = 3


@dataclass(frozen=True, slots=True)
class BoqOptions(BackboneOptions):
    """Options of `boq`; the vectors have `channels` * `rows` numbers.

    The authors see squares of 322 px, by the bicubic filter (README of amaralibey/Bag-of-Queries), and leave out
    DINOv2's final norm. `queries` in each of `bags`. The defaults are the published network's.
    """

    filter: str = "bicubic"
    norm: bool = False
    channels: int = 384
    queries: int = 64
    bags: int = 2
    rows: int = 32

    def check(self) -> None:
        """Raises UsageError where one is out of range."""
        BackboneOptions.check(self)
        if self.tower().family != "dinov2" or self.tower().registers:
            raise UsageError(f"The backbone '{self.backbone}' is not what it was trained with; give a dinov2-... one.")
        _check_head(self)


@dataclass(frozen=True, slots=True)
class BoqResnetOptions(PictureOptions):
    """Options of `boq-resnet50`; the vectors have `channels` * `rows` numbers.

    The authors see squares of 384 px, by the bicubic filter (README of amaralibey/Bag-of-Queries). `queries` in each of
    `bags`; `width` is the channels of the ResNet's first stage. The defaults are the published network's.
    """

    size_px: int = 384
    filter: str = "bicubic"
    channels: int = 512
    queries: int = 64
    bags: int = 2
    rows: int = 32
    width: int = 64

    def check(self) -> None:
        _check_head(self)
        if self.width < 1:
            raise UsageError(f"width is {self.width}; give at least 1.")
        PictureOptions.check(self)


def _check_head(options: Any) -> None:
    if options.channels < 1 or options.channels % _HEAD_CHANNELS:
        raise UsageError(f"channels is {options.channels}; give a multiple of {_HEAD_CHANNELS}.")
    for name in ("queries", "bags", "rows"):
        if getattr(options, name) < 1:
            raise UsageError(f"{name} is {getattr(options, name)}; give at least 1.")


def _head(options: Any, in_channels: int) -> Any:
    from geoloc_cli.descriptors.nets.boq import Boq

    heads = options.channels // _HEAD_CHANNELS
    return Boq(in_channels, options.channels, options.queries, options.bags, options.rows, heads)


def _head_renamed(state: dict[str, Any]) -> dict[str, Any]:
    ours = {name: f"head.{name.removeprefix('aggregator.')}" for name in state if name.startswith("aggregator.")}
    return {ours.get(name, name): value for name, value in state.items()}


class BoqDescriptor(LearnedDescriptor[BoqOptions]):
    """Vectors of 12288 numbers over a DINOv2 whose last blocks were trained with them."""

    name = "boq"

    def __init__(self, options: BoqOptions | None = None) -> None:
        super().__init__(options or BoqOptions())

    def usual_file(self, options: BoqOptions) -> str:
        return f"dinov2_{options.channels * options.rows}.pth"

    def multiple_px(self, options: BoqOptions) -> int:
        return options.tower().patch

    def build(self, options: BoqOptions) -> Any:
        from geoloc_cli.descriptors.nets.boq import Patches
        from geoloc_cli.descriptors.nets.headed import Headed

        backbone = Patches(options.tower(), options.layer, options.norm, HUB_OFFSET)
        return Headed(backbone, _head(options, backbone.dim), options.channels * options.rows)

    def renamed(self, options: BoqOptions, state: dict[str, Any]) -> dict[str, Any]:
        return dinov2_from_hub(_head_renamed(state), "backbone.dino.")


class BoqResnetDescriptor(LearnedDescriptor[BoqResnetOptions]):
    """Vectors of 16384 numbers over a ResNet-50 without its last stage."""

    name = "boq-resnet50"

    def __init__(self, options: BoqResnetOptions | None = None) -> None:
        super().__init__(options or BoqResnetOptions())

    def usual_file(self, options: BoqResnetOptions) -> str:
        return f"resnet50_{options.channels * options.rows}.pth"

    def build(self, options: BoqResnetOptions) -> Any:
        from geoloc_cli.descriptors.nets.headed import Headed
        from geoloc_cli.descriptors.nets.resnet import ResNet

        backbone = ResNet("resnet50", _STAGES, options.width)
        return Headed(backbone, _head(options, backbone.channels), options.channels * options.rows)

    def renamed(self, options: BoqResnetOptions, state: dict[str, Any]) -> dict[str, Any]:
        from geoloc_cli.descriptors.nets.resnet import from_children

        return {from_children(name, "backbone.net."): value for name, value in _head_renamed(state).items()}
