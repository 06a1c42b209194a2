"""A LoFTR that was never trained, in a file as the authors publish theirs, for tests without their weights."""

from __future__ import annotations

import importlib
from pathlib import Path


def random_loftr(path: Path) -> Path:
    """Writes seeded random weights, and returns the path.

    Those of the fine stage's input are zero: untrained, it would move each match by up to 4 pixels at random, and now
    leaves it on the grid of 8 pixels.
    """
    torch, loftr = importlib.import_module("torch"), importlib.import_module("kornia.feature").LoFTR
    torch.manual_seed(0)
    state = loftr(None).state_dict()
    zeroed = {name: value * 0 if name.startswith("fine_preprocess.") else value for name, value in state.items()}
    torch.save({"state_dict": {f"matcher.{name}": value for name, value in zeroed.items()}}, path)
    return path
