"""A recorded run done again, and what differs: versions, photographs, answers, figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.run import FIXES
from geoloc_cli.photos.opening import shown
from geoloc_cli.pipeline.provenance import Difference, differences, settled, told

_LISTED = 5


@dataclass(frozen=True, slots=True)
class Repetition:
    """How a run done again compares with the first: each difference is its name, what was then, and what is now.

    `answers` are of photographs, by path, and tell of the parts of the record that differ; `alike` is how many records
    are equal but for their timing.
    """

    versions: tuple[Difference, ...]
    same_photos: bool
    alike: int
    answers: tuple[Difference, ...]
    figures: tuple[Difference, ...]

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
            said.append(f"{len(self.figures)} figures differ, such as {told(self.figures)}.")
        if self.versions:
            said.append(f"Versions differ: {told(self.versions)}.")
        return said


def compare_runs(first: Mapping[str, Any], first_out: Path, again: Mapping[str, Any], out: Path) -> Repetition:
    """The records of two runs and the answers in their folders. Raises UsageError where answers cannot be read."""
    then, now = _answers(first_out / FIXES), _answers(out / FIXES)
    photos = dict.fromkeys([*then, *now])
    answers = tuple(
        (photo, *_difference(then.get(photo), now.get(photo))) for photo in photos if then.get(photo) != now.get(photo)
    )
    return Repetition(
        versions=tuple(differences(first["made_by"], again["made_by"])),
        same_photos=first["set"]["digest"] == again["set"]["digest"],
        alike=len(photos) - len(answers),
        answers=answers,
        figures=tuple(differences(first.get("figures"), again["figures"])),
    )


def _answers(path: Path) -> dict[str, dict[str, Any]]:
    """Records by photograph, without what is a matter of time or of the folder that the run is kept in."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        records = [json.loads(line) for line in lines]
        return {str(record["photo"]): settled(record) for record in records}
    except OSError as error:
        raise UsageError(
            f"{shown(str(path))} cannot be read ({error.strerror}); it lies beside its run.json."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{shown(str(path))} holds a line that is no answer ({error!r}).") from error


def _difference(then: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> tuple[str, str]:
    if then is None or now is None:
        return ("no answer" if then is None else "an answer", "no answer" if now is None else "an answer")
    name, before, after = next(differences(then, now))
    return f"{name} {before}", after
