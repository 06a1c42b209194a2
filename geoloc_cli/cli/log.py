"""Events as a person reads them, and as lines of JSON."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import TextIO

from geoloc_cli.cli.redaction import redacted, redacted_json
from geoloc_cli.cli.table import printable


def _first_line(record: logging.LogRecord) -> str:
    """Its message; of those of other programs, which may go on for many lines, the first."""
    return (record.getMessage().strip().splitlines() or [""])[0]


class PersonHandler(logging.Handler):
    """One sentence an event on stderr, as that is at the time: a bar of progress puts itself in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "told", False):
            return
        sys.stderr.write(f"geoloc: {printable(redacted(_first_line(record)))}\n")
        sys.stderr.flush()


class JsonHandler(logging.Handler):
    """One JSON object an event, with the keys that README.md lists, flushed; to stderr where there is no path."""

    def __init__(self, level: int, path: str | None) -> None:
        super().__init__(level)
        self._file: TextIO | None = open(path, "a", encoding="utf-8", errors="surrogateescape") if path else None  # noqa: SIM115

    def emit(self, record: logging.LogRecord) -> None:
        photo = getattr(record, "photo", None)
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", "log"),
            "photo": photo and redacted(photo),
            "stage": getattr(record, "stage", None),
            "seconds": getattr(record, "seconds", None),
            "message": redacted_json(_first_line(record)),
            "data": redacted_json(getattr(record, "data", None)),
        }
        out = self._file or sys.stderr
        if out.closed:
            return
        try:
            out.write(json.dumps(line) + "\n")
            out.flush()
        except OSError as error:
            # Answers are worth more than their log.
            self._shut()
            sys.stderr.write(f"geoloc: --log-json cannot be written any more ({error.strerror}); the run goes on.\n")

    def close(self) -> None:
        self._shut()
        super().close()

    def _shut(self) -> None:
        if self._file:
            with suppress(OSError):  # what could not be written before cannot be now
                self._file.close()
