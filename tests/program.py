"""The program as its user calls it, within the process of the tests: the start of a fresh one costs half a second.

What only a process of its own can show stays in one: signals, broken pipes, several workers, what a start imports.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import ExitStack, chdir
from pathlib import Path
from unittest import mock

from geoloc_cli.cli.app import main


def called(
    *arguments: str | Path,
    given: str | bytes = b"",
    cwd: Path | None = None,
    environment: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """`geoloc ARGUMENTS` with `given` on standard input: its exit status, what it printed and what it said.

    `environment` is added to that of the tests, and what the call changes there is taken back. Where another would be
    shown a traceback, the exception fails the test.
    """
    command = ["geoloc", *map(str, arguments)]
    given = given.encode() if isinstance(given, str) else given
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors=how) for how in ("strict", "backslashreplace"))
    with ExitStack() as kept:
        kept.enter_context(mock.patch.dict(os.environ, environment or {}))
        for name, value in (("argv", command), ("stdin", io.TextIOWrapper(io.BytesIO(given), encoding="utf-8"))):
            kept.enter_context(mock.patch.object(sys, name, value))
        for name, stream in (("stdout", out), ("stderr", err)):
            kept.enter_context(mock.patch.object(sys, name, stream))
        if cwd is not None:
            kept.enter_context(chdir(cwd))
        try:
            main()
            status: int | str | None = 0
        except SystemExit as done:
            status = done.code
    if isinstance(status, str):
        err.write(f"{status}\n")
    return subprocess.CompletedProcess(
        command, status if isinstance(status, int) else int(bool(status)), _text(out), _text(err)
    )


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()
