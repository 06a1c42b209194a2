"""`Locator`: `geoloc locate` for programs and notebooks, with the same words and the same answers."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from threading import Lock
from typing import TYPE_CHECKING

from geoloc_cli.api.answers import Failure, Fix, named, raised, told
from geoloc_cli.api.pictures import Photograph, as_file
from geoloc_cli.api.run import Asked, Run
from geoloc_cli.errors import UsageError
from geoloc_cli.index.reader import Index
from geoloc_cli.photos.scan import find_photos, read_exclude_list

if TYPE_CHECKING:
    from typing import Self

    from geoloc_cli.pipeline.resident import Resident

    Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Locator(Asked):
    """Says where photos were taken, by the photos of an index; its arguments are the flags of `geoloc locate`.

        with Locator(index="indexes/city", prior=["exif", "ocr"]) as locator:
            fix = locator.locate("photo.jpg")

    Index, priors and calibration are opened at once and stay open until `close()`, or the end of the `with`: the first
    photo takes longer than those that follow. Settings of files and of the environment are the command line's alone.

    What is wrong with the call, the index or a model raises a RunError (`geoloc_cli.errors`: UsageError, IndexMissing,
    IndexMismatch, MissingExtra, ...), one sentence with the remedy. What is wrong with a photo never does: it comes
    back as a Failure. What is left out, such as a calibration that does not fit, is said as a UserWarning.

    Threads may share a Locator: one photo is located at a time, and the others wait. Processes may not; `locate_all`
    has workers of its own.
    """

    _run: Run = field(init=False)
    _lock: Lock = field(init=False, default_factory=Lock)
    _kept: list[Resident] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_run", Run(self, lambda sentence: warnings.warn(sentence, stacklevel=6)))
        Index.open(self._run.index).close()

    def __repr__(self) -> str:
        said = [f for f in fields(Asked) if getattr(self, f.name) != f.default]
        return f"Locator({', '.join(f'{f.name}={getattr(self, f.name)!r}' for f in said)})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes index and priors; nothing can be located from here on, and to close it again does nothing."""
        with self._lock:
            self._run.close()
            while self._kept:
                self._kept.pop().close()

    def locate(self, photo: Photograph, *, name: str | None = None, strict: bool = False) -> Fix | Failure:
        """The answer for one photo: a file's name, or what is in memory: a file's bytes, Pillow's image, or pixels.

        name: of the photo in its answer; by default its path, and for one in memory its kind and the first 16 digits
        of its SHA-256, as in `bytes:8d969eef6ecad3c2`. Pixels say nothing of the lens or the place: priors that read
        metadata know nothing of them, and a pose guesses the focal length unless `camera` or `fov_deg` is stated.

        strict: raises the photo's error (a PhotoError) instead of returning a Failure.

        `sequence` concerns `locate_all` alone: one photo has no way.
        """
        with as_file(photo, name) as (path, called), self._lock:
            exact = named(self._resident().locate(path), called)
            answer = told(self._run.told_as(exact))
        if strict and isinstance(answer, Failure):
            raise raised(answer)
        return answer

    def locate_all(
        self,
        photos: Paths,
        *,
        workers: int | None = 1,
        exclude_list: str | os.PathLike[str] | None = None,
        resume: str | os.PathLike[str] | None = None,
    ) -> Iterator[Fix | Failure]:
        """The answers for files, folders and patterns, as the command line takes them, in their order.

        Each comes when it is done. workers: processes; None for one on each core. exclude_list, resume: as the flags of
        these names. Whoever stops taking answers stops the work. `locate` may be called between two of them.
        """
        self._check_open()
        given = [photos] if isinstance(photos, (str, os.PathLike)) else photos
        exclude = read_exclude_list(os.fspath(exclude_list)) if exclude_list is not None else None
        paths = list(find_photos([os.fspath(each) for each in given], exclude=exclude))
        return self._all(paths, workers, None if resume is None else os.fspath(resume))

    def _all(self, paths: list[str], workers: int | None, resume: str | None) -> Iterator[Fix | Failure]:
        done = self._run.answered(resume)
        fresh = self._run.located([path for path in paths if path not in done.answers], workers)
        try:
            for answer in self._run.as_asked(done.in_order(paths, fresh), workers):
                yield told(self._run.told_as(answer))
        finally:
            fresh.close()
            done.close()

    def _resident(self) -> Resident:
        self._check_open()
        if not self._kept:
            self._kept.append(self._run.resident())
        return self._kept[0]

    def _check_open(self) -> None:
        if self._run.closed:
            raise UsageError("This Locator is closed; make another one.")
