"""One photo -> the answers of the pipeline with parts of it left out, and no part worked out twice."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from geoloc_cli.contracts import ParallelMap
from geoloc_cli.errors import TooFewFeatures
from geoloc_cli.pipeline.asked_ahead import Panel
from geoloc_cli.pipeline.asking import Asked, prior_fix
from geoloc_cli.pipeline.batch import Item, locator_of, prepared
from geoloc_cli.pipeline.locate import LocateOptions, Locator, Seen, Stopwatch
from geoloc_cli.pipeline.searching import Bounds, Hits, Sight
from geoloc_cli.records import dumps, from_record
from geoloc_cli.retrieval.once import Once
from geoloc_cli.retrieval.rerank import RERANKERS, best_first
from geoloc_cli.types import Failure, Fix

PRIOR, RETRIEVAL, BOUNDED = "prior alone", "retrieval alone", "bounded by the prior"
RERANKED = {f"re-ranked, {name}": name for name in RERANKERS}
VERIFIED, POSED = "verified", "posed"
VERIFIED_ALONE, POSED_ALONE = "verified, without the prior", "posed, without the prior"


def variants(*, priors: bool, pose: bool) -> list[str]:
    """The names of what is tried, in the order in which the pipeline grows; `priors`, `pose`: whether it has any.

    `retrieval alone`: the most similar photo of the whole index; `bounded by the prior`: of those inside of its
    regions; `re-ranked`: the first of the candidates from inside and outside by each formula of
    `retrieval/rerank.py`, before any is compared; `verified` and `posed`: what `locate` says, and so the prior's place
    where nothing stands.
    """
    verified, posed = [VERIFIED, POSED][: 1 + pose], [VERIFIED_ALONE, POSED_ALONE][: 1 + pose]
    return [PRIOR, RETRIEVAL, BOUNDED, *RERANKED, *verified, *posed] if priors else [RETRIEVAL, *verified]


@dataclass(frozen=True, slots=True)
class Answer:
    """Latitude and longitude in degrees, None where there is no answer, and what it would have taken alone, by stage:
    work that was shared counts in full.
    """

    place: tuple[float, float] | None
    timing_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Ablated:
    """The answers for one photo by the names of `variants`, and the milliseconds that all of them took together."""

    photo: str
    answers: Mapping[str, Answer]
    spent_ms: float


def to_line(answer: Ablated | Failure) -> str:
    """The answers for a photo as one line of JSON, without its newline."""
    return dumps(answer) if isinstance(answer, Failure) else json.dumps({"ablated": asdict(answer)}, allow_nan=False)


def from_line(said: dict[str, Any]) -> Ablated | Failure:
    """The answers that `to_line` wrote. Raises UsageError, KeyError, TypeError or ValueError where it is another's."""
    if "ablated" not in said:
        failure = from_record(said)
        if isinstance(failure, Fix):
            raise ValueError("an answer of the whole pipeline")
        return failure
    told = said["ablated"]
    answers = {
        variant: Answer(tuple(answer["place"]) if answer["place"] else None, answer["timing_ms"])
        for variant, answer in told["answers"].items()
    }
    return Ablated(told["photo"], answers, told["spent_ms"])


def ablate_photos(
    index: str | Path,
    paths: Iterable[str],
    options: LocateOptions,
    parallel_map: ParallelMap,
    priors: Iterable[str] | Panel = (),
    cache: str | None = None,
    pose: dict[str, Any] | None = None,
    retriever: str = "global",
    matcher: str = "mutual-nn",
) -> Generator[Ablated | Failure]:
    """The answers for each path, in their order; everything as of `batch.locate_photos`.

    options: with `hide` as it should be for photos whose own places are the truth, and without `near`: where a prior
    is left out, nothing else says where to search.
    """
    with prepared(index, paths, options, priors, cache, pose, retriever, matcher) as (spec, items):
        yield from parallel_map("geoloc_cli.pipeline.ablation:build_ablation", spec, items)


