"""`locate` for 100 photographs against the extraction of their features alone, and `index build` against COLMAP's own.

    python scripts/bench_locate.py [--data ../shared/data] [--count 100] [--workers 2]

Goals: locate at most 1.3 times its feature extraction alone; build at most 1.2 times COLMAP's extraction of the same
photographs at the same options on the same cores. Prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.features.sift import SiftFeatures
from geoloc_cli.photos.decode import decode_gray
from geoloc_cli.pipeline.batch import locate_photos
from geoloc_cli.pipeline.build import build_index
from geoloc_cli.pipeline.locate import LocateOptions


def build_extractor(spec: dict[str, Any]) -> Callable[[str], int]:
    """A worker that decodes and extracts, and does no more."""
    features = SiftFeatures()

    def extract(path: str) -> int:
        return len(features.extract(decode_gray(path, max_size=features.options.max_size_px).pixels))

    return extract


def colmap_extraction(photos: list[str], workers: int, scratch: Path, *, its_own_options: bool) -> float:
    """Seconds that pycolmap takes for the same photos, with our options of SIFT or with its own defaults."""
    os.environ.setdefault("GLOG_minloglevel", "2")
    import pycolmap

    folder = scratch / "photos"
    if not folder.exists():
        folder.mkdir()
        for path in photos:
            shutil.copy(path, folder)
    options = pycolmap.FeatureExtractionOptions()
    options.use_gpu = False
    options.num_threads = workers
    if not its_own_options:
        ours = SiftFeatures().options
        options.max_image_size = ours.max_size_px
        options.sift.max_num_features = ours.max_features
        options.sift.first_octave = 0
        options.sift.peak_threshold = ours.peak_threshold
    database = scratch / f"colmap-{its_own_options}.db"
    began = time.perf_counter()
    pycolmap.extract_features(database, folder, extraction_options=options, device=pycolmap.Device.cpu)
    return time.perf_counter() - began


def timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    photos = sorted(map(str, (options.data / "seneca" / "photos").iterdir()))[: options.count]
    pool = LocalPool(options.workers)
    rows: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(KeyboardInterrupt):
        scratch = Path(folder)
        rows["extraction alone"] = timed(lambda: list(pool("bench_locate:build_extractor", {}, photos)))
        rows["COLMAP, our options"] = colmap_extraction(photos, options.workers, scratch, its_own_options=False)
        rows["COLMAP, its own"] = colmap_extraction(photos, options.workers, scratch, its_own_options=True)
        rows["index build"] = timed(lambda: build_index(scratch / "index", photos, parallel_map=pool))
        rows["locate"] = timed(lambda: list(locate_photos(scratch / "index", photos, LocateOptions(), pool)))
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for name, seconds in rows.items():
        print(f"{name:22}{seconds:8.2f} s{seconds / len(photos) * 1000:9.1f} ms a photo")
    locate_ratio = rows["locate"] / rows["extraction alone"]
    build_ratio = rows["index build"] / rows["COLMAP, our options"]
    print(f"locate / extraction alone {locate_ratio:.2f} (goal 1.3)")
    print(f"build / COLMAP with our options {build_ratio:.2f} (goal 1.2)")
    report = {
        "photos": len(photos),
        "workers": options.workers,
        "seconds": {name: round(value, 3) for name, value in rows.items()},
        "locate_ratio": round(locate_ratio, 3),
        "build_ratio": round(build_ratio, 3),
    }
    print(json.dumps({"bench_locate": report}))


if __name__ == "__main__":
    main()
