"""Functions for the pool's tests, built in its workers by name."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from threading import Timer
from typing import Any

from geoloc_cli.errors import IndexMissing


def build_tagger(spec: dict[str, Any]) -> Callable[[int], tuple[str, int, int, str]]:
    def tag(item: int) -> tuple[str, int, int, str]:
        time.sleep(0.02 * (item % 3))  # later items finish first
        return spec["tag"], item, os.getpid(), os.environ.get("OPENBLAS_NUM_THREADS", "")

    return tag


def build_deadly(spec: dict[str, Any]) -> Callable[[int], int]:
    def work(item: int) -> int:
        if item == spec["deadly"]:
            os.kill(os.getpid(), signal.SIGKILL)
        return item * item

    return work


def build_large(spec: dict[str, Any]) -> Callable[[int], bytes]:
    """Results that no pipe takes at once: who answers is in the midst of writing until all has been read."""

    def work(item: int) -> bytes:
        if item in spec["deadly"] and not Path(spec["mark"], str(item)).exists():
            Path(spec["mark"], str(item)).touch()
            Timer(0.05, os.kill, (os.getpid(), signal.SIGKILL)).start()
        return bytes(60_000_000)

    return work


def build_unfit(spec: dict[str, Any]) -> Callable[[int], Any]:
    def work(item: int) -> Any:
        return (lambda: item) if spec["lambda"] else 1 // item

    return work


def build_refusing(spec: dict[str, Any]) -> Callable[[int], int]:
    raise IndexMissing("There is no index here.")
