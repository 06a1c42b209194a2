"""A tiny model behind `transformers serve` on this machine, asked over HTTP.

Runs where `pip install 'transformers[serving]'` has brought what the server needs.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_NEEDED = ("torch", "transformers", "httpx", "fastapi", "uvicorn", "openai", "accelerate")
_LACKING = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
if _LACKING:
    pytest.skip(f"transformers serve needs {', '.join(_LACKING)}", allow_module_level=True)

import httpx  # noqa: E402
from scripted import LYON, PARIS  # noqa: E402
from tiny_vlm import BLUE, RED, flat, teach  # noqa: E402

from geoloc_cli.errors import PriorFailed  # noqa: E402
from geoloc_cli.priors.vlm import VlmOptions, VlmPrior  # noqa: E402
from geoloc_cli.priors.vlm_local import LocalOptions, LocalVlmPrior  # noqa: E402
from geoloc_cli.types import Photo  # noqa: E402

_STARTS_WITHIN_S = 100.0


@dataclass(frozen=True)
class Served:
    url: str
    model: Path
    photos: dict[str, Photo]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A model that knows Paris by red and Lyon by blue; of LLaVA's kind, which asks for no torchvision."""
    folder = tmp_path_factory.mktemp("served")
    photos = {"red": flat(folder / "red.png", RED), "blue": flat(folder / "blue.png", BLUE)}
    teach(folder, "llava", {photos["red"]: PARIS, photos["blue"]: LYON})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder), "--device", "cpu"]
    command += ["--dtype", "float32", "--host", "127.0.0.1", "--port", str(port)]
    log = folder / "serve.log"
    with log.open("wb") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    try:
        _wait(server, f"http://127.0.0.1:{port}/health", log)
        yield Served(f"http://127.0.0.1:{port}/v1", folder, photos)
    finally:
        server.terminate()
        server.wait(20)


def _wait(server: subprocess.Popen[bytes], health: str, log: Path) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx.get(health, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    pytest.fail(f"the server did not start: {log.read_text()[-2000:]}")


def test_the_server_answers_about_the_picture_that_it_was_sent(served: Served) -> None:
    prior = VlmPrior(VlmOptions(url=served.url, model=str(served.model), max_tokens=8, max_px=112, retries=0))
    for colour, place in (("red", (48.8584, 2.2945)), ("blue", (45.764, 4.8357))):
        found = prior.believe(served.photos[colour])
        assert found is not None
        assert (found[1].lat, found[1].lon) == pytest.approx(place)
    report = prior.report()
    assert (report["requests"], report["failures"], report["output_tokens"]) == (2, 0, 4)
    prior.close()


def test_the_same_model_in_this_process_believes_the_same(served: Served) -> None:
    asked = {"model": str(served.model), "max_tokens": 8, "max_px": 112}
    over_http = VlmPrior(VlmOptions(url=served.url, retries=0, **asked))
    here = LocalVlmPrior(LocalOptions(**asked))
    for photo in served.photos.values():
        far, near = over_http.believe(photo), here.believe(photo)
        assert far is not None
        assert near is not None
        assert far[0] == near[0]
    assert over_http.report()["input_tokens"] == here.report()["input_tokens"]
    over_http.close()


def test_another_model_than_the_servers_is_a_failure_that_says_so(served: Served) -> None:
    prior = VlmPrior(VlmOptions(url=served.url, model="another", retries=0))
    with pytest.raises(PriorFailed, match="gave no answer: status 400"):
        prior.believe(served.photos["red"])
    prior.close()
