"""Tables for a person: as wide as the terminal, numbers never cut, long names folded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from geoloc_cli.cli import narrow
from geoloc_cli.types import Candidate, Failure, Fix, PriorGuess

if TYPE_CHECKING:
    from rich.table import Table


# Of a table of priors: its numbers and how wide they are, the narrowest name, and how much of a reason is shown.
_NUMBERS = {"lat": 9, "lon": 10, "radius": 8, "conf.": 5}
_LEAST_NAME = 10
_RATIONALE = 240


def printable(text: str) -> str:
    """A name fit for a terminal: control characters and bytes that are no text are shown escaped, never sent raw."""
    shown = os.fsencode(text).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)


def length(metres: float) -> str:
    """A length as a person would say it."""
    if metres < 1.0:
        return f"{100.0 * metres:.0f} cm"
    if metres < 9.95:
        return f"{metres:.1f} m"
    return f"{metres:.0f} m" if metres < 10_000 else f"{metres / 1000:.0f} km"


def table(texts: Sequence[str], numbers: Sequence[str] = (), last: Sequence[str] = ()) -> Table:
    """An empty table: columns of text, of numbers (never folded), and of text again."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, title_justify="left", title_style="dim")
    for name in texts:
        made.add_column(name, overflow="fold")
    for name in numbers:
        made.add_column(name, justify="right", no_wrap=True)
    for name in last:
        made.add_column(name, overflow="fold")
    return made


def show(made: Table, least: Sequence[str] = ()) -> None:
    """Prints a table: as wide as the terminal, and in a file or a pipe as wide as it needs to be.

    least: heads of columns that go where there is no room for all, the first first.
    """
    from rich.console import Console

    console = Console(width=narrow.width())
    for part in narrow.fitted(made, console.width, least):
        console.print(part)


class TableWriter:
    """A table of all answers, printed when all is done; names are given within the folder that they share."""

    def __init__(self, explain: bool) -> None:
        self._explain = explain
        self._answers: list[Fix | Failure] = []

    def write(self, answer: Fix | Failure) -> None:
        self._answers.append(answer)

    def close(self) -> None:
        from rich.text import Text

        from geoloc_cli.photos.scan import common_folder

        made = table(["photo"], ["lat", "lon", "radius", "conf.", "inliers"], ["stage or reason"])
        folder = common_folder(answer.photo for answer in self._answers)
        seen = [c.photo for answer in self._answers if isinstance(answer, Fix) for c in answer.candidates]
        candidates_folder = common_folder(seen)
        titles = [f"photos in {printable(folder)}"] if folder else []
        if self._explain and candidates_folder:
            titles.append(f"candidates in {printable(candidates_folder)}")
        made.title = Text("\n".join(titles)) if titles else None
        for answer in self._answers:
            made.add_row(*(Text(cell) for cell in _row(answer, len(folder))))
            if self._explain and isinstance(answer, Fix):
                for candidate in answer.candidates:
                    cells = _candidate_row(candidate, len(candidates_folder))
                    made.add_row(*(Text(cell, style="dim") for cell in cells))
        show(made, least=("inliers", "conf."))
        for answer in self._answers:
            if isinstance(answer, Failure):
                print("\n".join(narrow.lines(printable(answer.message))))


class PriorTable:
    """What the priors say together of each photo, and under it what each says and why; printed when all is done."""

    def __init__(self) -> None:
        self._answers: list[Fix | Failure] = []

    def write(self, answer: Fix | Failure) -> None:
        self._answers.append(answer)

    def close(self) -> None:
        from rich.console import Console, Group
        from rich.padding import Padding
        from rich.table import Table
        from rich.text import Text

        from geoloc_cli.photos.scan import common_folder

        console = Console(width=narrow.width())
        folder = common_folder(answer.photo for answer in self._answers)
        if folder:
            console.print(Text(f"photos in {printable(folder)}", style="dim"))
        longest = max((len(printable(answer.photo[len(folder) :])) for answer in self._answers), default=0)
        names = max(_LEAST_NAME, min(max(longest, _LEAST_NAME), console.width - sum(_NUMBERS.values()) - len(_NUMBERS)))

        def row(cells: Sequence[str], style: str = "") -> Table:
            made = Table.grid(padding=(0, 1, 0, 0))
            made.add_column(width=names, overflow="fold")
            for width in _NUMBERS.values():
                made.add_column(width=width, justify="right", no_wrap=True)
            made.add_row(*(Text(cell, style=style) for cell in cells))
            return made

        def under(text: str, indent: int) -> Padding:
            short = text if len(text) <= _RATIONALE else f"{text[: _RATIONALE - 1].rstrip()}…"
            return Padding(Text(short, style="dim"), (0, 0, 0, indent))

        console.print(row(("photo", *_NUMBERS), "bold"))
        for answer in self._answers:
            name = printable(answer.photo[len(folder) :])
            if isinstance(answer, Failure):
                console.print(Group(row((name, "", "", "", "")), under(printable(answer.message), 2)))
                continue
            by_cell = answer.disclosed is not None
            console.print(row((name, *_place(answer, by_cell), f"{answer.confidence:.2f}")))
            for guess in answer.priors:
                by, why = printable(guess.name), printable(guess.rationale)
                if guess.lat is None:
                    console.print(under(f"{by}: {why}", 2))
                else:
                    console.print(Group(row((f"  {by}", *_place(guess, by_cell), ""), "dim"), under(why, 4)))


def _place(said: Fix | PriorGuess, by_cell: bool) -> tuple[str, str, str]:
    if said.lat is None or said.lon is None or said.radius_m is None:
        return "", "", ""
    return _degrees(said.lat, by_cell), _degrees(said.lon, by_cell), length(said.radius_m)


def _degrees(value: float, by_cell: bool) -> str:
    """To a metre; the middle of a cell with the few digits that it has."""
    return f"{value:g}" if by_cell else f"{value:.5f}"


def _row(answer: Fix | Failure, cut: int) -> tuple[str, ...]:
    name = printable(answer.photo[cut:])
    if isinstance(answer, Failure):
        return name, "", "", "", "", "", answer.code
    if answer.lat is None or answer.lon is None or answer.radius_m is None:
        return name, "", "", "", f"{answer.confidence:.2f}", "", str(answer.reason or f"{answer.stage}, in the map")
    inliers = next((str(c.inliers) for c in answer.candidates if c.inliers), "")
    place = _place(answer, answer.disclosed is not None)
    return name, *place, f"{answer.confidence:.2f}", inliers, _stage(answer)


def _stage(answer: Fix) -> str:
    """What the answer rests on, how the camera was held, and why there is no pose where one was asked for."""
    held = answer.pose
    if answer.stage == "pose" and held is not None and held.heading_deg is not None and held.pitch_deg is not None:
        return f"pose, heading {held.heading_deg:.0f}°, pitch {held.pitch_deg:+.0f}°"
    told = f"told by {answer.disclosed.level}" if answer.disclosed else None
    return ", ".join(str(part) for part in (answer.stage, answer.reason, told) if part)


def _candidate_row(candidate: Candidate, cut: int) -> tuple[str, ...]:
    place = tuple("-" if degrees is None else f"{degrees:.5f}" for degrees in (candidate.lat, candidate.lon))
    seen = "-" if candidate.inliers is None else f"{candidate.inliers}/{candidate.matches}"
    why = f"similar {candidate.similarity:.2f}, score {candidate.score:.2f}"
    return f"  {printable(candidate.photo[cut:])}", *place, "", "", seen, why
