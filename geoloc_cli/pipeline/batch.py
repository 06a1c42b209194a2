"""Many photos -> many fixes: the same `locate` wherever the map over photos runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.contracts import ParallelMap
from geoloc_cli.device import available_cores
from geoloc_cli.errors import PhotoError
from geoloc_cli.index.reader import Circle, Index
from geoloc_cli.pipeline import sightings
from geoloc_cli.pipeline.ahead import pays, with_looks
from geoloc_cli.pipeline.asked_ahead import Panel
from geoloc_cli.pipeline.asking import (
    AT_THEIR_WORD,
    Heard,
    Said,
    Trust,
    ask_text,
    asked_of,
    build_prior,
    build_priors,
    hear,
    prior_fix,
)
from geoloc_cli.pipeline.calibrated import Calibration, calibration_of, prior_key
from geoloc_cli.pipeline.describer import build_descriptor, describer_of
from geoloc_cli.pipeline.extract import fingerprint
from geoloc_cli.pipeline.hiding import NOTHING_HIDDEN, Hiding
from geoloc_cli.pipeline.locate import LocateOptions, Locator, Looked, Stopwatch, asks_for_pose
from geoloc_cli.pipeline.matching import build_matcher
from geoloc_cli.pipeline.posing import PoseStage, build_stage
from geoloc_cli.pose.solve_auto import batches_pay
from geoloc_cli.priors.vlm_replay import ReplayPrior
from geoloc_cli.registry import create, parse
from geoloc_cli.retrieval.verify import VerifyOptions
from geoloc_cli.types import Failure, Fix, Photo

Look = NDArray[np.float32]
# A path, the photo's look where it has been found, and what was said of it.
Item = tuple[str, Look | None, Heard]
# Photos whose poses are worked out together: enough to fill a device, few enough to show progress.
_GROUP = 64
# Of a photo with ten neighbours in a map.
_USUAL_PAIRS = 1000


def locate_photos(
    index: str | Path,
    paths: Iterable[str],
    options: LocateOptions,
    parallel_map: ParallelMap,
    priors: Iterable[str] | Panel = (),
    cache: str | None = None,
    pose: dict[str, Any] | None = None,
    retriever: str = "global",
    matcher: str = "mutual-nn",
    near_of: dict[str, Circle] | None = None,
    ahead: bool | None = None,
    calibration: Calibration | None = None,
    witness: str | None = None,
) -> Iterator[Fix | Failure]:
    """One answer for each path, in their order. Raises the index's RunErrors before the first photo is read.

    priors: as `asking.build_prior` reads them, or those of a longer run, which are left open.
    pose: `pipeline.posing.stage_spec`, where poses are asked for.
    retriever, matcher: their names, with options if any, as in `cann?features=1000`; the matcher verifies.
    near_of: where to search first for some of the paths (`pipeline/sequence.py`).
    ahead: pictures are described in this process and not by the workers; by default where that pays (`ahead.py`).
    calibration: what the priors and the stages are worth; without it each is taken at its word.
    witness: a folder in which is kept what each photo was compared with (`sightings.py`).
    """
    asked = priors if isinstance(priors, Panel) else list(priors)
    learned = learned_for(asked.texts if isinstance(asked, Panel) else asked, calibration)
    set_up = prepared(index, paths, options, asked, cache, pose, retriever, matcher, near_of, ahead, learned)
    with set_up as (spec, items):
        spec["witness"] = witness
        if pose is None or not takes_many(pose["solver"]):
            answers = parallel_map("geoloc_cli.pipeline.batch:build_locator", spec, items)
            yield from map(learned.tempered, answers) if learned else answers
            return
        looked = parallel_map("geoloc_cli.pipeline.batch:build_looker", spec, items)
        with Index.open(index) as opened:
            answers = _posed(looked, build_stage(pose, opened, cache, options.hide))
            yield from map(learned.tempered, answers) if learned else answers


@contextmanager
def prepared(
    index: str | Path,
    paths: Iterable[str],
    options: LocateOptions,
    priors: Iterable[str] | Panel,
    cache: str | None,
    pose: dict[str, Any] | None,
    retriever: str,
    matcher: str,
    near_of: dict[str, Circle] | None = None,
    ahead: bool | None = None,
    learned: Calibration | None = None,
) -> Iterator[tuple[dict[str, Any], Iterator[Item]]]:
    """What the workers of such a run are built of, and what they are given, photo by photo; as of `locate_photos`."""
    create("retriever", parse(retriever))
    spec: dict[str, Any] = {
        "index": str(index),
        "options": asdict(options),
        "cache": cache,
        "pose": pose,
    }
    spec |= {"retriever": retriever, "matcher": matcher}
    spec["near_of"] = {path: asdict(circle) for path, circle in (near_of or {}).items()}
    with Index.open(index) as opened:
        # An index that cannot serve is refused here, once, and not in every worker.
        describer_of(opened)
        build_descriptor(opened)
        describer = opened.manifest.describer
        build_matcher(opened, matcher, options.verify.max_ratio)
    spec["ahead"] = pays(describer) if ahead is None else ahead
    seen: Iterable[tuple[str, Look | None]] = ((path, None) for path in paths)
    if spec["ahead"]:
        seen = with_looks(paths, lambda path: path, describer, cache, available_cores())
    with _panel(priors, cache) as panel, closing(panel.heard(seen, lambda item: item[0], options.hide)) as heard:
        spec["priors"] = panel.left
        spec["trust"] = _trust_spec(panel, learned)
        yield spec, ((path, look, said) for (path, look), said in heard)


def learned_for(texts: Sequence[str], calibration: Calibration | None) -> Calibration | None:
    """What a calibration says of a run with these priors."""
    return calibration.for_priors([prior_key(text) for text in texts]) if calibration else None


def _trust_spec(panel: Panel, calibration: Calibration | None) -> dict[str, Any] | None:
    """For the workers: what priors are worth, and by what they are known there."""
    if calibration is None or not panel.texts:
        return None
    return {"calibration": calibration.as_json(), "keys": [prior_key(text) for text in panel.texts]}


def _trust(spec: dict[str, Any] | None) -> Callable[[str], Trust]:
    """In a worker: what the priors are worth for a photo's path."""
    if spec is None:
        return lambda path: AT_THEIR_WORD
    calibration, keys = calibration_of(spec["calibration"]), spec["keys"]
    return lambda path: calibration.of(path).trust(keys)


