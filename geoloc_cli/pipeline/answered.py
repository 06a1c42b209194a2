"""A file of answers that grows line by line, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from geoloc_cli.errors import UsageError
from geoloc_cli.records import dumps, from_record
from geoloc_cli.types import Failure, Fix


class Answered:
    """The answers that a file holds, by photo, and those that are added to it; without a file nothing is kept."""

    def __init__(self, file: str | None, option: str = "--resume") -> None:
        """option: that which named the file. Raises UsageError where it holds anything else, or cannot be written.

        A last line that an interruption tore is dropped: that photo is done again.
        """
        self.answers: dict[str, Fix | Failure] = {}
        self._out: BinaryIO | None = None
        if file is None:
            return
        path = Path(file)
        whole = 0
        if path.exists():
            for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    answer = from_record(json.loads(line))
                except (ValueError, UsageError) as error:
                    raise UsageError(
                        f"{file}, line {number}, is no answer of this program ({error}); give a new file to {option}."
                    ) from error
                self.answers[answer.photo] = answer
                whole += len(line)
        try:
            out = path.open("r+b" if path.exists() else "w+b")
        except OSError as error:
            raise UsageError(f"{file} cannot be written ({error.strerror}); give another file to {option}.") from error
        out.truncate(whole)
        out.seek(whole)
        self._out = out

    def in_order(self, paths: Iterable[str], fresh: Iterator[Fix | Failure]) -> Iterator[Fix | Failure]:
        """The answer of each path: the one that is there, else the next of `fresh`, which is kept."""
        for path in paths:
            known = self.answers.get(path)
            if known is not None:
                yield known
                continue
            answer = next(fresh)
            self.keep(answer)
            yield answer

    def keep(self, answer: Fix | Failure) -> None:
        """Adds an answer, on its way to the disk when this returns."""
        if self._out is not None:
            self._out.write(dumps(answer).encode() + b"\n")
            self._out.flush()

    def close(self) -> None:
        if self._out is not None:
            os.fsync(self._out.fileno())
            self._out.close()
