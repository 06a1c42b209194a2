"""`geoloc export`: answers in the formats of other programs."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import typer

from geoloc_cli.cli import html_map, options, talk
from geoloc_cli.cli.disclosing import DISCLOSE, POLICY, discloser
from geoloc_cli.cli.fixes import FixReader
from geoloc_cli.cli.progress import bar
from geoloc_cli.errors import EXIT_SOME_FAILED, UsageError
from geoloc_cli.types import Stage

if TYPE_CHECKING:
    from geoloc_cli.export.located import Located

_STAGES = "|".join(get_args(Stage))
_FIXES: Any = typer.Argument(
    ..., metavar="FIXES...", help="Lines of `geoloc locate --format jsonl`; - is standard input."
)
_TO: Any = typer.Option(
    ..., "--to", metavar="geojson|kml|gpx|csv|parquet|xmp|colmap|odm|mapillary|html", help="What to write."
)


def export(
    fixes: list[str] = _FIXES,
    to: str = _TO,
    out: str = typer.Option(
        None,
        "--out",
        metavar="PATH",
        help="The file, replaced at once where it is there, or for colmap and xmp a new folder; text goes to "
        "standard output by default.",
    ),
    min_confidence: float = typer.Option(
        0.0, "--min-confidence", min=0.0, max=1.0, help="Leave out what is less sure to be within 1 km."
    ),
    stage: list[str] = typer.Option(
        [], "--stage", metavar=_STAGES, help="Only what rests on this; may be given several times."
    ),
    shapes: bool = typer.Option(
        False, "--shapes", help="With geojson: the circles of radius_m and the way in the order of time, too."
    ),
    map: str = typer.Option(
        None,
        "--map",
        metavar="NAME",
        help="With colmap: which map, where the poses are of several.",
    ),
    camera: str = options.CAMERA,
    focal_px: float = options.FOCAL_PX,
    fov_deg: float = options.FOV_DEG,
    tiles: str = html_map.TILES,
    truth: str = html_map.TRUTH,
    thumbnails: int = html_map.THUMBNAILS,
    disclose: str = DISCLOSE,
    disclose_policy: str = POLICY,
    workers: int = options.WORKERS,
    dry_run: bool = options.DRY_RUN,
    quiet: bool = options.QUIET,
) -> None:
    """Write the places of photos for maps, spreadsheets and photogrammetry, or as a map in one HTML file.

    What has no place is left out, but of html, and counted on stderr. Times and cameras are read from the photos, where
    these still are where `locate` found them. A line that is no answer is passed over with a sentence, and the exit
    status is 1.
    """
    from geoloc_cli.export.formats import FORMATS, Asked, chosen, sure_enough
    from geoloc_cli.photos.intrinsics import CameraOverride

    form = FORMATS.get(to)
    if form is None and to != "html":
        raise UsageError(f"There is no form '{to}'; give one of {', '.join(FORMATS)}, html.")
    if unknown := set(stage) - set(get_args(Stage)):
        raise UsageError(f"There is no stage '{min(unknown)}'; give one of {', '.join(get_args(Stage))}.")
    said = options.override(camera, focal_px, fov_deg)
    given = {"shapes": shapes, "map": map is not None, "camera": said is not None}
    given |= {"tiles": tiles is not None, "truth": truth is not None, "thumbnails": thumbnails is not None}
    if idle := {name for name, is_given in given.items() if is_given} - (form.asks if form else html_map.ASKS):
        raise UsageError(f"--to {to} takes no --{min(idle)}; leave it out.")
    if out is None and form and not form.text:
        raise UsageError(f"--to {to} needs --out PATH.")
    told_as = discloser(disclose, disclose_policy)
    told_as.refuse(f"--to {to}", form is not None and not form.placed)
    small = told_as.thumbnails(truth, thumbnails)
    left_out: Counter[str] = Counter()
    reader = FixReader(told_as)
    answers = reader.answers(fixes)
    if form is None:
        made = html_map.Report(tiles, truth, small, workers, quiet)
        all_of_it = list(sure_enough(answers, left_out, min_confidence=min_confidence, stages=stage))
        if not dry_run:
            _write(made.page(all_of_it), out)
        written = len(all_of_it)
    else:
        asked = Asked(shapes, map, said or CameraOverride())
        taken = chosen(answers, left_out, min_confidence=min_confidence, stages=stage, placed=form.placed)
        before = left_out.total()
        if to != "xmp" and (to != "geojson" or shapes):  # these two say nothing that stands in the photos alone
            _read(taken, quiet)
        content = form.write(taken, left_out, asked)
        if not dry_run:
            _write(content, out, form.file)
        written = len(taken) - (left_out.total() - before)
    why = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
    done = f"would be written to {out or 'standard output'}" if dry_run else "written"
    talk.say(f"{written} photos {done}{f'; left out: {why}' if why else ''}.", name="summary")
    if reader.bad:
        raise typer.Exit(EXIT_SOME_FAILED)


def _read(photos: Sequence[Located], quiet: bool) -> None:
    """Reads what photos say of themselves, which takes most of the time where they are many, and is kept for later."""
    with bar(0, quiet) as shown:
        shown.expect("reading photos", len(photos))
        for photo in photos:
            _ = photo.photo
            shown.step("reading photos", 1)


def _write(content: bytes | dict[str, bytes], out: str | None, file: str | None = None) -> None:
    """Writes what was made; `file` is its name where `out` is a folder."""
    from geoloc_cli.export.target import put_file, put_folder

    if isinstance(content, dict):
        put_folder(Path(out or ""), content)
    elif out is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        path = Path(out)
        put_file(path / file if file and path.is_dir() else path, content)