@contextmanager
def _panel(priors: Iterable[str] | Panel, cache: str | None) -> Iterator[Panel]:
    if isinstance(priors, Panel):
        yield priors
        return
    with Panel(priors, cache) as own:
        yield own


def takes_many(solver: str) -> bool:
    """Whether a solver of this name, with options if any, gains by being asked for many photos at once."""
    name = parse(solver).name
    return name == "torch" or (name == "auto" and batches_pay(_GROUP, _USUAL_PAIRS))


def _posed(looked: Iterable[Looked | Failure], stage: PoseStage) -> Iterator[Fix | Failure]:
    """Poses in groups, of which the solver is asked for all at once; answers in order, each group as it is done."""
    for group in _groups(looked, _GROUP):
        began = time.perf_counter()
        asking = [
            (answer, features, verified)
            for answer, features, verified in group
            if isinstance(answer, Fix) and features is not None and asks_for_pose(answer)
        ]
        posed = iter(stage.pose_all(asking))
        spent_ms = round(1000.0 * (time.perf_counter() - began) / max(1, len(asking)), 2)
        for answer, features, _ in group:
            if isinstance(answer, Fix) and features is not None and asks_for_pose(answer):
                fix = next(posed)
                yield replace(fix, timing_ms=fix.timing_ms | {"pose": spent_ms})
            else:
                yield answer


def _groups(looked: Iterable[Looked | Failure], size: int) -> Iterator[list[Looked]]:
    group: list[Looked] = []
    for each in looked:
        # A worker that died over a photo leaves a Failure alone.
        group.append((each, None, ()) if isinstance(each, Failure) else each)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def build_asker(spec: dict[str, Any]) -> Callable[[tuple[str, Heard]], Fix | Failure]:
    """In a worker: the priors of a spec; the result is what they say of one photo, without any index."""
    priors, hide = build_priors(spec["priors"], spec["cache"]), Hiding(**spec["hide"])
    trust = _trust(spec["trust"])

    def answer(item: tuple[str, Heard]) -> Fix | Failure:
        path, heard = item
        watch = Stopwatch()
        try:
            fix = prior_fix(path, asked_of(priors, hide, trust, path, heard))
            fix = replace(fix, sha256=fingerprint(path)[0])
        except PhotoError as error:
            return Failure(path, error.code, str(error))
        watch.lap("prior", heard.waited_ms)
        return replace(fix, timing_ms=watch.timing_ms)

    return answer