def build_ablation(spec: dict[str, Any]) -> Callable[[Item], Ablated | Failure]:
    """In a worker: the locator of a spec, of which the result asks all variants of one photo at a time."""
    locator, _ = locator_of(spec)
    return _Ablation(locator, pose=bool(spec["pose"])).of


class _Ablation:
    def __init__(self, locator: Locator, *, pose: bool) -> None:
        self._locator, self._pose = locator, pose

    def of(self, item: Item) -> Ablated | Failure:
        path, look, heard = item
        began = time.perf_counter()
        seen = self._locator.see(path, look, heard)
        if isinstance(seen, Failure):
            return seen
        alone = replace(seen, asked=None, timing_ms={**seen.timing_ms, "prior": 0.0})
        answers = {RETRIEVAL: _first(alone, self._locator.searcher.everywhere, lambda hits: hits.similarities)}
        posed = Once()
        if seen.asked is not None:
            answers |= self._with_prior(seen, seen.asked)
            answers |= self._whole(alone, (VERIFIED_ALONE, POSED_ALONE), posed)
        answers |= self._whole(seen, (VERIFIED, POSED), posed)
        return Ablated(path, answers, round(1000.0 * (time.perf_counter() - began) + heard.waited_ms, 2))

    def _with_prior(self, seen: Seen, asked: Asked) -> dict[str, Answer]:
        """The answers that rest on the prior and on looks alone."""
        said, bounds = prior_fix(seen.path, asked), self._locator.bounds(asked)
        answers = {PRIOR: Answer(_place(said), {"prior": seen.timing_ms["prior"]})}
        find = partial(self._locator.searcher.bounded, bounds=bounds)
        answers[BOUNDED] = _first(seen, find, partial(_inside, bounds))
        for name, formula in RERANKED.items():
            answers[name] = _first(seen, find, partial(_scored, bounds, formula))
        return answers

    def _whole(self, seen: Seen, names: tuple[str, str], posed: Once) -> dict[str, Answer]:
        """What `locate` says, without and with a pose, which is found once for the same neighbours and place."""
        looked = self._locator.answer(seen)
        fix, _, verified = looked
        if isinstance(fix, Failure):
            nothing = Answer(None, seen.timing_ms)
            return dict.fromkeys(names if self._pose else names[:1], nothing)
        answers = {names[0]: Answer(_place(fix), fix.timing_ms)}
        if self._pose:
            ground = (fix.stage, fix.reason, fix.lat, fix.lon, fix.radius_m, verified)
            full = posed(ground, lambda: self._locator.posed(looked))
            spent_ms = {"pose": full.timing_ms["pose"]} if isinstance(full, Fix) and "pose" in full.timing_ms else {}
            answers[names[1]] = Answer(_place(full), {**fix.timing_ms, **spent_ms})
        return answers


def _first(seen: Seen, find: Callable[[Sight], Hits], score: Callable[[Hits], Sequence[float]]) -> Answer:
    """The place of the candidate of the highest score above minus infinity, none of them being compared."""
    watch = Stopwatch(seen.timing_ms)
    try:
        hits = find(seen.sight)
    except TooFewFeatures:
        return Answer(None, watch.timing_ms)
    watch.lap("search", seen.sight.take_spared_ms())
    scores = score(hits)
    order = [i for i in best_first(scores) if scores[i] > -math.inf]
    positions = [hits.photos[i].position for i in order]
    watch.lap("rerank")
    first = next((position for position in positions if position), None)
    return Answer((first.lat, first.lon) if first else None, watch.timing_ms)


def _inside(bounds: Bounds, hits: Hits) -> list[float]:
    """Likenesses of those inside of the regions alone; of all where there are none."""
    away_m = bounds.away_m(hits.photos)
    if away_m is None:
        return hits.similarities
    return [s if away <= 0.0 else -math.inf for s, away in zip(hits.similarities, away_m, strict=True)]


def _scored(bounds: Bounds, formula: str, hits: Hits) -> list[float]:
    return list(bounds.scores(hits.photos, hits.similarities, formula))


def _place(answer: Fix | Failure) -> tuple[float, float] | None:
    if isinstance(answer, Failure) or answer.lat is None or answer.lon is None:
        return None
    return answer.lat, answer.lon
