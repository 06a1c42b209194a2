"""`geoloc models`, as installed: list, pull, verify, path and add, and the exit status of each."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from program import called

from geoloc_cli.models.catalogue import built_in

XFEAT = built_in()["xfeat"]


class Shell:
    """The program with folders of its own, in which no model is."""

    def __init__(self, home: Path) -> None:
        self.models = home / "models"
        self.models.mkdir()
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "GEOLOC_"))} | {
            "GEOLOC_MODELS": str(self.models),
            "GEOLOC_CONFIG": str(home / "none.toml"),
            "TORCH_HOME": str(home / "torch"),
            "HF_HOME": str(home / "hub"),
            "no_proxy": "127.0.0.1",
        }

    def __call__(self, *arguments: str, status: int = 0) -> tuple[str, str]:
        done = called("models", *arguments, environment=self.environment)
        assert done.returncode == status, done.stderr
        return done.stdout, done.stderr

    def started(self, *arguments: str, status: int = 0) -> tuple[str, str]:
        """In a process of its own: the hub's library reads its address when it is imported."""
        command = [sys.executable, "-m", "geoloc_cli", "models", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=self.environment)
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout, done.stderr

    def have_xfeat(self) -> Path:
        path = self.models / "xfeat.pt"
        path.write_bytes(b"numbers")
        path.with_name("xfeat.pt.sha256").write_text(f"{hashlib.sha256(b'numbers').hexdigest()}  xfeat.pt\n")
        return path


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    if importlib.util.find_spec("huggingface_hub"):
        import huggingface_hub.constants as constants

        # What the library reads from the environment once, and what going offline sets there.
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub" / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return Shell(tmp_path)


def test_the_list_says_what_there_is_and_what_is_lacking(shell: Shell) -> None:
    path = shell.have_xfeat()
    (shell.models / "aliked-n16.pth").write_bytes(b"the beginning of it")
    rows = {row["name"]: row for row in json.loads(shell("list", "--json")[0])}
    assert rows.keys() == built_in().keys()
    xfeat, n16, n32 = rows["xfeat"], rows["aliked-n16"], rows["aliked-n32"]
    assert (xfeat["path"], xfeat["size_bytes"], xfeat["licence"]) == (str(path), 7, "Apache-2.0")
    assert "file" not in xfeat["lacks"]
    assert "whole file" in n16["lacks"]
    assert (n32["path"], n32["size_bytes"], n32["ready"]) == (None, 3946667, False)
    assert rows["dinov2-base"]["size_bytes"] == 346_000_000
    assert rows["mixvpr"]["size_bytes"] is None
    table = shell("list")[0]
    for text in ("xfeat", "non-commercial research", "damaged", "to be pulled", "by hand", "4 MB", "795 kB"):
        assert text in table
    # A long path is folded.
    assert str(path) in "".join(table.split())


def test_the_path_alone_is_printed(shell: Shell) -> None:
    shell.have_xfeat()
    assert shell("path", "xfeat")[0] == f"{shell.models / 'xfeat.pt'}\n"
    out, error = shell("path", "disk", status=3)
    assert (out, error) == ("", "geoloc: 'disk' is not on this machine; run `geoloc models pull disk`.\n")
    assert "did you mean 'xfeat'?" in shell("path", "xfaet", status=2)[1]


def test_verify_fails_where_a_byte_has_changed(shell: Shell) -> None:
    shell("verify")
    path = shell.have_xfeat()
    out = shell("verify")[0]
    assert "recorded" in out
    assert "disk" not in out
    path.write_bytes(b"numbres")
    for names in ((), ("xfeat",)):
        out, error = shell("verify", *names, status=4)
        assert "damaged" in out
        assert error == "geoloc: Damaged: xfeat; run `geoloc models pull xfeat`.\n"
    assert "Not here: disk" in shell("verify", "disk", status=3)[1]


def test_a_pull_offline_is_refused_unless_there_is_nothing_to_pull(shell: Shell) -> None:
    shell.have_xfeat()
    assert "xfeat: here already" in shell("pull", "xfeat", "--offline")[1]
    assert shell("pull", "xfeat", "--offline", "--quiet") == ("", "")
    refused = shell("pull", "disk", "--offline", status=2)[1]
    assert "'disk' is not here, and nothing is fetched offline" in refused
    for name in ("GEOLOC_OFFLINE", "HF_HUB_OFFLINE"):
        shell.environment[name] = "1"
        assert shell("pull", "disk", status=2)[1] == refused
        del shell.environment[name]


@pytest.fixture
def hub() -> Iterator[str]:
    """The address of a hub whose every file is four bytes long."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.send_response(200)
            for name, value in (("X-Repo-Commit", "c" * 40), ("ETag", '"tag"'), ("Content-Length", "4")):
                self.send_header(name, value)
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(b"abcd")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_pull_from_the_hub_and_what_it_says(shell: Shell, hub: str) -> None:
    pytest.importorskip("huggingface_hub", reason="needs huggingface_hub")
    shell.environment["HF_ENDPOINT"] = hub
    out, error = shell.started("pull", "metaclip2-huge")
    assert out == ""
    assert "metaclip2-huge: pulled, " in error
    assert "nobody vouches for it" in error
    assert "read it before commercial use" in error
    path = shell.started("path", "metaclip2-huge")[0].strip()
    assert Path(path).read_bytes() == b"abcd"
    assert "recorded" in shell.started("verify", "metaclip2-huge")[0]
    # Of this one the hash is known, and it is not of these four bytes.
    assert (
        "What the hub sends is not the file of the model 'dinov2-small'"
        in shell.started("pull", "dinov2-small", status=4)[1]
    )


def test_a_model_of_ones_own_is_listed_and_found(shell: Shell, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs torch: make setup-torch")
    torch.save({"w": torch.ones(2)}, tmp_path / "w.pth")
    (tmp_path / "model.toml").write_text('backend = "disk"\nlicence = "mine"\ncommercial = "yes"\n')
    call = ("--kind", "features", "--file", str(tmp_path / "w.pth"), "--config", str(tmp_path / "model.toml"))
    told = shell("add", "my-disk", *call, "--dry-run")[1]
    assert told == "my-disk: would be added as my-disk.pth; --features my-disk would use it.\n"
    assert not (shell.models / "my-disk.pth").exists()
    assert "my-disk: added, SHA-256 " in shell("add", "my-disk", *call)[1]
    assert shell("path", "my-disk")[0] == f"{shell.models / 'my-disk.pth'}\n"
    assert "good" in shell("verify")[0]
    assert "There is your model 'my-disk' already" in shell("add", "my-disk", *call, status=2)[1]
    (row,) = [row for row in json.loads(shell("list", "--json")[0]) if row["own"]]
    assert (row["name"], row["licence"], row["ready"]) == ("my-disk", "mine", True)


def test_a_broken_entry_is_named_and_can_be_seen_to(shell: Shell) -> None:
    (shell.models / "mine.toml").write_text('kind = "features"\n')
    error = shell("list", status=2)[1]
    assert error.startswith(f"geoloc: {shell.models / 'mine.toml'}: the model 'mine' lacks backend")
    assert error.count("\n") == 1
