"""`geoloc evaluate`: how good predictions are, ours or another tool's, against the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from geoloc_cli.cli import ablate as ablation
from geoloc_cli.cli import calibrate as learning
from geoloc_cli.cli import calibration as calibrations
from geoloc_cli.cli import evaluate_run, options, scores, talk
from geoloc_cli.cli.reports import Reports
from geoloc_cli.cli.table import printable
from geoloc_cli.errors import EXIT_SOME_FAILED, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from geoloc_cli.evaluate.columns import Role
    from geoloc_cli.evaluate.compared import Comparison
    from geoloc_cli.evaluate.run import RunOptions
    from geoloc_cli.evaluate.score import How, Score
    from geoloc_cli.evaluate.sources import Source

_PREDICTIONS: Any = typer.Argument(
    None,
    metavar="[PREDICTIONS...]",
    help="Lines of `geoloc locate`, or CSV, TSV, JSON, JSONL or GeoJSON of any tool; - is standard input.",
)
_TRUTH: Any = typer.Option(
    None,
    "--truth",
    metavar="FILE",
    help="Where the photos were taken: such a file, or a folder of geotagged photos. By default other columns of the "
    "predictions say it, or the queries themselves.",
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
_HTML: Any = typer.Option(
    None, "--html", metavar="FILE", help="Write a page of tables, maps, curves and the worst photos here, too."
)
_PUBLISHED: Any = typer.Option(
    [], "--published", metavar="SET", help="Show what others published on a data set, as im2gps3k; may be repeated."
)
_PICTURES: Any = typer.Option(
    [], "--pictures", metavar="DIR", help="Where reports find the pictures of the worst photos; may be repeated."
)
# What is for locating photographs, and means nothing for predictions that are there.
_RUNNING = (
    *("photos", "queries", "poses", "index", "map", "prior", "pose", "rerank", "retriever", "matcher", "solver"),
    *("top_k", "features", "descriptor", "leakage", "ablate", "calibration", "cache", "workers"),
)
# What is for scoring, and means nothing where it is learned how far sources are to be believed.
_SCORING = (
    *(
        "dataset",
        "root",
        "photos",
        "queries",
        "poses",
        "features",
        "descriptor",
        "out",
        "leakage",
        "ablate",
        "reproduce",
    ),
    *("levels", "confidence", "seed", "places", "html", "published", "pictures"),
)
# What an ablation, which measures distances alone, has nothing of.
_OF_WHOLE_RUNS = ("leakage", "places", "html", "published", "pictures")


def evaluate(
    ctx: typer.Context,
    predictions: list[str] = _PREDICTIONS,
    truth: str = _TRUTH,
    columns: list[str] = _COLUMNS,
    dataset: str = evaluate_run.DATASET,
    root: str = evaluate_run.ROOT,
    photos: str = evaluate_run.PHOTOS,
    queries: str = evaluate_run.QUERIES,
    poses: str = evaluate_run.POSES,
    index: str = evaluate_run.INDEX,
    map: str = evaluate_run.MAP,
    prior: list[str] = options.PRIOR,
    pose: bool = evaluate_run.POSE,
    rerank: str = options.RERANK,
    retriever: str = options.RETRIEVER,
    matcher: str = options.MATCHER,
    solver: str = options.SOLVER,
    top_k: int = options.TOP_K,
    features: str = options.FEATURES,
    descriptor: str = options.DESCRIPTOR,
    out: str = evaluate_run.OUT,
    leakage: bool = evaluate_run.LEAKAGE,
    ablate: bool = ablation.ABLATE,
    reproduce: str = evaluate_run.REPRODUCE,
    calibrate: str = learning.CALIBRATE,
    calibration: str = learning.KEPT,
    levels: str = _LEVELS,
    confidence: float = _CONFIDENCE,
    seed: int = _SEED,
    places: bool = _PLACES,
    html: str = _HTML,
    published: list[str] = _PUBLISHED,
    pictures: list[str] = _PICTURES,
    format: str = _FORMAT,
    cache: str = options.CACHE,
    offline: bool = options.OFFLINE,
    workers: int = options.WORKERS,
    dry_run: bool = typer.Option(False, "--dry-run", help="With --calibrate: show what is learned, and store nothing."),
    quiet: bool = options.QUIET,
) -> None:
    """Measure predictions against the truth, or locate the photos of a data set and measure that: the field's tables.

    Photos are matched by name. One without an answer counts as wrong. What is odd about a file, such as swapped lat and
    lon, is said on stderr with the guess at what happened, and never corrected. Several files are compared with each
    other by paired tests.

    With --dataset, or --photos and --queries, the queries are located first, and do not know where they were taken.

    With --calibrate it is learned how far the index, the map and the priors are to be believed; no figure is of photos
    that it was learned of.
    """
    from geoloc_cli.evaluate.columns import parse_columns
    from geoloc_cli.evaluate.evaluated import Evaluated
    from geoloc_cli.evaluate.published import published as published_rows
    from geoloc_cli.evaluate.run import RunOptions
    from geoloc_cli.evaluate.score import how_to_score
    from geoloc_cli.evaluate.sources import Source
    from geoloc_cli.evaluate.whole_run import Wanted
    from geoloc_cli.pipeline.calibration_file import NONE

    if calibrate is not None:
        if predictions:
            raise UsageError("Give --calibrate LABELLED or PREDICTIONS, and not both.")
        _refuse(ctx, _SCORING, "has no meaning with --calibrate")
        options_of = learning.Asked(index, map, pose, tuple(prior), rerank, retriever, matcher, solver, top_k, cache)
        labelled = learning.Labelled(calibrate, truth, parse_columns(columns)["truth"])
        learning.calibrate(labelled, options_of, calibration, format, workers, quiet, dry_run)
        return
    _refuse(ctx, ("dry_run",), "goes with --calibrate, which stores what it learns")
    scores.check(format)
    if reproduce is not None:
        evaluate_run.again(reproduce, out, workers, cache, format, quiet)
        return
    if dataset is not None and truth is not None:
        raise UsageError("--dataset states the truth itself; leave out --truth.")
    reports = Reports(html, out, pictures, published_rows(published))
    named = parse_columns(columns)
    how = how_to_score(levels, confidence, seed, places)
    source = Source(dataset, root, photos, queries, truth if photos else None, poses)
    if predictions:
        _refuse(ctx, _RUNNING, "is for locating photos, and these predictions are there already")
        scored = _scored(predictions, truth, source, named, how)
        runs = [Evaluated(score.predictions, score) for score in scored]
        comparisons = _compared(scored, how)
        scores.write(runs, comparisons, format, ends=confidence is not None, published=reports.published)
        reports.write(runs, comparisons, how)
        return
    if dataset is None and photos is None:
        raise UsageError(
            "Give a file of predictions, or what is to be located: --dataset NAME --root DIR, or --photos."
        )
    chosen = RunOptions(
        index=index,
        map=map,
        priors=tuple(prior),
        pose=pose,
        rerank=rerank,
        retriever=retriever,
        matcher=matcher,
        solver=solver,
        top_k=top_k,
        features=features,
        descriptor=descriptor,
    )
    source.check()
    if ablate and calibration not in (None, NONE):
        raise UsageError("--ablate takes each source at its word; leave out --calibration.")
    if not ablate:
        chosen = _calibrated(chosen, calibration)
    kept = evaluate_run.out_of(out, f"{source.name}-ablation" if ablate else source.name)
    wanted = Wanted(source, chosen, kept, how, evaluate_run.command(), leakage, named["truth"], cache)
    if ablate:
        _refuse(ctx, _OF_WHOLE_RUNS, "does not go with --ablate, whose table is of distances alone")
        ablation.run(wanted, workers, format, quiet, ends=confidence is not None)
        return
    finished = evaluate_run.locate_and_score(wanted, workers, quiet)
    scores.write([finished.figures], [], format, ends=confidence is not None, published=reports.published)
    reports.write([finished.figures], [], how, kept)
    if finished.record["counts"]["error"]:
        raise typer.Exit(EXIT_SOME_FAILED)


def _calibrated(options: RunOptions, calibration: str | None) -> RunOptions:
    """The options with what is known of how far sources are to be believed. Raises UsageError."""
    from dataclasses import replace

    from geoloc_cli.cli.locate import where

    given = options.index is not None or options.map is not None
    searched = where(options.index, options.map, False, None, options.solver, options.matcher)[0] if given else None
    file, digest = calibrations.of_a_run(calibration, options.priors, searched, options.retriever, options.matcher)
    return replace(options, calibration=file, calibration_digest=digest)


def _refuse(ctx: typer.Context, names: Sequence[str], why: str) -> None:
    """Raises UsageError where an option is given that could change nothing."""
    for name in names:
        source = ctx.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise UsageError(f"--{name.replace('_', '-')} {why}; leave it out.")


def _scored(
    predictions: list[str],
    truth: str | None,
    source: Source,
    columns: Mapping[Role, Mapping[str, str]],
    how: How,
) -> list[Score]:
    """Files against a truth: of a file, of a data set, or in the predictions themselves."""
    from geoloc_cli.evaluate.score import score_files
    from geoloc_cli.evaluate.sources import true_places
    from geoloc_cli.evaluate.truth import read_truth

    if source.dataset is not None:
        true = true_places(source.read(), named=True)
        if true is None:
            raise UsageError(f"{source.name} states no places, against which predictions could be scored.")
    else:
        true = read_truth(truth, columns["truth"]) if truth else None
    done = score_files(predictions, true, columns, how)
    for scored in done:
        for diagnosis in scored.diagnoses:
            talk.say(f"{printable(scored.predictions)}: {printable(diagnosis.sentence)}")
    return done


def _compared(done: Sequence[Score], how: How) -> list[Comparison]:
    """Each file against each other; where they cannot be compared, that is said, and the rest of the tables stands."""
    from geoloc_cli.evaluate.compared import compare

    try:
        return compare(done, how.sure)
    except UsageError as error:
        talk.say(f"Not compared: {printable(str(error))}")
        return []
