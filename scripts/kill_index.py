"""Kills writers of an index with SIGKILL at random moments, and looks whether anything that was committed is lost.

    python scripts/kill_index.py [--trials 3000] [--seed 0] [--control]

Each trial forks a process that builds, adds, removes or compacts, and kills it: half of them at a random call within
the operation (every function of ours and of C counts as one), half at a random moment. Afterwards the index must open,
`verify` must find no fault, every photo whose commit had returned must be there, and doing the same again must give the
same search results, bit for bit, as an index that nobody disturbed, and extract no committed photo twice.

`--control` does the same to an index that is one JSON file, written in place: it must be seen to lose photos, or the
killing proves nothing.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geoloc_cli.errors import IndexMissing
from geoloc_cli.index.inspect import verify
from geoloc_cli.index.reader import Index
from geoloc_cli.index.writer import IndexWriter
from geoloc_cli.pipeline import build
from geoloc_cli.testing.fakes import MadeExtraction, made_features, small_describer, write_made

OPERATIONS = ("build", "add", "remove", "compact")
BASE, ADDED, REMOVED = 24, 16, 8
# Small batches, so that an operation has many commits to be killed between.
_BATCH = 6


@dataclass(frozen=True, slots=True)
class Ground:
    """Where trials take place: the made photos, and an undisturbed index after each operation."""

    folder: Path
    base: list[str]
    more: list[str]
    seconds: dict[str, float]
    calls: dict[str, int]
    truth: dict[str, Any]


def operate(index: Path, base: list[str], more: list[str], name: str, report: Callable[[str], None]) -> None:
    """Does one operation; reports `=path` before a photo is read, `+path` once committed, `-path` once removed."""
    commit = IndexWriter.commit_photos

    def reporting(writer: IndexWriter, photos: Any) -> None:
        commit(writer, photos)
        for photo in photos:
            report(f"+{photo.path}")

    IndexWriter.commit_photos = reporting  # type: ignore[method-assign]
    build._BATCH = _BATCH
    try:
        extraction = MadeExtraction(lambda path: report(f"={path}"))
        if name in ("build", "add"):
            paths = base if name == "build" else more
            build.build_index(index, paths, parallel_map=extraction, describer=small_describer())
            return
        with IndexWriter(index) as writer:
            if name == "remove":
                for start in range(0, REMOVED, 2):
                    pair = base[start : start + 2]
                    writer.remove(pair)
                    for path in pair:
                        report(f"-{path}")
                writer.seal()
            else:
                writer.compact()
    finally:
        IndexWriter.commit_photos = commit  # type: ignore[method-assign]


def in_child(work: Callable[[Callable[[str], None]], None], kill: Callable[[int], None] | None = None) -> list[str]:
    """Runs work(report) in a forked process, kills it as `kill(pid)` sees fit, and returns what it had reported."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(read_end)
            work(lambda line: os.write(write_end, line.encode() + b"\n") and None)
            status = 0
        finally:
            os._exit(status)
    os.close(write_end)
    killer = threading.Thread(target=kill, args=(child,)) if kill else None
    if killer:
        killer.start()
    with os.fdopen(read_end, "rb") as source:
        lines = source.read().split(b"\n")
    if killer:
        killer.join()
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) not in (0, -signal.SIGKILL):
        raise SystemExit(f"an operation failed with status {os.waitstatus_to_exitcode(status)}, undisturbed or not")
    return [line.decode() for line in lines[:-1]]


def answers(index: Path) -> dict[str, Any]:
    """What the index holds and finds: paths, and for five queries every path with its similarity's exact bits."""
    with Index.open(index) as reader:
        photos = reader.all_photos()
        path_of = {photo.row_id: photo.path for photo in photos}
        state = {name: array.tobytes() for name, array in reader.state().items()}
        descriptor = build.build_descriptor(reader)
        found = []
        for seed in range(5):
            hits = reader.search(descriptor.describe(made_features(9000 + seed)), len(photos))
            pairs = zip(hits.row_ids, hits.similarities, strict=True)
            found.append(sorted((path_of[int(row)], np.float32(s).tobytes()) for row, s in pairs))
    return {"paths": sorted(path_of.values()), "found": found, "state": state}


def prepare(folder: Path) -> Ground:
    """Makes the photos and the undisturbed indexes; counts how long and how many calls each operation takes."""
    base = write_made(folder / "photos", BASE)
    more = write_made(folder / "photos", ADDED, first=BASE)
    seconds, calls, truth = {}, {}, {}
    before: Path | None = None
    for name in OPERATIONS:
        # Each operation begins where the one before it ended, but for the first, which begins with nothing.
        index = folder / f"after-{name}"
        for counted in (False, True):
            shutil.rmtree(index, ignore_errors=True)
            if before:
                shutil.copytree(before, index)
            began = time.perf_counter()
            if counted:
                lines = in_child(lambda report, n=name, i=index: _counted(i, base, more, n, report))
                calls[name] = int(lines[-1])
            else:
                in_child(lambda report, n=name, i=index: operate(i, base, more, n, report))
                seconds[name] = time.perf_counter() - began
        truth[name] = json.loads(in_child(lambda report, i=index: report(json.dumps(_plain(answers(i)))))[0])
        before = index
    return Ground(folder, base, more, seconds, calls, truth)


