"""`geoloc index ...`: make, extend, look into and repair an index."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from geoloc_cli.cli import index_tune, narrow, options, talk
from geoloc_cli.cli.progress import bar
from geoloc_cli.cli.table import printable
from geoloc_cli.errors import EXIT_SOME_FAILED, IndexDamaged, IndexMissing, UsageError

if TYPE_CHECKING:
    from geoloc_cli.pipeline.build import BuildReport

app = typer.Typer(
    help="Make, extend, look into and repair an index of photos.",
    rich_markup_mode=None,
    no_args_is_help=True,
)
app.command("tune")(index_tune.tune)
_DIR: Any = typer.Argument(..., metavar="DIR", help="The index's folder.")
# Photos named as an example of each reason; all of them are a matter for --report.
_NAMED = 3


@app.command("build")
def build(
    photos: list[str] = options.PHOTOS,
    index: str = options.INDEX,
    exclude_list: str = options.EXCLUDE,
    positions: str = options.POSITIONS,
    camera: str = options.CAMERA,
    focal_px: float = options.FOCAL_PX,
    fov_deg: float = options.FOV_DEG,
    features: str = options.FEATURES,
    descriptor: str = options.DESCRIPTOR,
    dim: int = options.DIM,
    whiten: float = options.WHITEN,
    codes: str = options.CODES,
    scales: str = options.SCALES,
    flip: bool = options.FLIP,
    augment: int = options.AUGMENT,
    cache: str = options.CACHE,
    offline: bool = options.OFFLINE,
    workers: int = options.WORKERS,
    dry_run: bool = options.DRY_RUN,
    quiet: bool = options.QUIET,
) -> None:
    """Make an index of geotagged photos, or finish an interrupted one.

    Photos that are in the index already, and have not changed, are not done again.
    """
    if dry_run:
        _foresee(photos, index, exclude_list, positions)
        return
    intrinsics = camera, focal_px, fov_deg
    wanted = options.Described(features, descriptor, dim, whiten, codes, scales=scales, flip=flip, augment=augment)
    if not take_photos(photos, index, exclude_list, positions, intrinsics, cache, workers, quiet, wanted=wanted):
        raise typer.Exit(EXIT_SOME_FAILED)


@app.command("add")
def add(
    photos: list[str] = options.PHOTOS,
    index: str = options.INDEX,
    exclude_list: str = options.EXCLUDE,
    positions: str = options.POSITIONS,
    camera: str = options.CAMERA,
    focal_px: float = options.FOCAL_PX,
    fov_deg: float = options.FOV_DEG,
    cache: str = options.CACHE,
    offline: bool = options.OFFLINE,
    workers: int = options.WORKERS,
    dry_run: bool = options.DRY_RUN,
    quiet: bool = options.QUIET,
) -> None:
    """Add photos to an index; changed ones replace their old selves."""
    from geoloc_cli.index.reader import Index

    Index.open(index).close()
    if dry_run:
        _foresee(photos, index, exclude_list, positions)
        return
    intrinsics = camera, focal_px, fov_deg
    if not take_photos(photos, index, exclude_list, positions, intrinsics, cache, workers, quiet):
        raise typer.Exit(EXIT_SOME_FAILED)


def take_photos(
    photos: list[str],
    index: str,
    exclude_list: str | None,
    positions: str | None,
    intrinsics: tuple[str | None, float | None, float | None],
    cache: str | None,
    workers: int | None,
    quiet: bool,
    *,
    placed: bool = True,
    wanted: options.Described = options.AS_IT_IS,
) -> bool:
    """Takes photos into an index, and says what was taken and what was not; placed: only those that have a position.

    False where one was not readable.
    """
    from geoloc_cli.engine.local import LocalPool
    from geoloc_cli.index.codes import codes_named
    from geoloc_cli.photos.positions import read_positions
    from geoloc_cli.pipeline.build import build_index
    from geoloc_cli.pipeline.describer import spec_for

    stated = read_positions(positions) if positions else None
    camera = options.override(*intrinsics)
    paths = options.photos_of(photos, exclude_list)
    if not paths:
        raise UsageError(f"No photos were found in {', '.join(photos)}.")
    with bar(len(paths), quiet) as shown:
        report = build_index(
            index,
            paths,
            parallel_map=LocalPool(workers),
            positions=stated,
            camera=camera,
            describer=spec_for(index, wanted.features, wanted.descriptor, wanted.reduction(), wanted.views()),
            augment=wanted.augment,
            cache=cache,
            placed=placed,
            codes=codes_named(wanted.codes) if wanted.codes else None,
            progress=shown.step,
        )
    _tell(index, report)
    if not report.added + report.replaced + report.unchanged:
        raise UsageError(f"None of the {len(paths)} photos could be indexed; `geoloc inspect` says what each holds.")
    # A photo that says nowhere where it was taken is no failure; one that cannot be read is.
    return all(code in ("no_position", "too_few_features") for _, code, _ in report.left_out)


def _foresee(photos: list[str], index: str, exclude_list: str | None, positions: str | None) -> None:
    """Says what a build would take. Raises typer.Exit where a photo could not be read."""
    from geoloc_cli.photos.positions import read_positions
    from geoloc_cli.pipeline.foreseen import foresee

    stated = read_positions(positions) if positions else None
    found = foresee(index, options.photos_of(photos, exclude_list), stated)
    for verb, paths in (("add", found.added), ("replace", found.replaced)):
        for path in paths:
            typer.echo(f"would {verb} {printable(path)}")
    counts = f"{len(found.added)} would be added, {len(found.replaced)} replaced, {len(found.unchanged)} unchanged"
    talk.say(f"{index}: {counts}.")
    for line in _left_out(found.left_out):
        talk.say(line)
    if not all(code == "no_position" for _, code, _ in found.left_out):
        raise typer.Exit(EXIT_SOME_FAILED)


def _tell(index: str, report: BuildReport) -> None:
    counts = {"added": report.added, "replaced": report.replaced, "unchanged": report.unchanged}
    rate = (report.added + report.replaced) / report.seconds
    said = ", ".join(f"{number} {name}" for name, number in counts.items())
    talk.say(
        f"{index}: {sum(counts.values())} photos ({said}), "
        f"{report.bytes / 1e6:.0f} MB, {report.seconds:.1f} s ({rate:.1f} photos/s).",
        name="summary",
        seconds=report.seconds,
        data={"photos": sum(counts.values()), **counts, "left_out": len(report.left_out)},
    )
    for path, code, message in report.left_out:
        talk.event("photo", message, photo=path, data={"status": "error", "reason": code}, told=True)
    for line in _left_out(report.left_out):
        talk.say(line)


def _left_out(photos: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """A few sentences of each reason."""
    by_code: dict[str, list[tuple[str, str]]] = {}
    for path, code, message in photos:
        by_code.setdefault(code, []).append((path, message))
    for code, faults in sorted(by_code.items()):
        yield f"{len(faults)} left out, {code}:"
        for _, message in faults[:_NAMED]:
            yield f"  {printable(message)}"
        if len(faults) > _NAMED:
            yield f"  and {len(faults) - _NAMED} more."


@app.command("info")
def info(directory: str = _DIR, as_json: bool = options.JSON) -> None:
    """Say what an index holds and how its photos are described."""
    from geoloc_cli.index.inspect import info as look
    from geoloc_cli.pipeline.calibration_file import told_of

    found = look(directory) | {"calibration": told_of(directory)}
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    bounds = found["bounds"]
    area = "-"
    if bounds:
        area = f"{bounds['south']:.5f} to {bounds['north']:.5f} N, {bounds['west']:.5f} to {bounds['east']:.5f} E"
    parts = [f"{found['describer'][part]['name']}" for part in ("features", "descriptor")]
    said = (
        ("index", printable(found["index"])),
        ("photos", str(found["photos"])),
        ("area", area),
        ("described by", " and ".join(parts)),
        ("codes", found["codes"]),
        ("augmented by", str(found["augment"])),
        ("made at", found["created_at"]),
        ("size", f"{found['bytes'] / 1e6:.1f} MB in {found['files']} files"),
        ("calibrated", found["calibration"] or "no; `geoloc evaluate --calibrate` learns it"),
        ("finished", "yes" if found["finished"] else "no; run the same `geoloc index build` again"),
    )
    typer.echo(narrow.pairs(said, 14))


@app.command("remove")
def remove(
    directory: str = _DIR,
    photos: list[str] = typer.Argument(..., metavar="PHOTOS...", help="Paths as the index knows them, or - for stdin."),
    dry_run: bool = options.DRY_RUN,
) -> None:
    """Take photos out of an index; `compact` gives their room back."""
    from geoloc_cli.index.reader import Index
    from geoloc_cli.index.writer import IndexWriter
    from geoloc_cli.photos.scan import find_photos

    with Index.open(directory) as index:
        known = {photo.path for photo in index.all_photos()} if dry_run else set()
    paths = list(find_photos(photos, stdin=sys.stdin.buffer)) if photos == ["-"] else photos
    if dry_run:
        missing = [path for path in paths if path not in known]
        talk.say(f"{directory}: {len(known.intersection(paths))} photos would be removed.")
    else:
        with IndexWriter(directory) as writer:
            missing = writer.remove(paths)
            writer.seal()
        talk.say(f"{directory}: {len(paths) - len(missing)} photos removed.")
    if missing:
        raise IndexMissing(
            f"{directory} holds no photo {printable(missing[0])!r} (nor {len(missing) - 1} others that were "
            "named); `geoloc index export` lists the paths that it knows."
        )


@app.command("verify")
def verify(directory: str = _DIR, as_json: bool = options.JSON, quiet: bool = options.QUIET) -> None:
    """Read every byte of an index and compare it with what was written."""
    from geoloc_cli.index.inspect import verify as read

    with bar(0, quiet) as shown:
        verdict = read(directory, shown.expect, shown.step)
        shown.stop()
    if as_json:
        typer.echo(json.dumps(asdict(verdict), indent=2))
    else:
        for fault in verdict.faults:
            typer.echo(printable(fault))
        typer.echo(f"{verdict.photos} photos, {verdict.files} files, {len(verdict.faults)} faults")
        if verdict.undescribed:
            typer.echo(f"{verdict.undescribed} photos have no vector yet: the same `geoloc index build` finishes it.")
    if verdict.faults:
        raise IndexDamaged(f"{directory} has {len(verdict.faults)} faults; build the index again into a new folder.")


@app.command("compact")
def compact(
    directory: str = _DIR,
    codes: str = options.CODES,
    augment: int = options.AUGMENT,
    dry_run: bool = options.DRY_RUN,
) -> None:
    """Give back the room of removed photos; write derived data anew, by other codes and otherwise augmented where that
    is said.
    """
    from geoloc_cli.index.codes import codes_named
    from geoloc_cli.index.inspect import spare_bytes
    from geoloc_cli.index.reader import Index
    from geoloc_cli.index.writer import IndexWriter

    Index.open(directory).close()
    wanted = codes_named(codes) if codes else None
    if dry_run:
        talk.say(f"{directory}: {spare_bytes(directory) / 1e6:.1f} MB would be freed.")
        return
    with IndexWriter(directory, codes=wanted, augment=augment) as writer:
        freed = writer.compact()
    talk.say(f"{directory}: {freed / 1e6:.1f} MB freed.")


@app.command("merge")
def merge(
    directory: str = _DIR,
    others: list[str] = typer.Argument(..., metavar="OTHERS...", help="Indexes of the same vocabulary."),
    dry_run: bool = options.DRY_RUN,
) -> None:
    """Copy the photos of other indexes into this one."""
    from geoloc_cli.index.inspect import merge as copy

    count = copy(directory, others, dry_run=dry_run)
    talk.say(f"{directory}: {count} photos {'would be ' if dry_run else ''}copied.")


@app.command("export")
def export(
    directory: str = _DIR,
    format: str = typer.Option("jsonl", "--format", metavar="jsonl|csv|geojson", help="How to write the rows."),
) -> None:
    """Write the rows of an index: path, place, camera and hash."""
    from geoloc_cli.export.csv import cell
    from geoloc_cli.export.geojson import places
    from geoloc_cli.index.inspect import rows

    found = rows(directory)
    if format == "jsonl":
        for row in found:
            typer.echo(json.dumps(row))
    elif format == "geojson":
        typer.echo(json.dumps(places(found)))
    elif format == "csv":
        columns = [name for name in (found[0] if found else {}) if name != "camera"]
        table = csv.writer(sys.stdout)
        table.writerow(columns)
        for row in found:
            table.writerow(["" if row[name] is None else cell(row[name]) for name in columns])
    else:
        raise UsageError(f"There is no format '{format}'; give one of jsonl, csv, geojson.")
