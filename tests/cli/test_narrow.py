"""What people read at 60 columns, and on terminals that know ASCII alone."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from geoloc_cli.cli import backends, doctor, index, models, narrow, scores, streams
from geoloc_cli.cli.table import PriorTable, TableWriter, show, table
from geoloc_cli.engine.doctor import Finding
from geoloc_cli.evaluate.sheets import Cell, Sheet
from geoloc_cli.types import Belief, Candidate, Component, Failure, Fix, Pose, PriorGuess

if TYPE_CHECKING:
    from conftest import SmallTown

_PLACE = Component(-33.85678, 151.21530, 1234.0, 1.0)
_HELD = Pose(
    "m", True, (1, 0, 0, 0), (0, 0, 0), (0, 0, 0), None, 312.0, -11.0, 0.0, 99, 0.5, 1.0, None, None, "torch"
)  # fmt: skip
FIX = Fix(
    "holiday/a long name with 東京 in it.jpg",
    "ok",
    "pose",
    -33.85678,
    151.21530,
    None,
    1234.0,
    0.97,
    Belief((_PLACE,), 0.0),
    candidates=(Candidate("indexed/x.jpg", -33.85671, 151.21511, 0.81, score=0.9, matches=222, inliers=111),),
    pose=_HELD,
    priors=(PriorGuess("exif", -33.85670, 151.21500, 30.0, "said by the camera, " * 9),),
)
LOST = Failure("holiday/b.jpg", "not_found", "holiday/b.jpg does not exist; check the name, or whether it was moved.")


def answers(writer: Any) -> None:
    for answer in (FIX, LOST):
        writer.write(answer)
    writer.close()


def examined(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Finding("devices", "fault", "cannot be loaded: " + "a reason of many words " * 4, "pip install " * 9)]
    monkeypatch.setattr("geoloc_cli.engine.doctor.examine", lambda cache: found)
    with pytest.raises(Exception, match="1"):
        doctor.doctor(None, False, False)


def evaluated() -> None:
    heads = tuple(f"{n} km" for n in range(12))
    cells = tuple(Cell(f"{90 + n / 100:.2f} %", "88.88–99.99") for n in range(12))
    scores.write_sheets(
        [Sheet("Title", ("predictions",), heads, [(("fixes.jsonl",), cells)])], "table", ends=True, plain=True
    )


SHOWN: dict[str, tuple[Callable[..., None], tuple[str, ...]]] = {
    "locate": (
        lambda town, patch: answers(TableWriter(False)),
        ("-33.85678", "151.21530", "1234 m", "0.97", "heading 312°"),
    ),
    "locate --explain": (lambda town, patch: answers(TableWriter(True)), ("-33.85671", "151.21511")),
    "prior": (lambda town, patch: answers(PriorTable()), ("-33.85670", "151.21500", "30 m")),
    "index info": (lambda town, patch: index.info(town.index, False), ("59.95", "24.50", "sift and vlad")),
    "doctor": (lambda town, patch: examined(patch), ("FAULT devices", "remedy: pip")),
    "evaluate": (lambda town, patch: evaluated(), tuple(f"{90 + n / 100:.2f} %" for n in range(12))),
    "backends": (lambda town, patch: backends.backends(False), ("mutual-nn", "RootSIFT on the CPU")),
    "models": (lambda town, patch: models.list_models(False), ("megaloc", "to be pulled")),
}


@pytest.mark.parametrize("name", SHOWN)
def test_sixty_columns_are_enough(
    name: str, town: SmallTown, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rich.cells import cell_len

    monkeypatch.setenv("COLUMNS", "60")
    print_it, whole = SHOWN[name]
    print_it(town, monkeypatch)
    out = capsys.readouterr().out
    assert max(map(cell_len, out.splitlines())) <= 60
    assert "…" not in out or name == "prior"
    assert [text for text in whole if text not in out] == []


def test_the_area_of_an_index_is_folded_between_numbers(
    town: SmallTown, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    index.info(town.index, False)
    out = capsys.readouterr().out
    assert len(re.findall(r"\d+\.\d{5}\b", out)) == 4
    assert max(map(len, out.splitlines())) <= 40


def test_a_pipe_folds_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    said = "word " * 100
    assert narrow.pairs([("name", said)], 8) == f"name    {said}".rstrip()
    made = table(["choice"], ["number"] * 12)
    made.add_row("one", *["1234567890"] * 12)
    show(made)
    assert "number" in capsys.readouterr().out


def test_what_matters_least_goes_first_and_only_as_far_as_needed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for columns, kept in ((60, ("a", "b", "c")), (30, ("a", "c")), (18, ("a",))):
        monkeypatch.setenv("COLUMNS", str(columns))
        made = table(["name"], ["a", "b", "c"])
        made.add_row("n", *("1234567890",) * 3)
        show(made, least=("b", "c"))
        assert tuple(capsys.readouterr().out.split("\n")[1].split()[1:]) == kept


def test_ascii_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """As under PYTHONIOENCODING=ascii: the streams are made as Python makes them there, with strict errors."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii", errors="strict"))
    monkeypatch.setenv("COLUMNS", "60")
    streams.make_safe()
    answers(TableWriter(True))
    answers(PriorTable())
    sys.stdout.flush()
    text = raw.getvalue().decode("ascii")
    assert "heading 312 deg" in text
    assert "\\u6771\\u4eac" in text
    assert "-33.85678" in text
