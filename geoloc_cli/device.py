"""Where learned models run: the device and the precision, chosen once and said plainly."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass

from geoloc_cli.errors import ConfigError

VARIABLE = "GEOLOC_DEVICE"


@dataclass(frozen=True, slots=True)
class Device:
    """`name` as torch knows it (`cpu`, `cuda:0`, `mps`); `dtype` is what weights and activations are kept in there."""

    name: str
    dtype: str


def available_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def choose(wanted: str = "auto") -> Device:
    """The device of a name: `auto` takes the one that GEOLOC_DEVICE names, or the first GPU that works, else the CPU.

    Imports torch where it is installed.

    Half precision on a GPU (bfloat16 where the card computes it, since it cannot overflow), float32 on the CPU, where
    half precision is emulated and slower. Raises ConfigError where the device is not there.
    """
    if wanted == "auto":
        wanted = os.environ.get(VARIABLE) or "auto"
    if importlib.util.find_spec("torch") is None:
        if wanted in ("auto", "cpu"):
            return Device("cpu", "float32")
        raise ConfigError(f"The device '{wanted}' needs torch; run `pip install 'geoloc[torch]'`, or use the CPU.")
    import torch

    cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    mps = ["mps"] if torch.backends.mps.is_available() else []
    there = [*cuda, *mps, "cpu"]
    name = there[0] if wanted == "auto" else ("cuda:0" if wanted == "cuda" else wanted)
    if name not in there:
        raise ConfigError(f"There is no device '{wanted}' here; there is {', '.join(there)}.")
    if name.startswith("cuda"):
        return Device(name, "bfloat16" if torch.cuda.is_bf16_supported() else "float16")
    return Device(name, "float16" if name == "mps" else "float32")
