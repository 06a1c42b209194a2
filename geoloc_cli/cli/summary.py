"""What a run over photos came to: how many were located, how long it took, and which photo took longest."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from geoloc_cli.cli import talk
from geoloc_cli.cli.progress import duration
from geoloc_cli.cli.table import printable
from geoloc_cli.types import Failure, Fix

# A wider answer is counted as coarse; it is the distance that `confidence` is about, too.
COARSE_M = 1000.0
_WORTH_NAMING_S = 0.1


@dataclass(slots=True)
class Tally:
    """Counts answers as they come, and logs each."""

    located: int = 0
    coarse: int = 0
    unlocated: int = 0
    failed: int = 0
    slowest: str | None = None
    slowest_s: float = 0.0
    began: float = field(default_factory=time.monotonic)

    def add(self, answer: Fix | Failure) -> None:
        """Counts one answer."""
        if isinstance(answer, Failure):
            self.failed += 1
            _log(answer.photo, answer.code, "error", answer.code)
            return
        if answer.status == "unlocated":
            self.unlocated += 1
        elif answer.radius_m is not None and answer.radius_m > COARSE_M:
            self.coarse += 1
        else:
            self.located += 1
        seconds = sum(answer.timing_ms.values()) / 1000.0
        if seconds > self.slowest_s:
            self.slowest, self.slowest_s = answer.photo, seconds
        for stage, ms in answer.timing_ms.items():
            said = f"{answer.photo}: {stage}, {ms / 1e3:.3f} s"
            talk.event("stage", said, level="debug", photo=answer.photo, stage=stage, seconds=ms / 1e3)
        came_to = ", ".join(part for part in (answer.status, answer.stage, answer.reason) if part)
        _log(answer.photo, f"{came_to}; {seconds:.2f} s", answer.status, answer.reason, answer.stage, seconds)

    @property
    def photos(self) -> int:
        return self.located + self.coarse + self.unlocated + self.failed

    def tell(self, more: str = "") -> None:
        """The summary: a sentence on stderr, and one event."""
        seconds = time.monotonic() - self.began
        counts = {"located": self.located, "coarse": self.coarse, "unlocated": self.unlocated, "failed": self.failed}
        told = ", ".join(f"{number} {name}" for name, number in counts.items())
        said = f"{self.photos} photo{'' if self.photos == 1 else 's'}: {told}"
        took = f"{seconds:.1f} s" if seconds < 60.0 else duration(seconds)
        if self.slowest_s >= _WORTH_NAMING_S:
            took += f", the slowest {printable(self.slowest or '')} with {self.slowest_s:.1f} s"
        slowest = {"slowest": self.slowest, "slowest_s": self.slowest_s}
        data = {"photos": self.photos, **counts, **slowest}
        talk.say(f"{said}; {took}.{more}", name="summary", photo=None, seconds=seconds, data=data)


def _log(
    photo: str, said: str, status: str, reason: str | None, stage: str | None = None, seconds: float | None = None
) -> None:
    """The event of a photo; where nobody asks for more, the answers themselves tell of one that failed."""
    talk.event(
        "photo",
        f"{photo}: {said}",
        level="warning" if status == "error" else "info",
        photo=photo,
        stage=stage,
        seconds=seconds,
        data={"status": status, "reason": reason},
        told=not talk.is_verbose(),
    )
