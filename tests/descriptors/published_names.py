"""What published checkpoints hold, as `published/*.txt` list it, and checkpoints that are named so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_BRACES = re.compile(r"\{([^{}]*)\}")


def published(name: str) -> dict[str, tuple[int, ...]]:
    """Name -> shape. A line is `name shape`, the shape `64,3,7,7` or `scalar`; `{0..2}` and `{weight,bias}` stand for
    a line each; `#` starts a comment, and the first says where the list comes from.
    """
    lines = (Path(__file__).parent / "published" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# From "), name
    found: dict[str, tuple[int, ...]] = {}
    for line in lines:
        if line.strip() and not line.startswith("#"):
            pattern, shape = line.split()
            sizes = () if shape == "scalar" else tuple(int(size) for size in shape.split(","))
            for tensor in _expanded(pattern):
                assert tensor not in found, f"{name} lists {tensor} twice"
                found[tensor] = sizes
    return found


def _expanded(pattern: str) -> list[str]:
    if not (match := _BRACES.search(pattern)):
        return [pattern]
    first, dots, last = match[1].partition("..")
    parts = [str(i) for i in range(int(first), int(last) + 1)] if dots else match[1].split(",")
    return [name for part in parts for name in _expanded(pattern[: match.start()] + part + pattern[match.end() :])]


def shapes(state: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in state.items()}


def renamed_on_meta(backend: Any, options: Any, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Shapes by our names: of the published list as the backend maps it, and of the network that it builds."""
    import torch

    made = backend.__new__(backend)
    with torch.device("meta"):
        listed = {tensor: torch.empty(shape) for tensor, shape in published(name).items()}
        return shapes(made.renamed(options, listed)), shapes(made.build(options).state_dict())


def tiny_checkpoint(backend: Any, options: Any, name: str, path: Path, seed: int = 0) -> Path:
    """A checkpoint of random numbers with the published names and the shapes of the network that the options ask for.

    Means and variances that batches would have taught are random too, or normalisation would do nothing. Tensors of
    layers that the small network does not have are left out.
    """
    import torch

    torch.manual_seed(seed)
    made = backend.__new__(backend)
    state = made.build(options).state_dict()
    named: dict[str, Any] = {}
    for tensor in published(name):
        for ours in made.renamed(options, {tensor: torch.empty(0)}):
            if ours in state:
                named[tensor] = randomized(ours, state.pop(ours))
    assert not state, f"no published tensor gives {sorted(state)[:3]}"
    torch.save(named, path)
    return path


def randomized(name: str, value: Any) -> Any:
    """A tensor like this one, at random where it would not be."""
    import torch

    if name.endswith("running_var"):
        return torch.rand_like(value) + 0.5
    if name.endswith("running_mean"):
        return torch.randn_like(value) * 0.1
    if "norm" in name and name.endswith(("weight", "bias")):
        return value + 0.2 * torch.randn_like(value)
    return value.clone()
