"""Damages real photographs and checks that reading them never ends in anything but an answer or a PhotoError.

    python scripts/fuzz_photos.py ../shared/data/exif ../shared/data/immich ../shared/data/exif_gps --count 200000

Every file is made from a real one by flipping, cutting, inserting and copying bytes, from a seed that names it; half of
the changes go to the first 4 KiB, where the headers are. A worker process reads each (metadata, then pixels at 256 px);
one that dies or outlasts the limit is a finding and is replaced. Prints the outcomes, the slowest files, and one JSON
line; the exit status is 1 where anything but a PhotoError came out, or anything reached the terminal.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path

import numpy as np
from PIL import Image

from geoloc_cli.errors import PhotoError
from geoloc_cli.photos.decode import decode_gray
from geoloc_cli.photos.exif import read_photo

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".heic", ".heif")
HEADER_BYTES = 4096
# Values at which counts, offsets and sizes go wrong.
EDGES = (0, 1, 0x7F, 0x80, 0xFE, 0xFF)


def mutate(data: bytes, seed: int) -> bytes:
    """A damaged copy: one to eight changes, each in the header as often as anywhere."""
    rng = random.Random(seed)
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 5, 8))):
        if not out:
            break
        at = rng.randrange(min(len(out), HEADER_BYTES) if rng.random() < 0.5 else len(out))
        kind = rng.random()
        if kind < 0.35:
            out[at] ^= 1 << rng.randrange(8)
        elif kind < 0.60:
            for offset in range(at, min(at + rng.choice((1, 2, 4)), len(out))):
                out[offset] = rng.choice(EDGES)
        elif kind < 0.72:
            del out[at : at + rng.choice((1, 2, 7, 64, 1024))]
        elif kind < 0.84:
            out[at:at] = rng.randbytes(rng.choice((1, 2, 7, 64, 1024)))
        elif kind < 0.94:
            source = rng.randrange(len(out))
            block = bytes(out[source : source + rng.choice((4, 12, 64, 512))])
            out[at : at + len(block)] = block
        else:
            del out[at:]
    return bytes(out)


def reencoded(jpegs: list[Path], folder: Path) -> list[Path]:
    """The same photographs as PNG, WebP, TIFF and deep or see-through pictures, with their EXIF, at most 320 px."""
    out: list[Path] = []
    for number, path in enumerate(jpegs):
        with Image.open(path) as image:
            exif = image.info.get("exif", b"")
            small = image.convert("RGB")
        small.thumbnail((320, 320))
        deep = Image.fromarray(np.asarray(small.convert("L"), dtype=np.uint16) * 257)
        variants: list[tuple[str, Image.Image, dict[str, object]]] = [
            ("rgb.png", small, {"exif": exif}),
            ("palette.png", small.quantize(64), {"exif": exif}),
            ("deep.png", deep, {"exif": exif}),
            ("alpha.webp", small.convert("RGBA"), {"exif": exif, "quality": 70}),
            ("moving.webp", small, {"exif": exif, "save_all": True, "append_images": [small.rotate(9)]}),
            ("lzw.tif", small, {"compression": "tiff_lzw"}),
            ("jpeg.tif", small, {"compression": "jpeg"}),
            ("deflate.tif", deep, {"compression": "tiff_adobe_deflate"}),
            ("float.tif", small.convert("F"), {}),
            ("cmyk.jpg", small.convert("CMYK"), {"exif": exif}),
            ("progressive.jpg", small, {"exif": exif, "progressive": True}),
        ]
        for name, variant, options in variants:
            out.append(folder / f"{number}-{name}")
            variant.save(out[-1], **options)
    return out


def outcome_of(path: str) -> str:
    """`read`, the code of a PhotoError (of metadata, or of pixels alone), or the name of what must not happen."""
    try:
        photo = read_photo(path)
    except PhotoError as error:
        return f"metadata {error.code}"
    except Exception as error:
        return f"UNEXPECTED {type(error).__name__}: {error}"
    try:
        gray = decode_gray(path, max_size=256)
    except PhotoError as error:
        return f"pixels {error.code}"
    except Exception as error:
        return f"UNEXPECTED {type(error).__name__}: {error}"
    if abs(gray.pixels.shape[1] / gray.scale - photo.width) > 1e-6:
        return "UNEXPECTED width of the pixels is not the width of the metadata"
    return "read with position" if photo.position is not None else "read"


def work(sources: list[str], terminal: str, pipe: Connection) -> None:
    """Reads the numbers of files to make, answers (number, outcome, seconds); what it prints goes to `terminal`."""
    descriptor = os.open(terminal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    originals = [(Path(name).read_bytes(), Path(name).suffix) for name in sources]
    with tempfile.TemporaryDirectory() as folder:
        while (number := pipe.recv()) is not None:
            data, suffix = originals[number % len(originals)]
            path = Path(folder) / f"x{suffix}"
            path.write_bytes(mutate(data, number))
            began = time.perf_counter()
            outcome = outcome_of(str(path))
            pipe.send((number, outcome, time.perf_counter() - began))


class Worker:
    """One process and the file it is at."""

    def __init__(self, sources: list[str], terminal: str) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(sources, terminal, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self.number: int | None = None
        self.since = 0.0

    def give(self, number: int | None) -> None:
        self.number, self.since = number, time.monotonic()
        self.pipe.send(number)

    def end(self) -> None:
        self.process.kill()
        self.process.join()


def run(
    sources: list[str], count: int, first: int, processes: int, limit_s: float, stop_after_s: float, terminal: str
) -> Iterator[tuple[int, str, float]]:
    """(number, outcome, seconds) of each file, as they come."""
    numbers = iter(range(first, first + count))
    deadline = time.monotonic() + stop_after_s
    workers = [Worker(sources, terminal) for _ in range(processes)]
    try:
        for worker in workers:
            worker.give(next(numbers, None))
        while busy := [worker for worker in workers if worker.number is not None]:
            wait([worker.pipe for worker in busy], timeout=0.5)
            for worker in busy:
                number = worker.number
                assert number is not None
                try:
                    answer = worker.pipe.recv() if worker.pipe.poll() else None
                    lost = None
                except (EOFError, OSError):
                    answer, lost = None, "UNEXPECTED death of the process"
                # The first file also waits for the process to start.
                if answer is None and lost is None and time.monotonic() - worker.since > limit_s + 20.0:
                    lost = f"UNEXPECTED hang of over {limit_s:g} s"
                if lost is not None:
                    worker.end()
                    workers[workers.index(worker)] = worker = Worker(sources, terminal)
                    answer = (number, lost, limit_s)
                if answer is not None:
                    yield answer
                    worker.give(None if time.monotonic() > deadline else next(numbers, None))
    finally:
        for worker in workers:
            worker.end()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--first", type=int, default=0, help="number (seed) of the first file")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--limit-s", type=float, default=10.0, help="longest time that one file may take")
    parser.add_argument("--stop-after-s", type=float, default=float("inf"))
    parser.add_argument("--largest-kb", type=int, default=300, help="leave larger source files out")
    arguments = parser.parse_args()
    sources = [
        str(path)
        for folder in arguments.folders
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.stat().st_size <= 1024 * arguments.largest_kb
    ]
    outcomes: Counter[str] = Counter()
    findings: list[str] = []
    slowest: list[tuple[float, int]] = []
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        jpegs = [Path(name) for name in sources if "gps" in name.lower() and name.lower().endswith(".jpg")]
        sources += map(str, reencoded(jpegs[:8], Path(folder)))
        terminal = Path(folder) / "terminal.txt"
        for number, outcome, seconds in run(
            sources,
            arguments.count,
            arguments.first,
            arguments.processes,
            arguments.limit_s,
            arguments.stop_after_s,
            str(terminal),
        ):
            outcomes[outcome.split(":")[0]] += 1
            if outcome.startswith("UNEXPECTED"):
                findings.append(f"{number} {sources[number % len(sources)]}: {outcome}")
            slowest = sorted([*slowest, (seconds, number)], reverse=True)[:5]
            if seconds > arguments.limit_s:
                findings.append(f"{number} {sources[number % len(sources)]}: took {seconds:.1f} s")
        printed = terminal.read_text(errors="replace") if terminal.exists() else ""
    took = time.perf_counter() - began
    for outcome, count in outcomes.most_common():
        print(f"{count:8d}  {outcome}")
    for seconds, number in slowest:
        print(f"{1000 * seconds:8.0f} ms  file {number}, made from {sources[number % len(sources)]}")
    print(*findings[:20], sep="\n")
    if printed:
        print(f"printed on the terminal ({len(printed)} characters): {printed[:500]!r}")
    summary = {
        "bench": "fuzz_photos",
        "files": outcomes.total(),
        "sources": len(sources),
        "outcomes": dict(outcomes),
        "unexpected": len(findings),
        "printed_chars": len(printed),
        "slowest_ms": round(1000 * slowest[0][0], 1) if slowest else None,
        "seconds": round(took, 1),
        "machine": {"cpu": platform.processor(), "cores": os.cpu_count(), "python": platform.python_version()},
    }
    print(json.dumps(summary))
    return 1 if findings or printed else 0


if __name__ == "__main__":
    sys.exit(main())
