"""A server on this machine that answers chat completions as it is told to, and keeps what it was asked."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image

from geoloc_cli.priors.vlm import VlmOptions, VlmPrior
from geoloc_cli.types import Photo, PriorGuess

CANARY = "sk-canary-5f1e9a7b2c"
PARIS = '{"latitude": 48.8584, "longitude": 2.2945, "city": "Paris", "country": "France", "rationale": "A tower."}'
LYON = '{"latitude": 45.764, "longitude": 4.8357, "city": "Lyon", "country": "France", "rationale": "Two rivers."}'


@dataclass
class Turn:
    """One answer: `text` as a completion, or `raw` bytes; `cut`: bytes after which the connection closes."""

    text: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    cut: int | None = None
    silence_s: float = 0.0


@dataclass
class Scripted:
    """`turns` are taken in their order, and then the last again and again; `asked` are the bodies of the requests."""

    turns: list[Turn]
    slow_s: float = 0.0
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    most_at_once: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def picture(self, number: int = 0) -> bytes:
        """The JPEG of a request."""
        url: str = self.asked[number]["messages"][1]["content"][1]["image_url"]["url"]
        return base64.b64decode(url.removeprefix("data:image/jpeg;base64,"))

    def image(self, number: int = 0) -> Image.Image:
        return Image.open(io.BytesIO(self.picture(number)))


@contextmanager
def answering(*turns: Turn | str, slow_s: float = 0.0) -> Iterator[Scripted]:
    script = Scripted([turn if isinstance(turn, Turn) else Turn(turn) for turn in turns], slow_s)
    lock, stop = threading.Lock(), threading.Event()
    now = 0

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            nonlocal now
            with lock:
                now += 1
                script.most_at_once = max(script.most_at_once, now)
                script.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                script.keys.append(self.headers.get("Authorization"))
                turn = script.turns.pop(0) if len(script.turns) > 1 else script.turns[0]
            stop.wait(script.slow_s + turn.silence_s)
            with lock:
                now -= 1
            with suppress(OSError):  # the client may have gone
                self.answer(turn)

        def answer(self, turn: Turn) -> None:
            body = turn.raw
            if body is None:
                message = {"role": "assistant", "content": turn.text}
                usage = {"prompt_tokens": 1000, "completion_tokens": 50}
                body = json.dumps({"choices": [{"message": message}], "usage": usage}).encode()
            self.send_response(turn.status)
            for name, value in turn.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if turn.cut is None else body[: turn.cut])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    script.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield script
    finally:
        stop.set()
        server.shutdown()
        server.server_close()
        thread.join()


def bounded(began: float, seconds: float) -> bool:
    return time.monotonic() - began < seconds


def prior(url: str, **options: Any) -> VlmPrior:
    usual: dict[str, Any] = {"url": url, "model": "m", "timeout_s": 5.0, "retries": 2, "cache": "none"}
    return VlmPrior(VlmOptions(**usual | options), resolve=None)


def guess(photo: Photo, *turns: Turn | str, **options: Any) -> PriorGuess | None:
    """What a model that answers so says of a photo."""
    with answering(*turns) as server:
        found = prior(server.url, **options).believe(photo)
    return found[1] if found else None
