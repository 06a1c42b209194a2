"""An index measured on its own photos (`retrieval/tune.py`): which are asked, what they look like, what to do then."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.descriptors.views import ViewOptions
from geoloc_cli.descriptors.vlad import VladDescriptor, VladOptions, raw_vectors
from geoloc_cli.errors import IndexMismatch, UsageError
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.index.codes import CODES_FROM_ROWS
from geoloc_cli.index.derived import Ordered
from geoloc_cli.index.reader import Circle, Index
from geoloc_cli.index.search import rows_within
from geoloc_cli.pipeline.describer import default_spec
from geoloc_cli.retrieval.tune import DIMS, WHITENS, Choice, Measured, Sample, Tuner, recommended, tune

Floats = NDArray[np.float32]
Tell = Callable[[str, int], None]

SAMPLED = 2000
# Of the sampled photos, those that are asked and what they should find; the others are there to be mistaken for them.
_ASKED_AND_NEAR = 1500
_NEAR_EACH = 2
# Photos beside those, to learn the words of codes from: sixteen for each of 256.
_OTHERS = 4096
_FEWEST, _FEWEST_ASKED = 20, 10
_SEED = 0


@dataclass(frozen=True, slots=True)
class TuneReport:
    """within_m: how near an answer is right; None where the photos' positions do not say, and rankings are compared.

    now: the choice of `rows` that is nearest to what the index is; best: the one that is recommended; command: what
    makes it so, None where it is; bound: the most numbers that so few photos teach, None where all that were wanted.
    """

    descriptor: str
    features: str
    photos: int
    sampled: int
    queries: int
    within_m: float | None
    rows: tuple[Measured, ...]
    now: Choice
    best: Measured
    command: str | None
    bound: int | None


def tune_index(
    folder: str | Path, queries: int = 500, within_m: float = 25.0, tell: Tell = lambda stage, done: None
) -> TuneReport:
    """Asks at most `queries` photos of the index; an answer is right where it was taken within `within_m` of the query.

    At most 2000 photos are looked at, and 4096 more where the index is large enough for codes. tell(stage, photos):
    progress. The vocabulary of `vlad` stays as it was learned from all photos, those that are asked among them.
    """
    with Index.open(folder) as index:
        manifest = index.manifest
        describer, codes = manifest.describer, manifest.codes
        whole = describer["descriptor"]["name"] != VladDescriptor.name
        now = Choice(*_reduction(describer, index.state()), codes)
        sample = _drawn(index, queries, within_m, tell)
    tuner = Tuner(sample, tell)
    dims, whitens = {*DIMS}, {*WHITENS}
    if now.dim:
        dims, whitens = dims | {now.dim}, whitens | {now.whiten}
    learned = tuner.dims(sorted(dims))
    if now.dim and learned:
        now = replace(now, dim=min(now.dim, learned[0]))
    rows = tune(tuner, total=sample.total, whole=whole, dims=sorted(dims), whitens=sorted(whitens), now=now)
    best = recommended(rows, total=sample.total, whole=whole, now=now)
    return TuneReport(
        descriptor=describer["descriptor"]["name"],
        features=describer["features"]["name"],
        photos=sample.total,
        sampled=len(sample.vectors),
        queries=len(sample.queries),
        within_m=None if sample.near is None else within_m,
        rows=tuple(rows),
        now=now,
        best=best,
        command=_command(Path(folder), describer, now, best.choice, manifest.augment),
        bound=learned[0] if learned and learned[0] < max(dim for dim in dims if dim < tuner.length) else None,
    )


def _reduction(describer: dict[str, Any], state: dict[str, NDArray[Any]]) -> tuple[int, float]:
    """What the index learned: how many axes, 0 where it keeps all numbers, and how far they are whitened."""
    if "whitening" not in state:
        return 0, 0.0
    options = describer["reduction"] if "reduction" in describer else describer["descriptor"]["options"]
    return state["whitening"].shape[1], float(options.get("whiten", VladOptions().whiten))


def _drawn(index: Index, queries: int, within_m: float, tell: Tell) -> Sample:
    ordered = index.ordered()
    count = len(ordered.row_ids)
    if count < _FEWEST:
        raise UsageError(f"{index.folder} holds {count} photos with a vector; {_FEWEST} are the fewest to tune it by.")
    rng = np.random.default_rng(_SEED)
    places = _sampled(ordered, queries, within_m, rng)
    lat, lon = ordered.lat[places], ordered.lon[places]
    near = np.asarray(haversine_m(lat[:, None], lon[:, None], lat, lon)) <= within_m
    np.fill_diagonal(near, False)
    able = np.flatnonzero(near.any(axis=1))
    judged = len(able) >= _FEWEST_ASKED
    able = able if judged else np.arange(len(places))
    asked = np.sort(rng.choice(able, min(queries, len(able)), replace=False))
    rest = np.setdiff1d(np.arange(count), places) if count >= CODES_FROM_ROWS else np.zeros(0, np.int64)
    rest = np.sort(rng.choice(rest, min(_OTHERS, len(rest)), replace=False))
    vectors, teachers, taught_by = [], [], []
    for i, found in enumerate(_raw(index, ordered.row_ids[places], rng)):
        tell("describing", 1)
        vectors.append(found[0])
        teachers += found
        taught_by += [i] * len(found)
    others = []
    for found in _raw(index, ordered.row_ids[rest], None):
        tell("describing", 1)
        others.append(found[0])
    return Sample(
        vectors=np.stack(vectors),
        teachers=np.stack(teachers),
        taught_by=np.array(taught_by, np.int64),
        others=np.stack(others) if others else np.zeros((0, len(vectors[0])), np.float32),
        queries=asked,
        near=near[asked] if judged else None,
        total=count,
    )


def _sampled(ordered: Ordered, queries: int, within_m: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Places in the order of the rows, ascending: of a large index photos that have others nearby, two of these each,
    and any others.
    """
    count = len(ordered.row_ids)
    if count <= SAMPLED:
        return np.arange(count)
    order = rng.permutation(count)
    taken: dict[int, None] = {}
    tried = order[np.isfinite(ordered.lat[order])][: 20 * queries]
    asked = 0
    for at in tried.tolist():
        if asked == queries or len(taken) >= _ASKED_AND_NEAR:
            break
        near = rows_within(ordered, [Circle(ordered.lat[at], ordered.lon[at], within_m)])
        near = near[near != at]
        if len(near):
            asked += 1
            taken |= dict.fromkeys([at, *rng.choice(near, min(_NEAR_EACH, len(near)), replace=False).tolist()])
    for at in order.tolist():
        if len(taken) >= SAMPLED:
            break
        taken[at] = None
    return np.sort(np.array(list(taken), np.int64))


