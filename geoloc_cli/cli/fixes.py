"""Reading of the lines that `geoloc locate` wrote."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from geoloc_cli.cli import talk
from geoloc_cli.cli.table import printable
from geoloc_cli.errors import UsageError
from geoloc_cli.types import Failure, Fix

# Of a file of another kind every line is wrong, and only the first of them say so.
_SAID_OF_A_FILE = 20


class FixReader:
    """Reads answers, and says which lines are none; they are told as `told_as` has them."""

    def __init__(self, told_as: Callable[[Fix | Failure], Fix | Failure]) -> None:
        self.bad = 0
        self._bad_here = 0
        self._told_as = told_as

    def answers(self, files: Iterable[str]) -> Iterator[Fix | Failure]:
        """Those of each file in turn, as they come; - is standard input. UsageError where a file cannot be read."""
        return map(self._told_as, self._read(files))

    def _read(self, files: Iterable[str]) -> Iterator[Fix | Failure]:
        from geoloc_cli.records import read_lines

        for name in files:
            called = "standard input" if name == "-" else name
            self._bad_here = 0
            try:
                if name == "-":
                    yield from read_lines(sys.stdin.buffer, called, self._wrong)
                else:
                    with Path(name).open("rb") as lines:
                        yield from read_lines(lines, called, self._wrong)
            except OSError as error:
                raise UsageError(f"{name} cannot be read ({error.strerror}); give lines of `geoloc locate`.") from error
            if self._bad_here > _SAID_OF_A_FILE:
                more = self._bad_here - _SAID_OF_A_FILE
                talk.warn(f"geoloc: {printable(called)}: {more} more lines were passed over.")

    def _wrong(self, sentence: str) -> None:
        self.bad += 1
        self._bad_here += 1
        if self._bad_here > _SAID_OF_A_FILE:
            return
        talk.warn(f"geoloc: {printable(sentence)}")
