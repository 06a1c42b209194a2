"""`geoloc export`: answers in the formats of other programs."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import typer

from geoloc_cli.cli import options
from geoloc_cli.cli.table import printable
from geoloc_cli.errors import EXIT_SOME_FAILED, UsageError
from geoloc_cli.types import Failure, Fix, Stage

_TO = "geojson|kml|gpx|csv"
_STAGES = "|".join(get_args(Stage))
_FIXES: Any = typer.Argument(
    ..., metavar="FIXES...", help="Lines of `geoloc locate`, as --format jsonl prints them; - is standard input."
)


def export(
    fixes: list[str] = _FIXES,
    to: str = typer.Option(..., "--to", metavar=_TO, help="What to write."),
    out: str = typer.Option(None, "--out", metavar="PATH", help="Where; text goes to standard output by default."),
    min_confidence: float = typer.Option(
        0.0, "--min-confidence", min=0.0, max=1.0, help="Leave out what is less sure to be within 1 km."
    ),
    stage: list[str] = typer.Option(
        [], "--stage", metavar=_STAGES, help="Only what rests on this; may be given several times."
    ),
    shapes: bool = typer.Option(False, "--shapes", help="geojson: circles of radius_m, and the way in time, too."),
    quiet: bool = options.QUIET,
) -> None:
    """Write the places of photos for maps, spreadsheets and photogrammetry.

    What has no place is left out, and counted on stderr. A line that is no answer is passed over with a sentence, and
    the exit status is then 1.
    """
    from geoloc_cli.export.formats import TEXTS, located, put

    if to not in TEXTS:
        raise UsageError(f"There is no form '{to}'; give one of {', '.join(TEXTS)}.")
    if unknown := set(stage) - set(get_args(Stage)):
        raise UsageError(f"There is no stage '{min(unknown)}'; give one of {', '.join(get_args(Stage))}.")
    left_out: Counter[str] = Counter()
    bad: list[str] = []
    chosen = list(located(_answers(fixes, bad), min_confidence, stage, left_out))
    content = TEXTS[to](chosen, left_out)
    if out is None:
        sys.stdout.buffer.write(content)
    else:
        put(Path(out), content)
    if not quiet:
        _tell(len(chosen), left_out)
    if bad:
        raise typer.Exit(EXIT_SOME_FAILED)


def _answers(files: list[str], bad: list[str]) -> Iterator[Fix | Failure]:
    from geoloc_cli.records import read_lines

    def wrong(sentence: str) -> None:
        bad.append(sentence)
        typer.echo(f"geoloc: {printable(sentence)}", err=True)

    for name in files:
        if name == "-":
            yield from read_lines(sys.stdin.buffer, "standard input", wrong)
            continue
        try:
            with Path(name).open("rb") as lines:
                yield from read_lines(lines, name, wrong)
        except OSError as error:
            raise UsageError(f"{name} cannot be read ({error.strerror}); give lines of `geoloc locate`.") from error


def _tell(written: int, left_out: Counter[str]) -> None:
    why = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
    typer.echo(f"{written} photos written{f'; left out: {why}' if why else ''}.", err=True)
