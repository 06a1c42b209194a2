"""Many poses worked out side by side: what each asks of a solver is gathered, and asked at once.

Whoever works out a pose is a generator: it yields a list of problems, and is sent their answers. Alone or among a
hundred others, it runs the same code; a solver that takes problems one at a time loses nothing by it.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TypeVar

from geoloc_cli.contracts import PoseSolver
from geoloc_cli.pose.solve import PoseProblem, Solved

Answer = TypeVar("Answer")
Asking = Generator[Sequence[PoseProblem], list[Solved | None], Answer]


def run_together(tasks: Sequence[Asking[Answer]], solver: PoseSolver) -> list[Answer]:
    """What each of the tasks returns, in their order."""
    answers: dict[int, Answer] = {}
    waiting: dict[int, Sequence[PoseProblem]] = {}

    def go_on(i: int, found: list[Solved | None] | None) -> None:
        try:
            # A generator is begun by being sent None.
            waiting[i] = tasks[i].send(found)  # type: ignore[arg-type]
        except StopIteration as end:
            answers[i] = end.value

    for i in range(len(tasks)):
        go_on(i, None)
    while waiting:
        asked, waiting = waiting, {}
        found = solver.solve([problem for problems in asked.values() for problem in problems])
        start = 0
        for i, problems in asked.items():
            go_on(i, found[start : start + len(problems)])
            start += len(problems)
    return [answers[i] for i in range(len(tasks))]
