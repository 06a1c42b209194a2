"""The catalogue of models: what its entries must say, and what of a user's own is refused, by which sentence."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
from pathlib import Path
from typing import Any

import pytest

from geoloc_cli import registry
from geoloc_cli.errors import ConfigError, UnknownBackend
from geoloc_cli.models.catalogue import Model, built_in, catalogue, entry, find, own_entries, spec_for_model
from geoloc_cli.registry import BackendSpec

# The names that the documentation and other people's scripts use.
NAMES = {
    "features": {"aliked-t16", "aliked-n16", "aliked-n16rot", "aliked-n32", "xfeat", "superpoint", "disk"},
    "descriptor": {
        *("dinov2-small", "dinov2-base", "dinov2-large", "dinov2-with-registers-base", "dinov3-small", "dinov3-base"),
        *("clip-vit-b16", "clip-vit-l14", "metaclip2-huge", "siglip-base", "siglip2-base"),
        *("megaloc", "dinov2-salad", "boq-dinov2", "boq-resnet50", "mixvpr", "anyloc-dinov2"),
        *("cosplace-resnet50-2048", "eigenplaces-resnet50-2048"),
    },
    "matcher": {
        *("lighterglue", "aliked-lightglue", "superpoint-lightglue", "disk-lightglue"),
        *("loftr", "efficient-loftr"),
    },
}
LEAST: dict[str, Any] = {
    "kind": "features",
    "backend": "xfeat",
    "summary": "a test",
    "file": "mine.safetensors",
    "licence": "MIT",
    "commercial": "yes",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of models."""
    monkeypatch.setenv("GEOLOC_MODELS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def test_the_models_that_are_promised_are_there() -> None:
    shipped = built_in()
    for kind, names in NAMES.items():
        assert names <= {model.name for model in shipped.values() if model.kind == kind}
    assert not [model for model in shipped.values() if model.own]


@pytest.mark.parametrize("model", built_in().values(), ids=lambda model: model.name)
def test_every_entry_says_whose_it_is_and_how_it_may_be_had(model: Model) -> None:
    assert model.summary
    assert model.source.startswith("https://")
    assert model.revision
    assert model.licence
    assert model.extra in ("torch", "onnx")
    # What is not pulled cannot be pinned; what is pulled over http could be anything.
    assert model.pulled or not model.sha256
    assert (model.mean is None) == (model.std is None) == (model.kind != "descriptor")
    assert model.kind not in ("descriptor", "features") or (model.dim and model.input_px)


@pytest.mark.parametrize(
    "model", [m for m in built_in().values() if m.kind in ("features", "matcher")], ids=lambda model: model.name
)
def test_a_backend_takes_the_options_of_each_entry_and_looks_for_its_file(model: Model) -> None:
    row = registry.find(model.kind, model.backend)
    module, _, name = row.target.partition(":")
    loaded = importlib.import_module(module)
    made = registry.typed_options(getattr(loaded, str(row.options)), {**model.options, "weights": ""}, model.name)
    assert row.extra == model.extra
    if model.kind == "features":
        assert getattr(loaded, name).usual_file(None, made) == model.file
    elif model.backend == "lightglue":
        assert loaded.FILES[made.features] == model.file
    else:
        assert model.file in Path(str(loaded.__file__)).read_text(encoding="utf-8")


def test_files_and_sources_are_each_one_models_own() -> None:
    shipped = list(built_in().values())
    for key in ("file", "url"):
        values = [getattr(model, key) for model in shipped if getattr(model, key)]
        assert len(values) == len(set(values))


@pytest.mark.realdata
def test_what_the_tests_run_on_is_what_is_published(realdata: Path) -> None:
    for name in ("aliked-t16", "aliked-n16", "aliked-n16rot", "aliked-n32", "lighterglue"):
        model = built_in()[name]
        (path,) = (realdata / "weights").rglob(model.file)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == model.sha256
        assert path.stat().st_size == model.size_bytes


def test_a_name_is_found_and_a_missed_one_is_told_the_nearest(folder: Path) -> None:
    assert find("aliked-n16").dim == 128
    with pytest.raises(UnknownBackend, match=r"no model 'aliked-n61'; did you mean 'aliked-n16'\?"):
        find("aliked-n61")
    with pytest.raises(UnknownBackend, match="no model 'qqq'; see `geoloc models list`"):
        find("qqq")


def test_a_users_own_entry_stands_beside_the_others(folder: Path) -> None:
    text = "".join(f'{key} = "{value}"\n' for key, value in LEAST.items())
    (folder / "mine.toml").write_text(text + "mean = [0.5, 0.5, 1]\n[options]\nmin_score = 0.25\nmax_features = 7\n")
    (folder / "mine.safetensors").write_bytes(b"")
    made = own_entries()["mine"]
    assert (made.own, made.mean, made.options) == (True, (0.5, 0.5, 1.0), {"min_score": 0.25, "max_features": 7})
    assert catalogue()["mine"] == made
    assert dataclasses.replace(made, own=False) == entry(
        "mine", {**LEAST, "mean": [0.5, 0.5, 1], "options": made.options}, "x"
    )


def test_a_users_own_entry_shadows_none_that_is_built_in(folder: Path) -> None:
    (folder / "xfeat.toml").write_text("".join(f'{key} = "{value}"\n' for key, value in LEAST.items()))
    with pytest.raises(ConfigError, match=r"xfeat\.toml has the name of a model that geoloc brings"):
        catalogue()


@pytest.mark.parametrize("text", [b"kind = \xff", b"kind = ", b"= 3"])
def test_a_file_that_is_no_toml_is_named(folder: Path, text: bytes) -> None:
    (folder / "mine.toml").write_bytes(text)
    with pytest.raises(ConfigError, match=r"mine\.toml cannot be read as a model's entry"):
        catalogue()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"licenc": "MIT"}, r"unknown key 'licenc'; did you mean 'licence'\?"),
        ({"name": "other"}, "unknown key 'name'"),
        ({"own": True}, "unknown key 'own'"),
        ({"kind": "feature"}, "the kind 'feature'; give one of prior, features"),
        ({"commercial": "perhaps"}, "commercial = 'perhaps'; give one of yes, no, ask"),
        ({"file": "../../etc/passwd"}, "a plain name of a file"),
        ({"file": "mine.toml"}, "a plain name of a file"),
        ({"file": ".hidden"}, "a plain name of a file"),
        ({"sha256": "ABC"}, "its 64 small hexadecimal digits"),
        ({"size_bytes": 0}, "the number of its bytes"),
        ({"size_bytes": True}, "size_bytes is True; give a value of type int"),
        ({"dim": "128"}, "dim is '128'; give a value of type int"),
        ({"mean": [0.5, 0.5]}, "three numbers"),
        ({"mean": [0.5, 0.5, "x"]}, "three numbers"),
        ({"options": {"a": [1]}}, r"the option a is \[1\]"),
        ({"hub": "a/b"}, "no one source"),
        ({"hub": "a/b", "hub_file": "c", "url": "https://d/e"}, "no one source"),
        ({"url": "http://example.org/a"}, "not plain https"),
        ({"url": "file:///etc/passwd"}, "not plain https"),
        ({"url": "https://me:secret@example.org/a"}, "not plain https"),
    ],
)
def test_what_is_wrong_with_an_entry_is_said_with_file_and_name(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        entry("mine", {**LEAST, **changes}, "mine.toml")
    assert str(caught.value).startswith("mine.toml: the model 'mine'")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a b", "../a", "a/b", ".a", "x" * 81])
def test_a_name_must_be_plain(name: str) -> None:
    with pytest.raises(ConfigError, match="no plain name"):
        entry(name, LEAST, "mine.toml")


@pytest.mark.parametrize("key", sorted(LEAST))
def test_what_an_entry_must_say_is_asked_for(key: str) -> None:
    with pytest.raises(ConfigError, match=f"lacks {key}"):
        entry("mine", {k: v for k, v in LEAST.items() if k != key}, "mine.toml")


def test_a_backend_stays_itself_and_a_model_becomes_its_backend_with_its_options(folder: Path) -> None:
    assert spec_for_model("features", "sift") == BackendSpec("sift")
    assert spec_for_model("features", "xfeat?min_score=0.5") == BackendSpec("xfeat", {"min_score": "0.5"})
    model = built_in()["aliked-n16"]
    wanted = {"model_name": "aliked-n16", "weights": "", "weights_sha256": model.sha256}
    assert spec_for_model("features", "aliked-n16") == BackendSpec("aliked", wanted)
    (folder / "aliked-n16.pth").write_bytes(b"any")
    wanted["weights"] = str(folder / "aliked-n16.pth")
    assert spec_for_model("features", "aliked-n16") == BackendSpec("aliked", wanted)
    mine = {"model_name": "aliked-n32", "max_features": "9"}
    found = spec_for_model("features", "aliked-n16?max_features=9&model_name=aliked-n32")
    assert found == BackendSpec("aliked", wanted | mine)


def test_a_users_own_file_is_not_pinned_by_the_catalogue() -> None:
    found = spec_for_model("features", "aliked-n16?weights=mine.pth")
    assert found == BackendSpec("aliked", {"model_name": "aliked-n16", "weights": "mine.pth"})


def test_a_model_of_no_known_hash_is_pinned_by_what_was_recorded(folder: Path) -> None:
    (folder / "aliked_lightglue.pth").write_bytes(b"any")
    assert "weights_sha256" not in spec_for_model("matcher", "aliked-lightglue").options
    (folder / "aliked_lightglue.pth.sha256").write_text(f"{'a' * 64}  aliked_lightglue.pth\n")
    assert spec_for_model("matcher", "aliked-lightglue").options["weights_sha256"] == "a" * 64


def test_a_name_that_is_neither_is_told_of_both() -> None:
    with pytest.raises(UnknownBackend, match=r"no features 'aliked-n61', and no model; did you mean 'aliked-n16'\?"):
        spec_for_model("features", "aliked-n61")
    with pytest.raises(UnknownBackend, match=r"no features 'qqq', and no model; there is sift, .*models aliked-t16"):
        spec_for_model("features", "qqq")
    with pytest.raises(
        UnknownBackend, match=r"no retriever 'megaloc', and no model; there is .*cann, and of models none"
    ):
        spec_for_model("retriever", "megaloc")
