"""`geoloc evaluate`: how good predictions are, ours or another tool's, against the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from geoloc_cli.cli import options, scores
from geoloc_cli.cli.table import printable
from geoloc_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoloc_cli.evaluate.compared import Comparison
    from geoloc_cli.evaluate.score import How, Score

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
_FORMAT: Any = typer.Option("table", "--format", metavar="|".join(scores.FORMATS), help="How the tables are written.")
_LEVELS: Any = typer.Option(
    None,
    "--levels",
    metavar="DISTANCE,...",
    help="Distances within which answers are counted; 1km,25km,200km,750km,2500km, and 1m,5m,10m,25m,100m where all "
    "true places lie within 10 km.",
)
_CONFIDENCE: Any = typer.Option(
    None,
    "--confidence",
    metavar="LEVEL",
    help="That of the intervals, 0.95 by default; where it is given, Markdown and LaTeX have intervals, too.",
)
_SEED: Any = typer.Option(0, "--seed", min=0, help="Of what is drawn by chance: the resamples behind intervals.")
_PLACES: Any = typer.Option(
    False, "--places", help="Count right countries, regions and cities, too, by the nearest town of the gazetteer."
)


def evaluate(
    predictions: list[str] = _PREDICTIONS,
    truth: str = _TRUTH,
    columns: list[str] = _COLUMNS,
    levels: str = _LEVELS,
    confidence: float = _CONFIDENCE,
    seed: int = _SEED,
    places: bool = _PLACES,
    format: str = _FORMAT,
    quiet: bool = options.QUIET,
) -> None:
    """Measure predictions against the truth: the field's tables, one row a file.

    Photos are matched by name. One without an answer counts as wrong. What is odd about a file, such as swapped lat and
    lon, is said on stderr with the guess at what happened, and never corrected. Several files are compared with each
    other by paired tests.
    """
    from geoloc_cli.evaluate.columns import parse_columns
    from geoloc_cli.evaluate.evaluated import Evaluated
    from geoloc_cli.evaluate.score import how_to_score, score_files
    from geoloc_cli.evaluate.truth import read_truth

    scores.check(format)
    named = parse_columns(columns)
    how = how_to_score(levels, confidence, seed, places)
    true = read_truth(truth, named["truth"]) if truth else None
    done = score_files(predictions, true, named, how)
    if not quiet:
        for scored in done:
            _tell(scored)
    runs = [Evaluated(scored.predictions, scored) for scored in done]
    scores.write(runs, _compared(done, how, quiet), format, ends=confidence is not None)


def _compared(done: Sequence[Score], how: How, quiet: bool) -> list[Comparison]:
    """Each file against each other; where they cannot be compared, that is said, and the rest of the tables stands."""
    from geoloc_cli.evaluate.compared import compare

    try:
        return compare(done, how.sure)
    except UsageError as error:
        if not quiet:
            typer.echo(f"Not compared: {printable(str(error))}", err=True)
        return []


def _tell(scored: Score) -> None:
    for diagnosis in scored.diagnoses:
        typer.echo(f"{printable(scored.predictions)}: {printable(diagnosis.sentence)}", err=True)
