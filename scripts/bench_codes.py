"""What codes cost and save in an index of many vectors: memory, time and recall, beside exact search, in one run.

    python scripts/bench_codes.py [--rows 100000] [--dim 512] [--queries 50] [--codes float16 pq64 rabitq ...]

The vectors are those of `bench_search.py`, in clusters of a hundred, as photos of a place are. Recall is of the exact
ten nearest. Exact search holds all vectors in memory; with codes they stay on disk, but for the few hundred compared.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace

import numpy as np
from bench_search import made, median_ms

from geoloc_cli.index import faiss_file
from geoloc_cli.index.codes import codes_named
from geoloc_cli.index.search import search

K = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--codes", nargs="+", default=["none", "float16", "pq128", "pq64", "pq32", "rabitq"])
    options = parser.parse_args()
    ordered = made(options.rows, options.dim)
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(options.queries, options.dim)) / np.sqrt(options.dim)
    queries = ordered.vectors[rng.choice(options.rows, options.queries)] + noise.astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    exact = [search(ordered, query, K, None, 0).row_ids for query in queries]
    rows = []
    print(f"{options.rows} vectors of {options.dim}")
    print(f"{'codes':10}{'MB':>8}{'made in s':>12}{'ms a query':>12}{'recall@10':>12}")
    for name in options.codes:
        codes = codes_named(name)
        began = time.perf_counter()
        inverted = faiss_file.build(ordered.vectors, codes) if codes.are_codes else None
        seconds = time.perf_counter() - began
        index = replace(ordered, vectors=ordered.vectors.astype(codes.dtype), inverted=inverted, codes=codes)
        found = [search(index, query, K, None, 0).row_ids for query in queries]
        recall = float(np.mean([len(set(a) & set(b)) / K for a, b in zip(found, exact, strict=True)]))
        ms = median_ms(lambda query, index=index: search(index, query, K, None, 0), queries)
        size = codes.bytes_a_photo(options.dim) * options.rows / 1e6
        print(f"{name:10}{size:8.1f}{seconds:12.1f}{ms:12.2f}{recall:12.3f}", flush=True)
        rows.append({"codes": name, "mb": size, "seconds": seconds, "ms": ms, "recall": recall})
    print(json.dumps({"bench_codes": {"rows": options.rows, "dim": options.dim, "results": rows}}))


if __name__ == "__main__":
    main()
