"""A user's own model: copied, pinned, built by a backend that exists, and refused where anything is wrong with it."""

from __future__ import annotations

import hashlib
import os
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geoloc_cli import registry
from geoloc_cli.errors import ConfigError, RunError, UnknownBackend, UsageError, WeightsMismatch, WeightsMissing
from geoloc_cli.models.catalogue import catalogue, spec_for_model
from geoloc_cli.models.own import add, as_toml
from geoloc_cli.models.pull import check

torch = pytest.importorskip("torch", reason="needs torch: make setup-torch")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of models, not there yet."""
    monkeypatch.setenv("GEOLOC_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """XFeat's, random."""
    from kornia.feature import XFeatModel
    from safetensors.torch import save_file

    torch.manual_seed(0)
    save_file(XFeatModel().state_dict(), tmp_path / "trained.safetensors")
    return tmp_path / "trained.safetensors"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "model.toml"
    path.write_text(text)
    return path


def test_a_model_of_ones_own_is_kept_pinned_and_used(folder: Path, weights: Path, tmp_path: Path) -> None:
    config = written(tmp_path, 'backend = "xfeat"\ndim = 64\n[options]\nmin_score = 0.0\nmax_features = 50\n')
    made = add("my-xfeat", "features", weights, config)
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert (made.own, made.sha256, made.size_bytes) == (True, sha256, weights.stat().st_size)
    assert (made.licence, made.commercial, made.dim) == ("not stated", "ask", 64)
    assert {path.name for path in folder.iterdir()} == {"my-xfeat.safetensors", "my-xfeat.toml"}
    assert catalogue()["my-xfeat"] == made
    assert check(made).state == "good"
    weights.unlink()
    features = registry.create("features", spec_for_model("features", "my-xfeat"))
    assert (features.options.max_features, features.options.weights_sha256) == (50, sha256)
    picture = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    assert 0 < len(features.extract(picture)) <= 50
    path = folder / "my-xfeat.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert check(made).state == "damaged"
    with pytest.raises(WeightsMismatch, match="is not the file that is asked for"):
        registry.create("features", spec_for_model("features", "my-xfeat"))


@pytest.mark.parametrize(
    ("name", "text", "error", "sentence"),
    [
        ("my-xfeat", "", ConfigError, "the model 'my-xfeat' lacks backend"),
        ("my-xfeat", 'backend = "xfaet"', UnknownBackend, r"no features 'xfaet'; did you mean 'xfeat'\?"),
        ("my-xfeat", 'backend = "sift"', UnknownBackend, "'weights'"),
        ("my-xfeat", 'backend = "xfeat"\n[options]\nmin_scor = 1', UnknownBackend, "did you mean 'min_score'"),
        ("my-xfeat", 'backend = "xfeat"\n[options]\nmin_score = 2.0', UsageError, "min_score is 2"),
        ("my-xfeat", 'backend = "xfeat"\nkind = "matcher"', ConfigError, "says kind = 'matcher', and the model will"),
        ("my-xfeat", 'backend = "xfeat"\nfile = "a.pth"', ConfigError, r"says file = 'a\.pth', and the model will"),
        ("my-xfeat", 'backend = "xfeat"\nbackends = 3', ConfigError, "unknown key 'backends'"),
        ("my-xfeat", "backend = ", ConfigError, "cannot be read as a model's entry"),
        ("my xfeat", 'backend = "xfeat"', ConfigError, "no plain name"),
        ("../my-xfeat", 'backend = "xfeat"', ConfigError, "no plain name"),
        ("xfeat", 'backend = "xfeat"', UsageError, "There is a model 'xfeat' already"),
        ("mutual-nn", 'backend = "xfeat"', UsageError, "is the name of a backend"),
        ("superpoint", 'backend = "xfeat"', UsageError, "There is a model 'superpoint' already"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_kept(
    folder: Path, weights: Path, tmp_path: Path, name: str, text: str, error: type[RunError], sentence: str
) -> None:
    kind = "matcher" if name == "mutual-nn" else "features"
    with pytest.raises(error, match=sentence):
        add(name, kind, weights, written(tmp_path, text))
    assert not folder.exists()


def test_a_file_of_another_model_is_not_overwritten(folder: Path, weights: Path, tmp_path: Path) -> None:
    config = written(tmp_path, 'backend = "xfeat"')
    add("mine", "features", weights, config)
    before = (folder / "mine.safetensors").stat().st_mtime_ns
    with pytest.raises(UsageError, match="There is your model 'mine' already"):
        add("mine", "features", weights, config)
    assert (folder / "mine.safetensors").stat().st_mtime_ns == before
    disk = weights.with_suffix(".pth")
    torch.save({"w": torch.ones(2)}, disk)
    with pytest.raises(UsageError, match=r"or a file depth-save\.pth of one"):
        add("depth-save", "features", disk, config)


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("hostile-was-run",)


@pytest.mark.parametrize("name", ["w.pth", "w.ckpt", "w.bin", "w.safetensors", "w.onnx", "w.zip", "w"])
def test_a_file_with_code_in_it_is_refused(folder: Path, tmp_path: Path, name: str, monkeypatch: Any) -> None:
    if name.endswith(".onnx"):
        pytest.importorskip("onnxruntime", reason="needs onnxruntime: the extra onnx")
    monkeypatch.chdir(tmp_path)
    torch.save({"w": torch.ones(2), "x": Hostile()}, tmp_path / "w.any")
    (tmp_path / "w.any").rename(tmp_path / name)
    known = "." in name and not name.endswith(".zip")
    with pytest.raises(WeightsMismatch if known else UsageError, match=r"cannot be read as|no file of weights"):
        add("mine", "features", tmp_path / name, written(tmp_path, 'backend = "xfeat"'))
    assert not (tmp_path / "hostile-was-run").exists()
    assert not folder.exists()


def test_a_state_dict_of_torch_is_taken_where_it_holds_numbers_alone(folder: Path, tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2)}, tmp_path / "w.ckpt")
    made = add("mine", "features", tmp_path / "w.ckpt", written(tmp_path, 'backend = "xfeat"'))
    assert made.file == "mine.ckpt"


def test_a_file_that_is_not_there(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"missing\.pth cannot be read"):
        add("mine", "features", tmp_path / "missing.pth", written(tmp_path, 'backend = "xfeat"'))


def test_what_is_written_is_what_was_meant() -> None:
    odd = 'quotes " and \\ and \n and \t and é and \x7f and \x01 and 猫 and 😀'
    table = {"a": odd, "b": 3, "c": 0.1, "d": True, "e": [0.5, 1.0], "options": {odd: odd, "x": False, "y": 1e-9}}
    assert tomllib.loads(as_toml(table)) == table
