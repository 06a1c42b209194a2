"""Every descriptor of the catalogue: its entry says what its network is, and a small one of its kind makes an index."""

from __future__ import annotations

import importlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from geoloc_cli import registry
from geoloc_cli.cli.app import app
from geoloc_cli.descriptors.learned import numbers
from geoloc_cli.engine.local import LocalPool
from geoloc_cli.errors import IndexMismatch, WeightsMismatch
from geoloc_cli.index.reader import Index
from geoloc_cli.models.catalogue import Model, built_in, spec_for_model
from geoloc_cli.pipeline.build import build_index
from geoloc_cli.pipeline.describer import build_descriptor, describer_of, spec_for

torch = pytest.importorskip("torch")

ENTRIES = [model for model in built_in().values() if model.kind == "descriptor"]
# The same architecture, small: a few channels, blocks and words.
_VIT = {"hidden": 24, "layers": 2, "heads": 2, "image_px": 64}
SMALL: dict[str, dict[str, int | str]] = {
    "vit": _VIT,
    "salad": _VIT | {"clusters": 4, "cluster_dim": 8, "token_dim": 8, "mlp_dim": 16},
    "megaloc": _VIT | {"clusters": 4, "cluster_dim": 8, "token_dim": 8, "mlp_dim": 16, "dim": 12},
    "boq": _VIT | {"channels": 64, "queries": 4, "rows": 2},
    "boq-resnet50": {"width": 4, "channels": 64, "queries": 4, "rows": 2},
    "mixvpr": {"width": 4, "channels": 8, "rows": 2},
    "cosplace": {"width": 4, "dim": 16},
    "eigenplaces": {"width": 4, "dim": 16},
    "anyloc": _VIT | {"layer": 2},
}


def made(entry: Model) -> tuple[Any, Any]:
    """The class of an entry's backend, and the options that it says."""
    row = registry.find("descriptor", entry.backend)
    module, _, name = row.target.partition(":")
    loaded = importlib.import_module(module)
    options = registry.typed_options(getattr(loaded, str(row.options)), entry.options, entry.name)
    return getattr(loaded, name), options.settled() if hasattr(options, "settled") else options


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_an_entry_says_what_its_network_is(entry: Model) -> None:
    backend, options = made(entry)
    assert registry.find("descriptor", entry.backend).extra == entry.extra
    assert backend.usual_file(backend.__new__(backend), options) == entry.file
    assert options.size_px == entry.input_px
    for said, given in ((options.mean, entry.mean), (options.std, entry.std)):
        assert np.allclose(numbers("it", said), np.array(given), atol=1e-6)
    if entry.backend != "anyloc":  # as long as its words are many, and these are a file of their own
        with torch.device("meta"):
            assert backend.__new__(backend).build(options).dim == entry.dim


