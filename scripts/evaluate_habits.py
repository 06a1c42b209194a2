"""Shows what the habits of test time are worth: scales, mirror images, augmentation, and the expansion of queries.

    python scripts/evaluate_habits.py --descriptor 'onnx?weights=...' [--data ../shared/data] [--sets corridor,seneca]
        [--scales 0.7,1,1.5] [--augment 3]

Retrieval alone, by the vectors of one descriptor. Corridor has queries and a list of the references that are right. Of
sets with positions each fifth photograph is asked of the rest, five times, and what lies within 25 m is right. Query
expansion, which no command has, is the sum of a query and the n references nearest to it, by the cubes of their
cosines; augmentation from anywhere heeds no distance. Prints how many queries have a right reference first and among
five, and one JSON line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.contracts import PictureDescriptor
from geoloc_cli.descriptors.views import ViewOptions, ViewsDescriptor
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.index.augment import augmented
from geoloc_cli.index.derived import Ordered
from geoloc_cli.photos.decode import decode_rgb
from geoloc_cli.registry import create, parse
from real_sets import WITHIN_M, parser, pictures, place, retrieval_set, split

Rows = NDArray[np.float32]
FOLDS = 5
EXPANDED_BY = (1, 3, 5)


@dataclass(frozen=True)
class Asked:
    """Paths, their positions (NaN where there are none), and parts: queries, references, which of them are right."""

    paths: list[Path]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]]


def asked_once(data: Path, name: str) -> Asked:
    real = retrieval_set(data, name)
    right = np.array([[real.is_right(str(query), str(ref)) for ref in real.references] for query in real.queries])
    numbers = np.arange(len(real.queries) + len(real.references))
    nowhere = np.full(len(numbers), np.nan)
    parts = [(numbers[: len(real.queries)], numbers[len(real.queries) :], right)]
    return Asked(real.queries + real.references, nowhere, nowhere, parts)


def asked_in_turn(data: Path, name: str) -> Asked:
    paths = pictures(split(data, name)[0])
    lat, lon = np.array([place(str(path)) for path in paths]).T
    near = haversine_m(lat[:, None], lon[:, None], lat, lon) <= WITHIN_M
    folds = [np.arange(len(paths)) % FOLDS == fold for fold in range(FOLDS)]
    parts = [(np.flatnonzero(fold), np.flatnonzero(~fold), near[fold][:, ~fold]) for fold in folds]
    return Asked(paths, lat, lon, parts)


def vectors(descriptor: PictureDescriptor, paths: list[Path]) -> Rows:
    size = descriptor.wanted_px() or 1 << 20
    return np.concatenate([descriptor.embed([decode_rgb(str(path), max_size=size)]) for path in paths])


def expanded(queries: Rows, references: Rows, count: int) -> Rows:
    similar = queries @ references.T
    best = np.argsort(-similar, axis=1, kind="stable")[:, :count]
    weights = np.maximum(np.take_along_axis(similar, best, axis=1), 0.0) ** 3
    total = queries + np.einsum("qn,qnd->qd", weights, references[best])
    return np.asarray(total / np.linalg.norm(total, axis=1, keepdims=True))


def found(real: Asked, rows: Rows, augment: int = 0, expand: int = 0, anywhere: bool = False) -> tuple[int, int]:
    """Queries that have a right reference first, and among five; anywhere: as if all had been taken at one place."""
    first = among_five = 0
    lat, lon = (np.zeros(len(rows)),) * 2 if anywhere else (real.lat, real.lon)
    for asked, held, right in real.parts:
        cells = np.zeros(len(held), np.uint64)
        kept = augmented(Ordered(rows[held], held, cells, lat[held], lon[held]), augment).vectors
        queries = expanded(rows[asked], kept, expand) if expand else rows[asked]
        order = np.argsort(-np.round(queries @ kept.T, 6), axis=1, kind="stable")
        hit = np.take_along_axis(right, order, axis=1)
        first, among_five = first + int(hit[:, 0].sum()), among_five + int(hit[:, :5].any(axis=1).sum())
    return first, among_five


def table(real: Asked, descriptor: PictureDescriptor, scales: str, augment: int) -> Iterator[tuple[str, int, int]]:
    seen = {
        "as it is": ViewOptions(),
        "--flip": ViewOptions(flip=True),
        f"--scales {scales}": ViewOptions(scales),
        f"--scales {scales} --flip": ViewOptions(scales, flip=True),
    }
    for name, options in seen.items():
        rows = vectors(ViewsDescriptor(descriptor, options), real.paths)
        yield (name, *found(real, rows))
        if np.isfinite(real.lat).any():
            yield (f"{name}, --augment {augment}", *found(real, rows, augment))
        yield (f"{name}, augmented by {augment} from anywhere", *found(real, rows, augment, anywhere=True))
        for count in EXPANDED_BY:
            yield (f"{name}, query expanded by {count}", *found(real, rows, expand=count))


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--descriptor", required=True, metavar="NAME?KEY=VALUE&...")
    arguments.add_argument("--sets", default="corridor,seneca,lund")
    arguments.add_argument("--scales", default="0.7,1,1.5")
    arguments.add_argument("--augment", type=int, default=3)
    options = arguments.parse_args()
    descriptor = create("descriptor", parse(options.descriptor))
    said = {}
    for name in options.sets.split(","):
        real = (asked_once if name == "corridor" else asked_in_turn)(options.data, name)
        reachable = sum(int(right.any(axis=1).sum()) for _, _, right in real.parts)
        print(f"\n{name}: {reachable} queries that have a right reference", file=sys.stderr)
        said[name] = {"reachable": reachable, "found": {}}
        for habit, first, among_five in table(real, descriptor, options.scales, options.augment):
            print(f"{habit:50}{first:6}{among_five:6}", file=sys.stderr, flush=True)
            said[name]["found"][habit] = (first, among_five)
    print(json.dumps(said))


if __name__ == "__main__":
    main()
