"""Where batches of poses break even with one at a time on this machine: what `--solver auto` goes by."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict

from geoloc_cli.contracts import PoseSolver
from geoloc_cli.pose.solve import PoseLibSolver, PoseProblem
from geoloc_cli.pose.solve_auto import Measured, table_file
from geoloc_cli.testing.pairs import known_pairs

PROBLEMS = (1, 8, 64)
PAIRS = (200, 1000, 4000)
# What matches of photographs of one place hold, as a rule.
_WRONG_SHARE, _NOISE_PX, _TOLERANCE_PX = 0.6, 1.0, 6.0


def measure(batched: PoseSolver, tell: Callable[[Measured], None]) -> list[Measured]:
    """Times both solvers on the same problems, the faster of two runs each; half a minute on two cores."""
    rows = []
    for pairs in PAIRS:
        made = [known_pairs("general", seed, pairs, _WRONG_SHARE, _NOISE_PX) for seed in range(max(PROBLEMS))]
        problems = [PoseProblem(truth.rays, truth.points, truth.focal_px, _TOLERANCE_PX) for truth in made]
        batched.solve(problems[:1])
        for count in PROBLEMS:
            row = Measured(count, pairs, _ms(PoseLibSolver(), problems[:count]), _ms(batched, problems[:count]))
            tell(row)
            rows.append(row)
    return rows


def _ms(solver: PoseSolver, problems: list[PoseProblem]) -> float:
    spent = []
    for _ in range(2):
        began = time.perf_counter()
        solver.solve(problems)
        spent.append(time.perf_counter() - began)
    return round(1000.0 * min(spent) / len(problems), 3)


def keep(rows: list[Measured]) -> str:
    """Writes the measurements for `--solver auto`, and returns where they are."""
    file = table_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    written = file.with_suffix(".new")
    written.write_text(json.dumps({"rows": [asdict(row) for row in rows]}, indent=1), encoding="utf-8")
    written.replace(file)
    return str(file)
