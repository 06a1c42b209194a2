"""Which matches make up each hypothesis: distinct rows, drawn from explicit generators, for all problems at once."""

from __future__ import annotations

import torch
from torch import Tensor


def uniforms(seed: int, stream: int, *shape: int) -> Tensor:
    """Numbers in [0, 1), float64, from a generator of their own; the same on every device."""
    generator = torch.Generator().manual_seed((seed << 20) + stream)
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def pools(count: Tensor, chance: Tensor, least: int) -> Tensor:
    """count: (B,), chance: (H,) in [0, 1). Returns (B, H): from how many of the best matches each sample is drawn.

    Half of the samples are drawn from all, and half from the best m, with log m uniform between `least` and all: as
    PROSAC's (Chum and Matas 2005) they profit from a good order, and without its order of samples no order costs more
    than half of them.
    """
    share = (2.0 * chance).clamp_max(1.0)
    pool = (least * (count[:, None] / least) ** share).ceil().long()
    return torch.minimum(pool.clamp_min(least), count[:, None])


def distinct(chance: Tensor, pool: Tensor) -> Tensor:
    """chance: (H, K) in [0, 1), pool: (B, H) at least K. Returns (B, H, K) rows of the pool, distinct in each sample.

    The k-th row is drawn from those that are left, and steps over the rows that were drawn before it.
    """
    drawn: list[Tensor] = []
    for k in range(chance.shape[1]):
        row = (chance[:, k] * (pool - k)).long().clamp_max(pool - k - 1)
        if drawn:
            for before in torch.stack(drawn).sort(dim=0).values:
                row = row + (row >= before)
        drawn.append(row)
    return torch.stack(drawn, -1)
