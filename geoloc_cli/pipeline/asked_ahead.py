"""The priors of a run: those that gain by being asked for many photos are asked here, ahead of the workers.

One instance of each serves the whole run, whatever the number of workers: a server sees no more requests at once than
it was promised, a network is in memory once. What they say travels with the photo to its worker, which asks the rest.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from geoloc_cli.contracts import BatchPrior
from geoloc_cli.errors import PhotoError
from geoloc_cli.pipeline.asking import NOTHING_HEARD, Heard, Said, build_prior, said_by, spec_of
from geoloc_cli.pipeline.hiding import NOTHING_HIDDEN, Hiding
from geoloc_cli.registry import check
from geoloc_cli.types import Photo

Item = TypeVar("Item")

# What makes a class a `contracts.BatchPrior`, beside what every prior has.
_OF_A_BATCH = ("believe_all", "report", "close")


class Panel:
    """The priors of a run, in the order in which the user named them; a context that closes those asked here.

    `texts` are all of them; `left` is for the workers: the priors that they ask, and None in the place of each that is
    asked here.
    """

    def __init__(self, texts: Iterable[str], cache: str | None = None, *, remember: bool = False) -> None:
        """texts, cache: as of `build_prior`. remember: a photo that comes again is not asked about again.

        Raises the RunErrors of those asked here, and of the others those of their names and options.
        """
        self.texts = list(texts)
        self.left: list[str | None] = []
        self._here: list[BatchPrior] = []
        self._known: dict[str, tuple[Said, ...]] | None = {} if remember else None
        try:
            for text in self.texts:
                made = check("prior", spec_of(text))
                ahead = all(hasattr(made, name) for name in _OF_A_BATCH)
                self.left.append(None if ahead else text)
                if ahead:
                    self._here.append(cast(BatchPrior, build_prior(text, cache)))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Panel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for prior in self._here:
            prior.close()

    def reports(self) -> list[tuple[str, dict[str, Any]]]:
        """What each that was asked here took, where it has anything to tell."""
        told = [(prior.name, prior.report()) for prior in self._here]
        return [(name, report) for name, report in told if report]

    def heard(
        self, items: Iterable[Item], path_of: Callable[[Item], str], hide: Hiding = NOTHING_HIDDEN
    ) -> Generator[tuple[Item, Heard]]:
        """Each item with what is said here of its photo, in their order; of a photo that cannot be read, why.

        Items are taken as they are needed: as many are in hand as the priors take, however many there are.
        """
        if not self._here:
            yield from ((item, NOTHING_HEARD) for item in items)
            return
        source = _Timed(items)
        turns = self._turns(source, path_of, hide)
        for prior in self._here:
            turns = _asked(prior, turns)
        with closing(turns):
            while True:
                began, before = time.perf_counter(), source.spent_s
                turn = next(turns, None)
                if turn is None:
                    return
                # What it takes to come by an item is no time of the priors'.
                waited_s = time.perf_counter() - began - (source.spent_s - before)
                if self._known is not None:
                    self._known[turn.path] = tuple(turn.said)
                yield turn.item, Heard(tuple(turn.said), round(1000.0 * waited_s, 2))

    def _turns(self, items: Iterable[Any], path_of: Callable[[Any], str], hide: Hiding) -> Generator[_Turn]:
        for item in items:
            path = path_of(item)
            known = self._known.get(path) if self._known else None
            if known is not None:
                yield _Turn(item, path, None, list(known))
                continue
            try:
                yield _Turn(item, path, hide.read(path))
            except PhotoError as error:
                yield _Turn(item, path, None, [said_by(prior.name, error) for prior in self._here])


class Recalled(Panel):
    """A panel that has been heard to the end: what it said of each photo is told again, and nobody is asked."""

    def __init__(self, texts: Iterable[str], said: Mapping[str, tuple[Said, ...]]) -> None:
        """said: by a photo's path, in the order of the texts."""
        super().__init__(())
        self.texts = list(texts)
        self.left = [None] * len(self.texts)
        self._said = said

    def heard(
        self, items: Iterable[Item], path_of: Callable[[Item], str], hide: Hiding = NOTHING_HIDDEN
    ) -> Generator[tuple[Item, Heard]]:
        for item in items:
            yield item, Heard(self._said[path_of(item)])


@dataclass(slots=True)
class _Turn:
    """An item on its way past the priors; no photo where they need not be asked."""

    item: Any
    path: str
    photo: Photo | None
    said: list[Said] = field(default_factory=list)


def _asked(prior: BatchPrior, turns: Iterator[_Turn]) -> Generator[_Turn]:
    """Each turn, in their order, with what one prior adds to it."""
    waiting: deque[_Turn] = deque()

    def photos() -> Iterator[Photo]:
        for turn in turns:
            waiting.append(turn)
            if turn.photo is not None:
                yield turn.photo

    for _, outcome in prior.believe_all(photos()):
        while waiting[0].photo is None:
            yield waiting.popleft()
        turn = waiting.popleft()
        turn.said.append(said_by(prior.name, outcome))
        yield turn
    yield from waiting


class _Timed:
    """Items, and how long it took to come by them."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = iter(items)
        self.spent_s = 0.0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        began = time.perf_counter()
        try:
            return next(self._items)
        finally:
            self.spent_s += time.perf_counter() - began
