"""`geoloc evaluate --calibrate`: what sources are worth, learned on labelled photos, shown, and stored."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import typer

from geoloc_cli.cli import table, talk
from geoloc_cli.cli.locate import where
from geoloc_cli.cli.progress import bar
from geoloc_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from geoloc_cli.evaluate.crossfit import Figures, Learned, Row
    from geoloc_cli.evaluate.observed import Way
    from geoloc_cli.evaluate.truth import Truth

CALIBRATE: Any = typer.Option(
    None,
    "--calibrate",
    metavar="LABELLED",
    help="Learn how far sources are to be believed on these photos, a folder of geotagged ones or a table of names and "
    "places, each blind to its own; show before and after, and store it with the index.",
)
KEPT: Any = typer.Option(
    None,
    "--calibration",
    metavar="FILE|none",
    help="With --calibrate: keep what was learned here; by default with the index. In a run: use this, or none; by "
    "default what lies with the index of --index or --map.",
)
_FORMATS = ("table", "json")


@dataclass(frozen=True, slots=True)
class Asked:
    """How labelled photos are located, by the options of `locate`."""

    index: str | None
    map: str | None
    pose: bool
    priors: tuple[str, ...]
    rerank: str
    retriever: str
    matcher: str
    solver: str
    top_k: int
    cache: str | None

    def way(self) -> Way:
        """Raises UsageError where they contradict each other."""
        from geoloc_cli.evaluate.observed import Way
        from geoloc_cli.pipeline.locate import LocateOptions

        searched, stage = self.index, None
        if self.index is not None or self.map is not None:
            searched, stage = where(self.index, self.map, self.pose, None, self.solver, self.matcher)
        elif self.pose:
            raise UsageError("--pose goes with --index DIR or --map DIR.")
        options = LocateOptions(top_k=self.top_k, rerank=self.rerank)
        options.check()
        way = Way(searched, self.priors, options, stage, self.retriever, self.matcher, self.cache)
        way.check()
        return way


@dataclass(frozen=True, slots=True)
class Labelled:
    """As of `labelled_photos`."""

    photos: str
    truth: str | None
    columns: Mapping[str, str]


def calibrate(
    labelled: Labelled, asked: Asked, chosen: str | None, format: str, workers: int | None, quiet: bool, dry_run: bool
) -> None:
    """chosen: what `--calibration` says; dry_run: it is shown, and not stored."""
    from geoloc_cli.engine.local import LocalPool
    from geoloc_cli.evaluate.crossfit import learn
    from geoloc_cli.evaluate.labelled import labelled_photos
    from geoloc_cli.evaluate.observed import observe
    from geoloc_cli.pipeline.calibration_file import file_of

    if format not in _FORMATS:
        raise UsageError(f"A calibration has no format '{format}'; give one of {', '.join(_FORMATS)}.")
    way = asked.way()
    true = labelled_photos(labelled.photos, labelled.truth, labelled.columns)
    for note in true.notes:
        talk.say(table.printable(note.sentence))
    runs = bool(way.priors) + (0 if way.index is None else 2 if way.pose else 1)
    with bar(runs * len(true), quiet) as shown:
        try:
            seen = observe(true, way, LocalPool(workers), lambda stage: shown.step(stage, 1))
        finally:
            shown.stop()
    learned = learn(seen)
    command = _command(labelled, way)
    stored = None if dry_run else _store(command, true, way, learned, chosen)
    if format == "json":
        typer.echo(json.dumps({"rows": [_as_json(row) for row in learned.rows], "stored": stored}))
    else:
        _show(learned)
    told = f"Stored in {stored}." if stored else "Not stored: give --calibration FILE to keep it."
    if dry_run:
        told = f"Would be stored in {file_of(chosen, way.index) or 'no file, as none is named'}."
    talk.say(table.printable(f"{len(true)} labelled photos. {told}"))


def _command(labelled: Labelled, way: Way) -> str:
    """The command as it might be given, without how priors are reached: an address may hold a password."""
    import shlex

    from geoloc_cli.pipeline.calibrated import prior_key

    parts = ["--calibrate", labelled.photos]
    for name, value in (
        ("--truth", labelled.truth),
        ("--index", way.index),
        *(("--prior", prior_key(p)) for p in way.priors),
    ):
        parts += [name, value] if value else []
    return shlex.join(["geoloc", "evaluate", *parts, *["--pose"] * bool(way.pose)])


def _store(command: str, true: Truth, way: Way, learned: Learned, chosen: str | None) -> str | None:
    """Where it is kept, if anywhere."""
    import datetime
    import platform

    import numpy as np

    from geoloc_cli import __version__
    from geoloc_cli.index.reader import Index
    from geoloc_cli.pipeline.calibration_file import Stored, file_of, searched_in, write_calibration

    path = file_of(chosen, way.index)
    if path is None:
        return None
    searched = None
    if way.index is not None:
        with Index.open(way.index) as index:
            searched = searched_in(index, way.retriever, way.matcher)
    provenance = {
        "created_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": command,
        "versions": {"geoloc": __version__, "python": platform.python_version(), "numpy": np.__version__},
        "photographs": len(true),
        "figures": [_as_json(row) for row in learned.rows],
    }
    write_calibration(path, Stored(learned.calibration, searched, provenance))
    return str(path)


def _as_json(row: Row) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "source": row.source,
        "photographs": row.photographs,
        "worth": asdict(row.worth) if row.worth else None,
        "before": _figures(row.before),
        "after": _figures(row.after),
    }


def _figures(figures: Figures) -> dict[str, Any]:
    from math import isfinite

    held = figures.coverage.held
    numbers = {
        "held": held.value,
        "held_low": held.low,
        "held_high": held.high,
        "median_radius_m": figures.median_radius_m,
        "calibration_error": figures.calibration_error,
        "log_loss": figures.log_loss,
    }
    return {name: round(value, 6) if isfinite(value) else None for name, value in numbers.items()}


_HEADS = ("photos", "radii", "doubt", "in 90 % radius", "95 % interval", "radius", "conf. off by", "log loss")


def _show(learned: Learned) -> None:
    """Two lines a source: as it is, and out of fold."""
    from rich.text import Text

    made = table.table(["source", ""], _HEADS)
    for row in learned.rows:
        worth = (f"x {row.worth.inflate:.2f}", f"{row.worth.doubt:+.3f}") if row.worth else ("", "")
        name = f"{row.kind} {row.source}".strip()
        cells: Sequence[tuple[str, ...]] = (
            (name, "before", str(row.photographs), "", "", *_cells(row.before)),
            ("", "after", "", *worth, *_cells(row.after)),
        )
        for line in cells:
            made.add_row(*(Text(table.printable(cell)) for cell in line))
    table.show(made)


def _cells(figures: Figures) -> tuple[str, ...]:
    held = figures.coverage.held
    return (
        f"{100.0 * held.value:.1f} %",
        f"{100.0 * held.low:.0f} to {100.0 * held.high:.0f} %",
        table.length(figures.median_radius_m),
        f"{figures.calibration_error:.3f}",
        f"{figures.log_loss:.2f}",
    )
