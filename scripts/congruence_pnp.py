"""Does `--solver torch` find what PoseLib and COLMAP find? Success and accuracy over a grid of problems of known pose.

Each cell holds the same problems for all three. A pose is a success within `2 degrees` and a twentieth of the distance
to the points; errors are medians over the problems that all three solve. Prints a table and one JSON line; exits with 1
where the batched solver succeeds more than one percentage point less often than the better of the others, or is more
than 5 % less accurate (by more than the medians of so many problems scatter).

    python scripts/congruence_pnp.py                                  # a small grid
    python scripts/congruence_pnp.py --full --seeds 100               # the whole one
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import dataclass

import numpy as np

from geoloc_cli.geometry.colmap import estimate_absolute_pose
from geoloc_cli.pose.batched import solve_poses
from geoloc_cli.pose.robust import RobustOptions
from geoloc_cli.pose.solve import PoseProblem, poselib_pose
from geoloc_cli.testing.pairs import SCENES, KnownPairs, known_pairs

TOLERANCE_PX = 6.0
SOLVERS = ("torch", "poselib", "pycolmap")


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of problem."""

    scene: str
    count: int
    wrong: float
    noise_px: float


def grid(full: bool) -> list[Cell]:
    """The whole grid, or one that takes two minutes."""
    if full:
        return [
            Cell(scene, count, wrong, noise)
            for scene in SCENES
            for count in (10, 50, 500, 2000, 10000)
            for wrong in (0.0, 0.3, 0.6, 0.8, 0.9, 0.95)
            for noise in (0.5, 1.0, 3.0)
            if (1 - wrong) * count >= 4
        ]
    plain = [Cell("general", *cell) for cell in ((10, 0.3, 1.0), (50, 0.6, 1.0), (500, 0.8, 1.0), (500, 0.9, 0.5))]
    return plain + [Cell(scene, 500, 0.6, 1.0) for scene in SCENES[1:]]


def errors(truth: KnownPairs, rotation: np.ndarray, center: np.ndarray) -> tuple[float, float]:
    """Degrees, and the distance of the places as a share of that to the points; of the nearer of two true poses."""
    away = float(np.median(np.linalg.norm(truth.points - truth.center, axis=1)))
    poses = [(truth.rotation, truth.center)] + ([truth.other] if truth.other else [])
    found = []
    for turned, place in poses:
        cosine = (np.trace(rotation @ turned.T) - 1) / 2
        degrees = float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
        found.append((float(np.linalg.norm(center - place)) / away, degrees))
    share, degrees = min(found)
    return degrees, share


def by_torch(cases: list[KnownPairs], options: RobustOptions) -> list[tuple[float, float] | None]:
    problems = [
        PoseProblem(case.rays, case.points, case.focal_px, TOLERANCE_PX, pixel_from_ray=case.pixel_from_ray)
        for case in cases
    ]
    answers = solve_poses(problems, options)
    return [
        errors(case, answer.poses[0].rotation, answer.poses[0].center) if answer.poses else None
        for case, answer in zip(cases, answers, strict=True)
    ]


def by_peer(cases: list[KnownPairs], name: str) -> list[tuple[float, float] | None]:
    found: list[tuple[float, float] | None] = []
    for case in cases:
        pixels = np.ascontiguousarray(case.rays * case.focal_px)
        attempt = poselib_pose if name == "poselib" else estimate_absolute_pose
        answer = attempt(pixels, case.points, case.focal_px, TOLERANCE_PX)
        found.append(None if answer is None else errors(case, answer[0], -answer[0].T @ answer[1]))
    return found


def run(cell: Cell, seeds: int, options: RobustOptions) -> dict[str, object]:
    cases = [known_pairs(cell.scene, seed, cell.count, cell.wrong, cell.noise_px) for seed in range(seeds)]
    row: dict[str, object] = {"scene": cell.scene, "N": cell.count, "wrong": cell.wrong, "noise": cell.noise_px}
    found, good = {}, {}
    for name in SOLVERS:
        began = time.perf_counter()
        found[name] = by_torch(cases, options) if name == "torch" else by_peer(cases, name)
        row[f"{name}_ms"] = round((time.perf_counter() - began) / seeds * 1e3, 2)
        good[name] = np.array([e is not None and e[0] < 2.0 and e[1] < 0.05 for e in found[name]])
        row[name] = round(float(good[name].mean()), 4)
    all_good = np.flatnonzero(np.logical_and.reduce(list(good.values())))
    for name in SOLVERS:
        both = np.array([found[name][i] for i in all_good]).reshape(-1, 2)
        row[f"{name}_deg"], row[f"{name}_share"] = (
            [float(v) for v in np.median(both, axis=0)] if len(both) else (None, None)
        )
    better = max(row["poselib"], row["pycolmap"])  # type: ignore[call-overload]
    row["success_ok"] = bool(row["torch"] >= better - 0.01 - 1e-9)  # type: ignore[operator]
    # A median of n errors scatters by about 1.25 / sqrt(n) of their spread, which is three quarters of the median.
    slack = 1.05 + 2.0 * 1.25 * 0.75 / np.sqrt(max(1, len(all_good)))
    row["accuracy_ok"] = all(
        not len(all_good) or row[f"torch_{unit}"] <= slack * min(row[f"poselib_{unit}"], row[f"pycolmap_{unit}"])  # type: ignore[operator]
        for unit in ("deg", "share")
    )
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--scenes", nargs="*", default=list(SCENES))
    parser.add_argument("--max-count", type=int, default=10000)
    given = parser.parse_args()
    options = RobustOptions(device=given.device)
    cells = [c for c in grid(given.full) if c.scene in given.scenes and c.count <= given.max_count]
    print(f"{'scene':12} {'N':>5} {'wrong':>5} {'noise':>5} | success torch poselib pycolmap | degrees | share | ms")
    rows = []
    for cell in cells:
        row = run(cell, given.seeds, options)
        rows.append(row)
        parts = [f"{row[name]:.2f}" for name in SOLVERS]
        degrees = [f"{row[f'{name}_deg'] or 0:.4f}" for name in SOLVERS]
        shares = [f"{row[f'{name}_share'] or 0:.6f}" for name in SOLVERS]
        spent = [f"{row[f'{name}_ms']:.1f}" for name in SOLVERS]
        flag = ("" if row["success_ok"] else " FEWER") + ("" if row["accuracy_ok"] else " WORSE")
        head = f"{cell.scene:12} {cell.count:5d} {cell.wrong:5.2f} {cell.noise_px:5.1f}"
        columns = [head, *(" ".join(column) for column in (parts, degrees, shares, spent))]
        print(" | ".join(columns) + flag, flush=True)
    failed = [row for row in rows if not (row["success_ok"] and row["accuracy_ok"])]
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    facts = {"seeds": given.seeds, "cells": len(rows), "failed": len(failed), "machine": machine, "rows": rows}
    print(json.dumps(facts))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
