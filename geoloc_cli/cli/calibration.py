"""`--calibration`: what sources are worth in a run, by the index's own file or the one that the user names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from geoloc_cli.cli import talk
from geoloc_cli.cli.table import printable
from geoloc_cli.errors import UsageError

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
NONE = "none"


def file_of(chosen: str | None, index: str | None) -> Path | None:
    """The file that is meant: the one that is named, else the index's own, whether it is there or not."""
    from geoloc_cli.pipeline.calibration_file import NAME

    if chosen == NONE:
        return None
    return Path(chosen) if chosen else Path(index) / NAME if index else None


def fitting(
    chosen: str | None, priors: Sequence[str], index: str | None = None, retriever: str = "", matcher: str = ""
) -> Stored | None:
    """What is to be applied to a run. What does not fit it is left out, with one sentence on stderr that says why.

    chosen: what `--calibration` says. Raises UsageError where a named file is none.
    """
    path = file_of(chosen, index)
    if path is None or (chosen is None and not path.is_file()):
        return None
    from geoloc_cli.index.reader import Index
    from geoloc_cli.pipeline.calibrated import prior_key
    from geoloc_cli.pipeline.calibration_file import misfit, read_calibration, searched_in, unknown_priors

    try:
        stored = read_calibration(path)
    except UsageError as error:
        if chosen:
            raise
        _say(f"Nothing is calibrated: {error}")
        return None
    if index is not None:
        with Index.open(index) as opened:
            why = misfit(stored, searched_in(opened, retriever, matcher))
        if why:
            _say(f"{path} is not used: {why}; learn it anew with `geoloc evaluate --calibrate`.")
            return None
    strange = unknown_priors(stored, [prior_key(text) for text in priors])
    if strange:
        _say(f"{path} knows nothing of {', '.join(strange)}: what that says is taken at its word.")
    return stored


def of_a_run(
    chosen: str | None, priors: Sequence[str], index: str | None, retriever: str, matcher: str
) -> tuple[str | None, str | None]:
    """The file that is to be applied to a run of `geoloc evaluate`, and its SHA-256; as for `fitting`."""
    from geoloc_cli.index.files import sha256_of

    stored, path = fitting(chosen, priors, index, retriever, matcher), file_of(chosen, index)
    return (str(path), sha256_of(path)) if stored and path else (None, None)


def _say(sentence: str) -> None:
    talk.warn(printable(sentence))
