"""Builds an index of each real set, locates its held-out queries and those of the other sets, and prints the tables.

    python scripts/evaluate_real.py [--data ../shared/data] [--keep FOLDER]

Drives the installed `geoloc` as a user would. Prints one table a set, one line for each set against another's index,
and one JSON line.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from geoloc_cli.geo.earth import haversine_m
from real_sets import geoloc, parser, place, split

SETS = ("seneca", "lund")


def locate(photos: list[Path], index: Path) -> list[dict[str, Any]]:
    lines = geoloc("locate", *map(str, photos), "--index", str(index), "--format", "jsonl").splitlines()
    return [json.loads(line) for line in lines]


def own_set(name: str, queries: list[Path], index: Path) -> dict[str, Any]:
    began = time.perf_counter()
    fixes = locate(queries, index)
    seconds = time.perf_counter() - began
    print(f"\n{name}: {len(queries)} queries, {seconds:.1f} s")
    print(f"{'photo':16}{'status':>11}{'error m':>9}{'radius m':>10}{'inside':>8}{'confidence':>12}{'inliers':>9}")
    errors, inside = [], 0
    for fix in fixes:
        photo = Path(fix["photo"]).name
        if fix["status"] != "ok":
            print(f"{photo:16}{fix['status']:>11}  {fix['reason']}")
            continue
        error = float(haversine_m(fix["lat"], fix["lon"], *place(fix["photo"])))
        errors.append(error)
        inside += error <= fix["radius_m"]
        print(
            f"{photo:16}{fix['status']:>11}{error:9.1f}{fix['radius_m']:10.1f}"
            f"{'yes' if error <= fix['radius_m'] else 'no':>8}{fix['confidence']:12.3f}"
            f"{fix['candidates'][0]['inliers']:9d}"
        )
    row = {
        "queries": len(queries),
        "located": len(errors),
        "median_m": round(float(np.median(errors)), 2),
        "max_m": round(float(np.max(errors)), 2),
        "inside_radius": inside,
        "median_radius_m": round(float(np.median([f["radius_m"] for f in fixes if f["status"] == "ok"])), 2),
        "seconds": round(seconds, 2),
    }
    print(
        f"located {row['located']} of {row['queries']}, median {row['median_m']} m, worst {row['max_m']} m, "
        f"{inside} inside radius_m"
    )
    return row


def other_set(name: str, queries: list[Path], index: Path) -> dict[str, Any]:
    fixes = locate(queries, index)
    located = [f for f in fixes if f["status"] == "ok"]
    confidence = max((f["confidence"] for f in fixes), default=0.0)
    print(f"{name}: {len(fixes)} photos, {len(located)} located, highest confidence {confidence}")
    return {"queries": len(fixes), "located": len(located), "highest_confidence": confidence}


def main() -> None:
    said = parser(__doc__)
    said.add_argument("--keep", type=Path, help="leave the indexes in this folder")
    options = said.parse_args()
    photos = {name: split(options.data, name)[0] for name in SETS}
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        queries = {name: split(options.data, name)[1] for name in SETS}
        queries["berlin"] = sorted((options.data / "berlin" / "photos").iterdir())
        report: dict[str, Any] = {}
        for name in SETS:
            listed = folder / f"{name}-queries.txt"
            listed.write_text("".join(f"{q.name}\n" for q in queries[name]))
            began = time.perf_counter()
            geoloc("index", "build", str(photos[name]), "--index", str(folder / name), "--exclude-list", str(listed))
            report[name] = {"build_seconds": round(time.perf_counter() - began, 2)}
        for name in SETS:
            report[name] |= own_set(name, queries[name], folder / name)
        print()
        for name in SETS:
            for other in queries:
                if other != name:
                    key = f"{other} against {name}"
                    report[key] = other_set(key, queries[other], folder / name)
    print(json.dumps({"evaluate_real": report}))


if __name__ == "__main__":
    main()
