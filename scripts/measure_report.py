"""The HTML map of many answers: how long it takes to write, how large it is, and how smoothly it moves in Chromium.

    python scripts/measure_report.py [NUMBER] [PHOTOS_FOLDER] [THUMBNAILS]

Answers are made up, in eight cities, with five candidates, a belief of two parts and the truth; NUMBER is 10,000 by
default. The files of PHOTOS_FOLDER stand for the photographs, in turns, each time by a name of its own, and THUMBNAILS
of them are shown small, 1000 by default. The seconds of all processors tell what that costs beside other work. Frames
are counted by requestAnimationFrame while the mouse drags the map for 240 steps, at three zooms, in a window of
1200 x 800.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.export.html_map import THUMBNAILS, document
from geoloc_cli.geo.earth import wrap_lon
from geoloc_cli.photos.scan import find_photos
from geoloc_cli.types import Belief, Candidate, Component, Fix, PriorGuess, Stage
from headless import Headless, browser

CITIES = (
    (48.9, 2.3),
    (40.7, -74.0),
    (35.7, 139.7),
    (-33.9, 151.2),
    (-17.8, 178.9),
    (66.0, -179.5),
    (1.3, 103.8),
    (55.7, 13.2),
)
STAGES: tuple[tuple[Stage, float], ...] = (("rerank", 17.0), ("pose", 1.2), ("retrieval", 220.0), ("prior", 2500.0))
FRAMES = """(() => {
  window.frames = []; window.watching = true; let last = null;
  requestAnimationFrame(function step(now) {
    if (last !== null) window.frames.push(now - last);
    last = now;
    if (window.watching) requestAnimationFrame(step);
  });
})()"""


def made_up(
    number: int, photos: list[str], rng: np.random.Generator
) -> tuple[list[Fix], list[tuple[float, float] | None]]:
    fixes, truth = [], []
    for i in range(number):
        city = CITIES[rng.integers(len(CITIES))]
        lat, lon = city[0] + rng.normal(), float(wrap_lon(city[1] + rng.normal()))
        stage, radius = STAGES[i % len(STAGES)]
        radius *= float(np.exp(rng.normal() / 2.0))
        parts = (Component(lat, lon, radius, 0.8), Component(lat + 0.002, lon, 2.0 * radius, 0.15))
        found = [Candidate(f"city/photos/IMG_{rng.integers(4000):04d}.jpg", lat + 1e-4 * k, lon, 0.5) for k in range(5)]
        said = PriorGuess(
            "vlm", lat, lon, 50_000.0, "The road signs, the kerbs and the fields beyond point to here. " * 4
        )
        name = photos[i % len(photos)] if photos else f"trip/IMG_{i:05d}.jpg"
        belief = Belief(parts, 0.05)
        confidence = float(rng.beta(8.0, 1.0))
        fixes.append(
            Fix(name, "ok", stage, lat, lon, None, radius, confidence, belief, None, tuple(found), None, (said,))
        )
        truth.append((lat + 1e-4, lon))
    return fixes, truth


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    thumbnails = int(sys.argv[3]) if len(sys.argv) > 3 else THUMBNAILS
    with tempfile.TemporaryDirectory() as folder:
        photos = links(list(find_photos(sys.argv[2:3])), number, Path(folder)) if len(sys.argv) > 2 else []
        fixes, truth = made_up(number, photos, np.random.default_rng(0))
        start = time.perf_counter()
        page = document(fixes, truth=truth, thumbnails=thumbnails, parallel_map=LocalPool())
        taken = time.perf_counter() - start
        spent = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        shown = min(thumbnails, len(photos))
        print(
            f"{number} answers, {shown} small pictures: {taken:.1f} s on {os.cpu_count()} cores, {spent:.1f} s of all "
            f"processors, {len(page) / 1e6:.1f} MB"
        )
        path = Path(folder) / "map.html"
        path.write_bytes(page)
        if browser() is not None:
            panned(path)


def links(files: list[str], number: int, folder: Path) -> list[str]:
    """So many names for the files, in turns."""
    names = [folder / f"IMG_{i:05d}.jpg" for i in range(number)]
    for i, name in enumerate(names):
        name.symlink_to(Path(files[i % len(files)]).resolve())
    return [str(name) for name in names]


def panned(path: Path) -> None:
    """Opens the page and moves it; from 1500 answers on they are clustered, the less the nearer the map is."""
    with Headless() as shown:
        print(f"opened in {shown.open(path):.2f} s")
        for zooms in (0, 4, 4):
            for _ in range(zooms):
                shown.run("document.getElementById('nearer').click()")
                shown.run("new Promise((done) => setTimeout(done, 400))")
            shown.run(FRAMES)
            shown.drag([(200.0 + (i % 60) * 8.0, 300.0 + (i % 30) * 5.0) for i in range(240)])
            frames = np.array(shown.run("(window.watching = false, window.frames)"))
            low, high = np.percentile(frames, (50, 95))
            times = f"median {low:.1f} ms, 95 % within {high:.1f} ms, the longest {frames.max():.1f} ms"
            print(f"  {len(frames)} frames: {times}")
        print(f"complaints: {shown.complaints()}, requests: {shown.requests()}")


if __name__ == "__main__":
    main()
