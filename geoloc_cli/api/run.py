"""A run of `geoloc locate`: what it is asked for, by the names of its flags, and what is opened for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geoloc_cli.api.flags import FLAGS, NO_CONTEXTS, asking_contexts, sees_contexts, with_flags, with_rag
from geoloc_cli.engine.local import LocalPool
from geoloc_cli.errors import UsageError
from geoloc_cli.geo.stated import circle_of
from geoloc_cli.index.reader import Circle
from geoloc_cli.maps.folder import index_of, read_manifest
from geoloc_cli.models.offline import go_offline
from geoloc_cli.photos.intrinsics import CameraOverride, parse_camera
from geoloc_cli.pipeline.answered import Answered
from geoloc_cli.pipeline.asked_ahead import Panel
from geoloc_cli.pipeline.batch import locate_photos
from geoloc_cli.pipeline.calibration_file import fitting
from geoloc_cli.pipeline.locate import LocateOptions
from geoloc_cli.pipeline.posing import stage_spec
from geoloc_cli.pipeline.resident import Resident
from geoloc_cli.pipeline.sequence import follow
from geoloc_cli.privacy.discloser import Discloser
from geoloc_cli.types import Failure, Fix

if TYPE_CHECKING:
    from typing import Self

Answer = Fix | Failure
_LISTED = 5


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Every flag of `geoloc locate` that concerns its answers, by its name and with its default.

    `near`, `prior` and `camera` are written as on the command line; one alone needs no list about it. A prior is asked
    for by name, or by the flags of a vision-language model.
    """

    index: str | os.PathLike[str] | None = None
    map: str | os.PathLike[str] | None = None
    pose: bool = False
    near: str | Sequence[str] = ()
    prior: str | Sequence[str] = ()
    vlm_url: str | None = None
    vlm_model: str | None = None
    vlm_samples: int | None = None
    vlm_strategy: str | None = None
    vlm_replay: str | os.PathLike[str] | None = None
    rag: str | None = None
    rerank: str = "linear"
    retriever: str = "global"
    solver: str = "auto"
    matcher: str = "mutual-nn"
    top_k: int = 15
    explain: bool = False
    sequence: bool = False
    max_speed: float | None = None
    camera: str | None = None
    focal_px: float | None = None
    fov_deg: float | None = None
    calibration: str | os.PathLike[str] | None = None
    disclose: str = "exact"
    disclose_policy: str | os.PathLike[str] | None = None
    cache: str | os.PathLike[str] | None = None
    offline: bool = False

    def circles(self) -> tuple[Circle, ...]:
        """Where to search first."""
        return tuple(Circle(*circle_of(text, "--near")) for text in _several(self.near))

    def override(self) -> CameraOverride | None:
        """The intrinsics that are stated, None where nothing is."""
        if self.camera is None and self.focal_px is None and self.fov_deg is None:
            return None
        camera = parse_camera(self.camera) if self.camera else None
        return CameraOverride(focal_px=self.focal_px, fov_deg=self.fov_deg, camera=camera)

    def priors(self, index: str) -> list[str]:
        """The priors of the run, those among them that its flags stand for, for the index that is searched."""
        stated = {flag: getattr(self, flag) for flags in FLAGS.values() for flag in flags}
        named = with_flags(_several(self.prior), stated, stated)
        return with_rag(named, self.rag, index)

    def options(self) -> LocateOptions:
        """Of one photo's search. Raises UsageError where they are none."""
        chosen = LocateOptions(
            near=self.circles(),
            top_k=self.top_k,
            list_k=self.top_k if self.explain else min(_LISTED, self.top_k),
            rerank=self.rerank,
        )
        chosen.check()
        return chosen


