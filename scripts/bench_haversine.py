"""How long one place against ten million takes, beside plain numpy and a loop of geopy.

    python scripts/bench_haversine.py [--rows 10000000] [--rounds 5]

The three are timed in turns in one process, and the best of each counts. geopy is timed on a sample and scaled to the
rows. Prints a table, then one JSON line; exit status 1 when ours takes more than 0.3 s for ten million rows.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable

import numpy as np
from geopy.distance import great_circle

from geoloc_cli.geo.earth import EARTH_RADIUS_M, haversine_m

LIMIT_S_PER_ROW = 0.3 / 10_000_000
GEOPY_SAMPLE = 20_000
HERE = (42.4534, -76.4735)


def plain_numpy(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """The formula as it is usually written, whole arrays at a time."""
    phi1, lam1, phi2, lam2 = np.radians(HERE[0]), np.radians(HERE[1]), np.radians(lat), np.radians(lon)
    h = np.sin((phi2 - phi1) / 2) ** 2 + np.cos(phi1) * np.cos(phi2) * np.sin((lam2 - lam1) / 2) ** 2
    return 2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(h))


def geopy_loop(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    radius_km = EARTH_RADIUS_M / 1000
    return np.array([great_circle(HERE, place, radius=radius_km).m for place in zip(lat, lon, strict=True)])


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()

    rng = np.random.default_rng(0)
    lat = np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, args.rows)))
    lon = rng.uniform(-180.0, 180.0, args.rows)
    few = slice(0, min(GEOPY_SAMPLE, args.rows))
    worst_m = float(np.max(np.abs(haversine_m(*HERE, lat[few], lon[few]) - geopy_loop(lat[few], lon[few]))))
    taken: dict[str, list[float]] = {"geoloc": [], "plain numpy": [], "geopy (scaled)": []}
    for _ in range(args.rounds):
        taken["geoloc"].append(seconds(lambda: haversine_m(*HERE, lat, lon)))
        taken["plain numpy"].append(seconds(lambda: plain_numpy(lat, lon)))
        sampled = seconds(lambda: geopy_loop(lat[few], lon[few]))
        taken["geopy (scaled)"].append(sampled * args.rows / len(lat[few]))
    best = {name: min(times) for name, times in taken.items()}

    print(f"one place to {args.rows:,} places, best of {args.rounds}")
    for name, best_s in best.items():
        print(f"  {name:<16}{best_s:10.3f} s {best_s / best['geoloc']:10.1f} x")
    print(f"  furthest from geopy: {worst_m:.1e} m")
    machine = {
        "processor": platform.processor() or platform.machine(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    print(json.dumps({"bench": "haversine", "rows": args.rows, "best_s": best, "worst_m": worst_m, "machine": machine}))
    return int(best["geoloc"] > LIMIT_S_PER_ROW * args.rows)


if __name__ == "__main__":
    sys.exit(main())
