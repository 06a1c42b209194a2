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
from geoloc_cli.pipeline.extract import override_of
from geoloc_cli.pipeline.locate import LocateOptions, Locator
from geoloc_cli.pipeline.posing import PoseStage
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
) -> Iterator[Fix | Failure]:
    """One answer for each path, in their order. Raises the index's RunErrors before the first photo is read.

    pose: `pipeline.posing.stage_spec` of the map that poses are looked for in, where they are.
    retriever: the name of the search, with its options if any, as in `cann?features=1000`.
    """
    create("retriever", parse(retriever))
    spec = {"index": str(index), "options": asdict(options), "priors": list(priors), "cache": cache, "pose": pose}
    spec["retriever"] = retriever
    with Index.open(index) as opened:
        # An index that cannot serve is refused here, once, and not in every worker.
        features_of(opened)
        build_descriptor(opened)
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
        pose = spec["pose"]
        stage = PoseStage(Path(pose["map"]), override_of(pose["camera"]), pose["solver"]).pose
    search = create("retriever", parse(spec["retriever"])).over(index)
    locator = Locator(index, features, search, max_size_px, options, _asker(priors), stage)
    return locator.locate


def _asker(priors: list[Prior]) -> Callable[[str], tuple[Belief, PriorGuess] | None] | None:
    if not priors:
        return None

    def ask(path: str) -> tuple[Belief, PriorGuess] | None:
        photo = read_photo(path)
        answers = (prior.believe(photo) for prior in priors)
        return next((answer for answer in answers if answer is not None), None)

    return ask
