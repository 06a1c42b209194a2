"""Where torch runs: the device and the precision, chosen once and said plainly, and how numbers get there."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

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


def uploaded(array: NDArray[Any], device: str) -> Tensor:
    """The numbers of an array as a tensor on the device.

    To a GPU they go from pinned memory: the card then fetches them by itself while Python goes on. From memory that may
    be paged out, the driver copies them into a pinned buffer of its own first, and the caller waits for that.
    """
    import torch

    if not device.startswith("cuda"):
        return torch.from_numpy(np.require(array, requirements=["C", "W"])).to(device)
    dtype = torch.from_numpy(np.empty(0, array.dtype)).dtype
    # torch keeps the buffer from being used again before it has been read.
    pinned = torch.empty(array.shape, dtype=dtype, pin_memory=True)
    pinned.numpy()[...] = array
    return pinned.to(device, non_blocking=True)


@contextmanager
def full_precision() -> Iterator[None]:
    """Inside, products of float32 matrices on a GPU keep all of its 24 bits; TF32, which others may allow, has 11."""
    import torch

    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(precision)
