"""A run over a data set: its references indexed or mapped, its queries located as if nobody knew where they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geoloc_cli.contracts import ParallelMap
from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.datasets.labelled import LabelledSet
from geoloc_cli.evaluate.grounds import Ground, Made, frames_of, given_ground, made_grounds
from geoloc_cli.evaluate.posed import Frame
from geoloc_cli.index.files import sha256_of
from geoloc_cli.index.reader import Index
from geoloc_cli.photos.opening import shown
from geoloc_cli.pipeline.answered import Answered
from geoloc_cli.pipeline.asked_ahead import Panel
from geoloc_cli.pipeline.batch import ask_photos, locate_photos
from geoloc_cli.pipeline.calibrated import Calibration
from geoloc_cli.pipeline.calibration_file import misfit, read_calibration, searched_in
from geoloc_cli.pipeline.hiding import Hiding
from geoloc_cli.pipeline.locate import LocateOptions
from geoloc_cli.pipeline.posing import stage_spec
from geoloc_cli.types import Camera, Failure, Fix

Tell = Callable[[str, int], None]

FIXES = "fixes.jsonl"
# A query is not to know where it was taken, nor to find itself.
_HIDDEN = Hiding(position=True, itself=True)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a run is made with: all that its answers depend on, beside the set and the versions.

    index, map: folders; without either they are made of the set's references. calibration: the file of what sources
    are worth, and the SHA-256 of its bytes; without it each is taken at its word. `listed` candidates an answer holds
    all that were verified, so that recall can be told of them.
    """

    index: str | None = None
    map: str | None = None
    priors: tuple[str, ...] = ()
    pose: bool = False
    rerank: str = "linear"
    retriever: str = "global"
    matcher: str = "mutual-nn"
    solver: str = "auto"
    top_k: int = 15
    features: str | None = None
    descriptor: str | None = None
    calibration: str | None = None
    calibration_digest: str | None = None

    def locating(self) -> LocateOptions:
        chosen = LocateOptions(top_k=self.top_k, list_k=self.top_k, rerank=self.rerank, hide=_HIDDEN)
        chosen.check()
        return chosen


@dataclass(slots=True)
class Done:
    """What a run came to: how many of each status, where each photo was looked for, and how long the parts took."""

    grounds: list[Ground]
    frames: Mapping[str, Frame]
    counts: dict[str, int] = field(default_factory=lambda: {"ok": 0, "unlocated": 0, "error": 0})
    kept: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    reports: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


def run(
    labelled: LabelledSet,
    out: Path,
    options: RunOptions,
    parallel_map: ParallelMap,
    cache: str | None = None,
    tell: Tell = lambda stage, done: None,
) -> Done:
    """Locates the queries of a set into `fixes.jsonl` in the folder `out`, line by line.

    Photographs that have a line there are not located again, and what is interrupted keeps its lines, its index and the
    matches of its map. Raises UsageError where there is nothing to search in and no prior to ask, and what indexes and
    maps raise.
    """
    chosen = options.locating()
    if not len(labelled.queries):
        raise UsageError(f"{labelled.name} holds no queries, but photographs to search in; give another set.")
    began = time.perf_counter()
    grounds = grounds_of(labelled, out, options, parallel_map, cache, tell)
    learned = _learned(options, grounds)
    ready = time.perf_counter()
    done = Done(grounds, _frames(labelled, grounds, options))
    cameras = cameras_of(labelled)
    answered = Answered(str(out / FIXES), "--out")
    try:
        with Panel(options.priors, cache) as panel:
            for ground in grounds:
                paths = [str(labelled.queries.path(row)) for row in ground.rows]
                todo = [path for path in paths if path not in answered.answers]
                done.kept += len(paths) - len(todo)
                known = {path: cameras[path] for path in todo if path in cameras}
                fresh = _located(ground, todo, options, chosen, panel, parallel_map, cache, known, learned)
                with closing(fresh):
                    for answer in answered.in_order(paths, fresh):
                        done.counts[answer.status if isinstance(answer, Fix) else "error"] += 1
                        tell("locating", 1)
            done.reports = panel.reports()
    finally:
        answered.close()
    done.seconds = {"index": ready - began, "locate": time.perf_counter() - ready}
    return done


def grounds_of(
    labelled: LabelledSet, out: Path, options: RunOptions, parallel_map: ParallelMap, cache: str | None, tell: Tell
) -> list[Ground]:
    """What the queries are looked for in, made in `out` where the options name nothing. Raises UsageError."""
    if options.index is not None or options.map is not None or not len(labelled.references):
        ground = given_ground(labelled, options.index, options.map)
        if ground.index is None and not options.priors:
            raise UsageError(
                f"{labelled.name} has no references to search in; give --index DIR of an index of your own, or a "
                "--prior, as in --prior geoclip."
            )
        return [ground]
    how = Made(options.features, options.descriptor, options.matcher, cache)
    return list(made_grounds(labelled, out, how, options.pose, parallel_map, tell))


def cameras_of(labelled: LabelledSet) -> dict[str, Camera]:
    """The intrinsics of the queries whose set states them, by path."""
    stated = labelled.queries.cameras or ()
    return {str(labelled.queries.path(row)): camera for row, camera in enumerate(stated) if camera is not None}


def _learned(options: RunOptions, grounds: list[Ground]) -> Calibration | None:
    """What sources are worth. Raises UsageError where the file is not the one that is meant, or does not fit."""
    if options.calibration is None:
        return None
    path = Path(options.calibration)
    stored = read_calibration(path)
    if options.calibration_digest not in (None, sha256_of(path)):
        raise UsageError(f"{shown(options.calibration)} is not what the run began with; bring that file back.")
    for folder in (ground.index for ground in grounds if ground.index is not None):
        with Index.open(folder) as opened:
            why = misfit(stored, searched_in(opened, options.retriever, options.matcher))
        if why:
            raise UsageError(f"{shown(options.calibration)} is not for {shown(folder)}: {why}; give another, or none.")
    return stored.calibration


def _frames(labelled: LabelledSet, grounds: list[Ground], options: RunOptions) -> dict[str, Frame]:
    """Of the maps in which poses are to be compared with the set's own."""
    maps = [ground.map for ground in grounds if ground.map is not None] if options.pose else []
    return {name: frame for map in maps for name, frame in frames_of(labelled, map, own=options.map is None).items()}


def _located(
    ground: Ground,
    paths: list[str],
    options: RunOptions,
    chosen: LocateOptions,
    panel: Panel,
    parallel_map: ParallelMap,
    cache: str | None,
    cameras: Mapping[str, Camera],
    learned: Calibration | None,
) -> Generator[Fix | Failure]:
    if not paths:
        return
    if ground.index is None:
        yield from ask_photos(paths, panel, parallel_map, cache, hide=_HIDDEN, calibration=learned)
        return
    pose = stage_spec(ground.map, None, options.solver, options.matcher, cameras) if options.pose else None
    yield from locate_photos(
        ground.index,
        paths,
        chosen,
        parallel_map,
        priors=panel,
        cache=cache,
        pose=pose,
        retriever=options.retriever,
        matcher=options.matcher,
        calibration=learned,
    )
