"""Scales and mirror images of a picture as one vector: what it is the mean of, and what it does not change."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from program import called

from geoloc_cli.descriptors.cached import CachedDescriptor
from geoloc_cli.descriptors.onnx_network import OnnxDescriptor, OnnxOptions
from geoloc_cli.descriptors.views import ViewOptions, ViewsDescriptor
from geoloc_cli.engine.local import LocalPool
from geoloc_cli.errors import IndexMismatch, UsageError, WeightsMismatch
from geoloc_cli.index.reader import Index
from geoloc_cli.photos.decode import decode_rgb
from geoloc_cli.pipeline.build import build_index
from geoloc_cli.pipeline.describer import describer_of, spec_for
from geoloc_cli.store import Store
from geoloc_cli.testing.onnx_file import one_layer

if TYPE_CHECKING:
    from conftest import SmallTown

HAS_RUNTIME = importlib.util.find_spec("onnxruntime") is not None
runtime_only = pytest.mark.skipif(not HAS_RUNTIME, reason="needs onnxruntime: pip install 'geoloc[onnx]'")
PICTURES = list(np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), np.uint8))


@dataclass(frozen=True)
class Side:
    side: int = 8


class Corners:
    """The four corners of a picture, `side` pixels of each: a vector that scales and mirror images do change."""

    name, identity, dim = "corners", "1", 12

    def __init__(self, side: int = 8) -> None:
        self.options = Side(side)

    def wanted_px(self) -> int:
        return 8 * self.options.side

    def scaled(self, factor: float) -> Corners:
        return Corners(round(self.options.side * factor))

    def embed(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        s = self.options.side
        cuts = [(p[:s, :s], p[:s, -s:], p[-s:, :s], p[-s:, -s:]) for p in pictures]
        rows = np.array([[part.mean(axis=(0, 1)) for part in four] for four in cuts]).reshape(len(pictures), 12)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


class OneSize(Corners):
    scaled = None  # type: ignore[assignment]


def mirrored(pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [np.ascontiguousarray(picture[:, ::-1]) for picture in pictures]


def test_one_scale_and_no_mirror_change_nothing() -> None:
    plain = Corners()
    same = ViewsDescriptor(plain, ViewOptions())
    assert np.array_equal(same.embed(PICTURES), plain.embed(PICTURES))
    assert (same.dim, same.wanted_px(), same.name, same.options) == (12, 64, "corners", Side())


def test_a_picture_and_its_mirror_image_are_one_and_were_not() -> None:
    plain, flipped = Corners(), ViewsDescriptor(Corners(), ViewOptions(flip=True))
    assert abs(plain.embed(PICTURES) - plain.embed(mirrored(PICTURES))).max() > 0.01
    assert abs(flipped.embed(PICTURES) - flipped.embed(mirrored(PICTURES))).max() < 1e-6


@pytest.mark.parametrize("flip", [False, True])
def test_the_vector_is_the_mean_of_the_views(flip: bool) -> None:
    views = ViewsDescriptor(Corners(), ViewOptions("0.5,1,2", flip))
    seen = [Corners(side).embed(pictures) for side in (4, 8, 16) for pictures in (PICTURES, mirrored(PICTURES))]
    mean = np.mean(seen if flip else seen[::2], axis=0)
    found = views.embed(PICTURES)
    assert found.dtype == np.float32
    assert abs(found - mean / np.linalg.norm(mean, axis=1, keepdims=True)).max() < 1e-6
    assert views.wanted_px() == 128
    assert np.array_equal(np.concatenate([views.embed([picture]) for picture in PICTURES]), found)
    assert views.embed([]).shape == (0, 12)


@pytest.mark.parametrize("scales", ["", "1;2", "0", "-1", "1,1", "11", "nan", "1,"])
def test_scales_that_are_none_are_refused(scales: str) -> None:
    with pytest.raises(UsageError, match="scales is"):
        ViewOptions(scales).check()


def test_a_descriptor_of_one_size_is_refused_scales_and_not_mirrors() -> None:
    with pytest.raises(UsageError, match="at one size alone"):
        ViewsDescriptor(OneSize(), ViewOptions("1,2"))
    assert ViewsDescriptor(OneSize(), ViewOptions("1", flip=True)).embed(PICTURES).shape == (3, 12)


def test_what_is_kept_of_other_views_is_not_taken_for_these(tmp_path: Path) -> None:
    vectors = []
    for options in (ViewOptions(), ViewOptions(flip=True), ViewOptions("1,2"), ViewOptions("1,2", flip=True)):
        kept = CachedDescriptor(ViewsDescriptor(Corners(), options), Store(tmp_path))
        first = kept.embed(PICTURES)
        assert np.array_equal(kept.embed(PICTURES), first)
        vectors.append(first)
    assert all(not np.allclose(vectors[i], vectors[j]) for i in range(4) for j in range(i))


@runtime_only
def test_a_network_is_scaled_where_it_takes_the_size(tmp_path: Path) -> None:
    kernels = np.random.default_rng(0).normal(size=(6, 3, 8, 8)).astype(np.float32)
    for name, data in {"any": one_layer(kernels), "one": one_layer(kernels, side=64)}.items():
        (tmp_path / name).write_bytes(data)

    def network(name: str, size_px: int = 64) -> OnnxDescriptor:
        return OnnxDescriptor(OnnxOptions(weights=str(tmp_path / name), output="map", pool="gem", size_px=size_px))

    half = network("any").scaled(0.5)
    assert half.options.size_px == 32
    assert half.identity != network("any").identity
    assert np.array_equal(half.embed(PICTURES), network("any", 32).embed(PICTURES))
    both = ViewsDescriptor(network("any"), ViewOptions("0.5,1")).embed(PICTURES)
    mean = network("any", 32).embed(PICTURES) + network("any").embed(PICTURES)
    assert abs(both - mean / np.linalg.norm(mean, axis=1, keepdims=True)).max() < 1e-6
    with pytest.raises(WeightsMismatch, match="does not take pictures of 128 x 128"):
        network("one").scaled(2.0)
    with pytest.raises(UsageError, match="size_px is 26"):
        network("any").scaled(0.4)
    with pytest.raises(UsageError, match="give a size, or no scales"):
        network("any", 0).scaled(2.0)


@runtime_only
def test_an_index_records_its_views_and_queries_follow(town: SmallTown, tmp_path: Path) -> None:
    kernels = np.random.default_rng(0).normal(size=(16, 3, 8, 8)).astype(np.float32)
    (tmp_path / "network.onnx").write_bytes(one_layer(kernels))
    text = f"onnx?weights={tmp_path / 'network.onnx'}&output=map&pool=gem&size_px=64"
    index = tmp_path / "index"
    paths = [photo.path for photo in town.photos[:4]]
    spec = spec_for(index, descriptor=text, views={"scales": "1.5,1", "flip": True})
    assert spec["views"] == {"scales": "1,1.5", "flip": True}
    build_index(index, paths, parallel_map=LocalPool(1), describer=spec)
    recorded = json.loads((index / "manifest.json").read_text())["describer"]
    assert recorded["views"] == spec["views"]
    with Index.open(index) as reader:
        describer = describer_of(reader)
        stored = {photo.path: reader.local(photo.row_id).look for photo in reader.all_photos()}
    for path in paths:
        assert np.array_equal(describer.describe(describer.decode(path)).look, stored[path])
    rgb = decode_rgb(paths[0], max_size=192)
    network = OnnxDescriptor(OnnxOptions(**recorded["descriptor"]["options"]))
    assert np.array_equal(ViewsDescriptor(network, ViewOptions("1,1.5", True)).embed([rgb])[0], stored[paths[0]])
    # Unsaid, the index keeps them; said otherwise, it is another index.
    assert spec_for(index) == recorded
    assert spec_for(index, views={"scales": "1.5,1"}) == recorded
    for other in ({"flip": False}, {"scales": "1"}):
        with pytest.raises(IndexMismatch, match="other options"):
            build_index(index, paths, parallel_map=LocalPool(1), describer=spec_for(index, views=other))


def test_without_views_nothing_is_recorded_and_keypoints_take_none(tmp_path: Path) -> None:
    assert spec_for(tmp_path / "index").keys() == {"features", "descriptor"}
    for said in ({"scales": "1,2"}, {"flip": True}):
        with pytest.raises(UsageError, match="takes no --scales"):
            spec_for(tmp_path / "index", views=said)


@runtime_only
def test_the_command_takes_them(town: SmallTown, tmp_path: Path) -> None:
    (tmp_path / "network.onnx").write_bytes(one_layer(np.ones((4, 3, 8, 8), np.float32)))
    network = f"onnx?weights={tmp_path / 'network.onnx'}&output=map&pool=gem&size_px=64"
    photos, index = [photo.path for photo in town.photos[:3]], str(tmp_path / "index")

    def built(*options: str) -> subprocess.CompletedProcess[str]:
        return called("index", "build", *photos, "--index", index, "--workers", "1", *options)

    refused = built("--flip")
    assert (refused.returncode, "takes no --scales, and no --flip" in refused.stderr) == (2, True)
    refused = built("--descriptor", network, "--scales", "0.1")
    assert (refused.returncode, "size_px is 6" in refused.stderr) == (2, True)
    assert not Path(index).exists()
    assert built("--descriptor", network, "--scales", "1.5,1", "--flip").returncode == 0
    recorded = json.loads((Path(index) / "manifest.json").read_text())["describer"]
    assert recorded["views"] == {"scales": "1,1.5", "flip": True}
    again = built("--no-flip")
    assert (again.returncode, "other options" in again.stderr) == (4, True)


@pytest.mark.realdata
@runtime_only
def test_along_a_corridor_scales_find_more(realdata: Path) -> None:
    """Every third query: 27 of 37 are right at one scale, 31 at two."""
    weights = str(realdata / "weights" / "mobilenet" / "mobilenet_v1_imagenet_embed.onnx")
    half = "0.50196,0.50196,0.50196"
    options: dict[str, Any] = {"weights": weights, "output": "features", "pool": "gem", "mean": half, "std": half}
    plain = OnnxDescriptor(OnnxOptions(size_px=112, **options))
    truth = json.loads((realdata / "corridor" / "ground_truth.json").read_text())

    def pictures(folder: str) -> list[np.ndarray]:
        return [decode_rgb(str(path), max_size=640) for path in sorted((realdata / "corridor" / folder).glob("*.jpg"))]

    queries, references = pictures("query")[::3], pictures("ref")
    right = {}
    for scales in ("1", "1,1.43"):
        descriptor = ViewsDescriptor(plain, ViewOptions(scales))
        best = (descriptor.embed(queries) @ descriptor.embed(references).T).argmax(axis=1)
        right[scales] = sum(int(found) in truth[str(3 * i)] for i, found in enumerate(best))
    assert right["1,1.43"] >= right["1"] + 2
