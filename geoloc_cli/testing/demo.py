"""The main job on a town of our own making: render, index, locate held-out views, compare with the truth."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.pipeline.batch import locate_photos
from geoloc_cli.pipeline.build import build_index
from geoloc_cli.pipeline.locate import LocateOptions
from geoloc_cli.testing.photos import Noise, TruePhoto, write_photos, write_truth
from geoloc_cli.testing.render import CameraPose
from geoloc_cli.testing.town import Town
from geoloc_cli.types import Failure, Fix

# A harbour square of a town that is none: in the sea south of Finland, so that nobody takes it for a real place.
TOWN_AT = (59.95, 24.5, 20.0)
OTHER_TOWN_AT = (-33.5, 161.0, 5.0)
SPACING_M = 4.0
QUERIES = 12
STRANGERS = 3
_EYE_M = 1.6


@dataclass(frozen=True, slots=True)
class DemoRow:
    """One held-out photo: the answer and the truth; error_m and inside are None where nothing was answered."""

    photo: str
    status: str
    lat: float | None
    lon: float | None
    radius_m: float | None
    confidence: float
    error_m: float | None
    inside: bool | None


def street_cameras(town: Town, rng: np.random.Generator) -> list[CameraPose]:
    """A walk along every street, a photo each 4 m, looking ahead and to the right."""
    cameras = []
    for start, end in town.streets:
        length = float(np.linalg.norm(end - start))
        direction = (end - start) / length
        heading = float(np.degrees(np.arctan2(direction[0], direction[1])))
        for along in np.arange(2.0, length, SPACING_M):
            east, north = start + along * direction
            center = (float(east), float(north), _EYE_M + float(rng.normal(0, 0.05)))
            cameras.append(CameraPose(center, heading + 35.0 + float(rng.normal(0, 2)), 5.0 + float(rng.normal(0, 1))))
    return cameras


def query_cameras(town: Town, count: int, rng: np.random.Generator) -> list[CameraPose]:
    """Views from beside the walk: metres off, degrees off, and held less straight."""
    cameras = []
    for i in range(count):
        start, end = town.streets[i % len(town.streets)]
        length = float(np.linalg.norm(end - start))
        direction = (end - start) / length
        aside = np.array([direction[1], -direction[0]])
        east, north = start + rng.uniform(0.15, 0.85) * length * direction + rng.uniform(-1.5, 1.5) * aside
        heading = float(np.degrees(np.arctan2(direction[0], direction[1]))) + 35.0
        center = (float(east), float(north), _EYE_M + float(rng.uniform(-0.2, 0.3)))
        tilt = float(rng.uniform(0, 10)), float(rng.uniform(-6, 6))
        cameras.append(CameraPose(center, heading + float(rng.uniform(-10, 10)), *tilt))
    return cameras


def run_demo(
    folder: Path, *, seed: int = 0, workers: int | None = None, on_event: Callable[[str], None]
) -> list[DemoRow]:
    """Leaves photos/, queries/, elsewhere/, index/ and truth.json in `folder`; one row for each held-out photo."""
    began = time.perf_counter()
    town = Town(seed, *TOWN_AT)
    rng = np.random.default_rng(seed)
    walk = street_cameras(town, rng)
    on_event(f"Rendering a town: {len(walk)} photos with GPS (3 m of noise), {QUERIES} without ...")
    references = write_photos(town, walk, folder / "photos", noise=Noise(gps_std_m=3.0, sensor_std=2.0), seed=seed)
    spoiled = Noise(exposure_std=0.25, occluders=2, sensor_std=4.0)
    views = query_cameras(town, QUERIES, rng)
    queries = write_photos(
        town, views, folder / "queries", noise=spoiled, seed=seed + 1, with_position=False, prefix="query"
    )
    stranger = Town(seed + 1000, *OTHER_TOWN_AT)
    strangers = write_photos(
        stranger,
        query_cameras(stranger, STRANGERS, rng),
        folder / "elsewhere",
        seed=seed + 2,
        with_position=False,
        prefix="stranger",
    )
    write_truth([*references, *queries, *strangers], folder / "truth.json")
    on_event(f"Building an index of {len(references)} photos ...")
    pool = LocalPool(workers)
    build_index(folder / "index", [photo.path for photo in references], parallel_map=pool)
    on_event(f"Locating {QUERIES} held-out views, and {STRANGERS} of another town that must not be found ...")
    asked = [*queries, *strangers]
    answers = locate_photos(folder / "index", [photo.path for photo in asked], LocateOptions(), pool)
    rows = [_row(answer, photo) for answer, photo in zip(answers, asked, strict=True)]
    on_event(f"Done in {time.perf_counter() - began:.0f} s.")
    return rows


def _row(answer: Fix | Failure, truth: TruePhoto) -> DemoRow:
    if isinstance(answer, Failure):
        return DemoRow(answer.photo, "error", None, None, None, 0.0, None, None)
    if answer.lat is None or answer.lon is None or answer.radius_m is None:
        return DemoRow(truth.path, answer.status, None, None, None, answer.confidence, None, None)
    error_m = float(haversine_m(answer.lat, answer.lon, truth.lat, truth.lon))
    place = answer.lat, answer.lon, answer.radius_m
    return DemoRow(truth.path, answer.status, *place, answer.confidence, error_m, error_m <= answer.radius_m)
