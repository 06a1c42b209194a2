"""`geoloc scrub`: copies of photographs that do not say where they were taken."""

from __future__ import annotations

import json
import os
from dataclasses import asdict

import typer

from geoloc_cli.cli import options, table, talk
from geoloc_cli.errors import EXIT_SOME_FAILED, UsageError


def scrub(
    photos: list[str] = options.PHOTOS,
    out: str = typer.Option(
        ..., "--out", metavar="DIR", help="The folder of the copies; nothing in it is overwritten."
    ),
    maker_notes: bool = typer.Option(
        True, "--maker-notes/--no-maker-notes", help="Keep MakerNotes, in which some cameras write places, too."
    ),
    exclude_list: str = options.EXCLUDE,
    as_json: bool = typer.Option(False, "--json", help="One JSON object a photo instead of a line."),
    dry_run: bool = options.DRY_RUN,
    quiet: bool = options.QUIET,
) -> None:
    """Copy photographs without the places in their EXIF, XMP and IPTC; the pictures stay as they are.

    JPEG, PNG, WebP and TIFF. What cannot be understood is left out of the copy, and said; HEIC and raw files are
    refused. What the picture itself shows, and what people wrote in captions, still tells where it was taken.
    """
    from geoloc_cli.export.scrubbing import copies

    paths = options.photos_of(photos, exclude_list)
    if not paths:
        raise UsageError(f"No photos were found in {', '.join(photos)}.")
    done = failed = 0
    for copy in copies(paths, out, maker_notes=maker_notes, dry_run=dry_run):
        done, failed = done + (copy.error is None), failed + (copy.error is not None)
        if as_json:
            typer.echo(json.dumps(asdict(copy)))
        elif copy.error:
            talk.warn(f"failed: {copy.error}")
        elif dry_run or not quiet:
            without = table.printable(f" (without {', '.join(copy.left_out)})" if copy.left_out else "")
            typer.echo(f"{'would write ' if dry_run else ''}{table.printable(os.fspath(copy.target or ''))}{without}")
    verb = "would be copied" if dry_run else "copied"
    talk.say(f"{done} {verb} without places{f'; {failed} failed' if failed else ''}.", name="summary")
    if failed:
        raise typer.Exit(EXIT_SOME_FAILED)
