"""Memory of a build over ten thousand small photos, and over a tenth of them, in one run.

    python scripts/bench_build_memory.py [--count 10000] [--workers 2]

Memory is what all processes of the build hold together at its peak, sampled ten times a second: their own (anonymous)
memory, and all of it with the pages of the index's files that happen to be mapped, which the system takes back at will.
The peer is the same build of a tenth of the photos: what is held must not grow with their number, but for the vectors.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

GOAL_MB = 1000
_SIDE = (160, 120)


def write_photos(folder: Path, count: int) -> None:
    """Small pictures of random blobs, each its own, with their positions in a file beside them."""
    folder.mkdir()
    rows = ["path,lat,lon"]
    for i in range(count):
        rng = np.random.default_rng(i)
        coarse = rng.integers(0, 255, (_SIDE[1] // 6, _SIDE[0] // 6), dtype=np.uint8)
        Image.fromarray(coarse).resize(_SIDE, Image.Resampling.BICUBIC).save(folder / f"{i:05d}.jpg", quality=90)
        rows.append(f"{i:05d}.jpg,{40 + i // 100 * 1e-3:.6f},{10 + i % 100 * 1e-3:.6f}")
    (folder / "positions.csv").write_text("\n".join(rows) + "\n")


def processes_below(root: int) -> list[int]:
    """A process and all its descendants."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            parents.setdefault(parent, []).append(int(entry.name))
    found, open_ones = [], [root]
    while open_ones:
        found.append(open_ones.pop())
        open_ones += parents.get(found[-1], [])
    return found


def memory_mb(root: int) -> tuple[float, float]:
    """Anonymous memory and resident memory of a process tree, each process counted in full."""
    anonymous = resident = 0.0
    for process in processes_below(root):
        try:
            status = Path(f"/proc/{process}/status").read_text()
        except OSError:
            continue
        values = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        resident += float(values.get("VmRSS", "0 kB").split()[0]) / 1024
        anonymous += float(values.get("RssAnon", values.get("VmRSS", "0 kB")).split()[0]) / 1024
    return anonymous, resident


def build(photos: Path, index: Path, workers: int) -> dict[str, float]:
    """Builds an index as a user would, and watches."""
    command = [sys.executable, "-m", "geoloc_cli", "index", "build", str(photos), "--index", str(index)]
    command += ["--positions", str(photos / "positions.csv"), "--workers", str(workers)]
    began = time.perf_counter()
    process = subprocess.Popen(command)
    peaks = (0.0, 0.0)
    while process.poll() is None:
        now = memory_mb(process.pid)
        peaks = max(peaks[0], now[0]), max(peaks[1], now[1])
        time.sleep(0.1)
    if process.returncode:
        raise SystemExit(f"the build ended with status {process.returncode}")
    seconds = time.perf_counter() - began
    size = sum(path.stat().st_size for path in index.rglob("*") if path.is_file())
    return {"seconds": seconds, "anonymous_mb": peaks[0], "resident_mb": peaks[1], "index_mb": size / 1e6}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    counts = (options.count // 10, options.count)
    report = {}
    with tempfile.TemporaryDirectory() as scratch:
        for count in counts:
            photos = Path(scratch) / f"photos-{count}"
            write_photos(photos, count)
            report[str(count)] = build(photos, Path(scratch) / f"index-{count}", options.workers)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{'photos':>8}{'seconds':>10}{'own MB':>9}{'resident MB':>13}{'index MB':>10}")
    for count, row in report.items():
        print(
            f"{count:>8}{row['seconds']:10.1f}{row['anonymous_mb']:9.0f}{row['resident_mb']:13.0f}{row['index_mb']:10.0f}"
        )
    largest = report[str(options.count)]["resident_mb"]
    print(f"peak of {options.count} photos: {largest:.0f} MB (goal {GOAL_MB})")
    rounded = {count: {name: round(value, 1) for name, value in row.items()} for count, row in report.items()}
    print(json.dumps({"bench_build_memory": rounded}))


if __name__ == "__main__":
    main()
