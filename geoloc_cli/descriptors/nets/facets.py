"""Dense tokens of DINOv2 and their hard VLAD, as in AnyLoc (Keetha et al. 2023)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from geoloc_cli.descriptors.backbones import Tower
from geoloc_cli.descriptors.nets.backbones import Vit
from geoloc_cli.descriptors.nets.pooling import unit

# By the version of transformers.
_PROJECTIONS = ("attention.{initial}_proj", "attention.attention.{facet}")


class Facets(Vit):
    """Pictures -> (B, N, C): one facet of the `layer`-th block, from 1, of the patches row by row.

    `query`, `key` and `value` are what that block's attention works on, all heads side by side; `token` is what the
    block gives. The blocks beyond it are not there. A picture loses what its whole patches do not cover, the same at
    both ends, as AnyLoc's do; one that is smaller than a patch is filled up to it.
    """

    def __init__(self, tower: Tower, layer: int, facet: str, offset: float) -> None:
        super().__init__(tower, layer, norm=False, offset=offset)
        self._facet = facet

    def forward(self, pictures: Tensor) -> Tensor:
        *before, last = self.model.encoder.layer
        tokens = self.model.embeddings(self._whole_patches(pictures))
        for layer in before:
            tokens = layer(tokens)
        found: Tensor = last(tokens) if self._facet == "token" else self._projection(last)(last.norm1(tokens))
        return found[:, 1 + self.tower.registers :].float()

    def _whole_patches(self, pictures: Tensor) -> Tensor:
        patch = self.tower.patch
        height, width = pictures.shape[-2:]
        pictures = nn.functional.pad(pictures, (0, max(0, patch - width), 0, max(0, patch - height)))
        down, across = (max(patch, side - side % patch) for side in (height, width))
        top, left = max(0, height - down) // 2, max(0, width - across) // 2
        return pictures[..., top : top + down, left : left + across]

    def _projection(self, layer: nn.Module) -> nn.Module:
        there = dict(layer.named_modules())
        names = [form.format(facet=self._facet, initial=self._facet[0]) for form in _PROJECTIONS]
        return next(there[name] for name in names if name in there)


class HardVlad(nn.Module):
    """Tokens (B, N, C) -> unit vectors (B, words * C).

    Each unit token goes to the word with the largest cosine, whose residuals are summed; each word's sum is made a unit
    vector (Arandjelović and Zisserman 2013), and then the whole. A word without tokens is zero.
    """

    centers: Tensor

    def __init__(self, words: int, channels: int) -> None:
        """`centers`, (words, C), are loaded: means of unit tokens, and thus shorter than one."""
        super().__init__()
        self.register_buffer("centers", torch.zeros(words, channels))

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = unit(tokens)
        nearest = (tokens @ unit(self.centers).T).argmax(dim=2)
        member = one_hot(nearest, len(self.centers)).to(tokens.dtype)
        sums = member.transpose(1, 2) @ tokens - member.sum(dim=1)[:, :, None] * self.centers
        return unit(unit(sums).flatten(1))


class Sample(nn.Module):
    """Tokens (B, N, C) -> (B, count * C): `count` unit tokens of each picture, drawn once for each N.

    Drawn without return until all were, which a small picture's are more than once.
    """

    def __init__(self, count: int, seed: int) -> None:
        super().__init__()
        self._count, self._seed = count, seed

    def forward(self, tokens: Tensor) -> Tensor:
        total = tokens.shape[1]
        order = torch.randperm(total, generator=torch.Generator().manual_seed(self._seed))
        drawn = order[torch.arange(self._count) % total].to(tokens.device)
        return unit(tokens[:, drawn]).flatten(1)
