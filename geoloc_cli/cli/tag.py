"""`geoloc tag`: places into photographs, or into sidecars beside them, and out again."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from geoloc_cli.cli import options, table, talk
from geoloc_cli.cli.disclosing import DISCLOSE, POLICY, discloser
from geoloc_cli.cli.fixes import FixReader
from geoloc_cli.errors import EXIT_SOME_FAILED, UsageError

if TYPE_CHECKING:
    from geoloc_cli.export.tagging import Outcome

_NO_JOURNAL = "none"


def tag(
    fixes: str = typer.Argument(None, metavar="[FIXES]", help="The lines of `geoloc locate --format jsonl`, or -."),
    write: str = typer.Option("sidecar", "--write", metavar="sidecar|exif", help="Where to."),
    min_confidence: float = typer.Option(0.9, "--min-confidence", help="Leave out answers that are less sure."),
    max_radius: str = typer.Option(
        None, "--max-radius", metavar="LENGTH", help="Leave out answers of a wider radius (90 %), as in 50m or 1km."
    ),
    overwrite: bool = typer.Option(False, "--overwrite", help="Photos that say a position already, too."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be written, and write nothing."),
    undo: str = typer.Option(
        None,
        "--undo",
        metavar="FILE",
        help="The journal by which all is put back; FIXES.undo.jsonl by default; none: without.",
    ),
    restore: bool = typer.Option(False, "--restore", help="Put back all that the journal of --undo says."),
    backup: bool = typer.Option(False, "--backup", help="Keep the file of before as FILE_original, as exiftool does."),
    keep_mtime: bool = typer.Option(False, "--keep-mtime", help="Leave a file its time of change."),
    root: str = typer.Option(
        None, "--root", metavar="DIR", help="Relative names count from here, and nothing outside is touched."
    ),
    undulation_m: float = typer.Option(
        None, "--undulation-m", help="How far the sea is above the ellipsoid there, instead of what EGM96 says."
    ),
    disclose: str = DISCLOSE,
    disclose_policy: str = POLICY,
    as_json: bool = typer.Option(False, "--json", help="One JSON object a photo instead of a line."),
    quiet: bool = options.QUIET,
) -> None:
    """Write places that were found into photographs, or into XMP sidecars beside them.

    A wrong position is worse than none: answers that are not sure and photos that say a position are passed over.
    """
    if restore:
        if fixes or not undo or undo == _NO_JOURNAL:
            raise UsageError("--restore reads a journal and no fixes; give --undo FILE --restore.")
        _restore(undo, dry_run)
        return
    if not fixes:
        raise UsageError("No fixes were given; name a file of `geoloc locate --format jsonl`, or - for stdin.")
    from geoloc_cli.export.tagging import Tagger, TagOptions
    from geoloc_cli.geo.stated import length_of
    from geoloc_cli.photos.writing.replacing import Journal

    asked = TagOptions(
        write=write,  # type: ignore[arg-type]  # checked by it
        min_confidence=min_confidence,
        max_radius_m=length_of(max_radius, "--max-radius") if max_radius else None,
        overwrite=overwrite,
        backup=backup,
        keep_mtime=keep_mtime,
        dry_run=dry_run,
        root=root,
        undulation_m=undulation_m,
        located_at=Path(fixes).stat().st_mtime if Path(fixes).is_file() else None,
    )
    asked.check()
    reader = FixReader(discloser(disclose, disclose_policy).with_names)
    counts = Counter[str]()
    with ExitStack() as stack:
        journal = None if dry_run else _journal(fixes, undo)
        kept = Journal(journal) if journal else None
        if kept:
            stack.callback(kept.close)
        for outcome in Tagger(asked, kept).tag_all(reader.answers([fixes])):
            counts[outcome.reason or "written" if outcome.what == "skipped" else outcome.what] += 1
            _tell(outcome, dry_run, as_json, quiet)
    _sum_up(counts, dry_run, journal)
    if counts["failed"] or reader.bad:
        raise typer.Exit(EXIT_SOME_FAILED)


def _journal(fixes: str, undo: str | None) -> str | None:
    if undo == _NO_JOURNAL:
        return None
    if undo is None and fixes == "-":
        raise UsageError("Fixes of stdin have no name for a journal; give --undo FILE, or --undo none.")
    return undo or f"{fixes}.undo.jsonl"


def _tell(outcome: Outcome, dry_run: bool, as_json: bool, quiet: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(outcome)))
    elif outcome.what == "failed":
        talk.warn(f"failed: {outcome.reason}")
    elif outcome.what == "written" and outcome.tag and (dry_run or not quiet):
        said = outcome.tag
        parts = [f"{said.lat:.7f}, {said.lon:.7f}", f"68 % within {table.length(said.error_m)}", said.method]
        if said.alt_m is not None:
            parts.append(f"{said.alt_m:.1f} m above the sea")
        if said.heading_deg is not None:
            parts.append(f"heading {said.heading_deg:.1f} degrees")
        target = outcome.target or ""
        verb = "would write" if dry_run else "wrote"
        typer.echo(f"{table.printable(outcome.photo)}: {verb} {'; '.join(parts)} to {table.printable(target)}")
    for note in outcome.notes:
        if not as_json:
            talk.say(f"{table.printable(outcome.photo)}: {note}.")


def _sum_up(counts: Counter[str], dry_run: bool, journal: str | None) -> None:
    skipped = Counter({reason: n for reason, n in counts.items() if reason not in ("written", "failed")})
    parts = [f"{counts['written']} {'would be ' if dry_run else ''}tagged"]
    parts += [f"{number} skipped ({reason})" for reason, number in skipped.most_common()]
    parts += [f"{counts['failed']} failed"] if counts["failed"] else []
    talk.say("; ".join(parts) + ".", name="summary")
    if counts["written"] and journal:
        talk.say(f"To put all back: geoloc tag --undo {table.printable(journal)} --restore")


def _restore(journal: str, dry_run: bool) -> None:
    from geoloc_cli.errors import NotWritable
    from geoloc_cli.photos.writing.replacing import read_journal
    from geoloc_cli.photos.writing.replacing import restore as put_back

    changes, torn = read_journal(journal)
    counts: dict[Any, int] = Counter()
    for change in changes:
        try:
            counts[put_back(change, dry_run=dry_run)] += 1
        except (NotWritable, OSError) as error:
            counts["failed"] += 1
            talk.warn(f"failed: {error}")
    verb = "would be put back" if dry_run else "put back"
    talk.say(f"{counts[True]} {verb}; {counts[False]} were as before; {counts['failed']} failed.")
    if torn:
        talk.say(f"{torn} torn lines of the journal are of changes that were not begun.")
    if counts["failed"]:
        raise typer.Exit(EXIT_SOME_FAILED)
