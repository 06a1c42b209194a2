"""Many photos -> many fixes: the same `locate` wherever the map over photos runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from geoloc_cli.contracts import ParallelMap, Prior
from geoloc_cli.index.reader import Circle, Index
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.pipeline.describer import build_descriptor, features_of
from geoloc_cli.pipeline.locate import LocateOptions, Locator
from geoloc_cli.pipeline.matching import build_matcher
from geoloc_cli.pipeline.posing import build_stage
from geoloc_cli.registry import create, parse
from geoloc_cli.retrieval.verify import VerifyOptions
from geoloc_cli.types import Belief, Failure, Fix, PriorGuess


def locate_photos(
    index: str | Path,
    paths: Iterable[str],
    options: LocateOptions,
    parallel_map: ParallelMap,
    priors: Iterable[str] = (),
    cache: str | None = None,
    pose: dict[str, Any] | None = None,
    retriever: str = "vlad",
    matcher: str = "mutual-nn",
    near_of: dict[str, Circle] | None = None,
) -> Iterator[Fix | Failure]:
    """One answer for each path, in their order. Raises the index's RunErrors before the first photo is read.

    pose: `pipeline.posing.stage_spec`, where poses are asked for.
    retriever, matcher: their names, with options if any, as in `cann?features=1000`; the matcher verifies.
    near_of: where to search first for some of the paths (`pipeline/sequence.py`).
    """
    create("retriever", parse(retriever))
    spec = {"index": str(index), "options": asdict(options), "priors": list(priors), "cache": cache, "pose": pose}
    spec |= {"retriever": retriever, "matcher": matcher}
    spec["near_of"] = {path: asdict(circle) for path, circle in (near_of or {}).items()}
    with Index.open(index) as opened:
        # An index that cannot serve is refused here, once, and not in every worker.
        features_of(opened)
        build_descriptor(opened)
        build_matcher(opened, matcher, options.verify.max_ratio)
    yield from parallel_map("geoloc_cli.pipeline.batch:build_locator", spec, paths)


def build_locator(spec: dict[str, Any]) -> Callable[[str], Fix | Failure]:
    """In a worker: opens the index and builds the backends once; the result locates one path at a time."""
    given = dict(spec["options"])
    near = tuple(Circle(**circle) for circle in given.pop("near"))
    options = LocateOptions(near=near, verify=VerifyOptions(**given.pop("verify")), **given)
    index = Index.open(spec["index"])
    features, max_size_px = features_of(index, spec["cache"])
    priors = [create("prior", parse(name)) for name in spec["priors"]]
    stage = None
    if spec.get("pose"):
        stage = build_stage(spec["pose"], index, spec["cache"]).pose
    search = create("retriever", parse(spec["retriever"])).over(index)
    matcher = build_matcher(index, spec["matcher"], options.verify.max_ratio)
    locator = Locator(index, features, search, matcher, max_size_px, options, _asker(priors), stage)
    near_of = {path: (Circle(**circle),) for path, circle in spec["near_of"].items()}

    def locate(path: str) -> Fix | Failure:
        return locator.locate(path, near_of.get(path, ()))

    return locate


def _asker(priors: list[Prior]) -> Callable[[str], tuple[Belief, PriorGuess] | None] | None:
    if not priors:
        return None

    def ask(path: str) -> tuple[Belief, PriorGuess] | None:
        photo = read_photo(path)
        answers = (prior.believe(photo) for prior in priors)
        return next((answer for answer in answers if answer is not None), None)

    return ask
