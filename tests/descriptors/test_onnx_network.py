"""Any network of pictures as an ONNX file: pooled as it says, alone or in company, and no other file in its place."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geoloc_cli.descriptors.onnx_network import OnnxDescriptor, OnnxOptions
from geoloc_cli.errors import MissingExtra, UsageError, WeightsMismatch, WeightsMissing
from geoloc_cli.photos.decode import decode_rgb
from geoloc_cli.registry import create, parse
from geoloc_cli.testing.onnx_file import one_layer

HAS_RUNTIME = importlib.util.find_spec("onnxruntime") is not None
runtime_only = pytest.mark.skipif(not HAS_RUNTIME, reason="needs onnxruntime: pip install 'geoloc[onnx]'")
PLAIN = {"mean": "0,0,0", "std": "1,1,1"}
KERNELS = np.random.default_rng(0).normal(size=(6, 3, 8, 8)).astype(np.float32)


def pictures(*sizes: tuple[int, int], seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (height, width, 3), np.uint8) for width, height in sizes]


def written(folder: Path, data: bytes = one_layer(KERNELS)) -> str:
    path = folder / "network.onnx"
    path.write_bytes(data)
    return str(path)


def made(folder: Path, data: bytes = one_layer(KERNELS), **given: Any) -> OnnxDescriptor:
    return OnnxDescriptor(OnnxOptions(**{"weights": written(folder, data), "output": "map", "pool": "gem"} | given))


@pytest.mark.skipif(HAS_RUNTIME, reason="says what is missing where onnxruntime is not installed")
def test_without_onnxruntime_the_remedy_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingExtra, match=r"geoloc\[onnx\]"):
        made(tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"size_px": 31},
        {"resize": "crop"},
        {"filter": "cubic"},
        {"mean": "0.5"},
        {"std": "1,1,0"},
        {"batch": 0},
        {"pool": "max"},
        {"p": 0.5},
        {"multiple_px": 0},
    ],
)
def test_options_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        OnnxOptions(**wrong).check()


@runtime_only
@pytest.mark.parametrize(("pool", "power"), [("mean", 1.0), ("gem", 3.0), ("gem", 7.5)])
def test_a_map_is_pooled_as_the_equation_says(tmp_path: Path, pool: str, power: float) -> None:
    descriptor = made(tmp_path, pool=pool, p=power, size_px=0, **PLAIN)
    (picture,) = pictures((40, 24))
    blocks = (picture / 255.0).reshape(3, 8, 5, 8, 3).transpose(0, 2, 4, 1, 3)
    places = np.einsum("yxcij,dcij->dyx", blocks, KERNELS).reshape(6, 15)
    if pool == "gem":
        places = np.maximum(places, 0.0)
    vector = (places**power).mean(axis=1) ** (1 / power) if pool == "gem" else places.mean(axis=1)
    assert descriptor.dim == 6
    assert abs(descriptor.embed([picture])[0] - vector / np.linalg.norm(vector)).max() < 1e-5


@runtime_only
def test_a_vector_is_taken_as_it_is_and_a_power_does_not_overflow(tmp_path: Path) -> None:
    (picture,) = pictures((64, 64))
    mean = made(tmp_path, pool="mean", **PLAIN).embed([picture])
    assert abs(made(tmp_path, output="vector", pool="none", **PLAIN).embed([picture]) - mean).max() < 1e-6
    high = made(tmp_path, p=100.0, std="0.001,0.001,0.001").embed([picture])
    assert abs(np.linalg.norm(high) - 1.0) < 1e-5


@runtime_only
@pytest.mark.parametrize("resize", ["square", "shorter", "longer"])
def test_a_picture_is_described_alone_as_in_company(tmp_path: Path, resize: str) -> None:
    given = pictures((90, 60), (60, 90), (90, 60), (120, 80), (90, 60))
    descriptor = made(tmp_path, resize=resize, size_px=64, multiple_px=8, batch=2)
    together = descriptor.embed(given)
    alone = np.concatenate([descriptor.embed([picture]) for picture in given])
    assert (together.shape, together.dtype) == ((5, 6), np.float32)
    assert abs(np.linalg.norm(together, axis=1) - 1.0).max() < 1e-5
    assert abs(together - alone).max() < 1e-5
    assert np.array_equal(made(tmp_path, resize=resize, size_px=64, multiple_px=8).embed(given), together)
    # One that was exported for one picture at a time gives the same.
    single = written(tmp_path, one_layer(KERNELS, at_once=1))
    assert (
        abs(OnnxDescriptor(replace(descriptor.options, weights=single, weights_sha256="")).embed(given) - alone).max()
        < 1e-5
    )
    assert descriptor.embed([]).shape == (0, 6)


@runtime_only
def test_the_file_is_pinned_and_every_option_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    descriptor = made(tmp_path)
    assert descriptor.options.weights_sha256 in descriptor.identity
    for key, value in {"size_px": 96, "pool": "mean", "p": 4.0, "multiple_px": 8, "output": "vector"}.items():
        other = {"pool": "none"} if key == "output" else {}
        assert made(tmp_path, **{key: value} | other).identity != descriptor.identity
    assert made(tmp_path, batch=3).identity == descriptor.identity
    changed = bytearray(one_layer(KERNELS))
    changed[len(changed) // 2] ^= 1
    written(tmp_path, bytes(changed))
    with pytest.raises(WeightsMismatch, match="SHA-256"):
        OnnxDescriptor(descriptor.options)
    # Elsewhere it is found by its name, since its hash is known.
    (tmp_path / "moved").mkdir()
    written(tmp_path / "moved")
    (tmp_path / "network.onnx").unlink()
    monkeypatch.setenv("GEOLOC_WEIGHTS", str(tmp_path / "moved"))
    assert OnnxDescriptor(descriptor.options).identity == descriptor.identity


@runtime_only
def test_what_is_no_network_of_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give its file"):
        create("descriptor", parse("onnx"))
    with pytest.raises(WeightsMissing, match=r"nothing\.onnx"):
        made(tmp_path, weights=str(tmp_path / "nothing.onnx"))
    with pytest.raises(UsageError, match="gives map, vector; name one"):
        made(tmp_path, output="")
    with pytest.raises(UsageError, match="is a map; give `pool=gem`"):
        made(tmp_path, pool="none")
    with pytest.raises(UsageError, match="is a vector; give `pool=none`"):
        made(tmp_path, output="vector")
    with pytest.raises(WeightsMismatch, match="320 x 320 pixels; give the `size_px`"):
        made(tmp_path, data=one_layer(KERNELS, side=64), size_px=320)
    with pytest.raises(WeightsMismatch, match="cannot be read as a network"):
        made(tmp_path, data=b"no network")
    with pytest.raises(WeightsMismatch, match="give a network that takes pictures alone"):
        made(tmp_path, data=one_layer(KERNELS[:, :1]))


@pytest.mark.realdata
@runtime_only
def test_a_published_network_knows_a_street_again(realdata: Path) -> None:
    weights = realdata / "weights" / "mobilenet" / "mobilenet_v1_imagenet_embed.onnx"
    text = f"onnx?weights={weights}&mean=0.50196,0.50196,0.50196&std=0.50196,0.50196,0.50196&size_px=320"
    descriptor = create("descriptor", parse(f"{text}&output=features&pool=gem"))
    assert descriptor.dim == 1024
    folders = (realdata / "lund" / "photos", realdata / "seneca" / "photos")
    street, field = (sorted(folder.iterdir())[:4] for folder in folders)
    seen = [decode_rgb(str(path), max_size=descriptor.wanted_px()) for path in street + field]
    similar = descriptor.embed(seen) @ descriptor.embed(seen).T
    # One frame after the other of a walk is nearer than any photo of a field from the air.
    assert similar[:3, 1:4].diagonal().min() > similar[:4, 4:].max() + 0.2
    # Its own vector is the mean over its map.
    own = create("descriptor", parse(f"{text}&output=embedding"))
    mean = create("descriptor", parse(f"{text}&output=features&pool=mean"))
    assert abs(own.embed(seen[:2]) - mean.embed(seen[:2])).max() < 1e-4
    other = realdata / "weights" / "xfeat" / "lighterglue_L3.onnx"
    with pytest.raises(WeightsMismatch, match="takes kpts0"):
        create("descriptor", parse(f"onnx?weights={other}"))