def ask_photos(
    paths: Iterable[str],
    priors: Iterable[str] | Panel,
    parallel_map: ParallelMap,
    cache: str | None = None,
    hide: Hiding = NOTHING_HIDDEN,
    calibration: Calibration | None = None,
) -> Iterator[Fix | Failure]:
    """What the priors say of each photo, in their order. Raises their RunErrors before the first is answered.

    calibration: what they are worth, alone and together.
    """
    with _panel(priors, cache) as panel, closing(panel.heard(paths, lambda path: path, hide)) as items:
        learned = learned_for(panel.texts, calibration)
        spec = {"priors": panel.left, "cache": cache, "hide": asdict(hide), "trust": _trust_spec(panel, learned)}
        answers = parallel_map("geoloc_cli.pipeline.batch:build_asker", spec, items)
        yield from map(learned.tempered, answers) if learned else answers


def build_hearer(spec: dict[str, Any]) -> Callable[[tuple[str, Heard]], tuple[Said, ...] | Failure]:
    """In a worker: the priors of a spec; the result is what each says of one photo."""
    priors, hide = build_priors(spec["priors"], spec["cache"]), Hiding(**spec["hide"])
    recorded = all(isinstance(prior, ReplayPrior) for prior in priors)

    def answer(item: tuple[str, Heard]) -> tuple[Said, ...] | Failure:
        path, heard = item
        try:
            # Recorded answers need no photograph.
            photo = Photo(path, 1, 1) if recorded and not Path(path).exists() else hide.read(path)
        except PhotoError as error:
            return Failure(path, error.code, str(error))
        return hear(priors, photo, heard.said)

    return answer


def hear_photos(
    paths: Iterable[str],
    priors: Iterable[str] | Panel,
    parallel_map: ParallelMap,
    cache: str | None = None,
    hide: Hiding = NOTHING_HIDDEN,
) -> Iterator[tuple[Said, ...] | Failure]:
    """What each of the priors says of each photo, alone, in their orders. Raises their RunErrors before the first."""
    with _panel(priors, cache) as panel, closing(panel.heard(paths, lambda path: path, hide)) as items:
        spec = {"priors": panel.left, "cache": cache, "hide": asdict(hide)}
        yield from parallel_map("geoloc_cli.pipeline.batch:build_hearer", spec, items)


def ask_words(text: str, priors: Iterable[str], cache: str | None = None) -> Fix:
    """What the priors say of words alone: an answer for `text:` and the words. Raises their RunErrors."""
    watch = Stopwatch()
    asked = ask_text([build_prior(prior, cache) for prior in priors], text)
    watch.lap("prior")
    return replace(prior_fix(f"text:{text}", asked), timing_ms=watch.timing_ms)


def build_locator(spec: dict[str, Any]) -> Callable[[Item], Fix | Failure]:
    """In a worker: opens the index and builds the backends once; the result locates one photo at a time."""
    locator, near_of = locator_of(spec)
    return lambda item: locator.locate(item[0], near_of.get(item[0], ()), item[1], item[2])


def build_looker(spec: dict[str, Any]) -> Callable[[Item], Looked]:
    """The same without poses: the result is what they are made of, for whoever works out many at once."""
    locator, near_of = locator_of(spec | {"pose": None})
    return lambda item: locator.look(item[0], near_of.get(item[0], ()), item[1], item[2])


def locator_of(spec: dict[str, Any]) -> tuple[Locator, dict[str, tuple[Circle, ...]]]:
    """The locator of a spec of `prepared`, and where to search first for some of its photos."""
    index = Index.open(spec["index"])
    given = dict(spec["options"])
    near = tuple(Circle(**circle) for circle in given.pop("near"))
    verify, hide = VerifyOptions(**given.pop("verify")), Hiding(**given.pop("hide"))
    options = LocateOptions(near=near, verify=verify, hide=hide, **given)
    pose = build_stage(spec["pose"], index, spec["cache"], hide).pose if spec["pose"] else None
    describer = describer_of(index, spec["cache"], ahead=spec["ahead"])
    priors = build_priors(spec["priors"], spec["cache"])
    asker = partial(asked_of, priors, hide, _trust(spec["trust"])) if priors else None
    search = create("retriever", parse(spec["retriever"])).over(index)
    matcher = build_matcher(index, spec["matcher"], options.verify.max_ratio)
    witness = partial(sightings.keep, Path(spec["witness"])) if spec.get("witness") else None
    locator = Locator(index, describer, search, matcher, options, asker, pose, witness)
    return locator, {path: (Circle(**circle),) for path, circle in spec["near_of"].items()}
