"""Kills `map build` with SIGKILL at seeded moments, and looks whether the map is whole, or none, and is finished.

    python scripts/kill_map.py [--trials 200] [--seed 0] [--mapper global]

The photographs are made of numbers: points in a room, seen by cameras on an arc, with descriptors of their own, so that
a map takes a second. Each trial forks a process that builds, or adds two photographs to a finished map, and kills it in
one stage: at a random call within `describing` and `matching`, at a random call of the system within `writing`, at a
random moment within `mapping`, which is one call. Afterwards a reader must find what was there before (no map, or the
old one) or the new one, whole; and the same build must end in the photographs of a map that nobody disturbed, and match
no pair twice that was kept. (Readers that did not look into `next/` could not read the map after 3 of 16 killings
within `writing`.)
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geoloc_cli.errors import MapMissing
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.geo.earth import geodetic_from_enu
from geoloc_cli.index.rows import NewPhoto
from geoloc_cli.maps.folder import index_of, open_map
from geoloc_cli.pipeline import build
from geoloc_cli.pipeline import map as mapping
from geoloc_cli.pipeline.extract import fingerprint
from geoloc_cli.testing.fakes import made_features, small_describer
from geoloc_cli.testing.render import CameraPose
from geoloc_cli.types import Camera, Position

STAGES = ("describing", "matching", "mapping", "writing")
PHOTOS, BEFORE = 8, 6
_POINTS = 220
# Few pairs in a file and few photos in a commit, so that there is something to be kept.
_PAIRS_IN_FILE, _BATCH = 6, 3
# Of so few photographs each is near each other.
FILES = -(-PHOTOS * (PHOTOS - 1) // 2 // _PAIRS_IN_FILE)
Report = Callable[[str], None]
_ORIGIN = (47.0, 8.0, 400.0)


@dataclass(frozen=True, slots=True)
class Ground:
    """Where trials take place: the files, undisturbed maps of all and of the first six, and the cost of each stage."""

    folder: Path
    paths: list[str]
    calls: dict[str, int]
    seconds: dict[str, float]
    truth: dict[str, np.ndarray]
    mapper: str


def camera(number: int) -> CameraPose:
    """On an arc of 9 m about the room, looking at its middle."""
    angle = np.radians(-50.0 + 100.0 * number / (PHOTOS - 1))
    place = (9.0 * float(np.sin(angle)), -9.0 * float(np.cos(angle)), 1.5 + 0.2 * (number % 3))
    return CameraPose(place, float(np.degrees(-angle)) % 360.0)


def made_photo(path: str) -> NewPhoto:
    """What an extraction of a made file would have given: the room's points where the camera sees them."""
    number, rng = int(Path(path).stem), np.random.default_rng(0)
    points = rng.uniform((-3.0, -2.0, 0.0), (3.0, 3.0, 3.0), (_POINTS, 3))
    looks = made_features(1, _POINTS).descriptors
    pose = camera(number)
    pixels = pose.project(points) + np.random.default_rng(number + 1).normal(0, 0.3, (_POINTS, 2))
    keypoints = np.zeros((_POINTS, 4), np.float32)
    keypoints[:, :2], keypoints[:, 2] = pixels.clip(1, (639, 479)), 4.0
    lat, lon, alt_m = (float(v) for v in geodetic_from_enu(np.array(pose.center_in_enu), _ORIGIN))
    lens = Camera("SIMPLE_PINHOLE", 640, 480, (520.0, 320.0, 240.0), "user", 0.0)
    local = LocalFeatures(keypoints, looks, 640, 480)
    return NewPhoto(path, *fingerprint(path), 640, 480, Position(lat, lon, alt_m), lens, None, None, local)


class InProcess:
    """A `contracts.ParallelMap` in this process that reports each photo described and each file of pairs matched."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def __call__(self, built: str, spec: dict[str, Any], items: Iterable[Any]) -> Iterator[Any]:
        if built.endswith("build_extractor"):
            for path, *_ in items:
                yield made_photo(path)
            return
        match = mapping.build_pair_matcher(spec)
        for item in items:
            self._report(f"pairs {json.dumps(item)}")
            yield match(item)


def operate(folder: Path, paths: list[str], mapper: str, report: Report, stage_begins: Report) -> None:
    """`map build --mapper`: the index, then the map; stage_begins is told each stage when it begins."""
    build._BATCH, mapping._PAIRS_IN_FILE = _BATCH, _PAIRS_IN_FILE
    begun: set[str] = set()

    def tell(stage: str, done: int) -> None:
        if stage in STAGES and stage not in begun:
            begun.add(stage)
            stage_begins(stage)

    tell("describing", 0)
    pool = InProcess(report)
    build.build_index(index_of(folder), paths, parallel_map=pool, describer=small_describer(), placed=False)
    mapping.build_map(folder, pool, mapping.MapOptions(mapper=mapper), tell=tell)


def in_child(
    work: Callable[[Callable[[str], None]], None], kill: Callable[[int, str], None] | None = None
) -> list[str]:
    """Runs work(report) in a forked process; kill(pid, line) is told each line as it is reported. Returns all lines."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(read_end)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # COLMAP's notes
            work(lambda line: os.write(write_end, line.encode() + b"\n") and None)
            status = 0
        finally:
            os._exit(status)
    os.close(write_end)
    lines = []
    with os.fdopen(read_end, "rb") as source:
        for line in source:
            lines.append(line.decode().rstrip())
            if kill:
                kill(child, lines[-1])
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) not in (0, -signal.SIGKILL):
        raise SystemExit(f"a build failed with status {os.waitstatus_to_exitcode(status)}, undisturbed or not")
    return lines


