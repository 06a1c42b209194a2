"""How long `geoloc --help` and `--version` take, against the bare cost of importing typer and rich, in one run.

    python scripts/bench_startup.py [--runs 15]

The runs of all commands take turns, so that whatever else the machine does slows all of them alike.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time

GOAL = 1.5
COMMANDS = {
    "import typer, rich": ["-c", "import typer, rich"],
    "geoloc --help": ["-m", "geoloc_cli", "--help"],
    "geoloc --version": ["-m", "geoloc_cli", "--version"],
    "geoloc locate --help": ["-m", "geoloc_cli", "locate", "--help"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(options.runs):
        for name, arguments in COMMANDS.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
            times[name].append(1000.0 * (time.perf_counter() - began))
    medians = {name: statistics.median(values) for name, values in times.items()}
    bare = medians["import typer, rich"]
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for name, value in medians.items():
        print(f"{name:22}{value:8.1f} ms  {value / bare:5.2f}")
    print(f"goal: at most {GOAL} of the bare import")
    print(json.dumps({"bench_startup": {name: round(value, 2) for name, value in medians.items()}}))


if __name__ == "__main__":
    main()
