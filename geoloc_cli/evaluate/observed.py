"""What the pipeline answers about photographs whose places are known, each blind to its own: raw material to learn of.

A photograph's own position reaches no prior, and an indexed photograph of the same bytes is not found for it. Nothing
is tempered by an earlier calibration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from geoloc_cli.contracts import ParallelMap
from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.truth import Truth
from geoloc_cli.index.manifest import NAME
from geoloc_cli.index.reader import Index
from geoloc_cli.pipeline.asked_ahead import Panel, Recalled
from geoloc_cli.pipeline.asking import Said, said_by, spec_of
from geoloc_cli.pipeline.batch import hear_photos, locate_photos
from geoloc_cli.pipeline.calibrated import prior_key
from geoloc_cli.pipeline.calibration_file import STATED
from geoloc_cli.pipeline.extract import fingerprint
from geoloc_cli.pipeline.hiding import Hiding
from geoloc_cli.pipeline.locate import LocateOptions
from geoloc_cli.types import Failure, Fix

BLIND = Hiding(position=True, itself=True)


@dataclass(frozen=True, slots=True)
class Way:
    """How labelled photographs are located: as `locate_photos` takes it; no index is for priors alone."""

    index: str | None = None
    priors: tuple[str, ...] = ()
    options: LocateOptions = field(default_factory=LocateOptions)
    pose: dict[str, Any] | None = None
    retriever: str = "global"
    matcher: str = "mutual-nn"
    cache: str | None = None

    def check(self) -> None:
        """Raises UsageError where there is nothing to learn of."""
        if self.index is None and not self.priors:
            raise UsageError("There is nothing to calibrate; give --index DIR, --prior NAME, or both.")
        for text in self.priors:
            name = spec_of(text).name
            if name in STATED:
                raise UsageError(
                    f"The prior {name} is stated and not guessed, so that no labelled photo tells what it is worth; "
                    "leave it out."
                )


@dataclass(frozen=True, slots=True)
class Observed:
    """Of N labelled photographs what each prior said alone, and the answers without poses, and with them.

    `keys` are the priors by `prior_key`; `heard` (N,) is empty where a photograph could not be read. `located` and
    `posed` (N,) are empty where nobody asked for them.
    """

    truth: Truth
    keys: tuple[str, ...]
    heard: tuple[tuple[Said, ...], ...]
    located: tuple[Fix | Failure, ...] = ()
    posed: tuple[Fix | Failure, ...] = ()

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def answers(self) -> tuple[Fix | Failure, ...]:
        """As `locate` would give them: those with poses, where these were asked for."""
        return self.posed or self.located


def observe(
    truth: Truth, way: Way, parallel_map: ParallelMap, step: Callable[[str], None] = lambda stage: None
) -> Observed:
    """Asks and locates every photograph of the truth, whose names are paths. step: called for each, with what is done.

    Raises UsageError where a prior is told of places of the index, and labelled photographs are among them: it would be
    told of their own.
    """
    way.check()
    _check_galleries(truth, way)
    heard = list[tuple[Said, ...]]()
    if way.priors:
        with Panel(way.priors, way.cache) as panel:
            for said in hear_photos(truth.photos, panel, parallel_map, way.cache, BLIND):
                heard.append(() if isinstance(said, Failure) else said)
                step("asking")
    heard = heard or [()] * len(truth)
    keys = tuple(prior_key(text) for text in way.priors)
    if way.index is None:
        return Observed(truth, keys, tuple(heard))
    silent = tuple(said_by(key, None) for key in keys)
    told = {path: said or silent for path, said in zip(truth.photos, heard, strict=True)}
    ways = (None, way.pose) if way.pose else (None,)
    runs = []
    for pose in ways:
        answers = _located(truth.photos, way, pose, told, parallel_map)
        runs.append(tuple(_counted(answers, lambda: step("locating"))))
    return Observed(truth, keys, tuple(heard), *runs)


def _located(
    photos: Sequence[str],
    way: Way,
    pose: dict[str, Any] | None,
    told: dict[str, tuple[Said, ...]],
    parallel_map: ParallelMap,
) -> Iterator[Fix | Failure]:
    return locate_photos(
        str(way.index),
        photos,
        replace(way.options, hide=BLIND),
        parallel_map,
        priors=Recalled(way.priors, told),
        cache=way.cache,
        pose=pose,
        retriever=way.retriever,
        matcher=way.matcher,
    )


def _counted(answers: Iterator[Fix | Failure], step: Callable[[], None]) -> Iterator[Fix | Failure]:
    for answer in answers:
        step()
        yield answer


def _check_galleries(truth: Truth, way: Way) -> None:
    """No prior may look at the places of an index that holds labelled photographs."""
    for text in way.priors:
        gallery = str(spec_of(text).options.get("gallery", "")).removeprefix("index:")
        if not gallery or not (Path(gallery) / NAME).is_file():
            continue
        with Index.open(gallery) as index:
            own = sum(bool(index.rows_of_content(fingerprint(path)[0])) for path in truth.photos)
        if own:
            raise UsageError(
                f"The prior {spec_of(text).name} is shown where the photos of {gallery} were taken, and {own} of the "
                "labelled ones are among them; take a gallery without them."
            )
