"""The head of CosPlace (Berton et al. 2022) and EigenPlaces (Berton et al. 2023): GeM pooling and a projection."""

from __future__ import annotations

from torch import Tensor, nn

from geoloc_cli.descriptors.nets.pooling import Gem, unit


class CosPlaceHead(nn.Module):
    """Maps (B, channels, h, w) -> unit vectors (B, dim): unit places, GeM with a learned power, a linear projection."""

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        self.gem = Gem(learned=True)
        self.fc = nn.Linear(channels, dim)

    def forward(self, maps: Tensor) -> Tensor:
        return unit(self.fc(self.gem(nn.functional.normalize(maps, dim=1))))
