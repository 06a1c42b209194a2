"""Folders that hold no model that answers about pictures, and what is said of each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from tiny_vlm import build, noise, request, save, template, tokenizer  # noqa: E402

from geoloc_cli import registry  # noqa: E402
from geoloc_cli.errors import MissingExtra, RunError, UsageError, WeightsMismatch, WeightsMissing  # noqa: E402
from geoloc_cli.models.folders import ModelFolder  # noqa: E402
from geoloc_cli.priors.vlm_local import LocalOptions, LocalVlmPrior  # noqa: E402
from geoloc_cli.priors.vlm_local_net import LocalModel  # noqa: E402


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOLOC_DEVICE", "cpu")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = tokenizer("llava")
    return save(tmp_path_factory.mktemp("sound"), "llava", words, build("llava", words))


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    """A copy of a sound model, to be spoiled."""
    return shutil.copytree(sound, tmp_path / "model")


def rewrite(path: Path, **keys: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))


def of_text_alone(folder: Path) -> None:
    config = transformers.LlamaConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, vocab_size=10)
    config.save_pretrained(folder)


def of_another_size(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["intermediate_size"] = 48
    (folder / "config.json").write_text(json.dumps(config))


def with_more_layers(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["num_hidden_layers"] = 3
    (folder / "config.json").write_text(json.dumps(config))


def in_code_of_its_own(folder: Path) -> None:
    (folder / "evil.py").write_text("raise SystemExit('code of the model was run')")
    rewrite(folder / "config.json", model_type="own", auto_map={"AutoConfig": "evil.Config"})


def without_template(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()


def as_a_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def with_a_damaged_file(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:2000])


def whose_template_shows_no_picture(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("{% for m in messages %}{{ m['content'][0]['text'] }}{% endfor %}")


SPOILED: dict[Callable[[Path], None], str] = {
    of_text_alone: "is a model of the kind 'llama', which does not answer about pictures; give an image-text-to-text",
    of_another_size: "lacks 6 tensors of its model, or has them of another shape, such as model.",
    with_more_layers: "lacks 9 tensors of its model, or has them of another shape, such as model.",
    in_code_of_its_own: "does not know, and code that comes with a model is not run; give another one.",
    without_template: "has no chat template, and so goes on with a text rather than answers; give the model of its",
    as_a_pickle: "holds no weights as safetensors, and others are not read; give a model that does.",
    with_a_damaged_file: "cannot be loaded as an image-text-to-text model",
    whose_template_shows_no_picture: "takes no picture; give a model whose does.",
}


@pytest.mark.parametrize("spoil", SPOILED, ids=lambda spoil: spoil.__name__)
def test_a_folder_that_will_not_do_is_refused_in_a_sentence(folder: Path, spoil: Callable[[Path], None]) -> None:
    spoil(folder)
    with pytest.raises(WeightsMismatch) as refused:
        LocalVlmPrior(LocalOptions(model=str(folder)))
    text = str(refused.value)
    assert text.startswith("prior 'vlm-local': ")
    assert str(folder) in text
    assert SPOILED[spoil] in text
    assert "\n" not in text
    assert text.endswith(".")


def test_a_model_that_is_not_here_is_named_with_the_command_that_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(WeightsMissing, match=r"finds no Qwen/Qwen3-VL-2B-Instruct on this machine; get it by `hf d"):
        LocalVlmPrior(LocalOptions(model="Qwen/Qwen3-VL-2B-Instruct"))
    with pytest.raises(WeightsMissing, match=r"of abc123 on .*`hf download a/b --revision abc123`"):
        LocalVlmPrior(LocalOptions(model="a/b", revision="abc123"))
    with pytest.raises(WeightsMissing, match=r"there is no folder \./models/none; give a model's folder"):
        LocalVlmPrior(LocalOptions(model="./models/none"))


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ("", UsageError, "vlm-local needs a model; give vlm-local.model=FOLDER"),
        ("model=x&precision=int4", UsageError, "precision is 'int4'; give one of auto"),
        ("model=x&batch=-1", UsageError, "batch is -1; give 0 or more"),
        ("model=x&url=http://localhost", RunError, "has no option 'url'"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_loaded(wrong: str, error: type[RunError], said: str) -> None:
    with pytest.raises(error, match=said):
        registry.create("prior", registry.parse(f"vlm-local?{wrong}"))


def test_a_torchvision_that_does_not_load_is_named(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtra, match=r"torchvision cannot be loaded .*nms does not exist.* `pip uninstall torch"):
        LocalVlmPrior(LocalOptions(model=str(sound)))


def test_a_template_without_the_system_has_its_words_in_the_first_turn(folder: Path, tmp_path: Path) -> None:
    picky = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}" + template("llava")
    (folder / "chat_template.jinja").write_text(picky)
    model = LocalModel(ModelFolder(folder), "cpu", "float32", 1, "test")
    asked = request(noise(tmp_path / "a.png", 0, 64, 64))
    whole = LocalModel(ModelFolder(folder.parent / "model"), "cpu", "float32", 1, "test")
    seen = tokenizer("llava").decode(model.encoded([model.messages(asked)])["input_ids"][0])
    assert seen.startswith("user: You say where photographs were taken.")
    assert "Where on the Earth" in seen
    assert model.say(asked).input_tokens == whole.say(asked).input_tokens
    assert model.say(replace(asked, turns=asked.turns[1:])).input_tokens < model.say(asked).input_tokens


def test_a_template_kept_with_the_tokenizer_is_found(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    rewrite(folder / "tokenizer_config.json", chat_template=template("llava"))
    LocalVlmPrior(LocalOptions(model=str(folder))).close()
