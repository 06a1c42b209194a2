"""How much of its answers a run tells: the level that is asked for, and what a policy says of each photo."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from geoloc_cli.errors import UsageError
from geoloc_cli.photos.opening import shown
from geoloc_cli.privacy.coarsen import disclose
from geoloc_cli.privacy.levels import LEVELS, coarsest, level_of
from geoloc_cli.privacy.policy import contexts_of, read_policy
from geoloc_cli.types import Failure, Fix, Level


class Discloser:
    """What a command tells of an answer: called with each before it is written anywhere."""

    def __init__(self, level: str, policy: str | None = None) -> None:
        """Raises UsageError where there is no such level, or no such policy."""
        self._level = level_of(level, "--disclose")
        self._policy = read_policy(policy) if policy is not None else None

    @property
    def all_is_told(self) -> bool:
        """Whether answers are told as they are."""
        return self._level == "exact" and self._policy is None

    @property
    def by_context(self) -> bool:
        """Whether it depends on what a photo shows."""
        return self._policy is not None

    def level(self, answer: Fix | Failure) -> Level:
        """That at which an answer is to be told."""
        return coarsest(self._level, self._policy.level(contexts_of(answer))) if self._policy else self._level

    def __call__(self, answer: Fix | Failure) -> Fix | Failure:
        if self._policy is None:
            return disclose(answer, self._level)
        level = self.level(answer)
        return disclose(answer, level, "option" if level == self._level else "policy", contexts_of(answer))

    def with_names(self, answer: Fix | Failure) -> Fix | Failure:
        """The same, by the photo's whole name: for a command that writes into photos, and must find them."""
        return replace(self(answer), photo=answer.photo)

    def cache(self, cache: str | None) -> str | None:
        """The folder of `--cache`; without one, nowhere where not all is told: models' answers tell of places."""
        return cache if cache is not None or self.all_is_told else "none"

    def thumbnails(self, truth: str | None, thumbnails: int | None) -> int | None:
        """How many photos a map shows small. Raises UsageError where it would tell what the answers do not."""
        self.refuse("--truth", truth is not None)
        self.refuse("--thumbnails", bool(thumbnails))
        return thumbnails if self.all_is_told else 0

    def refuse(self, option: str, given: bool = True) -> None:
        """UsageError where an option is given that shows the places themselves, and not all is to be told."""
        if given and not self.all_is_told:
            raise UsageError(f"{option} shows the places themselves; leave it out, or --disclose.")

    def of_kept(self, answers: Iterable[Fix | Failure], file: str | None) -> str | None:
        """Judges answers of an earlier run, which a run goes on from: a sentence where some tell more than is now asked
        for, since the file keeps them.

        UsageError where some are coarser: they are no answers at that level, and nothing makes them finer.
        """
        finer, named = 0, shown(file or "")
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
        return f"{named} holds {finer} answers that tell more than is asked for now; it keeps them." if finer else None
