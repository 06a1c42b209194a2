"""How long the page of ten thousand photographs takes, and how large it is.

    python scripts/bench_report.py [--rows 10000] [--runs 1]

The records are made up: five components of belief, ten candidates and a rationale each, errors from metres to half the
Earth, a twentieth without an answer. A hundred photographs are there as files, the worst among them.
Prints one JSON line; exit status 1 where the command takes over 30 s, or the page of one run is over 20 MB.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from geoloc_cli.geo.earth import destination
from geoloc_cli.records import dumps
from geoloc_cli.types import Belief, Candidate, Component, Fix, PriorGuess, Stage

LIMIT_S, LIMIT_MB = 30.0, 20.0
COMPONENTS, CANDIDATES, PICTURES = 5, 10, 100


def write(folder: Path, rows: int, runs: int) -> tuple[list[str], str]:
    """The files of predictions and of truth, and the pictures of the worst of the first run."""
    rng = np.random.default_rng(0)
    lat, lon = np.degrees(np.arcsin(rng.uniform(-0.95, 0.95, rows))), rng.uniform(-180.0, 180.0, rows)
    truth = folder / "truth.csv"
    with truth.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("photo", "lat", "lon"))
        table.writerows((f"{row:05d}.jpg", lat[row], lon[row]) for row in range(rows))
    paths = []
    for run in range(runs):
        away_m = np.minimum(rng.lognormal(np.log(100e3), 3.0, rows), 1.9e7)
        path = folder / f"run-{run}.jsonl"
        path.write_text("".join(_line(rng, row, lat[row], lon[row], away_m[row]) for row in range(rows)), "utf-8")
        paths.append(str(path))
        for row in np.argsort(-away_m)[:PICTURES].tolist() if run == 0 else ():
            noise = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
            Image.fromarray(noise).resize((1600, 1200)).save(folder / f"{row:05d}.jpg", quality=90)
    return paths, str(truth)


def _line(rng: np.random.Generator, row: int, lat: float, lon: float, away_m: float) -> str:
    name = f"{row:05d}.jpg"
    if rng.random() < 0.05:
        return dumps(Fix(name, "unlocated", None, None, None, None, None, 0.0, Belief(), "not_in_index")) + "\n"
    there, east = (float(x) for x in destination(lat, lon, float(rng.uniform(0.0, 360.0)), away_m))
    parts = []
    for weight in (rng.dirichlet(np.ones(COMPONENTS)) * 0.9).tolist():
        off_m = away_m * float(rng.random())
        y, x = (float(v) for v in destination(there, east, float(rng.uniform(0.0, 360.0)), off_m))
        parts.append(Component(y, x, float(10.0 ** rng.uniform(1.0, 6.0)), weight))
    near = tuple(Candidate(f"reference-{n}.jpg", there, east, 0.5, None, 0.5) for n in range(CANDIDATES))
    radius_m, sure = float(away_m * rng.lognormal()), float(rng.random())
    said = (PriorGuess("geoclip", there, east, radius_m, 'said of a <street> & its "houses" ' * 3),)
    stage: Stage = "rerank" if rng.random() < 0.7 else "prior"
    belief = Belief(tuple(parts), 0.1)
    return dumps(Fix(name, "ok", stage, there, east, None, radius_m, sure, belief, None, near, None, said)) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths, truth = write(Path(folder), args.rows, args.runs)
        page = Path(folder, "page.html")
        command = [sys.executable, "-m", "geoloc_cli", "evaluate", *paths, "--truth", truth, "--html", str(page)]
        start = time.perf_counter()
        subprocess.run([*command, "--quiet"], check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        megabytes = page.stat().st_size / 1e6
    found = {
        "rows": args.rows,
        "runs": args.runs,
        "seconds": round(seconds, 1),
        "processor_s": round(used.ru_utime + used.ru_stime, 1),
        "page_mb": round(megabytes, 2),
        "machine": platform.machine(),
    }
    print(json.dumps(found))
    return int(seconds > LIMIT_S * args.runs or megabytes > LIMIT_MB * args.runs)


if __name__ == "__main__":
    sys.exit(main())