class Run:
    """Index, priors and calibration of a run, checked and opened before any photo is looked at; a context."""

    def __init__(self, asked: Asked, say: Callable[[str], None], witness: str | None = None) -> None:
        """say: told in one sentence each of what does not fit, and is left out. witness: as of `locate_photos`.

        Raises RunErrors.
        """
        if asked.max_speed is not None and not (asked.sequence and 0.0 < asked.max_speed < float("inf")):
            raise UsageError("--max-speed is metres a second above 0, and goes with --sequence.")
        if asked.offline:
            go_offline()
        self.asked, self._witness = asked, witness
        self.index, self._pose = where(
            asked.index, asked.map, asked.pose, asked.override(), asked.solver, asked.matcher
        )
        self._options, named = asked.options(), asked.priors(self.index)
        self.told_as = Discloser(asked.disclose, _name(asked.disclose_policy))
        if self.told_as.by_context:
            if not sees_contexts(named):
                say(NO_CONTEXTS)
            named = asking_contexts(named)
        self._say = say
        self.stored = fitting(_name(asked.calibration), named, self.index, asked.retriever, asked.matcher, say)
        self._cache = self.told_as.cache(_name(asked.cache))
        self.closed = False
        self.panel = Panel(named, self._cache, remember=asked.sequence)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.closed = True
        self.panel.close()

    def answered(self, resume: str | None) -> Answered:
        """The answers of an earlier run in this file, to which those of this run are added, no finer than is asked for.

        Raises UsageError where what it holds does not go with this run.
        """
        if self.asked.sequence and resume and not self.told_as.all_is_told:
            raise UsageError("--sequence goes by exact answers, which --disclose keeps out of --resume; leave one out.")
        done = Answered(resume, told=self.told_as)
        if finer := self.told_as.of_kept(done.answers.values(), resume):
            self._say(finer)
        return done

    def located(
        self, paths: Sequence[str], workers: int | None, near_of: dict[str, Circle] | None = None
    ) -> Generator[Answer]:
        """The answer of each path, in their order, each alone and exact; near_of: where to search first for some."""
        yield from locate_photos(
            self.index,
            paths,
            self._options,
            LocalPool(workers),
            self.panel,
            self._cache,
            self._pose,
            self.asked.retriever,
            self.asked.matcher,
            near_of,
            calibration=self.stored.calibration if self.stored else None,
            witness=self._witness,
        )

    def as_asked(self, answers: Iterator[Answer], workers: int | None) -> Iterator[Answer]:
        """Answers of `located`, where that is asked for as one trajectory makes them, which is known at their end."""
        if not self.asked.sequence:
            return answers
        return iter(
            follow(
                list(answers),
                lambda near: self.located(list(near), workers, near),
                max_speed=self.asked.max_speed,
            )
        )

    def resident(self) -> Resident:
        """What locates one photo after the other in this process, its index open and its backends built."""
        calibration = self.stored.calibration if self.stored else None
        retriever, matcher = self.asked.retriever, self.asked.matcher
        return Resident(self.index, self._options, self.panel, self._cache, self._pose, retriever, matcher, calibration)


def where(
    index: str | os.PathLike[str] | None,
    map: str | os.PathLike[str] | None,
    pose: bool,
    override: CameraOverride | None,
    solver: str,
    matcher: str,
) -> tuple[str, dict[str, Any] | None]:
    """The index to be searched, and what the pose stage is built of, where one is asked for."""
    searched = searched_index(index, map)
    if map is not None:
        read_manifest(Path(map))
    stage = stage_spec(None if map is None else os.fspath(map), override, solver, matcher) if pose else None
    return searched, stage


def searched_index(index: str | os.PathLike[str] | None, map: str | os.PathLike[str] | None) -> str:
    """The folder of the index that is meant. Raises UsageError unless one of the two is given."""
    if map is None and index is not None:
        return os.fspath(index)
    if map is not None and index is None:
        return str(index_of(Path(map)))
    raise UsageError("Give --index DIR or --map DIR, and not both: a map carries its own index.")


def _name(path: str | os.PathLike[str] | None) -> str | None:
    return None if path is None else os.fspath(path)


def _several(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
