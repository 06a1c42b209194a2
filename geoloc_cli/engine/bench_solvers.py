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
# With an unknown focal length PoseLib takes a second for each.
UNKNOWN_PROBLEMS, UNKNOWN_PAIRS = (1, 8), (200, 1000)
_UNKNOWN_STD = 0.4
# What matches of photographs of one place hold, as a rule.
_WRONG_SHARE, _NOISE_PX, _TOLERANCE_PX = 0.6, 1.0, 6.0


def measure(batched: PoseSolver, tell: Callable[[Measured], None]) -> list[Measured]:
    """Times both solvers on the same problems, the faster of two runs each; a minute and a half on two cores."""
    rows = []
    for focal_std, counts, sizes in ((0.0, PROBLEMS, PAIRS), (_UNKNOWN_STD, UNKNOWN_PROBLEMS, UNKNOWN_PAIRS)):
        for pairs in sizes:
            made = [known_pairs("general", seed, pairs, _WRONG_SHARE, _NOISE_PX) for seed in range(max(counts))]
            problems = [PoseProblem(t.rays, t.points, t.focal_px, _TOLERANCE_PX, focal_std) for t in made]
            batched.solve(problems[:1])
            for count in counts:
                asked = problems[:count]
                row = Measured(count, pairs, focal_std == 0.0, _ms(PoseLibSolver(), asked), _ms(batched, asked))
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
