"""GeoCLIP's networks (Vivanco, Nayak and Shah 2023): a place, a picture or a text -> one vector in their common space.

They load the state dicts that the package `geoclip` ships, and CLIP's, under their published names.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import transformers
from torch import nn

from geoloc_cli.descriptors.nets.backbones import Vit
from geoloc_cli.descriptors.nets.pooling import unit
from geoloc_cli.geo.projections import EQUAL_EARTH

DIM = 512
# Standard deviations of the random frequencies, one capsule each: from continents to towns.
_SIGMAS = (1, 16, 256)
# What GeoCLIP scales Equal Earth by.
_SCALE = 66.50336


def equal_earth(lat_lon: torch.Tensor) -> torch.Tensor:
    """(N, 2) degrees -> (N, 2) of the map Equal Earth, the equator from about -1 to 1."""
    a1, a2, a3, a4 = EQUAL_EARTH
    lat, lon = torch.deg2rad(lat_lon).unbind(dim=1)
    theta = torch.asin(math.sqrt(3) / 2 * torch.sin(lat))
    slope = 9 * a4 * theta**8 + 7 * a3 * theta**6 + 3 * a2 * theta**2 + a1
    x = 2 * math.sqrt(3) * lon * torch.cos(theta) / (3 * slope)
    y = a4 * theta**9 + a3 * theta**7 + a2 * theta**3 + a1 * theta
    return torch.stack((x, y), dim=1) * _SCALE / 180


class _Waves(nn.Module):
    """(N, 2) -> cosines and sines of 256 random frequencies (N, 512); `b` comes with the weights."""

    def __init__(self) -> None:
        super().__init__()
        self.b = nn.Parameter(torch.zeros(DIM // 2, 2), requires_grad=False)

    def forward(self, xy: torch.Tensor) -> torch.Tensor:
        phase = 2 * math.pi * xy @ self.b.T
        return torch.cat((torch.cos(phase), torch.sin(phase)), dim=1)


class _Capsule(nn.Module):
    """The map at one scale -> (N, 512)."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_Waves()]
        for width in (DIM, 1024, 1024):
            layers += [nn.Linear(width, 1024), nn.ReLU()]
        self.capsule = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Linear(1024, DIM))

    def forward(self, xy: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.capsule(xy))
        return found


class LocationEncoder(nn.Module):
    """Places (N, 2) of latitude and longitude in degrees, float32 -> (N, 512), the sum of the capsules."""

    def __init__(self) -> None:
        super().__init__()
        for i in range(len(_SIGMAS)):
            self.add_module(f"LocEnc{i}", _Capsule())

    def forward(self, lat_lon: torch.Tensor) -> torch.Tensor:
        xy = equal_earth(lat_lon)
        found = torch.zeros(len(lat_lon), DIM, device=lat_lon.device)
        for capsule in self.children():
            found = found + capsule(xy)
        return found


class PictureEncoder(nn.Module):
    """(B, 3, H, W) normalised -> (B, 512) unit rows: CLIP's projected token through GeoCLIP's head."""

    def __init__(self, backbone: Vit) -> None:
        super().__init__()
        self.backbone = backbone
        self.mlp = _head()
        self.dim = DIM

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        own, _ = self.backbone(pictures)
        return unit(self.mlp(own))


class TextEncoder(nn.Module):
    """Ids of tokens (B, n) -> (B, 512) unit rows: CLIP's projected text feature through GeoCLIP's head.

    Its shape is read off `state`, CLIP's own tensors; `heads` of attention, 0 for one to each 64 channels; `end` is the
    id of the token that closes a text, where its feature is read.
    """

    def __init__(self, state: dict[str, Any], heads: int, end: int) -> None:
        super().__init__()
        tokens, hidden = state["text_model.embeddings.token_embedding.weight"].shape
        self.longest = len(state["text_model.embeddings.position_embedding.weight"])
        config = transformers.CLIPTextConfig(
            vocab_size=tokens,
            hidden_size=hidden,
            intermediate_size=len(state["text_model.encoder.layers.0.mlp.fc1.weight"]),
            num_hidden_layers=sum(name.endswith(".layer_norm1.weight") for name in state),
            num_attention_heads=heads or hidden // 64,
            max_position_embeddings=self.longest,
            projection_dim=len(state["text_projection.weight"]),
            hidden_act="quick_gelu",
            eos_token_id=end,
        )
        tower = transformers.CLIPTextModelWithProjection(config)
        self.text_model, self.text_projection = tower.text_model, tower.text_projection
        self.mlp = _head()

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return unit(self.mlp(self.text_projection(self.text_model(input_ids=ids).pooler_output)))


def _head() -> nn.Sequential:
    """What GeoCLIP trained on CLIP's space of 768."""
    return nn.Sequential(nn.Linear(768, 768), nn.ReLU(), nn.Linear(768, DIM))
