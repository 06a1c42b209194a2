"""A recorded run done again, and what differs: versions, photographs, answers, figures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.run import FIXES
from geoloc_cli.photos.opening import shown

_LISTED = 5
# What a run takes is never the same twice.
_TIMES = ("timing_ms",)


@dataclass(frozen=True, slots=True)
class Repetition:
    """How a run done again compares with the first: each difference is its name, what was then, and what is now.

    `answers` are of photographs, by path, and tell of the parts of the record that differ; `alike` is how many records
    are equal but for their timing.
    """

    versions: tuple[tuple[str, str, str], ...]
    same_photos: bool
    alike: int
    answers: tuple[tuple[str, str, str], ...]
    figures: tuple[tuple[str, str, str], ...]

    @property
    def equal(self) -> bool:
        """Whether all answers and figures are the same."""
        return self.same_photos and not self.answers and not self.figures

    def sentences(self) -> list[str]:
        """What there is to say, one sentence each, the answers first."""
        count = self.alike + len(self.answers)
        said = [f"{self.alike} of {count} answers are equal but for their timing."]
        said += [f"{photo}: {then}, now {now}." for photo, then, now in self.answers[:_LISTED]]
        if not self.same_photos:
            said.append("The photographs of the set, or their places, are not those of the first run.")
        if self.figures:
            said.append(f"{len(self.figures)} figures differ, such as {_told(self.figures)}.")
        if self.versions:
            said.append(f"Versions differ: {_told(self.versions)}.")
        return said


def _told(differences: tuple[tuple[str, str, str], ...]) -> str:
    return "; ".join(f"{name} {then}, now {now}" for name, then, now in differences[:_LISTED])


def compare_runs(first: Mapping[str, Any], first_out: Path, again: Mapping[str, Any], out: Path) -> Repetition:
    """The records of two runs and the answers in their folders. Raises UsageError where answers cannot be read."""
    then, now = _answers(first_out / FIXES), _answers(out / FIXES)
    photos = dict.fromkeys([*then, *now])
    answers = tuple(
        (photo, *_difference(then.get(photo), now.get(photo))) for photo in photos if then.get(photo) != now.get(photo)
    )
    return Repetition(
        versions=tuple(_differences(first["made_by"], again["made_by"])),
        same_photos=first["set"]["digest"] == again["set"]["digest"],
        alike=len(photos) - len(answers),
        answers=answers,
        figures=tuple(_differences(first.get("figures"), again["figures"])),
    )


def _answers(path: Path) -> dict[str, dict[str, Any]]:
    """Records by photograph, without what is a matter of time or of the folder that the run is kept in."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        records = [json.loads(line) for line in lines]
        return {str(record["photo"]): _settled(record) for record in records}
    except OSError as error:
        raise UsageError(
            f"{shown(str(path))} cannot be read ({error.strerror}); it lies beside its run.json."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{shown(str(path))} holds a line that is no answer ({error!r}).") from error


def _settled(record: dict[str, Any]) -> dict[str, Any]:
    settled = {key: value for key, value in record.items() if key not in _TIMES}
    if settled.get("pose"):
        settled["pose"] = {**settled["pose"], "map": settled["pose"]["map"].rpartition("#")[2]}
    return settled


def _difference(then: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> tuple[str, str]:
    if then is None or now is None:
        return ("no answer" if then is None else "an answer", "no answer" if now is None else "an answer")
    name, before, after = next(_differences(then, now))
    return f"{name} {before}", after


def _differences(then: Any, now: Any, name: str = "") -> Iterator[tuple[str, str, str]]:
    """The leaves of two JSON values that differ, by the way that leads to them; their order is that of the first."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*then, *now]):
            yield from _differences(then.get(key), now.get(key), f"{name}.{key}" if name else str(key))
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for place, pair in enumerate(zip(then, now, strict=True)):
            yield from _differences(*pair, f"{name}[{place}]")
    elif then != now:
        yield name, _text(then), _text(now)


def _text(value: Any) -> str:
    if isinstance(value, list | dict):
        return f"{len(value)} of them"
    return "none" if value is None else shown(str(value))
