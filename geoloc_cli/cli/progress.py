"""Progress bars on stderr, with rate and time left; nothing where stderr is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, Task, TaskID


class Bar:
    """Counts photos; each new stage may rename what is counted."""

    def __init__(self, shown: tuple[Progress, TaskID] | None) -> None:
        self._shown = shown

    def step(self, stage: str, done: int) -> None:
        if self._shown:
            progress, task = self._shown
            progress.update(
                task, advance=done if stage in ("locating", "describing", "asking") else 0, description=stage
            )

    def stop(self) -> None:
        """Takes the bar away, so that what is printed next does not land in it."""
        if self._shown:
            self._shown[0].stop()


@contextmanager
def bar(total: int, quiet: bool) -> Iterator[Bar]:
    """A bar over `total` photos."""
    if quiet or not sys.stderr.isatty():
        yield Bar(None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Bar((progress, progress.add_task("starting", total=total)))


@contextmanager
def byte_bar(name: str, quiet: bool) -> Iterator[Callable[[int, int | None], None]]:
    """A bar over one file: what it yields is told the bytes that are there, and of how many."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(name, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _rate() -> ProgressColumn:
    from rich.progress import ProgressColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.1f} photos/s" if task.speed else "", style="dim")

    return Rate()