def prepare(folder: Path, mapper: str = "incremental") -> Ground:
    """Makes the files and an undisturbed map, counting calls and seconds of each stage."""
    (folder / "photos").mkdir(parents=True)
    paths = [str(folder / "photos" / f"{number}.made") for number in range(PHOTOS)]
    for path in paths:
        Path(path).write_text(Path(path).stem)

    def work(report: Report) -> None:
        count, stage, began = 0, "", time.perf_counter()

        def counting(frame: Any, event: str, argument: Any) -> None:
            nonlocal count
            count += _counts(stage, event, argument)

        def begins(following: str) -> None:
            nonlocal count, stage, began
            report(json.dumps([stage, count, time.perf_counter() - began]))
            count, stage, began = 0, following, time.perf_counter()

        sys.setprofile(counting)
        operate(folder / "whole", paths, mapper, lambda line: None, begins)
        begins("")
        sys.setprofile(None)

    in_child(lambda report: operate(folder / "part", paths[:BEFORE], mapper, report, report))
    facts = [json.loads(line) for line in in_child(work)]
    calls, seconds = {f[0]: f[1] for f in facts if f[0]}, {f[0]: f[2] for f in facts if f[0]}
    truth = found_in(folder / "whole")
    assert truth is not None
    return Ground(folder, paths, calls, seconds, truth, mapper)


def found_in(folder: Path) -> dict[str, np.ndarray] | None:
    """The photographs of a map and where they are in ENU, in a process of its own; None where there is no map."""

    def work(report: Report) -> None:
        try:
            components = open_map(folder)
        except MapMissing:
            report("null")
            return
        places = {}
        for component in components:
            assert component.georeference is not None
            for path, image in component.model.images.items():
                places[path] = component.georeference.in_enu(image.center_in_map).tolist()
        report(json.dumps(places))

    said = json.loads(in_child(work)[0])
    return None if said is None else {path: np.array(place) for path, place in said.items()}


def copied(ground: Ground, folder: Path) -> Path:
    """The undisturbed map, in another place."""
    shutil.copytree(ground.folder / "whole", folder)
    return folder


def trial(ground: Ground, stage: str, seed: int, again: bool) -> list[str]:
    """One killing in a stage, of a first build or of one that adds to a map; every broken promise as a sentence."""
    rng, folder = random.Random(f"{stage}-{seed}-{again}"), ground.folder / "trial"
    shutil.rmtree(folder, ignore_errors=True)
    if again:
        shutil.copytree(ground.folder / "part", folder)
    number = rng.randrange(1, ground.calls[stage] + 1)
    delay = rng.uniform(0.0, ground.seconds[stage])

    def work(report: Report) -> None:
        def begins(begun: str) -> None:
            sys.setprofile(None)
            report(begun)
            if begun == stage != "mapping":
                _killed_at_call(stage, number)

        operate(folder, ground.paths, ground.mapper, report, begins)

    def kill(child: int, line: str) -> None:
        if line == stage == "mapping":
            time.sleep(delay)
            os.kill(child, signal.SIGKILL)

    in_child(work, kill)
    faults = []
    kept = {path.name for path in (folder / "work").glob("*.npz")}
    try:
        found = found_in(folder)
    except SystemExit:
        return ["what is left cannot be read"]
    whole = [set(ground.paths[:BEFORE]) if again else None, set(ground.truth)]
    if (None if found is None else set(found)) not in whole:
        faults.append("what is left is neither the map from before nor the new one")
    second = in_child(lambda report: operate(folder, ground.paths, ground.mapper, report, report))
    matched = [line for line in second if line.startswith("pairs")]
    if len(matched) + len(kept) > FILES:
        faults.append(f"{len(matched)} files of pairs were matched, and {len(kept)} of {FILES} had been kept")
    finished = found_in(folder)
    if finished is None or set(finished) != set(ground.truth):
        faults.append("the finished map has other photographs")
    elif max(float(np.linalg.norm(finished[path] - ground.truth[path])) for path in finished) > 0.01:
        faults.append("the finished map has its photographs elsewhere")
    leftover = {path.name for path in folder.iterdir()} - {"manifest.json", "georeference.json", "sparse", "index"}
    if leftover:
        faults.append(f"{sorted(leftover)} is left behind")
    return faults


def _counts(stage: str, event: str, argument: Any) -> bool:
    if stage == "writing":
        return event == "c_call" and getattr(argument, "__module__", None) in ("posix", "io", "_io")
    return event in ("call", "c_call")


def _killed_at_call(stage: str, number: int) -> None:
    count = 0

    def counting(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += _counts(stage, event, argument)
        if count >= number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(counting)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mapper", default="incremental", help="as of `geoloc map build`")
    options = parser.parse_args()
    began, broken = time.perf_counter(), 0
    with tempfile.TemporaryDirectory() as scratch:
        ground = prepare(Path(scratch), options.mapper)
        print({stage: f"{ground.seconds[stage]:.2f} s, {ground.calls[stage]} calls" for stage in STAGES})
        for i in range(options.trials):
            stage, again = STAGES[i % len(STAGES)], i // len(STAGES) % 2 == 1
            for fault in trial(ground, stage, options.seed + i, again):
                broken += 1
                print(f"{stage}, seed {options.seed + i}, {'again' if again else 'first'}: {fault}")
    report = {"trials": options.trials, "faults": broken, "seconds": round(time.perf_counter() - began, 1)}
    print(json.dumps({"kill_map": report}))
    raise SystemExit(bool(broken))


if __name__ == "__main__":
    main()
