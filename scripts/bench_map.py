"""`map build` against pycolmap's spatial matching and incremental mapping of the same photographs, in the same run.

    python scripts/bench_map.py [--data ../shared/data] [--set seneca] [--count 60] [--workers 2]

Both describe, match and map on the same cores; pycolmap with its own options for photographs with GPS. Prints a table
and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.maps.folder import index_of
from geoloc_cli.pipeline.build import build_index
from geoloc_cli.pipeline.map import build_map

Row = dict[str, Any]


def ours(photos: list[Path], folder: Path, workers: int) -> Row:
    began = time.perf_counter()
    build_index(index_of(folder), [str(path) for path in photos], parallel_map=LocalPool(workers))
    described = time.perf_counter()
    report = build_map(folder, LocalPool(workers))
    ended = time.perf_counter()
    return {
        "registered": max(report.registered, default=0),
        "describe_s": round(described - began, 1),
        "map_s": round(ended - described, 1),
        "total_s": round(ended - began, 1),
    }


def colmap(photos: list[Path], folder: Path, workers: int) -> Row:
    os.environ.setdefault("GLOG_minloglevel", "2")
    import pycolmap

    pictures = folder / "pictures"
    pictures.mkdir(parents=True)
    for path in photos:
        shutil.copy(path, pictures / path.name)
    began = time.perf_counter()
    extraction = pycolmap.FeatureExtractionOptions()
    extraction.use_gpu, extraction.num_threads = False, workers
    database = folder / "database.db"
    pycolmap.extract_features(database, pictures, extraction_options=extraction)
    described = time.perf_counter()
    matching = pycolmap.FeatureMatchingOptions()
    matching.use_gpu, matching.num_threads = False, workers
    pycolmap.match_spatial(database, matching_options=matching)
    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads = workers
    models = pycolmap.incremental_mapping(database, pictures, folder, options)
    ended = time.perf_counter()
    return {
        "registered": max((model.num_reg_images() for model in models.values()), default=0),
        "describe_s": round(described - began, 1),
        "map_s": round(ended - described, 1),
        "total_s": round(ended - began, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--set", default="seneca", choices=("seneca", "lund"))
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    photos = sorted((options.data / options.set / "photos").iterdir())[: options.count]
    with tempfile.TemporaryDirectory() as scratch:
        rows = {
            "geoloc": ours(photos, Path(scratch) / "ours", options.workers),
            "pycolmap": colmap(photos, Path(scratch) / "theirs", options.workers),
        }
    machine = f"{platform.machine()}, {options.workers} cores"
    print(f"{len(photos)} photographs of {options.set} on {machine}")
    print(f"{'':10}{'registered':>12}{'describe s':>12}{'map s':>10}{'total s':>10}")
    for name, row in rows.items():
        print(f"{name:10}{row['registered']:12d}{row['describe_s']:12.1f}{row['map_s']:10.1f}{row['total_s']:10.1f}")
    print(json.dumps({"bench_map": {"machine": machine, "set": options.set, "photos": len(photos), **rows}}))


if __name__ == "__main__":
    main()
