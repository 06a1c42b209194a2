"""Figures as plain JSON: reports and arrays as objects and lists, and null for what is infinite or not to be had."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """JSON of a report (a dataclass), a mapping, an array or a number; keys that are numbers become texts, as 0.25.

    Fields of a report with the metadata `told=False` are for other code and left out.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        told = [field.name for field in dataclasses.fields(value) if field.metadata.get("told", True)]
        return {name: plain(getattr(value, name)) for name in told}
    if isinstance(value, Mapping):
        return {_key(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def _key(key: Any) -> str:
    if isinstance(key, tuple):
        return ", ".join(_key(part) for part in key)
    return f"{key:g}" if isinstance(key, float) else str(key)
