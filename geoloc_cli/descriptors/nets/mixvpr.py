"""MixVPR (Ali-bey et al. 2023): each channel's whole map mixed by MLPs, then projections of channels and of places."""

from __future__ import annotations

from torch import Tensor, nn

from geoloc_cli.descriptors.nets.pooling import unit


class FeatureMixer(nn.Module):
    """(B, C, cells) -> the same, each channel plus an MLP of its normalised map."""

    def __init__(self, cells: int, ratio: int = 1) -> None:
        super().__init__()
        hidden = cells * ratio
        self.mix = nn.Sequential(nn.LayerNorm(cells), nn.Linear(cells, hidden), nn.ReLU(), nn.Linear(hidden, cells))

    def forward(self, maps: Tensor) -> Tensor:
        mixed: Tensor = maps + self.mix(maps)
        return mixed


class MixVpr(nn.Module):
    """Maps (B, in_channels, h, w) with h * w = cells -> unit vectors (B, channels * rows)."""

    def __init__(self, in_channels: int, cells: int, channels: int, rows: int, layers: int, ratio: int = 1) -> None:
        super().__init__()
        self.mix = nn.Sequential(*(FeatureMixer(cells, ratio) for _ in range(layers)))
        self.channel_proj = nn.Linear(in_channels, channels)
        self.row_proj = nn.Linear(cells, rows)

    def forward(self, maps: Tensor) -> Tensor:
        mixed = self.mix(maps.flatten(2))
        fewer = self.channel_proj(mixed.transpose(1, 2)).transpose(1, 2)
        return unit(self.row_proj(fewer).flatten(1))