def _raw(index: Index, rows: NDArray[np.int64], rng: np.random.Generator | None) -> Iterator[list[Floats]]:
    """The vector of each photo before anything that an index learns by axes; with `rng`, for `vlad`, those of its crops
    too, of as many photos as a build takes them from.
    """
    named = index.manifest.describer["descriptor"]
    if named["name"] != VladDescriptor.name:
        for row in rows:
            look = index.local(int(row)).look
            if look is None:
                raise IndexMismatch(f"The index in {index.folder} keeps no looks of its photos; build it again.")
            yield [np.array(look)]
        return
    state, options = index.state(), VladOptions(**named["options"])
    draws = rng or np.random.default_rng(_SEED)
    cropped = 0 if rng is None else options.max_photos
    for i, row in enumerate(rows):
        yield list(raw_vectors(index.local(int(row)), state, options.crops if i < cropped else 0, draws))


def _command(folder: Path, describer: dict[str, Any], now: Choice, best: Choice, augment: int = 0) -> str | None:
    """What makes an index as it should be; None where it is."""
    if best == now:
        return None
    if (best.dim, best.whiten) == (now.dim, now.whiten):
        return shlex.join(["geoloc", "index", "compact", str(folder), "--codes", best.codes.name])
    words = ["geoloc", "index", "build", "PHOTOS", "--index", f"{folder}-tuned"]
    for part, usual in (("features", default_spec()["features"]), ("descriptor", default_spec()["descriptor"])):
        said = _said(describer[part], usual)
        words += [f"--{part}", said] if said != usual["name"] else []
    views = ViewOptions(**describer.get("views", {}))
    words += ["--scales", views.scales] if views.scales != ViewOptions().scales else []
    words += ["--flip"] if views.flip else []
    words += ["--augment", str(augment)] if augment else []
    if best.dim:
        words += ["--dim", str(best.dim), "--whiten", f"{best.whiten:g}"]
    return shlex.join([*words, "--codes", best.codes.name])


def _said(named: dict[str, Any], usual: dict[str, Any]) -> str:
    """`name?key=value&...`, without what is as usual, nor what the recommendation says."""
    same = usual["options"] if usual["name"] == named["name"] else {}
    said = {key: value for key, value in named["options"].items() if key not in same or same[key] != value}
    if named["name"] == VladDescriptor.name:
        said = {key: value for key, value in said.items() if key not in ("dim", "whiten")}
    return "?".join([named["name"], *([urlencode(said, safe="/")] if said else [])])
