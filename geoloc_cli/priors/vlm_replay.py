"""Recorded answers in place of a model: the same parser and everything after it, and no photograph needed."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from geoloc_cli.errors import UsageError
from geoloc_cli.priors.vlm_belief import Resolve, belief_of, scales_from
from geoloc_cli.priors.vlm_context import contexts_in, with_contexts
from geoloc_cli.priors.vlm_parse import parse
from geoloc_cli.priors.vlm_places import by_gazetteer
from geoloc_cli.types import Belief, Photo, PriorGuess

# The columns by which a photo and its answer are known; the second pair is that of published predictions.
_PHOTO, _ANSWER = ("photo", "image_name", "image", "path"), ("answer", "model_response", "response", "text")


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """`file`: CSV with a header, or JSON lines, with `photo` and `answer`; a photo that stands twice has two samples.

    `calibration`: a file of scales and `model` its entry, as `scales_from` reads it. `context`: the answers say what
    the photos show, for a policy (`vlm_context.py`), too.
    """

    file: str = ""
    calibration: str = ""
    model: str = ""
    context: bool = False

    def check(self) -> None:
        if self.model and not self.calibration:
            raise UsageError("model names an entry of a calibration; give calibration=FILE as well.")


class ReplayPrior:
    """What a model once said of a photo, found by the photo's path, else by its file name where that is unique."""

    name = "vlm-replay"

    def __init__(self, options: ReplayOptions, resolve: Resolve | None = by_gazetteer) -> None:
        """resolve: where names are; None leaves them text. Raises UsageError where the options are not whole."""
        options.check()
        if not options.file:
            raise UsageError("vlm-replay needs the file of recorded answers; give vlm-replay?file=ANSWERS.csv.")
        self.options = options
        self._resolve = resolve
        self._scales = scales_from(options.calibration, options.model)
        self._answers: dict[str, list[str]] = {}
        for photo, answer in _rows(Path(options.file)):
            self._answers.setdefault(photo, []).append(answer)
        self._by_file_name: dict[str, list[str]] = {}
        for photo in self._answers:
            self._by_file_name.setdefault(PurePosixPath(photo).name, []).append(photo)

    def photos(self) -> list[str]:
        """The photos of the file, in its order."""
        return list(self._answers)

    def believe(self, photo: Photo) -> tuple[Belief, PriorGuess] | None:
        return self.recall(photo.path)

    def recall(self, photo: str) -> tuple[Belief, PriorGuess] | None:
        """The belief about a photo of this name; None where the file has no answer about it, or none with a place."""
        named = self._answers.get(photo)
        if named is None:
            same = self._by_file_name.get(PurePosixPath(photo).name, [])
            named = self._answers[same[0]] if len(same) == 1 else []
        found = belief_of(self.name, [parse(text) for text in named], self._scales, self._resolve)
        if self.options.context:
            return with_contexts(self.name, found, [contexts_in(text) for text in named])
        return found


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            rows = _json_lines(path, lines) if path.suffix.lower() in (".jsonl", ".ndjson") else csv.DictReader(lines)
            for number, row in enumerate(rows, 1):
                photo, answer = (next((row[key] for key in keys if key in row), None) for keys in (_PHOTO, _ANSWER))
                if not isinstance(photo, str) or not isinstance(answer, str):
                    raise UsageError(f"{path}: entry {number} has no photo or no answer; give both, as text.")
                yield photo, answer
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); give a CSV or JSONL file of answers.") from error
    except csv.Error as error:
        raise UsageError(f"{path} is no CSV that can be read ({error}); repair it, or write JSON lines.") from error


def _json_lines(path: Path, lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{path}: line {number} is not JSON; give one object a line.") from error
        if not isinstance(row, dict):
            raise UsageError(f"{path}: line {number} is no object; give photo and answer.")
        yield row
