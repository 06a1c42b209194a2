"""A whole run against a slow server: never more at once than promised, and an interruption asks nobody twice."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("httpx")

from scripted import PARIS, Scripted, answering

from geoloc_cli import store
from geoloc_cli.engine.local import LocalPool
from geoloc_cli.errors import UsageError
from geoloc_cli.pipeline.asked_ahead import Panel
from geoloc_cli.pipeline.batch import ask_photos

PHOTOS, AT_ONCE = 42, 3


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Tiny ones, each of a colour of its own, and one that is none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(PHOTOS):
        Image.new("RGB", (8, 8), (5 * number, 240 - 5 * number, 9 * number % 256)).save(folder / f"{number:03d}.png")
    (folder / "broken.png").write_text("no picture")
    return folder


def started(photos: Path, server: Scripted) -> subprocess.Popen[str]:
    """`geoloc prior` by two workers, its cache being this system's usual one, moved here."""
    command = [sys.executable, "-m", "geoloc_cli", "prior", str(photos), "--workers", "2", "--prior", "exif"]
    command += ["--prior", f"vlm?concurrency={AT_ONCE}", "--vlm-url", server.url, "--vlm-model", "m"]
    environment = os.environ | {"XDG_CACHE_HOME": str(photos.parent / "cache")}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment, start_new_session=True)


def told(error: str) -> str:
    (line,) = (line for line in error.splitlines() if line.startswith("vlm: "))
    return line


def pictures(server: Scripted) -> Counter[bytes]:
    return Counter(server.picture(number) for number in range(len(server.asked)))


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_an_interrupted_run_keeps_its_promises_and_asks_nothing_twice(photos: Path) -> None:
    with answering(PARIS, slow_s=0.05) as server:
        running = started(photos, server)
        while len(server.asked) < PHOTOS // 2 and running.poll() is None:
            time.sleep(0.005)
        os.killpg(running.pid, signal.SIGINT)  # as a terminal sends it, to the workers as well
        out, error = running.communicate(timeout=30)
        assert running.returncode == 130, error
        first = records(out)
        before = len(server.asked)
        assert 0 < len(first) < PHOTOS
        assert before < PHOTOS
        assert f"model m, {before} requests, 0 cached, 0 retries, 0 failures" in told(error)

        again = started(photos, server)
        out, error = again.communicate(timeout=60)
    second = records(out)
    assert again.returncode == 1, error  # broken.png
    assert [record["status"] for record in second] == ["ok"] * PHOTOS + ["error"]
    assert [record["photo"] for record in second] == sorted(record["photo"] for record in second)
    for kept, found in zip(first, second, strict=False):
        assert kept | {"timing_ms": 0} == found | {"timing_ms": 0}
    assert [[prior["name"] for prior in record["priors"]] for record in second[:-1]] == [["exif", "vlm"]] * PHOTOS
    # Nobody was asked twice, those that were under way at the interruption included: their answers were waited for.
    assert set(pictures(server).values()) == {1}
    assert len(server.asked) == PHOTOS
    assert f"{PHOTOS - before} requests, {before} cached" in told(error)
    assert server.most_at_once == AT_ONCE
    assert "cost" not in told(error)


def test_what_is_kept_tells_of_no_file_and_holds_no_picture(photos: Path) -> None:
    with answering(PARIS) as server:
        paths = [str(photos / name) for name in ("000.png", "001.png")]
        assert len(list(ask_photos(paths, [f"vlm?url={server.url}&model=m"], LocalPool(1)))) == 2
        sent = server.picture()
    kept = [path.read_bytes() for path in store.usual_folder("vlm").rglob("*") if path.is_file()]
    assert len(kept) == 2
    telling = (b"000.png", str(photos).encode(), sent[:64], base64.b64encode(sent)[:64])
    for data in kept:
        assert b"A tower." in data
        assert not [word for word in telling if word in data]


def test_a_key_that_is_none_ends_the_run_with_a_sentence(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOLOC_VLM_API_KEY", "two words")
    with answering(PARIS) as server, Panel([f"vlm?url={server.url}&model=m&cache=none"]) as panel:
        with pytest.raises(UsageError, match="key in GEOLOC_VLM_API_KEY"):
            list(ask_photos([str(photos / "000.png")] * 20, panel, LocalPool(2)))
        assert server.asked == []
