"""What published checkpoints hold, as `published/*.txt` list it, and checkpoints that are named so."""

from __future__ import annotations

import math
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


def left_out(backend: Any, options: Any, name: str) -> set[str]:
    """Builds the network at full shape on the meta device and gives it every published tensor, as the backend names it.

    Fails unless each tensor has one place of its shape and each place its tensor. Returns the published names that have
    none: a vision transformer says itself which of a file it does without.
    """
    import torch

    made = backend.__new__(backend)
    with torch.device("meta"):
        network = made.build(options)
        listed = {tensor: torch.empty(shape) for tensor, shape in published(name).items()}
    renamed = made.renamed(options, listed)
    network.load_state_dict(renamed, strict=True, assign=True)
    # A part of a tensor is a view of it.
    names = {id(value): tensor for tensor, value in listed.items()}
    origins = {ours: names.get(id(value._base if value._is_view() else value)) for ours, value in renamed.items()}
    assert set(listed) == set(origins.values()) - {None}, "of two published tensors with one place the first is lost"
    needless = getattr(network.backbone, "left_out", lambda _: False)
    return set(listed) - {tensor for ours, tensor in origins.items() if not needless(ours.removeprefix("backbone."))}


def tiny_checkpoint(
    name: str, path: Path, sizes: dict[int, int], *, without: str = "nothing at all", seed: int = 0
) -> Path:
    """A checkpoint of random numbers under the published names, each size of its shapes replaced as `sizes` says.

    Names that the pattern `without` is found in are left out.
    """
    import torch

    torch.manual_seed(seed)
    listed = published(name)
    state = {
        tensor: _random(tensor, tuple(sizes.get(size, size) for size in listed[tensor]))
        for tensor in listed
        if not re.search(without, tensor)
    }
    torch.save(state, path)
    return path


def _random(name: str, shape: tuple[int, ...]) -> Any:
    """What such a tensor may hold: a variance is positive, a gain near one, a matrix keeps the size of its input."""
    import torch

    if name.endswith("num_batches_tracked"):
        return torch.tensor(1)
    if name.endswith("running_var"):
        return torch.rand(shape) + 0.5
    if name.endswith(".p"):
        return torch.rand(shape) + 2.5
    if len(shape) == 1 and name.endswith(("weight", "gamma")):
        return 1 + 0.2 * torch.randn(shape)
    fan_in = math.prod(shape[1:])
    return torch.randn(shape) * (1 / fan_in**0.5 if len(shape) > 1 and "embed" not in name else 0.1)


def randomized(module: Any) -> Any:
    """The module with norms that do something: their gains, shifts, means and variances are not those of the start."""
    state = module.state_dict()
    for name, value in state.items():
        if "running" in name or (value.ndim == 1 and "norm" in name):
            state[name] = _random(name, tuple(value.shape)).to(value)
    module.load_state_dict(state)
    return module