def small(entry: Model, folder: Path, seed: int) -> str:
    """A small network of an entry's kind with random weights of this seed: what `--descriptor` takes."""
    from safetensors.torch import save_file

    backend, options = made(entry)
    shape = dict(SMALL[entry.backend])
    patch = getattr(options, "patch", None)
    tower = options.tower() if patch is not None else None
    shape["size_px"] = 3 * tower.patch if tower else 64
    torch.manual_seed(seed)
    weights = folder / f"{entry.name}.safetensors"
    tiny = backend.__new__(backend)
    if entry.backend == "anyloc":
        tiny._centers = torch.randn(4, _VIT["hidden"])
        shape["vocabulary"] = str(folder / "vocabulary.safetensors")
        save_file({"centers": tiny._centers}, shape["vocabulary"])
    network = tiny.build(replace(options, **shape))
    # What a file of transformers holds has no name before it, and our own names are taken as they are.
    bare = entry.backend in ("vit", "anyloc")
    state = {name.removeprefix("backbone.") if bare else name: value for name, value in network.state_dict().items()}
    kept = {name: value.contiguous() for name, value in state.items() if name != "head.centers"}
    save_file(kept, str(weights))
    said = "&".join(f"{name}={value}" for name, value in {**shape, "weights": weights}.items())
    return f"{entry.name}?{said}"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three pictures of blobs, wide enough to hold a dozen keypoints."""
    folder, paths = tmp_path_factory.mktemp("blobs"), []
    for i in range(3):
        coarse = np.random.default_rng(i).integers(0, 255, (18, 24, 3), dtype=np.uint8)
        paths.append(str(folder / f"{i}.png"))
        Image.fromarray(coarse).resize((192, 144)).save(paths[-1])
    return paths


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_small_network_of_its_kind_makes_an_index(entry: Model, photos: list[str], tmp_path: Path) -> None:
    wanted = small(entry, tmp_path, 0)
    assert spec_for_model("descriptor", wanted).name == entry.backend
    spec = spec_for(tmp_path / "index", descriptor=wanted)
    build_index(tmp_path / "index", photos, parallel_map=LocalPool(1), describer=spec, placed=False)
    with Index.open(tmp_path / "index") as index:
        vectors = index.gathered().vectors
        describer = describer_of(index)
        decoded = [describer.decode(photo.path) for photo in index.photos(index.gathered().row_ids.tolist())]
        again = [build_descriptor(index).describe(describer.describe(one)) for one in decoded]
    # Weights that were saved and loaded, in another process's place, describe to the last bit as before.
    assert (np.stack(again) == vectors).all()
    assert np.allclose((vectors**2).sum(axis=1), 1.0, atol=1e-5)
    assert not np.allclose(vectors[0], vectors[1], atol=1e-4), "a descriptor that sees nothing"
    # The same network with other weights is another descriptor, under whatever name its file lies.
    (tmp_path / "other").mkdir()
    other = small(entry, tmp_path / "other", 1)
    assert spec_for(tmp_path / "index", descriptor=other) != spec
    (tmp_path / f"{entry.name}.safetensors").write_bytes(
        (tmp_path / "other" / f"{entry.name}.safetensors").read_bytes()
    )
    with Index.open(tmp_path / "index") as index, pytest.raises((IndexMismatch, WeightsMismatch), match="not the file"):
        describer_of(index)


def test_a_model_of_ones_own_makes_an_index(photos: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the commands: added, indexed by, and asked for by nothing but its name."""
    monkeypatch.setenv("GEOLOC_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("GEOLOC_OFFLINE", "1")
    entry = next(model for model in ENTRIES if model.name == "dinov2-salad")
    _, _, said = small(entry, tmp_path, 0).partition("?")
    options = "\n".join(f"{n} = {v}" for n, v in (pair.split("=") for pair in said.split("&")) if n != "weights")
    (tmp_path / "model.toml").write_text(f'backend = "salad"\n[options]\n{options}\n')
    weights = tmp_path / "dinov2-salad.safetensors"
    wanted = ("--kind", "descriptor", "--file", weights, "--config", tmp_path / "model.toml")
    assert "--descriptor my-salad uses it" in geoloc("models", "add", "my-salad", *wanted)
    weights.unlink()
    folder = tmp_path / "index"
    described = ("--descriptor", "my-salad", "--positions", tmp_path / "at.csv", "--workers", "1")
    (tmp_path / "at.csv").write_text("path,lat,lon\n" + "".join(f"{p},50.0,10.0\n" for p in photos))
    assert "3 added" in geoloc("index", "build", *photos, "--index", folder, *described)
    assert "salad" in geoloc("index", "info", folder)
    assert "1 photo: 1 located" in geoloc("locate", photos[0], "--index", folder)


def geoloc(*arguments: str | Path) -> str:
    """What a command says, on both streams."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_look_of_another_length_is_refused(photos: list[str], tmp_path: Path) -> None:
    entry = next(model for model in ENTRIES if model.name == "cosplace-resnet50-512")
    spec = spec_for(tmp_path / "index", descriptor=small(entry, tmp_path, 0))
    build_index(tmp_path / "index", photos, parallel_map=LocalPool(1), describer=spec, placed=False)
    with Index.open(tmp_path / "index") as index:
        features = index.local(1)
        assert features.look is not None
        with pytest.raises(IndexMismatch, match="16 numbers a photo, and now there are 15"):
            build_descriptor(index).describe(replace(features, look=features.look[1:]))
    assert asdict(made(entry)[1])["dim"] == 512
