"""Search in a region against FAISS's exact search of everything, over a million vectors, in one run.

    python scripts/bench_search.py [--rows 1000000] [--dim 512] [--queries 20] [--device cuda]

The vectors are made in clusters, as descriptors of places are: photos of one place are near one another in both senses.
The region holds a hundredth of the photos. The peer computes every product (`IndexFlatIP`, all threads) and is then
filtered by distance; the answers must be the same. On a GPU (or the device that is named) the masked product is timed,
too, one query at a time and all together.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import faiss
import numpy as np

from geoloc_cli.device import choose
from geoloc_cli.geo.cells import cells_of
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.index.derived import Ordered
from geoloc_cli.index.search import Circle, search

K = 20
_CLUSTER = 100


def made(rows: int, dim: int) -> Ordered:
    """`rows` photos in clusters of a hundred over a country of some 300 x 300 km."""
    rng = np.random.default_rng(0)
    clusters = rows // _CLUSTER
    lat = np.repeat(rng.uniform(46.0, 48.7, clusters), _CLUSTER) + rng.normal(0, 0.002, rows)
    lon = np.repeat(rng.uniform(6.0, 10.0, clusters), _CLUSTER) + rng.normal(0, 0.002, rows)
    cells = cells_of(lat, lon)
    order = np.argsort(cells, kind="stable")
    vectors = np.empty((rows, dim), np.float32)
    centers = rng.normal(size=(clusters, dim)).astype(np.float32)
    for start in range(0, rows, 1 << 16):
        part = order[start : start + (1 << 16)]
        block = centers[part // _CLUSTER] + 0.7 * rng.normal(size=(len(part), dim)).astype(np.float32)
        vectors[start : start + len(part)] = block / np.linalg.norm(block, axis=1, keepdims=True)
    return Ordered(vectors, np.arange(rows), cells[order], lat[order], lon[order])


def circle_of_share(ordered: Ordered, share: float) -> Circle:
    """A circle about the middle that holds this share of the photos."""
    lat, lon = float(np.median(ordered.lat)), float(np.median(ordered.lon))
    away = np.sort(haversine_m(lat, lon, ordered.lat, ordered.lon))
    return Circle(lat, lon, float(away[int(share * len(away))]))


def median_ms(work: Callable[[np.ndarray], Any], queries: np.ndarray) -> float:
    times = []
    for query in queries:
        began = time.perf_counter()
        work(query)
        times.append(1000.0 * (time.perf_counter() - began))
    return statistics.median(times)


def by_device(ordered: Ordered, queries: np.ndarray, circle: Circle, device: str) -> dict[str, float]:
    """Milliseconds to bring the vectors there, and of a query, with 3 from outside; how many answers are the CPU's."""
    from geoloc_cli.index.search_torch import OnDevice

    began = time.perf_counter()
    held = OnDevice(ordered.vectors, device)
    within = [[circle]] * len(queries)
    there = replace(ordered, on_device=held)
    search(there, queries[0], K, [circle], 3)
    brought = time.perf_counter()
    found = held.search(ordered, queries, K, within, 3)
    together = time.perf_counter() - brought
    alike = [
        np.array_equal(one.row_ids, search(ordered, query, K, [circle], 3).row_ids)
        for one, query in zip(found, queries, strict=True)
    ]
    return {
        "brought_ms": round(1000.0 * (brought - began), 1),
        "one_ms": round(median_ms(lambda q: search(there, q, K, [circle], 3), queries), 3),
        "together_ms": round(1000.0 * together / len(queries), 3),
        "same": sum(alike),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    device = choose(options.device).name
    ordered = made(options.rows, options.dim)
    circle = circle_of_share(ordered, 0.01)
    inside = np.asarray(haversine_m(circle.lat, circle.lon, ordered.lat, ordered.lon)) <= circle.radius_m
    flat = faiss.IndexFlatIP(options.dim)
    for start in range(0, options.rows, 1 << 16):
        flat.add(ordered.vectors[start : start + (1 << 16)])
    rng = np.random.default_rng(1)
    chosen = rng.choice(np.flatnonzero(inside), options.queries)
    noise = 0.5 * rng.normal(size=(options.queries, options.dim)) / np.sqrt(options.dim)
    queries = ordered.vectors[chosen] + noise.astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)

    # The peer's filtered answer needs every product, since the best in the region may rank anywhere in the whole.
    same = 0
    for query in queries:
        found = search(ordered, query, K, [circle], 0)
        similarities, rows = flat.search(query[None], options.rows // 50)
        kept = [(r, s) for r, s in zip(rows[0], similarities[0], strict=True) if inside[r]][:K]
        if len(kept) < K:
            everything = ordered.vectors[inside] @ query
            best = np.argsort(-everything, kind="stable")[:K]
            kept = list(zip(np.flatnonzero(inside)[best], everything[best], strict=True))
        agree = np.allclose([s for _, s in kept], found.similarities, atol=1e-5)
        same += agree and {int(r) for r, _ in kept} == {int(r) for r in found.row_ids}
    bounded = median_ms(lambda q: search(ordered, q, K, [circle], 0), queries)
    both = median_ms(lambda q: search(ordered, q, K, [circle], 3), queries[:3])
    peer = median_ms(lambda q: flat.search(q[None], K), queries)
    ratio = peer / bounded
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{options.rows} vectors of {options.dim}; the region holds {inside.sum()} ({circle.radius_m / 1000:.1f} km)")
    print(f"in the region          {bounded:9.2f} ms a query")
    print(f"and 3 from outside     {both:9.2f} ms a query (exact, without the inverted file)")
    print(f"faiss.IndexFlatIP      {peer:9.2f} ms a query")
    print(f"ratio {ratio:.1f} (goal 20); {same} of {len(queries)} answers are the filtered ones exactly")
    gpu: dict[str, float] = {}
    if device != "cpu" or options.device == "cpu":
        gpu = by_device(ordered, queries, circle, device)
        print(f"masked product, {device}: {gpu['brought_ms']:.0f} ms to bring the vectors there")
        print(f"and 3 from outside     {gpu['one_ms']:9.2f} ms a query, {gpu['together_ms']:.2f} together")
        print(f"{gpu['same']} of {len(queries)} answers are the same")
    else:
        print("no GPU here: the masked product was not timed")
    report = {
        "rows": options.rows,
        "dim": options.dim,
        "bounded_ms": round(bounded, 3),
        "with_outside_ms": round(both, 3),
        "faiss_flat_ms": round(peer, 3),
        "ratio": round(ratio, 2),
        "same": same,
        "queries": len(queries),
        "device": gpu,
    }
    print(json.dumps({"bench_search": report}))
    raise SystemExit(same != len(queries))


if __name__ == "__main__":
    main()
