"""A file of answers that grows line by line, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Generic, Protocol, TypeVar

from geoloc_cli.errors import UsageError
from geoloc_cli.records import dumps, from_record
from geoloc_cli.types import Failure, Fix


class _OfAPhoto(Protocol):
    @property
    def photo(self) -> str: ...


A = TypeVar("A", bound=_OfAPhoto)


class Lines(Generic[A]):
    """The answers that a file holds, by photo, and those that are added to it; without a file nothing is kept."""

    def __init__(
        self, file: str | None, option: str, read: Callable[[dict[str, Any]], A], write: Callable[[A], str]
    ) -> None:
        """option: that which named the file; read, write: of an answer and its line's JSON.

        Raises UsageError where the file holds anything else, or cannot be written. A last line that an interruption
        tore is dropped: that photo is done again.
        """
        self.answers: dict[str, A] = {}
        self._write = write
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
                    answer = read(json.loads(line))
                except (ValueError, KeyError, TypeError, AttributeError, UsageError) as error:
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

    def in_order(self, paths: Iterable[str], fresh: Iterator[A]) -> Iterator[A]:
        """The answer of each path: the one that is there, else the next of `fresh`, which is kept."""
        for path in paths:
            known = self.answers.get(path)
            if known is not None:
                yield known
                continue
            answer = next(fresh)
            self.keep(answer)
            yield answer

    def keep(self, answer: A) -> None:
        """Adds an answer, on its way to the disk when this returns."""
        if self._out is not None:
            self._out.write(self._write(answer).encode() + b"\n")
            self._out.flush()

    def close(self) -> None:
        if self._out is not None:
            os.fsync(self._out.fileno())
            self._out.close()


class Answered(Lines[Fix | Failure]):
    """The lines of `geoloc locate`."""

    def __init__(
        self,
        file: str | None,
        option: str = "--resume",
        told: Callable[[Fix | Failure], Fix | Failure] = lambda answer: answer,
    ) -> None:
        """told: what of an answer is written to the file."""
        super().__init__(file, option, from_record, lambda answer: dumps(told(answer)))
