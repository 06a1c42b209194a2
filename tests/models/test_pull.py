"""Pulling models: from a URL and from the hub, recorded at first sight, refused offline; and checking them."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from served import Server, serving

from geoloc_cli.errors import UsageError, WeightsMismatch, WeightsMissing
from geoloc_cli.models import fetch as fetching
from geoloc_cli.models.catalogue import Model, Part, built_in
from geoloc_cli.models.places import record_of
from geoloc_cli.models.pull import check, pull

DATA = b"numbers" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()
COMMIT = "c" * 40


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of models, not there yet; and no file of this machine is found."""
    monkeypatch.setattr(fetching, "_PAUSE_S", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("GEOLOC_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "models"


def served(server: Server, **changes: Any) -> Model:
    """XFeat, of which no hash is known, at this server."""
    return dataclasses.replace(built_in()["xfeat"], url=server.remote().url, **changes)


def test_a_model_whose_hash_is_known_is_vouched_for(folder: Path) -> None:
    with serving(Server(DATA)) as server:
        model = served(server, sha256=SHA256, size_bytes=len(DATA))
        assert check(model).state == "missing"
        done, fetched = pull(model)
        assert (done.state, done.path, done.sha256, fetched) == ("good", folder / "xfeat.pt", SHA256, True)
        assert pull(model) == (done, False)
        assert len(server.asked) == 1
    assert check(model) == done


def test_where_no_hash_is_known_the_first_one_is_recorded_and_holds(folder: Path) -> None:
    with serving(Server(DATA)) as server:
        model = served(server)
        done, _ = pull(model)
        assert (done.state, done.wanted) == ("recorded", SHA256)
        if shutil.which("sha256sum"):
            subprocess.run(["sha256sum", "-c", "xfeat.pt.sha256"], cwd=folder, check=True, capture_output=True)
        (folder / "xfeat.pt").write_bytes(DATA[:-1] + b"x")
        assert check(model).state == "damaged"
        assert pull(model)[1]
        assert check(model) == done
        # Somebody else's file under the same address is not what was pulled first.
        (folder / "xfeat.pt").unlink()
        server.data = DATA[::-1]
        with pytest.raises(WeightsMismatch, match="not the file of the model 'xfeat'"):
            pull(model)
        assert not (folder / "xfeat.pt").exists()
        record_of(folder / "xfeat.pt").unlink()
        assert pull(model)[0].sha256 == hashlib.sha256(DATA[::-1]).hexdigest()


def test_a_file_that_somebody_else_put_there_is_left_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = folder.parent / "weights"
    mine.mkdir()
    (mine / "xfeat.pt").write_bytes(b"mine")
    monkeypatch.setenv("GEOLOC_WEIGHTS", str(mine))
    with serving(Server(DATA)) as server:
        done, fetched = pull(served(server))
        assert (done.state, done.path, fetched) == ("unknown", mine / "xfeat.pt", False)
        # Where the hash is known it is not the model, and the model comes beside it.
        done, fetched = pull(served(server, sha256=SHA256))
        assert (done.state, done.path, fetched) == ("good", folder / "xfeat.pt", True)
    assert [path.name for path in mine.iterdir()] == ["xfeat.pt"]


@pytest.mark.parametrize("variable", ["GEOLOC_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_nothing_is_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "1")
    with serving(Server(DATA)) as server:
        with pytest.raises(UsageError, match="'xfeat' is not here, and nothing is fetched offline"):
            pull(served(server))
        assert server.asked == []
    assert not folder.exists()


def test_what_nobody_serves_is_to_be_brought_by_hand(folder: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"download resnet50_MixVPR.* from https://github.com/amaralibey/MixVPR"):
        pull(built_in()["mixvpr"])


def test_a_folder_that_cannot_be_written_is_named(folder: Path) -> None:
    folder.parent.mkdir(exist_ok=True)
    folder.write_bytes(b"a file")
    with serving(Server(DATA)) as server, pytest.raises(WeightsMissing, match=r"'xfeat' cannot be kept: .*models"):
        pull(served(server))


class Hub:
    """A hub of one file, or of several by their names, as its library asks for it; `told` are the tokens it sends."""

    def __init__(self) -> None:
        self.data = DATA
        self.files: dict[str, bytes] = {}
        self.commit = COMMIT
        self.error = ""
        self.told: list[str] = []
        self.asked: list[str] = []

    @property
    def headers(self) -> dict[str, str]:
        if self.error:
            status = {"X-Error-Code": self.error, "X-Error-Message": "see https://hub/x?signature=secret"}
            return status | {"Content-Length": "0"}
        tag = hashlib.sha256(self.data).hexdigest()
        return {"X-Repo-Commit": self.commit, "ETag": f'"{tag}"', "Content-Length": str(len(self.data))}


def at(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """The hub is at this port of this machine: what HF_ENDPOINT says before the library is imported."""
    import huggingface_hub.constants as constants

    endpoint = f"http://127.0.0.1:{port}"
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    constants = pytest.importorskip("huggingface_hub.constants", reason="needs huggingface_hub")
    state = Hub()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            state.data = state.files.get(self.path.rpartition("/")[2], state.data)
            state.told.append(self.headers.get("Authorization", ""))
            state.asked.append(f"{self.command} {self.path}")
            status = {"": 200, "GatedRepo": 403, "RepoNotFound": 401}.get(state.error, 404)
            self.send_response(status)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(b"" if state.error else state.data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    at(monkeypatch, server.server_address[1])
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def of_hub(**changes: Any) -> Model:
    """A model of the hub of which no hash is known."""
    return dataclasses.replace(built_in()["siglip2-base"], **changes)


def test_a_model_of_the_hub_comes_into_its_cache_with_its_token(folder: Path, hub: Hub) -> None:
    told: list[tuple[int, int | None]] = []
    model = of_hub()
    done, fetched = pull(model, lambda done, total: told.append((done, total)))
    assert (done.state, done.sha256, fetched) == ("recorded", SHA256, True)
    assert done.path is not None
    assert done.path.parts[-3:] == ("snapshots", COMMIT, "model.safetensors")
    assert told[-1] == (len(DATA), len(DATA))
    assert set(hub.told) == {"Bearer hf_secret"}
    assert pull(model) == (done, False)
    assert check(model) == done
    # Nothing else is asked for, and nothing is told of this machine.
    path = f"/{model.hub}/resolve/main/model.safetensors"
    assert hub.asked == [f"HEAD {path}", f"GET {path}"]
    assert (folder / f"{model.file}.sha256").read_text() == f"{SHA256}  {model.file}\n"


def test_a_file_of_the_hub_that_is_another_is_never_taken(hub: Hub) -> None:
    model = of_hub(sha256="0" * 64)
    for _ in range(2):
        with pytest.raises(WeightsMismatch, match="What the hub sends is not the file of the model 'siglip2-base'"):
            pull(model)
    assert check(model).state == "damaged"
    # The authors put the right one there.
    model = dataclasses.replace(model, sha256=hashlib.sha256(b"right").hexdigest())
    hub.data, hub.commit = b"right", "d" * 40
    assert pull(model)[0].state == "good"


def test_a_file_of_the_hubs_cache_that_was_damaged_is_fetched_again(hub: Hub) -> None:
    for model in (of_hub(sha256=SHA256), of_hub()):
        done, _ = pull(model)
        assert done.path is not None
        done.path.resolve().write_bytes(DATA[:-1] + b"x")
        assert check(model).state == "damaged"
        assert pull(model) == (done, True)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ("GatedRepo", "given to those alone who accepted its licence: do so at https://huggingface.co/google"),
        ("RepoNotFound", "The hub shows no google/siglip2-base-patch16-224 to you"),
        ("RevisionNotFound", "has no model.safetensors of main any more"),
        ("EntryNotFound", "has no model.safetensors of main any more"),
    ],
)
def test_what_the_hub_refuses_is_one_sentence_without_secrets(
    hub: Hub, error: str, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    hub.error = error
    with pytest.raises(WeightsMissing, match=sentence) as caught:
        pull(of_hub())
    assert "secret" not in str(caught.value) + caplog.text
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_folder_of_the_hub_is_kept_whole_beside_the_others(folder: Path, hub: Hub) -> None:
    hub.files = {"config.json": b"{}", "tokenizer.json": b"[1]", "model.safetensors": DATA}
    parts = tuple(Part(name, hashlib.sha256(data).hexdigest(), len(data)) for name, data in hub.files.items())
    model = of_hub(hub="a/b", hub_file="", revision=COMMIT, file="tiny-vl", files=parts)
    hub.files["tokenizer.json"] = b"[2]"
    with pytest.raises(WeightsMismatch, match=r"What the hub sends is not tokenizer.json of the model 'siglip2-base'"):
        pull(model)
    assert check(model).state == "missing"
    hub.files["tokenizer.json"] = b"[1]"
    hub.asked.clear()
    done, fetched = pull(model)
    assert (done.state, done.path, fetched) == ("good", folder / "tiny-vl", True)
    assert {path.name for path in (folder / "tiny-vl").iterdir()} == set(hub.files)
    assert {path.name for path in folder.iterdir()} == {"tiny-vl", "tiny-vl.lock"}
    assert not [line for line in hub.asked if "config.json" in line]  # it was whole before
    assert all(f"/a/b/resolve/{COMMIT}/" in line for line in hub.asked)


def test_a_hub_that_is_not_there(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, 9)
    # The library waits 1, 2, 4 and 8 seconds between its attempts.
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(WeightsMissing, match=r"cannot be fetched from the hub now \(\w+\); run the same command again"):
        pull(of_hub())
