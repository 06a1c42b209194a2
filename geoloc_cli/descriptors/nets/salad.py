"""SALAD: the patches of a picture are shared out among clusters by optimal transport (Izquierdo and Civera 2024)."""

from __future__ import annotations

import torch
from torch import nn

from geoloc_cli.descriptors.nets.pooling import unit
from geoloc_cli.errors import UsageError

# As trained: the sums of the rows are still off by some percent then, those of the columns are exact.
SINKHORN_ROUNDS = 3


def log_transport(scores: torch.Tensor, dustbin: torch.Tensor, rounds: int = SINKHORN_ROUNDS) -> torch.Tensor:
    """Sinkhorn's iterations in log space (Cuturi 2013). scores: (B, m, n) of m clusters for n patches, n > m.

    A dustbin, which scores every patch alike, takes what is left over: a cluster's row sums to 1, the dustbin's to
    n - m, and each patch's column to 1. Returns the logarithms, (B, m + 1, n), the dustbin's row last.
    """
    count, clusters, patches = scores.shape
    costs = torch.cat((scores, dustbin.to(scores).expand(count, 1, patches)), dim=1)
    rows = scores.new_zeros(clusters + 1)
    rows[-1] = patches - clusters
    rows[-1:].log_()
    to_rows, to_columns = scores.new_zeros(count, clusters + 1, 1), scores.new_zeros(count, 1, patches)
    for _ in range(rounds):
        to_rows = rows[:, None] - torch.logsumexp(costs + to_columns, dim=2, keepdim=True)
        to_columns = -torch.logsumexp(costs + to_rows, dim=1, keepdim=True)
    return costs + to_rows + to_columns


class Salad(nn.Module):
    """(B, C) and (B, C, h, w) -> (B, token_dim + clusters * cluster_dim) unit rows.

    The picture's own token, of unit length, comes first; then the sums of the patches' features over the clusters, each
    cluster of unit length, its features far apart: feature 0 of all clusters, then feature 1. The names are those of
    the published weights. Raises UsageError where there are no more patches than clusters.
    """

    def __init__(self, channels: int, clusters: int, cluster_dim: int, token_dim: int, mlp_dim: int) -> None:
        super().__init__()
        self.dim = token_dim + clusters * cluster_dim
        self.token_features = nn.Sequential(nn.Linear(channels, mlp_dim), nn.ReLU(), nn.Linear(mlp_dim, token_dim))
        self.cluster_features = _per_patch(channels, mlp_dim, cluster_dim)
        self.score = _per_patch(channels, mlp_dim, clusters)
        self.dust_bin = nn.Parameter(torch.tensor(1.0))

    def forward(self, own: torch.Tensor, patches: torch.Tensor) -> torch.Tensor:
        scores = self.score(patches).flatten(2)
        if scores.shape[1] >= scores.shape[2]:
            raise UsageError(
                f"{scores.shape[2]} patches cannot be shared out among {scores.shape[1]} clusters; "
                "give a larger size_px."
            )
        shares = log_transport(scores, self.dust_bin)[:, :-1].exp()
        features = self.cluster_features(patches).flatten(2)
        sums = nn.functional.normalize(features @ shares.transpose(1, 2), dim=1)
        return unit(torch.cat((unit(self.token_features(own)), sums.flatten(1)), dim=1))


def _per_patch(channels: int, mlp_dim: int, out: int) -> nn.Sequential:
    """An MLP on each patch; the second of its layers is the published one's dropout."""
    return nn.Sequential(nn.Conv2d(channels, mlp_dim, 1), nn.Identity(), nn.ReLU(), nn.Conv2d(mlp_dim, out, 1))


class SaladNet(nn.Module):
    """A backbone and SALAD on its tokens."""

    def __init__(self, backbone: nn.Module, aggregator: Salad) -> None:
        super().__init__()
        self.backbone = backbone
        self.aggregator = aggregator
        self.dim = aggregator.dim

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.aggregator(*self.backbone(pictures))
