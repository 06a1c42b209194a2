"""The table of `geoloc prior`: what each prior says and why, at any width, with nothing raw in it."""

from __future__ import annotations

import re

import pytest

from geoloc_cli.cli.output import writer
from geoloc_cli.types import Belief, Failure, Fix, PriorGuess


@pytest.mark.parametrize("width", [50, 60, 120])
def test_each_prior_says_why(width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    guesses = (
        PriorGuess("vlm", -48.8584, -122.2945, 2448_000.0, "A [red]sign[/red]\x1b[31m that says " + "much " * 100),
        PriorGuess("exif", None, None, None, "it knows nothing of this photo"),
    )
    long = "in/a-photo-with-a-long-name-that-is-folded.jpg"
    placed = Fix(long, "ok", "prior", -48.8584, -122.2945, None, 294_000.0, 0.07, Belief(), priors=guesses)
    bare = Fix("in/b.jpg", "unlocated", None, None, None, None, None, 0.0, Belief(), priors=guesses[1:])
    table = writer("table", explain=False, priors=True)
    for answer in (placed, bare, Failure("in/c\x07.jpg", "not_found", "in/c\x07.jpg is not there; check the path.")):
        table.write(answer)
    table.close()
    raw = capsys.readouterr().out
    assert "\x1b[31m" not in raw
    assert "\x07" not in raw
    shown = re.sub(r"\x1b\[[0-2]?m", "", raw)  # the table's own bold and dim
    assert "\x1b" not in shown
    assert max(len(line) for line in shown.splitlines()) <= width
    text = " ".join(shown.split())
    assert "photos in in/" in text
    assert "A [red]sign[/red]\\x1b[31m that says much much" in text
    assert "…" in text  # in short
    assert text.count("much") < 60
    assert text.count("-48.85840 -122.29450 294 km 0.07") == 1
    assert text.count("-48.85840 -122.29450 2448 km") == 1
    assert text.count("exif: it knows nothing of this photo") == 2
    assert "c\\x07.jpg is not there; check the path." in text
