"""Offline means that no socket is opened, by this process or by what it starts; and what that still leaves to do."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from geoloc_cli.errors import UsageError
from geoloc_cli.models.catalogue import built_in, catalogue, spec_for_model
from geoloc_cli.models.offline import go_offline, offline
from geoloc_cli.models.places import located
from geoloc_cli.models.pull import check, pull
from geoloc_cli.models.weights import read_pinned

SUPERPOINT, SIGLIP = built_in()["superpoint"], built_in()["siglip-base"]
# A file of safetensors with one number in it.
_HEADER = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
ONE_NUMBER = len(_HEADER).to_bytes(8, "little") + _HEADER + b"\x00\x00\x80\x3f"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a socket fails, visibly."""

    def refuse(*arguments: Any, **_: Any) -> Any:
        raise AssertionError(f"a socket was opened: {arguments}")

    for name in ("socket", "create_connection", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, refuse)


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment whose folders hold XFeat as pulled, and SuperPoint and SigLIP in the hub's cache."""
    models = tmp_path / "models"
    models.mkdir()
    (models / "xfeat.pt").write_bytes(b"xfeat")
    (models / "xfeat.pt.sha256").write_text(f"{hashlib.sha256(b'xfeat').hexdigest()}  xfeat.pt\n")
    for model in (SUPERPOINT, SIGLIP):
        snapshot = tmp_path / "hub" / f"models--{model.hub.replace('/', '--')}" / "snapshots" / model.revision
        snapshot.mkdir(parents=True)
        (snapshot / "model.safetensors").write_bytes(ONE_NUMBER)
    return {
        "GEOLOC_MODELS": str(models),
        "HF_HUB_CACHE": str(tmp_path / "hub"),
        "TORCH_HOME": str(tmp_path / "torch"),
        "GEOLOC_OFFLINE": "1",
    }


@pytest.mark.parametrize("name", ["GEOLOC_OFFLINE", "HF_HUB_OFFLINE"])
@pytest.mark.parametrize(("value", "means"), [("1", True), ("TRUE", True), ("yes", True), ("what", True)])
def test_a_variable_that_does_not_say_no_says_offline(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, means: bool
) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert not offline()
    monkeypatch.setenv(name, value)
    assert offline() is means
    for no in ("0", "False", "no", "off", " ", ""):
        monkeypatch.setenv(name, no)
        assert not offline()


def test_the_switch_holds_for_children_and_for_a_library_that_was_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("GEOLOC_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
    for name in names:
        # So that what the switch sets is taken back after the test.
        monkeypatch.setenv(name, "0")
    constants = None
    if "huggingface_hub" in sys.modules:
        import huggingface_hub.constants as constants

        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    go_offline()
    assert offline()
    assert constants is None or constants.HF_HUB_OFFLINE
    program = "import os; from geoloc_cli.models.offline import offline; print(offline(), os.environ['HF_HUB_OFFLINE'])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True 1\n"


def test_looking_for_models_and_checking_them_opens_no_socket(
    home: dict[str, str], no_network: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in home.items():
        monkeypatch.setenv(name, value)
    assert located(built_in()["xfeat"])
    assert check(built_in()["xfeat"]).state == "recorded"
    assert pull(built_in()["xfeat"])[1] is False
    assert len([model for model in catalogue().values() if located(model)]) >= 1
    assert spec_for_model("features", "aliked-n16").options["weights"] == ""
    assert read_pinned("", "", "xfeat.pt", "x")[1] == b"xfeat"
    with pytest.raises(UsageError, match="'disk' is not here, and nothing is fetched offline"):
        pull(built_in()["disk"])


PROGRAM = """
import json, sys

def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        raise AssertionError(f"{event} {arguments}")

sys.addaudithook(hook)
from geoloc_cli.errors import RunError
from geoloc_cli.models.catalogue import built_in
from geoloc_cli.models.pull import check, pull
from geoloc_cli.models.weights import load_weights

found = {name: check(model).state for name, model in built_in().items() if not name.startswith("aliked")}
for name in ("disk", "siglip2-base"):
    try:
        pull(built_in()[name])
    except RunError as error:
        found[f"pull {name}"] = type(error).__name__
try:
    load_weights("", "", "superpoint.safetensors", "x")
except RunError as error:
    found["load superpoint"] = str(error)
for given, name in (("", "siglip-base-patch16-224.safetensors"), (sys.argv[1], "mine.safetensors")):
    found[f"load {name}"] = load_weights(given, "", name, "x").state["w"].tolist()
import socket
try:
    socket.create_connection(("127.0.0.1", 9))
except AssertionError:
    found["hook"] = "works"
print(json.dumps(found))
"""


def test_a_fresh_process_opens_no_socket_either(home: dict[str, str], tmp_path: Path) -> None:
    """An audit hook sees what the libraries do, too from their import on."""
    pytest.importorskip("safetensors", reason="needs torch: make setup-torch")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "GEOLOC_"))} | home
    mine = tmp_path / "mine.safetensors"
    mine.write_bytes(ONE_NUMBER)
    command = [sys.executable, "-c", PROGRAM, str(mine)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["hook"] == "works"
    assert found["xfeat"] == "recorded"
    # Found in the hub's cache, and not what it must be.
    assert found["superpoint"] == "damaged"
    assert "not the file that is asked for" in found["load superpoint"]
    assert found["siglip-base"] == "unknown"
    assert found["load siglip-base-patch16-224.safetensors"] == found["load mine.safetensors"] == [1.0]
    assert found["pull disk"] == found["pull siglip2-base"] == "UsageError"
