"""A backbone and a head that takes what it gives."""

from __future__ import annotations

from torch import Tensor, nn


class Headed(nn.Module):
    """Pictures -> maps or tokens -> one vector of `dim` numbers each."""

    def __init__(self, backbone: nn.Module, head: nn.Module, dim: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.dim = dim

    def forward(self, pictures: Tensor) -> Tensor:
        vectors: Tensor = self.head(self.backbone(pictures))
        return vectors
