"""Bag of learnable queries (Ali-bey et al. 2024): queries that look for what they have learned among local features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from geoloc_cli.descriptors.nets.backbones import Vit
from geoloc_cli.descriptors.nets.pooling import unit


class Patches(Vit):
    """The patches (B, C, h, w) of a vision transformer alone."""

    def forward(self, pictures: Tensor) -> Tensor:
        _, patches = super().forward(pictures)
        return patches


class BoqBlock(nn.Module):
    """One bag: (B, N, C) local features -> the features after an encoder layer, and what (B, queries, C) found."""

    def __init__(self, channels: int, queries: int, heads: int) -> None:
        super().__init__()
        self.encoder = nn.TransformerEncoderLayer(channels, heads, 4 * channels, dropout=0.0, batch_first=True)
        self.queries = nn.Parameter(torch.randn(1, queries, channels))
        self.self_attn = nn.MultiheadAttention(channels, heads, batch_first=True)
        self.norm_q = nn.LayerNorm(channels)
        self.cross_attn = nn.MultiheadAttention(channels, heads, batch_first=True)
        self.norm_out = nn.LayerNorm(channels)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        features = self.encoder(features)
        # The queries see no picture: once a batch is enough.
        context, _ = self.self_attn(self.queries, self.queries, self.queries, need_weights=False)
        queries = self.norm_q(self.queries + context).expand(len(features), -1, -1)
        found, _ = self.cross_attn(queries, features, features, need_weights=False)
        return features, self.norm_out(found)


class Boq(nn.Module):
    """Maps (B, in_channels, h, w) -> unit vectors (B, channels * rows)."""

    def __init__(self, in_channels: int, channels: int, queries: int, layers: int, rows: int, heads: int) -> None:
        super().__init__()
        self.proj_c = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.norm_input = nn.LayerNorm(channels)
        self.boqs = nn.ModuleList(BoqBlock(channels, queries, heads) for _ in range(layers))
        self.fc = nn.Linear(layers * queries, rows)

    def forward(self, maps: Tensor) -> Tensor:
        features = self.norm_input(self.proj_c(maps).flatten(2).transpose(1, 2))
        bags = []
        for block in self.boqs:
            features, found = block(features)
            bags.append(found)
        mixed = self.fc(torch.cat(bags, dim=1).transpose(1, 2))
        return unit(mixed.flatten(1))
