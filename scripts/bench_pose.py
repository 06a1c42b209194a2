"""`locate --pose` against a plain baseline and against pycolmap's solver, and the solver against bare PoseLib.

    python scripts/bench_pose.py [--data ../shared/data] [--map FOLDER] [--queries 33]

On the queries of seneca in a map of the rest (built where --map names none), in this process. The baseline is what a
short script would do: SIFT by COLMAP (1200 px, 3000 features), spatial matching and incremental mapping, every
descriptor of the map's points in one inverted file (FAISS), ratio 0.8, PoseLib at 6 px. Goals: three times as fast as
the baseline at the same error or less; less than 10 % over bare PoseLib. Prints tables and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import poselib
import pycolmap
from numpy.typing import NDArray

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.features.local import unit_rows
from geoloc_cli.geo.earth import geodetic_from_enu, haversine_m
from geoloc_cli.geometry.colmap import SiftExtractor
from geoloc_cli.maps.colmap import as_sparse, undistorted
from geoloc_cli.maps.folder import index_of
from geoloc_cli.photos.decode import decode_gray
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.pipeline.batch import build_locator
from geoloc_cli.pipeline.build import build_index
from geoloc_cli.pipeline.locate import LocateOptions
from geoloc_cli.pipeline.map import build_map
from geoloc_cli.pipeline.placing import placed
from geoloc_cli.pipeline.posing import stage_spec
from geoloc_cli.pose.solve import PoseLibSolver, PoseProblem
from geoloc_cli.types import Camera, Fix

Floats = NDArray[np.float64]
Place = tuple[float, float] | None
_LISTS, _PROBES = 1024, 16


class Baseline:
    """A plain map by COLMAP's own defaults, and all descriptors of its points in one inverted file."""

    def __init__(self, photos: list[Path], folder: Path) -> None:
        """SIFT at 1200 px with 3000 features, spatial matching, incremental mapping; placed as our own maps are."""
        pictures, database = folder / "pictures", folder / "database.db"
        pictures.mkdir(parents=True)
        for path in photos:
            shutil.copy(path, pictures / path.name)
        self._options = pycolmap.FeatureExtractionOptions()
        self._options.use_gpu = False
        self._options.max_image_size = 1200
        self._options.sift.max_num_features = 3000
        pycolmap.extract_features(
            database, pictures, camera_mode=pycolmap.CameraMode.SINGLE, extraction_options=self._options
        )
        matching = pycolmap.FeatureMatchingOptions()
        matching.use_gpu = False
        pycolmap.match_spatial(database, matching_options=matching)
        models = pycolmap.incremental_mapping(database, pictures, folder)
        model = max(models.values(), key=lambda found: found.num_reg_images())
        self._model = as_sparse(model)
        positions = {path.name: read_photo(str(path)).position for path in photos}
        georeference = placed(self._model, {name: place for name, place in positions.items() if place}).georeference
        assert georeference is not None
        self._georeference = georeference
        rows, points = [], []
        opened = pycolmap.Database.open(database)
        for image in opened.read_all_images():
            seen = self._model.images.get(image.name)
            if seen is not None:
                usable = np.flatnonzero(seen.point_rows >= 0)
                rows.append(unit_rows(opened.read_descriptors(image.image_id).data[usable]))
                points.append(seen.point_rows[usable])
        opened.close()
        vectors, self._points = np.concatenate(rows), np.concatenate(points)
        self._index = faiss.IndexIVFFlat(faiss.IndexFlatIP(vectors.shape[1]), vectors.shape[1], _LISTS)
        self._index.train(vectors)
        self._index.add(vectors)
        self._index.nprobe = _PROBES
        self.camera: Camera = next(iter(self._model.images.values())).camera
        sift = self._options.sift
        self._sift = SiftExtractor(
            max_features=3000, first_octave=sift.first_octave, peak_threshold=sift.peak_threshold
        )

    def pairs(self, path: str) -> tuple[Floats, Floats]:
        """Rays (N, 2) and points (N, 3) of a query."""
        gray = decode_gray(path, max_size=1200).pixels
        scale = max(self.camera.width, self.camera.height) / max(gray.shape)
        keypoints, descriptors = self._sift.extract(gray)
        cosines, near = self._index.search(unit_rows(descriptors), 8)
        point = self._points[near]
        # The second nearest is that of another point.
        other = np.where(point != point[:, :1], cosines, -1.0).max(axis=1)
        kept = 1.0 - cosines[:, 0] < 0.8**2 * (1.0 - other)
        rays = undistorted(self.camera, keypoints[kept, :2].astype(np.float64) * scale)
        return rays, self._model.points[point[kept, 0]]

    def locate(self, path: str) -> Place:
        rays, points = self.pairs(path)
        pose, facts = bare(rays, points, self.camera.focal_px, 6.0)
        if facts["num_inliers"] < 15:
            return None
        center = -np.asarray(pose.R).T @ np.asarray(pose.t)
        lat, lon, _ = geodetic_from_enu(self._georeference.in_enu(center), self._georeference.origin)
        return float(lat), float(lon)


