"""Fetching a file: continued where it stopped, refused where it is another, and never half there under its name."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from served import Server, serving

from geoloc_cli.errors import DiskFull, WeightsMismatch, WeightsMissing
from geoloc_cli.models import fetch as module
from geoloc_cli.models.fetch import Remote, fetch

DATA = random.Random(0).randbytes(3 << 20)
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE_S", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "models" / "w.pth"


def left(target: Path) -> set[str]:
    """The files of its folder but for the lock."""
    return {path.name for path in target.parent.iterdir()} - {"w.pth.lock"}


def test_a_file_is_fetched_whole_and_nothing_else_is_left(target: Path) -> None:
    told: list[tuple[int, int | None]] = []
    with serving(Server(DATA)) as server:
        remote = server.remote(size_bytes=len(DATA), sha256=SHA256)
        assert fetch(remote, target, lambda done, total: told.append((done, total))) == SHA256
    assert target.read_bytes() == DATA
    assert left(target) == {"w.pth"}
    assert told[0] == (0, len(DATA))
    assert told[-1] == (len(DATA), len(DATA))
    assert told == sorted(told)
    assert server.asked == [None]


def test_a_file_that_is_there_already_is_not_asked_for(target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(DATA)
    with serving(Server(DATA)) as server:
        assert fetch(server.remote(sha256=SHA256), target) == SHA256
    assert server.asked == []


def test_a_broken_transfer_goes_on_in_the_same_call(target: Path) -> None:
    with serving(Server(DATA, breaks=[1 << 20, 1 << 20])) as server:
        assert fetch(server.remote(), target) == SHA256
    assert server.asked == [None, f"bytes={1 << 20}-", f"bytes={2 << 20}-"]


def test_a_transfer_that_was_given_up_goes_on_in_the_next_call(target: Path) -> None:
    with serving(Server(DATA, breaks=[1 << 20, 0, 0, 0])) as server:
        with pytest.raises(WeightsMissing, match=r"127\.0\.0\.1 now \(the connection broke\); run the same command"):
            fetch(server.remote(), target)
        assert left(target) == {"w.pth.part", "w.pth.part.tag"}
        assert (target.parent / "w.pth.part").read_bytes() == DATA[: 1 << 20]
        server.breaks.clear()
        assert fetch(server.remote(sha256=SHA256), target) == SHA256
    assert server.asked[-1] == f"bytes={1 << 20}-"
    assert left(target) == {"w.pth"}


@pytest.mark.parametrize(
    "changes",
    [{"etag": '"two"'}, {"ranges": False}, {"range_start": 5}],
    ids=["the file changed", "ranges are ignored", "another range is sent"],
)
def test_what_cannot_be_continued_is_begun_again(target: Path, changes: dict[str, object]) -> None:
    with serving(Server(DATA[::-1], breaks=[1 << 20, 0, 0, 0])) as server:
        with pytest.raises(WeightsMissing):
            fetch(server.remote(), target)
        server.data = DATA
        server.breaks.clear()
        for name, value in changes.items():
            setattr(server, name, value)
        if "range_start" in changes:
            server.data = DATA[::-1]
        assert fetch(server.remote(), target) == hashlib.sha256(server.data).hexdigest()
    assert target.read_bytes() == server.data


@pytest.mark.parametrize(("etag", "modified", "asks"), [('W/"x"', "", None), ("", "", None), ("", "Fri", "bytes=9-")])
def test_a_version_is_continued_only_where_the_server_can_tell_it(
    target: Path, etag: str, modified: str, asks: str | None
) -> None:
    with serving(Server(DATA, etag=etag, modified=modified, breaks=[9])) as server:
        assert fetch(server.remote(), target) == SHA256
    assert server.asked == [None, asks]


def test_a_part_that_is_whole_is_taken_as_it_is(target: Path) -> None:
    """A crash between the last byte and the name."""
    for size_bytes, asked in ((len(DATA), []), (None, [f"bytes={len(DATA)}-"])):
        target.parent.mkdir(exist_ok=True)
        (target.parent / "w.pth.part").write_bytes(DATA)
        (target.parent / "w.pth.part.tag").write_text('"one"')
        with serving(Server(DATA)) as server:
            assert fetch(server.remote(size_bytes=size_bytes), target) == SHA256
        assert server.asked == asked
        assert left(target) == {"w.pth"}


def test_a_part_that_is_longer_than_the_file_is_thrown_away(target: Path) -> None:
    target.parent.mkdir()
    (target.parent / "w.pth.part").write_bytes(DATA + b"x")
    (target.parent / "w.pth.part.tag").write_text('"one"')
    with serving(Server(DATA)) as server:
        assert fetch(server.remote(), target) == SHA256


def test_a_server_that_says_no_length_is_believed_until_the_hash(target: Path) -> None:
    with serving(Server(DATA, length=False)) as server:
        assert fetch(server.remote(sha256=SHA256), target) == SHA256
        target.unlink()
        server.breaks = [1 << 20]
        with pytest.raises(WeightsMismatch, match="its SHA-256 begins with"):
            fetch(server.remote(sha256=SHA256), target)
    assert left(target) == set()


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"sha256": "0" * 64}, f"begins with {SHA256[:12]}, and should with 0000"),
        ({"size_bytes": 7}, f"it has {len(DATA)} bytes, and should have 7"),
    ],
)
def test_another_file_is_thrown_away_and_the_old_one_stays(target: Path, wanted: dict[str, object], why: str) -> None:
    target.parent.mkdir()
    target.write_bytes(b"good")
    with serving(Server(DATA)) as server, pytest.raises(WeightsMismatch, match=why) as caught:
        fetch(server.remote(**wanted), target)
    assert "untouched" in str(caught.value)
    assert left(target) == {"w.pth"}
    assert target.read_bytes() == b"good"


def test_a_size_is_compared_where_the_server_says_none(target: Path) -> None:
    with serving(Server(DATA, length=False)) as server, pytest.raises(WeightsMismatch, match="and should have 7"):
        fetch(server.remote(size_bytes=7), target)
    assert left(target) == set()


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_what_is_not_there_is_not_asked_for_twice(target: Path, status: int) -> None:
    with serving(Server(DATA, statuses=[status])) as server:
        with pytest.raises(WeightsMissing, match=f"status {status}") as caught:
            fetch(server.remote(), target)
        assert len(server.asked) == 1
    assert "secret" not in str(caught.value)
    assert left(target) == set()


def test_a_server_that_is_busy_is_asked_again(target: Path) -> None:
    with serving(Server(DATA, statuses=[503, 429])) as server:
        assert fetch(server.remote(), target) == SHA256
        server.statuses = [500, 500, 500]
        with pytest.raises(WeightsMissing, match=r"\(status 500\); try again later"):
            fetch(server.remote(), target.with_name("other.pth"))


def test_a_server_that_is_not_there(target: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    remote = Remote(f"http://127.0.0.1:{port}/w.pth?token=secret", "the model 'm'", schemes=("http",))
    with pytest.raises(WeightsMissing, match=r"\(Connection refused\)") as caught:
        fetch(remote, target)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/w.pth", "http://127.0.0.1/w.pth"])
def test_a_redirect_to_less_security_is_not_followed(target: Path, address: str) -> None:
    with serving(Server(DATA, redirect=address)) as server, pytest.raises(WeightsMissing, match="not https"):
        # As of a file at https: the first request alone is let through here.
        fetch(server.remote(schemes=("https",)), target)


def test_a_redirect_is_followed(target: Path) -> None:
    with serving(Server(DATA)) as last, serving(Server(b"", redirect=f"http://127.0.0.1:{last.port}/x")) as first:
        assert fetch(first.remote(), target) == SHA256


def test_a_full_disk_is_said_before_the_first_byte(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1))
    with serving(Server(DATA)) as server, pytest.raises(DiskFull, match="needs 3 MB, for which there is no room"):
        fetch(server.remote(), target)


def test_two_at_once_fetch_one_file_once(target: Path) -> None:
    with serving(Server(DATA)) as server:
        remote = server.remote(sha256=SHA256)
        threads = [threading.Thread(target=fetch, args=(remote, target)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert server.asked == [None]
    assert target.read_bytes() == DATA


def test_a_process_that_is_killed_leaves_a_part_that_the_next_one_continues(target: Path) -> None:
    """At no moment is anything at the target's name but the whole file."""
    program = (
        "import sys, os; from pathlib import Path; from geoloc_cli.models.fetch import Remote, fetch\n"
        "stop = lambda done, total: done >= 1 << 20 and os._exit(9)\n"
        "fetch(Remote(sys.argv[1], 'm', schemes=('http',)), Path(sys.argv[2]), stop)\n"
    )
    with serving(Server(DATA)) as server:
        command = [sys.executable, "-c", program, server.remote().url, str(target)]
        assert subprocess.run(command, check=False, env=os.environ | {"no_proxy": "127.0.0.1"}).returncode == 9
        assert not target.exists()
        kept = (target.parent / "w.pth.part").stat().st_size
        assert fetch(server.remote(sha256=SHA256), target) == SHA256
    assert server.asked[-1] == (f"bytes={kept}-" if kept else None)
