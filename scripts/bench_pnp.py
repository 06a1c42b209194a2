"""Poses of many problems at once: our batched solver beside PoseLib and COLMAP, on the CPU and on a GPU.

Each row is one share of wrong pairs: every solver gets the same problems. PoseLib and COLMAP take one after the other
on one core, and are shared out over all cores by processes; ours takes them together. PoseLib and COLMAP run with their
own defaults. Milliseconds are those of one problem, the fewest of the runs; success is within 2 degrees and a twentieth
of the distance. On a GPU the scores alone are timed, too, by torch and by the fused kernel: pairs of a hypothesis and a
match a second, and the memory that each takes. Prints a table and one JSON line. Needs torch; solvers that are not
installed are left out, so that a machine with torch alone can run it.

    python scripts/bench_pnp.py
    python scripts/bench_pnp.py --problems 256 --pairs 2000 --wrong 0.6 0.8 0.9
    python scripts/bench_pnp.py --problems 256 --scores-only
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import os
import platform
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from geoloc_cli.geometry.score import design, msac, msac_and_rest
from geoloc_cli.pose.batched import solve_poses
from geoloc_cli.pose.robust import RobustOptions
from geoloc_cli.pose.solve import PoseProblem
from geoloc_cli.testing.pairs import KnownPairs, known_pairs

TOLERANCE_PX = 6.0
Poses = list[tuple[np.ndarray, np.ndarray] | None]


def peer(job: tuple[str, np.ndarray, np.ndarray, float]) -> tuple[np.ndarray, np.ndarray] | None:
    """One problem by `poselib` or `pycolmap`, with their own defaults."""
    name, pixels, points, focal = job
    size = int(2 * np.abs(pixels).max()) + 2
    if name == "poselib":
        import poselib

        camera = {"model": "SIMPLE_PINHOLE", "width": size, "height": size, "params": [focal, 0.0, 0.0]}
        pose, _ = poselib.estimate_absolute_pose(pixels, points, camera, {"max_reproj_error": TOLERANCE_PX}, {})
        return np.asarray(pose.R), -np.asarray(pose.R).T @ np.asarray(pose.t)
    from geoloc_cli.geometry.colmap import estimate_absolute_pose

    found = estimate_absolute_pose(pixels, points, focal, TOLERANCE_PX)
    return None if found is None else (found[0], -found[0].T @ found[1])


def ours(problems: list[PoseProblem], options: RobustOptions) -> Poses:
    answers = solve_poses(problems, options)
    return [(a.poses[0].rotation, a.poses[0].center) if a.poses else None for a in answers]


def success(truths: list[KnownPairs], poses: Poses) -> float:
    good = 0
    for truth, pose in zip(truths, poses, strict=True):
        if pose is None:
            continue
        away = float(np.median(np.linalg.norm(truth.points - truth.center, axis=1)))
        cosine = (np.trace(pose[0] @ truth.rotation.T) - 1) / 2
        turned = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
        good += bool(turned < 2.0 and np.linalg.norm(pose[1] - truth.center) < 0.05 * away)
    return good / len(truths)


def timed(run: Callable[[], Poses], count: int, runs: int) -> tuple[float, Poses]:
    spent, poses = [], []
    for _ in range(runs):
        began = time.perf_counter()
        poses = run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        spent.append(time.perf_counter() - began)
    return 1000.0 * min(spent) / count, poses


def solvers(cores: int) -> dict[str, Any]:
    """Name -> which library, device and number of cores."""
    found: dict[str, Any] = {"torch cpu, 1 core": ("torch", "cpu", 1)}
    if cores > 1:
        found[f"torch cpu, {cores} cores"] = ("torch", "cpu", cores)
    if torch.cuda.is_available():
        found["torch gpu"] = ("torch", "cuda", cores)
        found["torch gpu, not fused"] = ("torch", "cuda", cores)
    for name in ("poselib", "pycolmap"):
        if importlib.util.find_spec(name):
            found[f"{name}, 1 core"] = (name, "cpu", 1)
            if cores > 1:
                found[f"{name}, {cores} cores"] = (name, "cpu", cores)
    return found


def measured(given: argparse.Namespace, wrong: float, cores: int) -> list[dict[str, Any]]:
    truths = [known_pairs("general", seed, given.pairs, wrong, given.noise_px) for seed in range(given.problems)]
    problems = [PoseProblem(t.rays, t.points, t.focal_px, TOLERANCE_PX) for t in truths]
    jobs = [(np.ascontiguousarray(t.rays * t.focal_px), t.points, t.focal_px) for t in truths]
    rows = []
    for label, (name, device, threads) in solvers(cores).items():
        if name == "torch":
            fused = not label.endswith("not fused")
            options = replace(RobustOptions(), device=device, max_memory_mib=given.max_memory_mib, fused=fused)
            torch.set_num_threads(threads)
            solve_poses(problems[:2], options)
            if device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            ms, poses = timed(lambda: ours(problems, options), len(problems), given.runs)  # noqa: B023
        else:
            named = [(name, *job) for job in jobs]
            if threads == 1:
                ms, poses = timed(lambda: [peer(job) for job in named], len(jobs), 1)  # noqa: B023
            else:
                with multiprocessing.get_context("spawn").Pool(threads) as pool:
                    pool.map(peer, named[:threads])
                    ms, poses = timed(lambda: pool.map(peer, named, chunksize=1), len(jobs), 1)  # noqa: B023
                    # Left to the end of the block, they would be terminated, which COLMAP answers with a stack trace.
                    pool.close()
                    pool.join()
        row = {"wrong": wrong, "solver": label, "ms": round(ms, 3), "success": round(success(truths, poses), 4)}
        if device == "cuda":
            row["peak_mib"] = round(torch.cuda.max_memory_allocated() / 2**20)
        rows.append(row)
        print(f"{wrong:6.2f}  {label:22} {row['ms']:10.2f} {row['success']:8.3f}", flush=True)
    return rows


def scores(given: argparse.Namespace) -> list[dict[str, Any]]:
    """All hypotheses of a round on a part of the matches, and the short list on all of them: by torch, and fused."""
    if not torch.cuda.is_available():
        print("no GPU here: scores by torch and by the fused kernel were not compared")
        return []
    rows = []
    chance = torch.Generator("cuda").manual_seed(0)
    for hypotheses, matches in ((1024, 64), (1024, 512), (32, given.pairs), (4096, given.pairs)):
        shapes = ((2, matches), (3, matches), (4, matches), (hypotheses, 12))
        made = [torch.rand(given.problems, *shape, generator=chance, device="cuda") for shape in shapes]
        poses, by = made[3], design(*made[:3])
        valid = torch.ones(poses.shape[:2], dtype=torch.bool, device="cuda")
        row: dict[str, Any] = {"problems": given.problems, "hypotheses": hypotheses, "matches": matches}
        for name, fused in (("torch", False), ("fused", True)):
            for part, run in (
                ("msac", lambda: msac(poses, by, fused=fused)),  # noqa: B023
                ("rest", lambda: msac_and_rest(poses, by, valid, fused=fused)),  # noqa: B023
            ):
                run()
                torch.cuda.reset_peak_memory_stats()
                held = torch.cuda.memory_allocated()
                spent = []
                for _ in range(max(5, given.runs)):
                    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
                    start.record()
                    run()
                    end.record()
                    end.synchronize()
                    spent.append(start.elapsed_time(end))
                row[f"{name}_{part}_ms"] = round(min(spent), 4)
                row[f"{name}_{part}_mib"] = round((torch.cuda.max_memory_allocated() - held) / 2**20, 1)
        rows.append(row)
        pairs = given.problems * hypotheses * matches
        for part in ("msac", "rest"):
            plain, fused_ms = row[f"torch_{part}_ms"], row[f"fused_{part}_ms"]
            print(
                f"{part} of {hypotheses} x {matches}: torch {plain:.3f} ms, fused {fused_ms:.3f} ms, "
                f"{pairs / fused_ms / 1e6:.1f} G pairs/s; {row[f'torch_{part}_mib']:.0f} and "
                f"{row[f'fused_{part}_mib']:.0f} MiB" + (" SLOWER" if fused_ms > plain else ""),
                flush=True,
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=64)
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--wrong", type=float, nargs="*", default=[0.3, 0.6, 0.8, 0.9, 0.95])
    parser.add_argument("--noise-px", type=float, default=1.0)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--max-memory-mib", type=int, default=1024)
    parser.add_argument("--scores-only", action="store_true", help="on a GPU: torch's scores beside the fused ones")
    given = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    print(f"{given.problems} problems of {given.pairs} pairs, noise {given.noise_px} px")
    scored = scores(given)
    rows = []
    if not given.scores_only:
        print(f"{'wrong':>6}  {'solver':22} {'ms':>10} {'success':>8}")
        rows = [row for wrong in given.wrong for row in measured(given, wrong, cores)]
    machine = {"processor": platform.processor() or platform.machine(), "cores": cores, "torch": torch.__version__}
    if torch.cuda.is_available():
        machine["gpu"] = torch.cuda.get_device_name()
    peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps({**vars(given), "machine": machine, "peak_rss_mib": peak, "rows": rows, "scores": scored}))


if __name__ == "__main__":
    main()
