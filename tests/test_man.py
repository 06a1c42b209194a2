"""The manual page: whole, as groff wants it, and the same as the program's own help."""

from __future__ import annotations

import shutil
import subprocess

import pytest

import check_docs
import make_man
from geoloc_cli.cli.examples import EXAMPLES


@pytest.mark.skipif(not shutil.which("groff"), reason="no groff")
def test_groff_has_nothing_to_complain_of_and_shows_every_command() -> None:
    command = ["groff", "-man", "-Tascii", "-ww", "-rcR=1", "-P-cbou", str(make_man.PAGE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    shown = " ".join(done.stdout.split())
    paths = [command.path for command in check_docs.commands()]
    assert [path for path in paths if f"{path} " not in shown] == []
    assert [line for path in paths for line in EXAMPLES[path] if line not in shown] == []
    assert "Where to. Default: sidecar." in shown


def test_signs_of_groff_are_written_as_it_wants_them() -> None:
    assert make_man._text("`a-b` \\n 5° 'c'") == [r"\fBa\-b\fR \en 5\[u00B0] \(aqc\(aq"]
    assert make_man._text(".SH is no heading here") == [r"\&.SH is no heading here"]


def test_the_page_is_fresh() -> None:
    assert make_man.PAGE.read_text(encoding="utf-8") == make_man.page()
