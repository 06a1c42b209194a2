"""MegaLoc: SALAD and a linear layer behind it (Berton and Masone 2025)."""

from __future__ import annotations

import torch
from torch import nn

from geoloc_cli.descriptors.nets.pooling import unit
from geoloc_cli.descriptors.nets.salad import Salad


class Reduced(nn.Module):
    """SALAD and the linear layer, under their published names."""

    def __init__(self, salad: Salad, dim: int) -> None:
        super().__init__()
        self.agg = salad
        self.linear = nn.Linear(salad.dim, dim)

    def forward(self, own: torch.Tensor, patches: torch.Tensor) -> torch.Tensor:
        return unit(self.linear(self.agg(own, patches)))


class MegaLocNet(nn.Module):
    """A backbone and the reduced SALAD on its tokens."""

    def __init__(self, backbone: nn.Module, aggregator: Reduced) -> None:
        super().__init__()
        self.backbone = backbone
        self.aggregator = aggregator
        self.dim = aggregator.linear.out_features

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.aggregator(*self.backbone(pictures))
