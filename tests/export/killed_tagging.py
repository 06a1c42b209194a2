"""Run by `test_tagging_killed.py` in a process of its own: tagging that is killed (SIGKILL) at many moments.

Each child of a fork tags three photos and kills itself just before its n-th touch of the file system, as Python's audit
events tell; some more are killed by the clock. After each, the folder is looked at, then all is put back.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from PIL import Image

from geoloc_cli.export.tagging import Tagger, TagOptions
from geoloc_cli.photos.writing.replacing import Journal, read_journal, restore
from geoloc_cli.types import Belief, Component, Fix

TOUCHES = ("open", "os.rename", "os.chmod", "os.utime", "os.link", "os.remove", "os.chown", "os.setxattr")
_left: list[int] = []
_MANY = 1_000_000


def _hook(event: str, _arguments: object) -> None:
    if _left and event in TOUCHES:
        _left[0] -= 1
        if _left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def fixes(folder: Path) -> list[Fix]:
    place = Component(47.5, 8.5, 10.0, 1.0)
    return [
        Fix(str(path), "ok", "rerank", 47.5, 8.5, None, 10.0, 0.99, Belief((place,), 0.0))
        for path in sorted(folder.glob("*.jpg"))
    ]


def tag(folder: Path, write: str) -> None:
    journal = Journal(str(folder / "undo"))
    for outcome in Tagger(TagOptions(write=write, backup=True), journal).tag_all(fixes(folder)):  # type: ignore[arg-type]
        assert outcome.what in ("written", "skipped"), outcome
    journal.close()


def child(folder: Path, write: str, touches: int) -> int:
    """The process that tags, and is killed before that many touches (-1: never)."""
    process = os.fork()
    if process == 0:
        _left[:] = [touches]
        tag(folder, write)
        os._exit(0)
    return process


def state(folder: Path) -> dict[str, bytes]:
    """What a person would look at: no journal, no backup, nothing hidden."""
    names = [p for p in folder.iterdir() if p.name != "undo" and p.name[0] != "." and not p.name.endswith("_original")]
    return {path.name: path.read_bytes() for path in names}


def main(root: Path, write: str, seed: int) -> None:
    sys.addaudithook(_hook)
    os.fsync = lambda handle: None  # what a killed process wrote is the kernel's, and is not lost
    clean, done, work = root / "clean", root / "done", root / "work"
    clean.mkdir(parents=True)
    for k in range(3):
        Image.effect_noise((16, 12), 60).save(clean / f"{k}.jpg")
    shutil.copytree(clean, done)
    _left[:] = [_MANY]
    began = time.perf_counter()
    tag(done, write)
    took = time.perf_counter() - began
    touches = _MANY - _left.pop()
    untouched, tagged = state(clean), state(done)
    counts = dict.fromkeys(("killed", "half", "broken", "not put back", "not done again", "left over"), 0)
    rng = random.Random(seed)
    moments = [*(("touch", n) for n in rng.sample(range(1, touches + 1), 20)), *(("clock", 0) for _ in range(4))]
    for how, n in moments:
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(clean, work)
        process = child(work, write, n if how == "touch" else -1)
        if how == "clock":
            time.sleep(rng.uniform(0.0, took))
            os.kill(process, signal.SIGKILL)
        counts["killed"] += os.WIFSIGNALED(os.waitpid(process, 0)[1])
        found = state(work)
        for name in untouched.keys() | tagged.keys() | found.keys():
            counts["broken"] += found.get(name) not in (untouched.get(name), tagged.get(name))
        counts["half"] += found not in (untouched, tagged)
        if (work / "undo").exists():
            for change in read_journal(str(work / "undo"))[0]:
                restore(change)
        counts["not put back"] += state(work) != untouched
        os.waitpid(child(work, write, -1), 0)
        counts["not done again"] += state(work) != tagged
        counts["left over"] += any(path.name[0] == "." for path in work.iterdir())
    print(json.dumps(counts))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
