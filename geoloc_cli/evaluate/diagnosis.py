"""What is said of a file that is to be scored: a doubt in plain words, with the numbers behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that is odd about a file, and the guess at what happened; nothing is ever corrected by it.

    `code` is for programs, `sentence` for a person, and `figures` are the numbers that the sentence gives.
    """

    code: str
    sentence: str
    figures: Mapping[str, float | int | str] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        return {"code": self.code, "sentence": self.sentence, "figures": dict(self.figures)}


def counted(number: int, noun: str) -> str:
    """So many of them, in the plural where it is not one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
