"""CosPlace (Berton et al. 2022) and EigenPlaces (Berton et al. 2023): a ResNet, GeM pooling and a projection.

The same network, trained on the same city with other classes of places; EigenPlaces bears a change of viewpoint better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from geoloc_cli.descriptors.learned import LearnedDescriptor, PictureOptions
from geoloc_cli.errors import UsageError

# Their releases on GitHub: <architecture>_<dim>_<method>.pth, `v1.0` of gmberton/CosPlace and gmberton/EigenPlaces.
PUBLISHED = {"resnet18": "ResNet18", "resnet50": "ResNet50", "resnet101": "ResNet101", "resnet152": "ResNet152"}
# Of their Sequential of layers, these hold numbers.
_HEAD = {"1.p": "gem.p", "3.weight": "fc.weight", "3.bias": "fc.bias"}


@dataclass(frozen=True, slots=True)
class CosPlaceOptions(PictureOptions):
    """Options of `cosplace`: which network, and the `dim` of its vectors.

    They were trained on squares of 512 px, and are tested on whole pictures, as they are or with 512 px along the
    shorter side (`resize_test_imgs`, gmberton/CosPlace, datasets/test_dataset.py), as here. `width` is the channels of
    the first stage, for networks of one's own.
    """

    size_px: int = 512
    resize: str = "shorter"
    architecture: str = "resnet50"
    dim: int = 512
    width: int = 64

    def check(self) -> None:
        if self.architecture not in PUBLISHED:
            raise UsageError(f"architecture is {self.architecture!r}; give one of {', '.join(PUBLISHED)}.")
        for name in ("dim", "width"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; give at least 1.")
        PictureOptions.check(self)


@dataclass(frozen=True, slots=True)
class EigenPlacesOptions(CosPlaceOptions):
    """Options of `eigenplaces`; its authors' own default (hubconf.py of gmberton/EigenPlaces) is four times as long."""

    dim: int = 2048


class CosPlaceDescriptor(LearnedDescriptor[CosPlaceOptions]):
    """Compact vectors of a city's streets."""

    name = "cosplace"

    def __init__(self, options: CosPlaceOptions | None = None) -> None:
        super().__init__(options or CosPlaceOptions())

    def usual_file(self, options: CosPlaceOptions) -> str:
        return f"{PUBLISHED[options.architecture]}_{options.dim}_{self.name}.pth"

    def build(self, options: CosPlaceOptions) -> Any:
        from geoloc_cli.descriptors.nets.cosplace import CosPlaceHead
        from geoloc_cli.descriptors.nets.headed import Headed
        from geoloc_cli.descriptors.nets.resnet import ResNet

        backbone = ResNet(options.architecture, width=options.width)
        return Headed(backbone, CosPlaceHead(backbone.channels, options.dim), options.dim)

    def renamed(self, options: CosPlaceOptions, state: dict[str, Any]) -> dict[str, Any]:
        from geoloc_cli.descriptors.nets.resnet import from_children

        head = {f"aggregation.{theirs}": f"head.{ours}" for theirs, ours in _HEAD.items()}
        return {head.get(name) or from_children(name, "backbone."): value for name, value in state.items()}


class EigenPlacesDescriptor(CosPlaceDescriptor):
    """The same, for larger changes of viewpoint."""

    name = "eigenplaces"

    def __init__(self, options: CosPlaceOptions | None = None) -> None:
        super().__init__(options or EigenPlacesOptions())
