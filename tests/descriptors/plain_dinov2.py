"""DINOv2 written out plainly under torch.hub's names (Oquab et al. 2023): slow, with nothing in common with ours."""

from __future__ import annotations

from typing import Any

import torch

EPS = 1e-6


def seeded_state(hidden: int, layers: int, patch: int, side: int, registers: int = 0, gated: bool = False) -> Any:
    """Random tensors under torch.hub's names, large enough that each of them matters to the result."""
    made = torch.Generator().manual_seed(0)

    def draw(*shape: int, around: float = 0.0) -> torch.Tensor:
        return around + 0.3 * torch.randn(*shape, generator=made)

    state = {
        "cls_token": draw(1, 1, hidden),
        "mask_token": draw(1, hidden),
        "pos_embed": draw(1, 1 + side * side, hidden),
        "patch_embed.proj.weight": draw(hidden, 3, patch, patch),
        "patch_embed.proj.bias": draw(hidden),
        "norm.weight": draw(hidden, around=1.0),
        "norm.bias": draw(hidden),
    }
    if registers:
        state["register_tokens"] = draw(1, registers, hidden)
    inner = (int(4 * hidden * 2 / 3) + 7) // 8 * 8 if gated else 4 * hidden
    linear = {"attn.qkv": (3 * hidden, hidden), "attn.proj": (hidden, hidden)}
    if gated:
        linear |= {"mlp.w12": (2 * inner, hidden), "mlp.w3": (hidden, inner)}
    else:
        linear |= {"mlp.fc1": (inner, hidden), "mlp.fc2": (hidden, inner)}
    for i in range(layers):
        for name, shape in linear.items():
            state[f"blocks.{i}.{name}.weight"] = draw(*shape)
            state[f"blocks.{i}.{name}.bias"] = draw(shape[0])
        for k in (1, 2):
            state[f"blocks.{i}.norm{k}.weight"] = draw(hidden, around=1.0)
            state[f"blocks.{i}.norm{k}.bias"] = draw(hidden)
            state[f"blocks.{i}.ls{k}.gamma"] = draw(hidden, around=0.5)
    return state


def plain_tokens(
    state: dict[str, torch.Tensor], picture: torch.Tensor, heads: int, patch: int, final_norm: bool = True
) -> torch.Tensor:
    """picture: (3, H, W). Returns (1 + registers + patches, C) tokens in float64, patches row by row."""
    w = {name: value.double() for name, value in state.items()}
    rows, columns = picture.shape[1] // patch, picture.shape[2] // patch
    kernel = w["patch_embed.proj.weight"].flatten(1)
    cells = [
        kernel @ picture[:, r * patch : (r + 1) * patch, c * patch : (c + 1) * patch].double().flatten()
        for r in range(rows)
        for c in range(columns)
    ]
    tokens = torch.stack(cells) + w["patch_embed.proj.bias"]
    registers = "register_tokens" in w
    tokens = torch.cat((w["cls_token"][0], tokens)) + positions(state["pos_embed"], rows, columns, registers)
    if registers:
        tokens = torch.cat((tokens[:1], w["register_tokens"][0], tokens[1:]))
    layers = 1 + max(int(name.split(".")[1]) for name in w if name.startswith("blocks."))
    for i in range(layers):
        at = {name.removeprefix(f"blocks.{i}."): value for name, value in w.items() if name.startswith(f"blocks.{i}.")}
        tokens = tokens + at["ls1.gamma"] * attention(at, normed(tokens, at, "norm1"), heads)
        tokens = tokens + at["ls2.gamma"] * mlp(at, normed(tokens, at, "norm2"))
    return normed(tokens, w, "norm") if final_norm else tokens


def positions(known: torch.Tensor, rows: int, columns: int, registers: bool) -> torch.Tensor:
    """Learned positions at this grid: a tenth of a patch is added to it for DINOv2, and with registers there is none
    but a filter against aliasing; as the authors' vision_transformer.py and hub/backbones.py have it.
    """
    side = round((known.shape[1] - 1) ** 0.5)
    if rows == columns == side:
        return known[0].double()
    grid = known[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    if registers:
        grid = torch.nn.functional.interpolate(grid, size=(rows, columns), mode="bicubic", antialias=True)
    else:
        scale = ((rows + 0.1) / side, (columns + 0.1) / side)
        grid = torch.nn.functional.interpolate(grid, scale_factor=scale, mode="bicubic")
    return torch.cat((known[0, :1], grid[0].permute(1, 2, 0).reshape(rows * columns, -1))).double()


def normed(tokens: torch.Tensor, w: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    centred = tokens - tokens.mean(dim=1, keepdim=True)
    deviation = (centred.square().mean(dim=1, keepdim=True) + EPS).sqrt()
    return centred / deviation * w[f"{name}.weight"] + w[f"{name}.bias"]


def attention(w: dict[str, torch.Tensor], tokens: torch.Tensor, heads: int) -> torch.Tensor:
    fused = tokens @ w["attn.qkv.weight"].T + w["attn.qkv.bias"]
    width = tokens.shape[1] // heads
    parts = []
    for head in range(heads):
        q, k, v = (fused[:, (i * heads + head) * width :][:, :width] for i in range(3))
        parts.append(torch.softmax(q @ k.T / width**0.5, dim=1) @ v)
    return torch.cat(parts, dim=1) @ w["attn.proj.weight"].T + w["attn.proj.bias"]


def mlp(w: dict[str, torch.Tensor], tokens: torch.Tensor) -> torch.Tensor:
    if "mlp.w12.weight" in w:
        gate, up = (tokens @ w["mlp.w12.weight"].T + w["mlp.w12.bias"]).chunk(2, dim=1)
        return (gate * torch.sigmoid(gate) * up) @ w["mlp.w3.weight"].T + w["mlp.w3.bias"]
    inner = tokens @ w["mlp.fc1.weight"].T + w["mlp.fc1.bias"]
    inner = inner * 0.5 * (1 + torch.erf(inner / 2**0.5))
    return inner @ w["mlp.fc2.weight"].T + w["mlp.fc2.bias"]
