"""What is asked for several times and worked out once."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

Value = TypeVar("Value")


class Once:
    """Results by key, and what each took, so that whoever is spared the work can say what it is worth."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[Any, float]] = {}
        self._spared_ms = 0.0

    def __call__(self, key: Hashable, work: Callable[[], Value]) -> Value:
        """What the work gave under this key; it is done now where it never was. What it raises is not kept."""
        if key in self._known:
            value, took_ms = self._known[key]
            self._spared_ms += took_ms
            return cast(Value, value)
        began = time.perf_counter()
        value = work()
        self._known[key] = value, 1000.0 * (time.perf_counter() - began)
        return value

    def take_spared_ms(self) -> float:
        """Milliseconds that were spared since this was asked last."""
        spared, self._spared_ms = self._spared_ms, 0.0
        return spared
