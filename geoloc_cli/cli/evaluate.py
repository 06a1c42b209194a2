"""`geoloc evaluate`: how good predictions are, ours or another tool's, against the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from geoloc_cli.cli import options, scores
from geoloc_cli.cli.table import printable

if TYPE_CHECKING:
    from geoloc_cli.evaluate.score import Score

_PREDICTIONS: Any = typer.Argument(
    ...,
    metavar="PREDICTIONS...",
    help="Lines of `geoloc locate`, or CSV, TSV, JSON, JSONL or GeoJSON of any tool; - is standard input.",
)
_TRUTH: Any = typer.Option(
    None,
    "--truth",
    metavar="FILE",
    help="Where the photos were taken: such a file, or a folder of geotagged photos. By default other columns of the "
    "predictions say it.",
)
_COLUMNS: Any = typer.Option(
    [],
    "--columns",
    metavar="KEY=NAME",
    help="What a column is called, as in lat=predicted_lat, or truth.lat=label_lat; may be given several times.",
)
_FORMAT: Any = typer.Option("table", "--format", metavar="|".join(scores.FORMATS), help="How the table is written.")


def evaluate(
    predictions: list[str] = _PREDICTIONS,
    truth: str = _TRUTH,
    columns: list[str] = _COLUMNS,
    format: str = _FORMAT,
    quiet: bool = options.QUIET,
) -> None:
    """Measure predictions against the truth: the field's table of distances, one row a file.

    Photos are matched by name. One without an answer counts as wrong. What is odd about a file, such as swapped lat and
    lon, is said on stderr with the guess at what happened, and never corrected.
    """
    from geoloc_cli.evaluate.columns import parse_columns
    from geoloc_cli.evaluate.score import score
    from geoloc_cli.evaluate.truth import read_truth

    scores.check(format)
    named = parse_columns(columns)
    true = read_truth(truth, named["truth"]) if truth else None
    done = [score(path, true, named) for path in predictions]
    if not quiet:
        for scored in done:
            _tell(scored)
    scores.write(done, format)


def _tell(scored: Score) -> None:
    for diagnosis in scored.diagnoses:
        typer.echo(f"{printable(scored.predictions)}: {printable(diagnosis.sentence)}", err=True)
