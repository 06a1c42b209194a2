"""Candidates by global descriptor (VLAD), by CANN, and by exact coloured nearest neighbours, on the real sets.

    python scripts/bench_cann.py [--data ../shared/data] [--sets seneca lund] [--within-m 25] [--workers 2]

The same held-out queries are located three times; only where the candidates come from differs. Recall counts the
queries that have an indexed photo within --within-m of their own GPS: how often one such is the first candidate, and
how often among the first five. `first_as_exact` is the share of queries whose first candidate is the exact search's;
`query_ms` is the median of describing by VLAD and searching, features not counted. Goals: CANN locates as many as VLAD,
and agrees with the exact search on four first candidates in five, in less time. Prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from geoloc_cli.contracts import Search
from geoloc_cli.engine.local import LocalPool
from geoloc_cli.features.local import LocalFeatures, unit_rows
from geoloc_cli.features.match import MutualNearest
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.index.reader import Circle, Index, SearchResult
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.pipeline.build import build_index
from geoloc_cli.pipeline.describer import describer_of
from geoloc_cli.pipeline.locate import LocateOptions, Locator
from geoloc_cli.pipeline.retriever import GlobalRetriever
from geoloc_cli.retrieval.cann import Axes, CannOptions, CannRetriever
from geoloc_cli.testing.coloured import nearest_of_each_colour
from geoloc_cli.types import Fix


class ExactRetriever:
    """The same features and the same score as CANN's, from the exact distances in all dimensions."""

    name = "exact coloured"

    def over(self, index: Index) -> Search:
        options = CannOptions()
        rows = np.array([photo.row_id for photo in index.all_photos()], np.int64)
        local = [unit_rows(index.local(row).descriptors[: options.features]) for row in rows.tolist()]
        descriptors, colours = np.concatenate(local), np.repeat(np.arange(len(local)), [len(one) for one in local])
        axes = Axes(descriptors[::5], descriptors.shape[1])
        points = axes(descriptors)

        def search(
            features: LocalFeatures, k: int, within: Sequence[Circle] | None = None, outside_k: int = 0
        ) -> SearchResult:
            queries = axes(unit_rows(features.descriptors[: options.features]))
            scores = options.score(nearest_of_each_colour(queries, points, colours)).mean(axis=0)
            best = np.argsort(-scores, kind="stable")[:k]
            return SearchResult(rows[best], scores[best].astype(np.float32), 1.0)

        return search


class Watched:
    """A search that notes what it found and how long it took."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self.found: list[list[int]] = []
        self.times_ms: list[float] = []

    def __call__(
        self, features: LocalFeatures, k: int, within: Sequence[Circle] | None = None, outside_k: int = 0
    ) -> SearchResult:
        began = time.perf_counter()
        result = self._search(features, k, within, outside_k)
        self.times_ms.append(1000.0 * (time.perf_counter() - began))
        self.found.append(result.row_ids.tolist())
        return result


def truths(paths: list[str]) -> np.ndarray:
    """(n, 2) latitude and longitude by the photos' own GPS."""
    positions = [read_photo(path).position for path in paths]
    return np.array([(p.lat, p.lon) for p in positions if p is not None])


def measured(name: str, index: Index, cache: str, queries: list[str], within_m: float) -> list[dict[str, Any]]:
    photos = index.all_photos()
    places = {photo.row_id: (photo.position.lat, photo.position.lon) for photo in photos}
    asked = truths(queries)
    everywhere = np.array(list(places.values())).T
    nearest = np.array([haversine_m(*place, *everywhere).min() for place in asked])
    describer = describer_of(index, cache)
    rows, first_of = [], {}
    for retriever in (GlobalRetriever(), CannRetriever(), ExactRetriever()):
        began = time.perf_counter()
        watched = Watched(retriever.over(index))
        build_s = time.perf_counter() - began
        locator = Locator(index, describer, watched, MutualNearest(), LocateOptions())
        fixes = list(map(locator.locate, queries))
        at_1, at_5 = [], []
        for place, found, near in zip(asked, watched.found, nearest, strict=True):
            if near <= within_m:
                right = [float(haversine_m(*place, *places[row])) <= within_m for row in found[:5]]
                at_1.append(any(right[:1]))
                at_5.append(any(right))
        ok = [(f, p) for f, p in zip(fixes, asked, strict=True) if isinstance(f, Fix) and f.status == "ok"]
        errors = [float(haversine_m(f.lat, f.lon, *p)) for f, p in ok if f.lat is not None and f.lon is not None]
        first_of[retriever.name] = [found[0] if found else -1 for found in watched.found]
        rows.append(
            {
                "set": name,
                "retriever": retriever.name,
                "photos": len(photos),
                "queries": len(queries),
                "answerable": len(at_1),
                "recall_1": round(float(np.mean(at_1)), 3),
                "recall_5": round(float(np.mean(at_5)), 3),
                "located": len(ok),
                "median_m": round(statistics.median(errors), 2),
                "query_ms": round(statistics.median(watched.times_ms), 1),
                "build_s": round(build_s, 2),
            }
        )
    for row in rows:
        same = np.array(first_of[row["retriever"]]) == np.array(first_of[ExactRetriever.name])
        row["first_as_exact"] = round(float(same.mean()), 3)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--sets", nargs="+", default=["seneca", "lund"])
    parser.add_argument("--within-m", type=float, default=25.0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    splits = json.loads((options.data / "splits.json").read_text())
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.sets:
            folder = options.data / splits[name]["photos"]
            queries = [str(folder / query) for query in splits[name]["queries"]]
            photos = [str(path) for path in sorted(folder.iterdir()) if str(path) not in queries]
            build_index(Path(scratch) / name, photos, parallel_map=LocalPool(options.workers))
            with Index.open(Path(scratch) / name) as index:
                rows += measured(name, index, str(Path(scratch) / "cache"), queries, options.within_m)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    heads = ("set", "retriever", "recall_1", "recall_5", "located", "median_m", "first_as_exact", "query_ms", "build_s")
    print("".join(f"{head:>16}" for head in heads))
    for row in rows:
        row_text = {**row, "located": f"{row['located']} of {row['queries']}"}
        print("".join(f"{row_text[head]!s:>16}" for head in heads))
    print(json.dumps({"bench_cann": {"within_m": options.within_m, "rows": rows}}))


if __name__ == "__main__":
    main()