def _plain(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "paths": found["paths"],
        "found": [[[path, bits.hex()] for path, bits in query] for query in found["found"]],
        "state": {name: bits.hex() for name, bits in sorted(found["state"].items())},
    }


def _counted(index: Path, base: list[str], more: list[str], name: str, report: Callable[[str], None]) -> None:
    count = 0

    def counting(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counting)
    operate(index, base, more, name, lambda line: None)
    sys.setprofile(None)
    report(str(count))


def _killed_at_call(number: int) -> None:
    count = 0

    def counting(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")
        if count >= number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(counting)


def trial(ground: Ground, name: str, seed: int) -> list[str]:
    """One killing; returns every broken promise as a sentence."""
    rng = random.Random(f"{name}-{seed}")
    index = ground.folder / "trial"
    shutil.rmtree(index, ignore_errors=True)
    before = {"build": None, "add": "build", "remove": "add", "compact": "remove"}[name]
    if before:
        shutil.copytree(ground.folder / f"after-{before}", index)
    held = set(ground.truth[before]["paths"]) if before else set()
    if rng.random() < 0.5:
        number = rng.randrange(1, ground.calls[name] + 1)

        def work(report: Callable[[str], None]) -> None:
            _killed_at_call(number)
            operate(index, ground.base, ground.more, name, report)

        lines = in_child(work)
    else:
        delay = rng.uniform(0.0, ground.seconds[name])

        def kill(child: int) -> None:
            time.sleep(delay)
            os.kill(child, signal.SIGKILL)

        lines = in_child(lambda report: operate(index, ground.base, ground.more, name, report), kill)
    gained = {line[1:] for line in lines if line.startswith("+")}
    lost = {line[1:] for line in lines if line.startswith("-")}
    return _examined(ground, name, index, (held | gained) - lost, gained, lost)


def _examined(
    ground: Ground, name: str, index: Path, expected: set[str], gained: set[str], lost: set[str]
) -> list[str]:
    faults = []
    allowed_to_go = set(ground.base[:REMOVED]) if name == "remove" else set()
    try:
        verdict = verify(index)
        faults += [f"verify: {fault}" for fault in verdict.faults]
        with Index.open(index) as reader:
            there = {photo.path for photo in reader.all_photos()}
        missing = expected - there - allowed_to_go
        if missing:
            faults.append(f"{len(missing)} committed photos are gone, such as {sorted(missing)[0]}")
        if lost & there:
            faults.append(f"{len(lost & there)} removed photos are there again")
    except IndexMissing:
        if expected:
            faults.append("the index is gone, and photos had been committed to it")
    again = in_child(lambda report: operate(index, ground.base, ground.more, name, report))
    twice = gained & {line[1:] for line in again if line.startswith("=")}
    if twice:
        faults.append(f"{len(twice)} committed photos were extracted again")
    finished = json.loads(in_child(lambda report: report(json.dumps(_plain(answers(index)))))[0])
    faults += [f"after finishing, the {part} differ" for part in finished if finished[part] != ground.truth[name][part]]
    return faults


def control_trial(folder: Path, seed: int) -> bool:
    """Kills a writer of one JSON file that is written in place; True where photos that it had written are lost."""
    file = folder / "naive.json"
    file.unlink(missing_ok=True)

    def work(report: Callable[[str], None]) -> None:
        rows: dict[str, Any] = {}
        for number in range(BASE):
            rows[f"{number:05d}"] = made_features(number).descriptors.tolist()
            with file.open("w") as out:
                json.dump(rows, out)
            report(f"+{number:05d}")

    delay = random.Random(seed).uniform(0.02, 0.3)

    def kill(child: int) -> None:
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)

    committed = {line[1:] for line in in_child(work, kill)}
    try:
        there = set(json.loads(file.read_text()))
    except (OSError, ValueError):
        there = set()
    return bool(committed - there)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--control", action="store_true")
    options = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        if options.control:
            lossy = sum(control_trial(Path(scratch), options.seed + i) for i in range(options.trials))
            print(f"{options.trials} kills of a writer in place: {lossy} lost photos that had been written")
            print(json.dumps({"kill_control": {"trials": options.trials, "lossy": lossy}}))
            raise SystemExit(lossy == 0)
        ground = prepare(Path(scratch))
        print({name: f"{ground.seconds[name]:.2f} s, {ground.calls[name]} calls" for name in OPERATIONS})
        broken: collections.Counter[str] = collections.Counter()
        for i in range(options.trials):
            name = OPERATIONS[i % len(OPERATIONS)]
            for fault in trial(ground, name, options.seed + i):
                broken[name] += 1
                print(f"{name}, seed {options.seed + i}: {fault}")
    report = {"trials": options.trials, "faults": dict(broken), "seconds": round(time.perf_counter() - began, 1)}
    print(json.dumps({"kill_index": report}))
    raise SystemExit(bool(broken))


if __name__ == "__main__":
    main()
