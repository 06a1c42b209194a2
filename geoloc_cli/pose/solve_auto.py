"""Which solver for which batch: by device, number of problems and their size, from what was measured on this machine.

PoseLib takes problems one at a time and is done with an easy one in a millisecond; our own batches pay where there are
many, on a GPU, and where the focal length is unknown, for which PoseLib is asked at thirteen lengths. Where the two
meet is a fact of the machine: `geoloc doctor --bench` measures it, and writes it to
`solvers.json` in the user's cache. Without that file a GPU gets whatever is more than one problem, and a CPU nothing:
what a batch gains there, the seconds of loading torch cost again.
"""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geoloc_cli.contracts import PoseSolver
from geoloc_cli.pose.solve import PoseLibSolver, PoseProblem, Solved

# What the driver of a CUDA device leaves on a system: asking torch would take seconds.
_DRIVER = Path("/proc/driver/nvidia/version"), Path("/dev/nvidiactl"), Path("/dev/dxg")


@dataclass(frozen=True, slots=True)
class Measured:
    """Milliseconds a problem, of `problems` at once with `pairs` each, by both solvers."""

    problems: int
    pairs: int
    focal_known: bool
    poselib_ms: float
    torch_ms: float


class AutoSolver:
    """`contracts.PoseSolver` that hands each batch to the faster one."""

    name = "auto"

    def __init__(self) -> None:
        self._table = read_table()
        self._gpu = gpu_likely()
        self._one_by_one: PoseSolver = PoseLibSolver()
        self._batched: PoseSolver | None = None

    def solve(self, problems: Sequence[PoseProblem]) -> list[Solved | None]:
        """Each by the solver that is chosen for so many problems of its kind and of this size."""
        answers: dict[int, Solved | None] = {}
        for focal_known in (True, False):
            rows = [i for i, problem in enumerate(problems) if problem.focal_known == focal_known]
            part = [problems[i] for i in rows]
            answers |= dict(zip(rows, self.chosen(part).solve(part), strict=True))
        return [answers[i] for i in range(len(problems))]

    def chosen(self, problems: Sequence[PoseProblem]) -> PoseSolver:
        """The solver of a batch of one kind; torch is imported when it is first chosen."""
        if not problems:
            return self._one_by_one
        table = [row for row in self._table if row.focal_known == problems[0].focal_known]
        if not torch_is_faster(len(problems), _typical(problems), self._gpu, table):
            return self._one_by_one
        if self._batched is None:
            from geoloc_cli.pose.solve_torch import TorchSolver

            self._batched = TorchSolver()
        return self._batched


def _typical(problems: Sequence[PoseProblem]) -> int:
    return int(np.median([len(problem.rays) for problem in problems]))


def torch_is_faster(problems: int, pairs: int, gpu: bool, table: Sequence[Measured]) -> bool:
    """By the measurement nearest in the logarithms of both numbers; without any, on a GPU from two problems on."""
    if importlib.util.find_spec("torch") is None:
        return False
    if not table:
        return gpu and problems > 1

    def away(row: Measured) -> float:
        return math.hypot(math.log(row.problems / problems), math.log(row.pairs / max(1, pairs)))

    nearest = min(table, key=away)
    return nearest.torch_ms < nearest.poselib_ms


def batches_pay(problems: int, pairs: int) -> bool:
    """Whether so many problems of known focal length are solved faster together."""
    return torch_is_faster(problems, pairs, gpu_likely(), [row for row in read_table() if row.focal_known])


def gpu_likely() -> bool:
    """Whether torch is installed and there is a driver of a CUDA device; imports nothing."""
    return importlib.util.find_spec("torch") is not None and any(path.exists() for path in _DRIVER)


def table_file() -> Path:
    """Where measurements are kept: a file of the user's cache."""
    from platformdirs import user_cache_path

    return user_cache_path("geoloc") / "solvers.json"


def read_table() -> list[Measured]:
    """The measurements of this machine; none where there are none, or the file is damaged."""
    try:
        rows = json.loads(table_file().read_text(encoding="utf-8"))["rows"]
        return [
            Measured(
                int(row["problems"]),
                int(row["pairs"]),
                bool(row["focal_known"]),
                float(row["poselib_ms"]),
                float(row["torch_ms"]),
            )
            for row in rows
            if int(row["problems"]) > 0 and int(row["pairs"]) > 0
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return []