def bare(rays: Floats, points: Floats, focal_px: float, max_error_px: float) -> tuple[Any, dict[str, Any]]:
    pixels = np.ascontiguousarray(rays * focal_px)
    size = int(2 * np.abs(pixels).max()) + 2
    camera = {"model": "SIMPLE_PINHOLE", "width": size, "height": size, "params": [focal_px, 0.0, 0.0]}
    ransac = {"max_reproj_error": max_error_px, "seed": 0, "min_iterations": 200, "max_iterations": 20_000}
    pose, facts = poselib.estimate_absolute_pose(pixels, points, camera, ransac, {})
    return pose, facts


def ours(folder: Path, solver: str) -> Callable[[str], Place]:
    spec = {"index": str(index_of(folder)), "options": asdict(LocateOptions()), "priors": [], "cache": None}
    spec |= {"retriever": "global", "matcher": "mutual-nn", "near_of": {}, "ahead": False}
    locate = build_locator({**spec, "pose": stage_spec(str(folder), None, solver)})

    def place(path: str) -> Place:
        fix = locate((path, None))
        if not isinstance(fix, Fix) or fix.stage != "pose" or fix.lat is None or fix.lon is None:
            return None
        return fix.lat, fix.lon

    return place


def row(locate: Callable[[str], Place], queries: list[str]) -> dict[str, Any]:
    locate(queries[0])  # what is read once is not a query's
    errors, spent = [], []
    for path in queries:
        began = time.perf_counter()
        found = locate(path)
        spent.append(time.perf_counter() - began)
        true = read_photo(path).position
        if found is not None and true is not None:
            errors.append(float(haversine_m(*found, true.lat, true.lon)))
    return {
        "posed": len(errors),
        "median_m": round(float(np.median(errors)), 2),
        "p90_m": round(float(np.percentile(errors, 90)), 2),
        "worst_m": round(max(errors), 2),
        "query_ms": round(1000.0 * float(np.median(spent)), 1),
    }


def overhead(baseline: Baseline, queries: list[str]) -> dict[str, float]:
    """Seconds of `PoseLibSolver` and of PoseLib itself on the same pairs: the least of forty, of all queries."""
    solver, focal = PoseLibSolver(), baseline.camera.focal_px
    totals = {"solver_s": 0.0, "poselib_s": 0.0}
    for path in queries:
        rays, points = baseline.pairs(path)
        if len(rays) < 30:
            continue  # of so few one gives up at once, and the other samples on
        calls: dict[str, Callable[[], Any]] = {
            "solver_s": lambda: solver.solve([PoseProblem(rays, points, focal, 6.0)]),  # noqa: B023
            "poselib_s": lambda: bare(rays, points, focal, 6.0),  # noqa: B023
        }
        least = dict.fromkeys(calls, float("inf"))
        for _ in range(40):
            for name, call in calls.items():
                began = time.perf_counter()
                call()
                least[name] = min(least[name], time.perf_counter() - began)
        totals = {name: totals[name] + least[name] for name in calls}
    ratio = totals["solver_s"] / totals["poselib_s"]
    return {**{name: round(value, 5) for name, value in totals.items()}, "ratio": round(ratio, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--map", type=Path, help="a map of the references of seneca")
    parser.add_argument("--queries", type=int, default=33)
    options = parser.parse_args()
    split = json.loads((options.data / "splits.json").read_text())["seneca"]
    photos = options.data / split["photos"]
    queries = [str(photos / query) for query in split["queries"]][: options.queries]
    faiss.omp_set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.map or Path(scratch) / "ours"
        references = [path for path in sorted(photos.iterdir()) if path.name not in split["queries"]]
        if options.map is None:
            build_index(index_of(folder), [str(path) for path in references], parallel_map=LocalPool(None))
            build_map(folder, LocalPool(None))
        baseline = Baseline(references, Path(scratch) / "baseline")
        rows = {
            "geoloc": row(ours(folder, "poselib"), queries),
            "geoloc, pycolmap": row(ours(folder, "pycolmap"), queries),
            "baseline": row(baseline.locate, queries),
        }
        spent = overhead(baseline, queries[:10])
    machine = f"{platform.machine()}, 1 of {os.cpu_count()} cores"
    print(f"{len(queries)} queries of seneca on {machine}")
    print(f"{'':18}{'posed':>7}{'median m':>10}{'p90 m':>8}{'worst m':>9}{'query ms':>10}")
    for name, r in rows.items():
        print(f"{name:18}{r['posed']:7d}{r['median_m']:10.2f}{r['p90_m']:8.2f}{r['worst_m']:9.2f}{r['query_ms']:10.1f}")
    print(f"PoseLibSolver {spent['solver_s']} s, PoseLib {spent['poselib_s']} s: {spent['ratio']} times")
    print(json.dumps({"bench_pose": {"machine": machine, **rows, "overhead": spent}}))


if __name__ == "__main__":
    main()
