"""`--calibration`: what sources are worth in a run, by the index's own file or the one that the user names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from geoloc_cli.cli import talk
from geoloc_cli.cli.table import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoloc_cli.pipeline.calibration_file import Stored

CALIBRATION: Any = typer.Option(
    None,
    "--calibration",
    metavar="FILE|none",
    help="How far sources are to be believed, as `geoloc evaluate --calibrate` learned it; by default what lies with "
    "the index.",
)


def fitting(
    chosen: str | None, priors: Sequence[str], index: str | None = None, retriever: str = "", matcher: str = ""
) -> Stored | None:
    """What is to be applied to a run. What does not fit it is left out, with one sentence on stderr that says why.

    chosen: what `--calibration` says. Raises UsageError where a named file is none.
    """
    from geoloc_cli.pipeline.calibration_file import fitting as found

    return found(chosen, priors, index, retriever, matcher, say)


def of_a_run(
    chosen: str | None, priors: Sequence[str], index: str | None, retriever: str, matcher: str
) -> tuple[str | None, str | None]:
    """The file that is to be applied to a run of `geoloc evaluate`, and its SHA-256; as for `fitting`."""
    from geoloc_cli.index.files import sha256_of
    from geoloc_cli.pipeline.calibration_file import file_of

    stored, path = fitting(chosen, priors, index, retriever, matcher), file_of(chosen, index)
    return (str(path), sha256_of(path)) if stored and path else (None, None)


def say(sentence: str) -> None:
    talk.warn(printable(sentence))
