"""The tokens of a picture -> one unit vector: its own token, the mean of its patches, or their generalised mean."""

from __future__ import annotations

import torch
from torch import nn

from geoloc_cli.descriptors.nets.backbones import Vit


def unit(rows: torch.Tensor) -> torch.Tensor:
    """(..., D) -> the same of unit length; zeros stay zeros."""
    return nn.functional.normalize(rows, dim=-1)


class Gem(nn.Module):
    """Generalised mean over the patches, (B, C, h, w) -> (B, C): (mean of x^p)^(1/p), x at least `eps`.

    p = 1 is the mean, p towards infinity the maximum; `learned`: p comes with the weights. Radenović, Tolias and Chum
    2018. The largest is divided out first, since x^p overflows float32 from x = 20 and p = 30 on.
    """

    def __init__(self, p: float = 3.0, learned: bool = False, eps: float = 1e-6) -> None:
        super().__init__()
        power = torch.full((1,), p)
        if learned:
            self.p = nn.Parameter(power)
        else:
            self.register_buffer("p", power, persistent=False)
        self.eps = eps

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        values = patches.float().flatten(2).clamp(min=self.eps)
        largest = values.amax(dim=2, keepdim=True)
        shares = (values / largest).pow(self.p).mean(dim=2)
        return largest.squeeze(2) * shares.pow(1 / self.p)


class Pooled(nn.Module):
    """A backbone and one way of pooling: `cls`, `mean` or `gem`."""

    def __init__(self, backbone: Vit, pool: str, p: float) -> None:
        super().__init__()
        self.backbone = backbone
        self.dim = backbone.dim_cls if pool == "cls" else backbone.dim
        self.pool = pool
        self.gem = Gem(p)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        own, patches = self.backbone(pictures)
        if self.pool == "cls":
            return unit(own)
        return unit(self.gem(patches) if self.pool == "gem" else patches.mean(dim=(2, 3)))
