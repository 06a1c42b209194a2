"""Many photographs asked of a slow model: requests at once, memory, and what an interruption costs.

    python scripts/bench_vlm.py [--count 10000] [--slow-ms 40] [--concurrency 8] [--workers 2]

A server on this machine answers each chat completion after `--slow-ms`. `geoloc prior` asks it about a tenth of the
photographs; then about all, and is interrupted (SIGINT, as a terminal sends it) when half have been asked; then about
all again. Goals: never more requests at once than `concurrency`, exit status 130, no photograph asked twice, and a peak
of the process's memory that does not grow with the number of photographs. The rate that the server allows is
`concurrency` / `--slow-ms`. Needs the extra `vlm`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from PIL import Image

_ANSWER = '{"latitude": 48.8584, "longitude": 2.2945, "city": "Paris", "country": "France", "rationale": "A tower."}'
# What the interpreter and its libraries take is some 100 MB; ten times the photographs may move it by so much.
_GROWTH_MB = 15.0


@dataclass
class Seen:
    """What the server saw: each picture's requests by its hash, and how many were under way at once at the most."""

    slow_s: float
    lock: threading.Lock = field(default_factory=threading.Lock)
    asked: Counter[bytes] = field(default_factory=Counter)
    now: int = 0
    most: int = 0

    def requests(self) -> int:
        with self.lock:
            return self.asked.total()


@dataclass
class Row:
    """One run, as the table shows it."""

    run: str
    status: int
    answered: int
    requests: int
    most_at_once: int
    seconds: float
    photos_per_s: float
    peak_mb: float


def served(seen: Seen) -> ThreadingHTTPServer:
    usage = {"prompt_tokens": 1000, "completion_tokens": 50}
    choices = [{"message": {"role": "assistant", "content": _ANSWER}}]
    body = json.dumps({"choices": choices, "usage": usage}).encode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            shown = asked["messages"][1]["content"][1]["image_url"]["url"]
            with seen.lock:
                seen.now += 1
                seen.most = max(seen.most, seen.now)
                seen.asked[hashlib.sha256(shown.encode()).digest()] += 1
            time.sleep(seen.slow_s)
            with seen.lock:
                seen.now -= 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def write_photos(folder: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    for number in range(count):
        pixels = rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:05d}.jpg", quality=90)


def ran(name: str, photos: Path, seen: Seen, url: str, options: argparse.Namespace, interrupt_at: int = 0) -> Row:
    """One run, watched: interrupted when the server has had so many requests, where that is said."""
    before = seen.requests()
    seen.most = 0
    command = [sys.executable, "-m", "geoloc_cli", "prior", str(photos), "--workers", str(options.workers)]
    command += ["--prior", f"vlm?concurrency={options.concurrency}", "--vlm-url", url, "--vlm-model", "slow"]
    began, peak, out = time.perf_counter(), 0.0, photos.parent / "answers.jsonl"
    environment = os.environ | {"XDG_CACHE_HOME": str(photos.parent / f"cache-{photos.name}")}
    with out.open("w") as answers:
        process = subprocess.Popen(command, stdout=answers, env=environment, start_new_session=True)
        while process.poll() is None:
            peak = max(peak, peak_mb(process.pid))
            if interrupt_at and seen.requests() - before >= interrupt_at:
                os.killpg(process.pid, signal.SIGINT)
                interrupt_at = 0
            time.sleep(0.02)
    seconds = time.perf_counter() - began
    with out.open() as answers:
        answered = sum(json.loads(line)["status"] == "ok" for line in answers)
    asked = seen.requests() - before
    return Row(name, process.returncode, answered, asked, seen.most, seconds, answered / seconds, peak)


def peak_mb(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    values = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return float(values.get("VmHWM", "0 kB").split()[0]) / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--slow-ms", type=float, default=40.0)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    count, tenth = options.count, options.count // 10
    seen = Seen(options.slow_ms / 1000.0)
    server = served(seen)
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    with tempfile.TemporaryDirectory() as scratch:
        for name, number in (("tenth", tenth), ("all", count)):
            (Path(scratch) / name).mkdir()
            write_photos(Path(scratch) / name, number)
        rows = [ran("a tenth", Path(scratch) / "tenth", seen, url, options)]
        seen.asked.clear()
        rows.append(ran("interrupted", Path(scratch) / "all", seen, url, options, count // 2))
        rows.append(ran("again", Path(scratch) / "all", seen, url, options))
    server.shutdown()
    twice = sum(times > 1 for times in seen.asked.values())
    growth = max(row.peak_mb for row in rows[1:]) - rows[0].peak_mb
    ended = [row.status for row in rows], rows[2].answered
    goals = {
        "never more at once than promised": max(row.most_at_once for row in rows) <= options.concurrency,
        "interrupted with 130, and all answered after it": ended == ([0, 130, 0], count),
        "nobody asked twice": twice == 0 and len(seen.asked) == count,
        "memory does not grow": growth <= _GROWTH_MB,
    }
    allowed = options.concurrency / seen.slow_s
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    asked = f"{options.concurrency} at once of {options.slow_ms:g} ms: {allowed:.0f} photos/s at the most"
    print(f"{count} photos, {options.workers} workers, {asked}")
    print("run          status  answered  requests  at once  seconds  photos/s  peak MB")
    for row in rows:
        print(
            f"{row.run:12}{row.status:7d}{row.answered:10d}{row.requests:10d}{row.most_at_once:9d}{row.seconds:9.1f}"
            f"{row.photos_per_s:10.1f}{row.peak_mb:9.1f}"
        )
    print(f"asked twice: {twice}; growth of the peak: {growth:.1f} MB")
    for goal, held in goals.items():
        print(f"{'ok    ' if held else 'MISSED'} {goal}")
    report = {"rows": [asdict(row) for row in rows], "asked_twice": twice, "growth_mb": growth, "goals": goals}
    print(json.dumps({"bench_vlm": report}))
    return 0 if all(goals.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
