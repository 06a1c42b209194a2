"""Where folders of models are found, and what tells one from another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from geoloc_cli.errors import WeightsMismatch, WeightsMissing
from geoloc_cli.models.folders import ModelFolder, find_folder

COMMIT, OLDER = "c" * 40, "a" * 40


def model(folder: Path, weights: bytes = b"1") -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "llava"}))
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def test_a_path_is_taken_and_a_name_is_looked_for_where_models_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("GEOLOC_WEIGHTS", "GEOLOC_MODELS"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    kept = model(tmp_path / "GEOLOC_MODELS" / "Tiny-VL")
    assert find_folder(str(kept), "", "test").path == kept
    assert find_folder("owner/Tiny-VL", "", "test") == find_folder("Tiny-VL", "", "test") == ModelFolder(kept)
    nearer = model(tmp_path / "GEOLOC_WEIGHTS" / "owner" / "Tiny-VL")
    assert find_folder("owner/Tiny-VL", "", "test").path == nearer


def test_the_hubs_cache_is_read_at_a_commit_and_never_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--owner--Tiny-VL"
    for commit in (COMMIT, OLDER):
        model(repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    found = find_folder("owner/Tiny-VL", "", "test")
    assert (found.path.name, found.commit, found.identity()) == (COMMIT, COMMIT, COMMIT)
    assert find_folder("owner/Tiny-VL", OLDER, "test").commit == OLDER
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(WeightsMissing, match=r"of b{40} on this machine; get it by `hf download owner/Tiny-VL --rev"):
        find_folder("owner/Tiny-VL", "b" * 40, "test")
    with pytest.raises(WeightsMissing, match="`hf download owner/Other`"):
        find_folder("owner/Other", "", "test")
    assert sorted(tmp_path.rglob("*")) == before


def test_what_an_answer_depends_on_is_every_file_and_not_the_place(tmp_path: Path) -> None:
    one = ModelFolder(model(tmp_path / "one")).identity()
    assert ModelFolder(model(tmp_path / "two")).identity() == one
    assert ModelFolder(model(tmp_path / "three", b"2")).identity() != one
    (tmp_path / "two" / "chat_template.jinja").write_text("{{ messages }}")
    assert ModelFolder(tmp_path / "two").identity() != one


def test_a_folder_without_configuration_or_safetensors_is_no_model(tmp_path: Path) -> None:
    folder = model(tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(WeightsMismatch, match=r"test: .*model holds no weights as safetensors"):
        find_folder(str(folder), "", "test")
    (folder / "config.json").unlink()
    with pytest.raises(WeightsMismatch, match=r"holds no config\.json"):
        find_folder(str(folder), "", "test")
    with pytest.raises(WeightsMissing, match=r"there is no folder .*nowhere"):
        find_folder(str(tmp_path / "nowhere"), "", "test")


@pytest.mark.parametrize("text", ["", "not json", "[1]"])
def test_a_file_that_is_no_object_holds_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    assert ModelFolder(tmp_path).read("config.json") == {}
    assert ModelFolder(tmp_path).read("absent.json") == {}
