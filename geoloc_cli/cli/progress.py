"""How far long work is, with its rate and the time left: a bar where stderr is a terminal, else a line now and then.

It is told to stderr and the log, never to stdout.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from geoloc_cli.cli import talk

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, Task, TaskID

# Seconds between two lines where there is no bar.
PERIOD_S = 30.0
# Stages that pass each photo once, and are counted as one way.
_MAIN = ("locating", "describing", "asking")
_UNITS = {"matching": "pairs", "reading": "models", "files": "files"}


@dataclass(slots=True)
class _Count:
    """How far one stage is; total: None or 0 where nobody knows."""

    stage: str
    unit: str
    total: int | None
    done: int = 0
    said_at: float = field(default_factory=lambda: time.monotonic())
    said_done: int = 0
    task: TaskID | None = None

    def step(self, done: int, now: float) -> str | None:
        """Counts, and returns a sentence where it is time for one; its rate is that since the last."""
        self.done += done
        if now - self.said_at < PERIOD_S:
            return None
        rate = (self.done - self.said_done) / (now - self.said_at)
        self.said_at, self.said_done = now, self.done
        of = f" of {self.total}" if self.total else ""
        left = f", {duration((self.total - self.done) / rate)} left" if self.total and rate else ""
        return f"{self.stage}: {self.done}{of} {self.unit}, {rate:.3g} a second{left}"


class Bar:
    """Counts photos, and what else a stage goes through; each new stage may rename what is counted."""

    def __init__(self, total: int, shown: Progress | None) -> None:
        self._shown = shown
        self._main = _Count("starting", "photos", total or None)
        self._counts: dict[str, _Count] = {}
        if shown and total:
            self._main.task = shown.add_task("starting", total=total, unit="photos")

    def expect(self, stage: str, total: int) -> None:
        """Says of how many a stage beside the main ones will tell."""
        self._count(stage).total = total

    def step(self, stage: str, done: int) -> None:
        """So many more are done of what this stage goes through."""
        count = self._count(stage)
        count.stage = stage
        sentence = count.step(done, time.monotonic())
        if self._shown and count.task is not None:
            self._shown.update(count.task, advance=done, description=stage, total=count.total)
        elif sentence:
            talk.say(sentence, name="progress", stage=stage, data={"done": count.done, "total": count.total})

    def stop(self) -> None:
        """Takes the bar away, so that what is printed next does not land in it."""
        if self._shown:
            self._shown.stop()

    def _count(self, stage: str) -> _Count:
        if stage in _MAIN:
            return self._main
        if stage not in self._counts:
            count = self._counts[stage] = _Count(stage, _UNITS.get(stage, "photos"), None)
            if self._shown:
                count.task = self._shown.add_task(stage, total=None, unit=count.unit)
        return self._counts[stage]


def duration(seconds: float) -> str:
    """A time as a person would say it, in its two largest units."""
    whole = max(0, round(seconds))
    parts = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    first = next((i for i, (number, _) in enumerate(parts) if number), 3)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number) or "0 s"


def is_animated() -> bool:
    """Whether a bar can be drawn on stderr, and is wanted there."""
    return sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown") and not talk.is_quiet()


@contextmanager
def bar(total: int, quiet: bool) -> Iterator[Bar]:
    """A bar over `total` photos; 0 where only other things are counted."""
    if quiet or not is_animated():
        yield Bar(total, None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(None), MofNCompleteColumn(), _rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, expand=True) as progress:
        yield Bar(total, progress)


@contextmanager
def byte_bar(name: str, quiet: bool) -> Iterator[Callable[[int, int | None], None]]:
    """A bar over one file: what it yields is told the bytes that are there, and of how many."""
    if quiet or not is_animated():
        yield _bytes_told(name)
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(None), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True, expand=True) as progress:
        task = progress.add_task(name, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _bytes_told(name: str) -> Callable[[int, int | None], None]:
    count = _Count(name, "MB", None)
    whole = 0

    def step(done: int, total: int | None) -> None:
        nonlocal whole
        count.total = total and total // 1_000_000
        more, whole = done // 1_000_000 - whole, done // 1_000_000
        if sentence := count.step(more, time.monotonic()):
            talk.say(sentence, name="progress", stage=name, data={"done": count.done, "total": count.total})

    return step


def _rate() -> ProgressColumn:
    from rich.progress import ProgressColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.1f} {task.fields['unit']}/s" if task.speed else "", style="dim")

    return Rate()
