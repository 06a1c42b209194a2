"""The running half of `geoloc evaluate`: over a data set or a folder, from the photographs to the tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from geoloc_cli.cli import asking, talk
from geoloc_cli.cli.progress import bar
from geoloc_cli.cli.table import printable
from geoloc_cli.errors import EXIT_SOME_FAILED, UsageError

if TYPE_CHECKING:
    from geoloc_cli.evaluate.whole_run import Finished, Wanted

DATASET: Any = typer.Option(
    None, "--dataset", metavar="NAME", help="Locate the queries of this published data set, and score them."
)
ROOT: Any = typer.Option(None, "--root", metavar="DIR", help="Where the data set lies.")
PHOTOS: Any = typer.Option(
    None, "--photos", metavar="FOLDER", help="Locate photos of your own: those that --queries names, among the others."
)
QUERIES: Any = typer.Option(
    None,
    "--queries",
    metavar="FILE",
    help="Of --photos: a list of names, one a line or as JSON, or a folder of photos.",
)
POSES: Any = typer.Option(
    None,
    "--poses",
    metavar="FILE",
    help="Of --photos: how the cameras were held, as `geoloc map import` reads it.",
)
INDEX: Any = typer.Option(
    None, "--index", metavar="DIR", help="Search in this index; by default one is made of the set's references."
)
MAP: Any = typer.Option(None, "--map", metavar="DIR", help="Search in this map instead.")
POSE: Any = typer.Option(False, "--pose", help="Poses, too: in a map made of the references where no other is given.")
OUT: Any = typer.Option(
    None,
    "--out",
    metavar="DIR",
    help="Where the run and its report are kept, and a run goes on that was interrupted; runs/NAME by default. Of "
    "predictions, where the page, Markdown, LaTeX, CSV and JSON are written.",
)
LEAKAGE: Any = typer.Option(
    None,
    "--leakage/--no-leakage",
    help="Look for queries that lie in the references as the same picture; by default up to 20 000 photos.",
)
REPRODUCE: Any = typer.Option(None, "--reproduce", metavar="RUN.JSON", help="Do this run again, and say what differs.")


def locate_and_score(wanted: Wanted, workers: int | None, quiet: bool) -> Finished:
    """The run, with a bar of its progress, and on stderr what was odd about the set and the answers."""
    from geoloc_cli.engine.local import LocalPool
    from geoloc_cli.evaluate.whole_run import whole_run

    labelled = wanted.source.read(wanted.columns)
    for note in labelled.notes:
        _say(note)
    total = len(labelled.queries) + (0 if wanted.options.index or wanted.options.map else len(labelled.references))
    with bar(total, quiet) as shown:
        finished = whole_run(wanted, labelled, LocalPool(workers), shown.step)
    _tell(finished, wanted)
    return finished


def _tell(finished: Finished, wanted: Wanted) -> None:
    record = finished.record
    for sentence in record["leakage"].get("sentences", ()):
        _say(f"leakage: {sentence}")
    asking.tell_reports(finished.done.reports)
    figures = finished.figures
    for diagnosis in figures.score.diagnoses if figures.score else ():
        _say(diagnosis.sentence)
    if not (figures.score or figures.retrieval or figures.poses):
        _say(f"Nothing of {figures.name} could be scored: it states no places, no right references and no poses.")
    if record["submission"]:
        _say(f"{wanted.out / record['submission']} is what the server of {figures.name} takes.")
    if record["options"]["calibration"]:
        _say(f"Calibrated by {record['options']['calibration']}, each photo by what was learned without it.")
    counts, times = record["counts"], record["timings"]
    kept = f" ({times['kept_answers']} of them before)" if times["kept_answers"] else ""
    seconds = times["seconds"]
    _say(
        f"{wanted.out}: {sum(counts.values())} queries{kept}, {counts['ok']} located, {counts['unlocated']} unlocated, "
        f"{counts['error']} failed; {seconds['index']:.1f} s to make what is searched, {seconds['locate']:.1f} s to "
        "locate."
    )


def _say(sentence: str) -> None:
    talk.say(printable(sentence))


def command() -> list[str]:
    """The command as it was typed."""
    return ["geoloc", *sys.argv[1:]]


def out_of(out: str | None, name: str) -> Path:
    """The folder of a run; by default in `runs`, by the name of the set."""
    if out is not None:
        return Path(out)
    slug = "-".join(part for part in Path(name).parts if part not in ("/", ".", ".."))
    return Path("runs") / (slug or "run")


def again(recorded: str, out: str | None, workers: int | None, cache: str | None, format: str, quiet: bool) -> None:
    """Does a recorded run again, and prints what differs. Raises typer.Exit where answers or figures do."""
    from geoloc_cli.evaluate.reproduce import compare_runs
    from geoloc_cli.evaluate.run_record import options_of, read_record
    from geoloc_cli.evaluate.score import how_of_json
    from geoloc_cli.evaluate.sources import Source
    from geoloc_cli.evaluate.whole_run import Wanted

    if format not in ("table", "json"):
        raise UsageError(f"--reproduce writes sentences, or --format json, and no {format}.")
    first = read_record(recorded)
    if first["status"] != "finished":
        raise UsageError(
            f"{recorded} is the record of a run that was interrupted; finish it by the same command first."
        )
    home = Path(recorded) if Path(recorded).is_dir() else Path(recorded).parent
    target = Path(out) if out is not None else home.with_name(f"{home.resolve().name}-again")
    if target.resolve() == home.resolve():
        raise UsageError(f"--out {out} holds the run that is to be done again; give another folder.")
    how = how_of_json(first["scoring"])
    wanted = Wanted(Source(**first["source"]), options_of(first), target, how, command(), cache=cache)
    finished = locate_and_score(wanted, workers, quiet)
    found = compare_runs(first, home, finished.record, target)
    if format == "json":
        from geoloc_cli.evaluate.plain import plain

        typer.echo(json.dumps({"equal": found.equal, **plain(found)}))
    else:
        for sentence in found.sentences():
            typer.echo(printable(sentence))
    if not found.equal:
        raise typer.Exit(EXIT_SOME_FAILED)
