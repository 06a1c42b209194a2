"""`geoloc evaluate` within the process of the tests, which spares the start of one for each call."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from geoloc_cli.cli.app import main


@pytest.fixture
def geoloc(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Arguments of `geoloc evaluate` -> exit status, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["geoloc", "evaluate", *arguments])
        with pytest.raises(SystemExit) as done:
            main()
        out, err = capsys.readouterr()
        return int(done.value.code or 0), out, err

    return run
