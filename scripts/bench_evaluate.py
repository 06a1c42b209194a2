"""How long a million predictions take to be read, matched with their truth and scored, and how much memory.

    python scripts/bench_evaluate.py [--rows 1000000] [--rounds 3]

Predictions and truth are CSV files that are made first, in another order each; a tenth of the predictions is swapped,
so that a diagnosis has something to find. Seconds are the processor's, which other work hardly lengthens.
The best of the rounds counts, and the memory is the most that the process ever held. pandas, where it is installed,
reads and merges the same two files, and computes the same distances.
Prints a table, then one JSON line; exit status 1 where reading and matching take over 5 s for a million rows, all of it
over 10 s, or memory goes over 2 GB.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import os
import platform
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from geoloc_cli.evaluate.joined import join
from geoloc_cli.evaluate.predictions import read_predictions
from geoloc_cli.evaluate.score import How, measured
from geoloc_cli.evaluate.truth import read_truth
from geoloc_cli.geo.earth import destination, haversine_m

JOINED_LIMIT_S, WHOLE_LIMIT_S, MEMORY_LIMIT_GB = 5.0, 10.0, 2.0
# Linux counts the most memory in kB, macOS in bytes.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


def write(folder: Path, rows: int) -> tuple[str, str]:
    """The files of predictions and of truth, with names as a data set of photographs has them."""
    rng = np.random.default_rng(0)
    lat, lon = np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, rows))), rng.uniform(-180.0, 180.0, rows)
    far = rng.lognormal(np.log(50e3), 2.0, rows)
    there, east = destination(lat, lon, rng.uniform(0.0, 360.0, rows), np.minimum(far, 1e7))
    swapped = rng.random(rows) < 0.1
    there, east = np.where(swapped, east, there), np.where(swapped, there, east)
    names = [f"images/{row % 1000:03d}/{row:08d}.jpg" for row in range(rows)]
    predictions, truth = folder / "predictions.csv", folder / "truth.csv"
    with predictions.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("photo", "lat", "lon", "radius_m", "confidence"))
        columns = (there.round(6), east.round(6), far.round(1), rng.random(rows).round(4))
        table.writerows(zip(names, *(column.tolist() for column in columns), strict=True))
    order = rng.permutation(rows).tolist()
    with truth.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("IMG_ID", "LAT", "LON"))
        places = list(zip(names, lat.round(6).tolist(), lon.round(6).tolist(), strict=True))
        table.writerows(places[row] for row in order)
    return str(predictions), str(truth)


def ours(predictions: str, truth: str) -> tuple[dict[str, float], float]:
    """Seconds of each step, and the median error."""
    steps = [time.process_time()]
    read = read_predictions(predictions)
    steps.append(time.process_time())
    true = read_truth(truth)
    steps.append(time.process_time())
    joined = join(read, true)
    steps.append(time.process_time())
    (scored,) = measured([joined], How())
    steps.append(time.process_time())
    said = [diagnosis.code for diagnosis in scored.diagnoses]
    assert said[:1] == ["swapped"], said
    names = ("read predictions", "read truth", "match", "score and doubt")
    return dict(zip(names, np.diff(steps).tolist(), strict=True)), scored.distances.report.median_m


def pandas(predictions: str, truth: str) -> tuple[float, float]:
    """Seconds of pandas for what is read, matched and scored here, and the median error."""
    import pandas as pd

    start = time.process_time()
    both = pd.read_csv(truth).merge(pd.read_csv(predictions), left_on="IMG_ID", right_on="photo", how="left")
    lat, lon = both["lat"].to_numpy(), both["lon"].to_numpy()
    away = haversine_m(lat, lon, both["LAT"].to_numpy(), both["LON"].to_numpy())
    away[np.abs(lat) > 90.0] = np.inf
    median = float(np.sort(away)[(len(away) - 1) // 2])
    return time.process_time() - start, median


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        files = write(Path(folder), args.rows)
        before_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT / 1e9
        rounds = [ours(*files) for _ in range(args.rounds)]
        memory_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT / 1e9
        peers = []
        if importlib.util.find_spec("pandas") is not None:
            peers = [pandas(*files) for _ in range(args.rounds)]
    best = min((steps for steps, _ in rounds), key=lambda steps: sum(steps.values()))
    median_m = rounds[0][1]
    joined_s, whole_s = sum(list(best.values())[:3]), sum(best.values())

    print(f"{args.rows:,} predictions and as many truths, best of {args.rounds}")
    for name, taken in best.items():
        print(f"  {name:<20}{taken:8.2f} s")
    print(f"  {'read and matched':<20}{joined_s:8.2f} s")
    print(f"  {'all of it':<20}{whole_s:8.2f} s")
    if peers:
        peer_s, peer_median_m = min(peers)
        assert abs(peer_median_m - median_m) < 1e-3, (peer_median_m, median_m)
        print(f"  {'pandas':<20}{peer_s:8.2f} s, read, matched and scored")
    print(f"  {'memory':<20}{memory_gb:8.2f} GB at most ({before_gb:.2f} GB to make the files)")
    machine = {
        "processor": platform.processor() or platform.machine(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    result = {
        "bench": "evaluate",
        "rows": args.rows,
        "seconds": best,
        "joined_s": joined_s,
        "whole_s": whole_s,
        "pandas_s": min(peers)[0] if peers else None,
        "memory_gb": memory_gb,
        "median_m": median_m,
        "machine": machine,
    }
    print(json.dumps(result))
    scale = max(1.0, args.rows / 1e6)
    slow = joined_s > JOINED_LIMIT_S * scale or whole_s > WHOLE_LIMIT_S * scale
    return int(slow or memory_gb > MEMORY_LIMIT_GB * scale)


if __name__ == "__main__":
    sys.exit(main())
