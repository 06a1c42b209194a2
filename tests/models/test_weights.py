"""Weights as numbers alone: files with code in them are refused before any of it runs."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from pathlib import Path
from typing import Any

import pytest

from geoloc_cli.errors import MissingExtra, WeightsMismatch
from geoloc_cli.models.weights import load_weights

torch = pytest.importorskip("torch", reason="needs torch: make setup-torch")


class Hostile:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._path),)


def raw(path: Path, made: Path) -> None:
    """Opcodes of protocol 0: find posix.mkdir, call it with the path."""
    path.write_bytes(f"cposix\nmkdir\n(V{made}\ntR.".encode())


def zipped(path: Path, made: Path) -> None:
    torch.save({"w": torch.ones(2), "x": Hostile(made)}, path)


def legacy(path: Path, made: Path) -> None:
    torch.save({"w": torch.ones(2), "x": Hostile(made)}, path, _use_new_zipfile_serialization=False)


def as_the_key(path: Path, made: Path) -> None:
    torch.save({"state_dict": {Hostile(made): torch.ones(2)}}, path)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt", ".bin", ".safetensors", ""])
@pytest.mark.parametrize("write", [raw, zipped, legacy, as_the_key])
def test_code_in_a_file_is_refused_and_not_run(tmp_path: Path, write: Any, suffix: str) -> None:
    path, made = tmp_path / f"w{suffix}", tmp_path / "made"
    write(path, made)
    with pytest.raises(WeightsMismatch, match="cannot be read as weights; give a state dict"):
        load_weights(str(path), "", "w.pth", "x")
    assert not made.exists()
    # The file is what it is said to be: whoever trusts it runs its code.
    with contextlib.suppress(RuntimeError):
        torch.load(io.BytesIO(path.read_bytes()), weights_only=False)
    assert made.is_dir()


def test_one_changed_byte_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"w": torch.arange(1000.0)}, path)
    data = bytearray(path.read_bytes())
    sha256 = hashlib.sha256(data).hexdigest()
    assert load_weights(str(path), sha256, "w.pth", "x").state["w"].sum() == 499500
    middle = len(data) // 2
    data[middle] ^= 1
    path.write_bytes(data)
    # Unpinned, another number is as good as any.
    assert load_weights(str(path), "", "w.pth", "x").state["w"].sum() != 499500
    with pytest.raises(WeightsMismatch, match="is not the file that is asked for"):
        load_weights(str(path), sha256, "w.pth", "x")
    made = tmp_path / "made"
    zipped(path, made)
    with pytest.raises(WeightsMismatch, match="is not the file that is asked for"):
        load_weights(str(path), sha256, "w.pth", "x")
    assert not made.exists()


def test_a_torch_that_runs_hidden_code_reads_safetensors_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors.torch import save_file

    state = {"w": torch.ones(2)}
    torch.save(state, tmp_path / "w.pth")
    save_file(state, tmp_path / "w.safetensors")
    monkeypatch.setattr(torch, "__version__", "2.5.1+cpu")
    with pytest.raises(MissingExtra, match=r"torch 2\.5\.1\+cpu may run code that hides in .*w\.pth"):
        load_weights(str(tmp_path / "w.pth"), "", "w.pth", "x")
    assert load_weights(str(tmp_path / "w.safetensors"), "", "w.pth", "x").state["w"].tolist() == [1, 1]
    for version in ("2.6.0", "2.13.0+cpu", "3.0.0a0+git1"):
        monkeypatch.setattr(torch, "__version__", version)
        assert load_weights(str(tmp_path / "w.pth"), "", "w.pth", "x").state["w"].tolist() == [1, 1]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 8,
        b"\xff" * 64,
        (1 << 62).to_bytes(8, "little") + b"{}",
        (200_000_000).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (8).to_bytes(8, "little") + b'{"w":{}}',
    ],
    ids=["empty", "zeros", "ones", "a header of 4 EB", "a header of 200 MB", "a list", "no tensor"],
)
def test_a_damaged_file_of_safetensors_is_one_sentence(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(data)
    with pytest.raises(WeightsMismatch, match=r"w\.safetensors (cannot be read as weights|holds something else)"):
        load_weights(str(path), "", "w.safetensors", "x")


@pytest.mark.parametrize("value", [[1, 2], {"w": "text"}, {}, {"model": {}}, 3.0], ids=str)
def test_what_holds_no_tensors_is_no_state_dict(tmp_path: Path, value: object) -> None:
    torch.save(value, tmp_path / "w.pth")
    with pytest.raises(WeightsMismatch, match="holds something else than a state dict"):
        load_weights(str(tmp_path / "w.pth"), "", "w.pth", "x")


@pytest.mark.parametrize("name", ["model", "extractor", "state_dict"])
def test_a_checkpoint_of_training_is_unwrapped(tmp_path: Path, name: str) -> None:
    torch.save({name: {"w": torch.ones(2)}, "epoch": 3}, tmp_path / "w.ckpt")
    assert list(load_weights(str(tmp_path / "w.ckpt"), "", "w.ckpt", "x").state) == ["w"]
