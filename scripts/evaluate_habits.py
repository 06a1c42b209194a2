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

import argparse
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
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.registry import create, parse

Rows = NDArray[np.float32]
RIGHT_M = 25.0
FOLDS = 5
EXPANDED_BY = (1, 3, 5)


@dataclass(frozen=True)
class RealSet:
    """Paths, their positions (NaN where there are none), and parts: queries, references, which of them are right."""

    paths: list[Path]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]]


def corridor(data: Path) -> RealSet:
    queries, references = (sorted((data / "corridor" / name).glob("*.jpg")) for name in ("query", "ref"))
    right = np.zeros((len(queries), len(references)), bool)
    for query, good in json.loads((data / "corridor" / "ground_truth.json").read_text()).items():
        right[int(query), good] = True
    count = len(queries) + len(references)
    nowhere = np.full(count, np.nan)
    return RealSet(
        queries + references, nowhere, nowhere, [(np.arange(len(queries)), np.arange(len(queries), count), right)]
    )


def placed(data: Path, name: str) -> RealSet:
    photos = [(path, read_photo(str(path)).position) for path in sorted((data / name / "photos").iterdir())]
    known = [(path, at) for path, at in photos if at is not None]
    lat, lon = (np.array([getattr(at, axis) for _, at in known]) for axis in ("lat", "lon"))
    near = haversine_m(lat[:, None], lon[:, None], lat, lon) <= RIGHT_M
    parts = []
    for fold in range(FOLDS):
        asked = np.arange(len(known)) % FOLDS == fold
        parts.append((np.flatnonzero(asked), np.flatnonzero(~asked), near[asked][:, ~asked]))
    return RealSet([path for path, _ in known], lat, lon, parts)


def vectors(descriptor: PictureDescriptor, paths: list[Path]) -> Rows:
    size = descriptor.wanted_px() or 1 << 20
    return np.concatenate([descriptor.embed([decode_rgb(str(path), max_size=size)]) for path in paths])


def expanded(queries: Rows, references: Rows, count: int) -> Rows:
    similar = queries @ references.T
    best = np.argsort(-similar, axis=1, kind="stable")[:, :count]
    weights = np.maximum(np.take_along_axis(similar, best, axis=1), 0.0) ** 3
    total = queries + np.einsum("qn,qnd->qd", weights, references[best])
    return np.asarray(total / np.linalg.norm(total, axis=1, keepdims=True))


def found(real: RealSet, rows: Rows, augment: int = 0, expand: int = 0, anywhere: bool = False) -> tuple[int, int]:
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


def table(real: RealSet, descriptor: PictureDescriptor, scales: str, augment: int) -> Iterator[tuple[str, int, int]]:
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--descriptor", required=True, metavar="NAME?KEY=VALUE&...")
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--sets", default="corridor,seneca,lund")
    parser.add_argument("--scales", default="0.7,1,1.5")
    parser.add_argument("--augment", type=int, default=3)
    options = parser.parse_args()
    descriptor = create("descriptor", parse(options.descriptor))
    said = {}
    for name in options.sets.split(","):
        real = corridor(options.data) if name == "corridor" else placed(options.data, name)
        reachable = sum(int(right.any(axis=1).sum()) for _, _, right in real.parts)
        print(f"\n{name}: {reachable} queries that have a right reference", file=sys.stderr)
        said[name] = {"reachable": reachable, "found": {}}
        for habit, first, among_five in table(real, descriptor, options.scales, options.augment):
            print(f"{habit:50}{first:6}{among_five:6}", file=sys.stderr, flush=True)
            said[name]["found"][habit] = (first, among_five)
    print(json.dumps(said))


if __name__ == "__main__":
    main()
