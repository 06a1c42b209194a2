"""`--disclose`: how much of its answers a command tells, for every command that writes places."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

from geoloc_cli.cli.table import printable
from geoloc_cli.errors import UsageError
from geoloc_cli.types import Failure, Fix

if TYPE_CHECKING:
    from geoloc_cli.types import Level

DISCLOSE: Any = typer.Option(
    "exact",
    "--disclose",
    metavar="exact|street|city|region|country|none",
    help="Tell places as the middles of fixed cells of this size, and nothing finer in any output; none: no places.",
)


class Discloser:
    """What a command tells of an answer: called with each before it is written anywhere."""

    def __init__(self, level: str) -> None:
        """Raises UsageError where there is no such level."""
        from geoloc_cli.privacy.levels import level_of

        self._level = level_of(level, "--disclose")

    @property
    def all_is_told(self) -> bool:
        """Whether answers are told as they are."""
        return self._level == "exact"

    def level(self, answer: Fix | Failure) -> Level:
        """That at which an answer is to be told."""
        return self._level

    def __call__(self, answer: Fix | Failure) -> Fix | Failure:
        from geoloc_cli.privacy.coarsen import disclose

        return disclose(answer, self.level(answer))

    def with_names(self, answer: Fix | Failure) -> Fix | Failure:
        """The same, by the photo's whole name: for a command that writes into photos, and must find them."""
        return replace(self(answer), photo=answer.photo)

    def cache(self, cache: str | None) -> str | None:
        """The folder of `--cache`; without one, nowhere where not all is told: models' answers tell of places."""
        return cache if cache is not None or self.all_is_told else "none"

    def thumbnails(self, truth: str | None, thumbnails: int | None) -> int | None:
        """How many photos a map shows small. Raises UsageError where it would tell what the answers do not."""
        if self.all_is_told:
            return thumbnails
        if truth is not None:
            raise UsageError("--truth is exact; leave it out, or --disclose.")
        if thumbnails:
            raise UsageError("--thumbnails shows the places themselves; leave it out, or --disclose.")
        return 0

    def of_kept(self, answers: Iterable[Fix | Failure], file: str | None, quiet: bool) -> None:
        """Judges answers of an earlier run, which a run goes on from.

        UsageError where some are coarser than is now asked for: they are no answers at that level, and nothing makes
        them finer. Where some are finer, that is said, since the file keeps them.
        """
        from geoloc_cli.privacy.levels import LEVELS

        finer, named = 0, printable(file or "")
        for answer in answers:
            if isinstance(answer, Fix):
                had: Level = answer.disclosed.level if answer.disclosed else "exact"
                wanted = self.level(answer)
                if LEVELS.index(had) > LEVELS.index(wanted):
                    raise UsageError(
                        f"{named} tells places by {had} alone, and nothing makes them finer again; give --disclose "
                        f"{had}, or a new file to --resume."
                    )
                finer += LEVELS.index(had) < LEVELS.index(wanted)
        if finer and not quiet:
            typer.echo(f"{named} holds {finer} answers that tell more than is asked for now; it keeps them.", err=True)
