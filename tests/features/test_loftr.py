"""LoFTR: dense matches snapped to keypoints, pictures brought to whole cells, and whose weights it takes."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from pictures import on_grid, texture
from PIL import Image

from geoloc_cli.errors import MissingExtra, UsageError, WeightsMismatch, WeightsMissing
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.features.loftr import LoftrMatcher, LoftrOptions
from geoloc_cli.testing.loftr import random_loftr

HAS_TORCH = all(importlib.util.find_spec(name) for name in ("torch", "kornia"))
torch_only = pytest.mark.skipif(not HAS_TORCH, reason="needs torch and kornia: make test sets them up")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_loftr(tmp_path_factory.mktemp("loftr") / "loftr_outdoor.ckpt")


@pytest.mark.skipif(HAS_TORCH, reason="says what is missing where torch is not installed")
def test_without_torch_the_remedy_is_said() -> None:
    with pytest.raises(MissingExtra, match=r"geoloc\[torch\]"):
        LoftrMatcher()


@torch_only
def test_weights_are_found_pinned_and_refused_where_they_are_others(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = importlib.import_module("torch")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "none"))
    with pytest.raises(WeightsMissing, match=r"matcher 'loftr' needs its weights, .* loftr_outdoor\.ckpt"):
        LoftrMatcher()
    monkeypatch.setenv("GEOLOC_WEIGHTS", str(weights.parent))
    matcher = LoftrMatcher()
    assert matcher.options.weights == str(weights)
    assert len(matcher.options.weights_sha256) == 64
    assert matcher.options.weights_sha256 in matcher.identity
    held = torch.load(weights, weights_only=True)["state_dict"]
    loaded = matcher._model.state_dict()
    assert {name.removeprefix("matcher.") for name in held} == set(loaded)
    assert all(torch.equal(loaded[name.removeprefix("matcher.")], value) for name, value in held.items())
    with pytest.raises(WeightsMismatch, match="SHA-256"):
        LoftrMatcher(LoftrOptions(weights_sha256="0" * 64))
    torch.save({"layer.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(WeightsMismatch, match="another model"):
        LoftrMatcher(LoftrOptions(str(tmp_path / "other.pth")))
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(WeightsMismatch, match="cannot be read as weights"):
        LoftrMatcher(LoftrOptions(str(tmp_path / "text.pth")))


@torch_only
def test_a_moved_picture_is_matched_where_it_moved(weights: Path) -> None:
    matcher = LoftrMatcher(LoftrOptions(str(weights), min_score=0.0))
    wide = texture(216, 136)
    a, b = wide[:128, :192], wide[8:, 24:]  # what is at (x, y) of b is at (x + 24, y + 8) of a
    features_a, features_b = on_grid(a), on_grid(b)
    pairs = matcher.match(matcher.prepare(features_a), matcher.prepare(features_b))
    moved = features_a.keypoints[pairs[:, 0], :2] - features_b.keypoints[pairs[:, 1], :2]
    # Random weights tell textures apart, if not well: the true motion is by far the most frequent.
    motions, counts = np.unique(moved, axis=0, return_counts=True)
    assert motions[counts.argmax()].tolist() == [24.0, 8.0]
    assert counts.max() > 0.3 * len(pairs)
    assert len(np.unique(pairs[:, 0])) == len(np.unique(pairs[:, 1])) == len(pairs)
    # Of a random network nothing is likely.
    sure = LoftrMatcher(LoftrOptions(str(weights), min_score=0.9))
    assert sure.match(sure.prepare(features_a), sure.prepare(features_b)).shape == (0, 2)


@torch_only
def test_rows_are_those_of_the_described_size_whatever_size_is_compared(weights: Path) -> None:
    picture = np.asarray(Image.fromarray(texture(192, 128)).resize((384, 256), Image.Resampling.BICUBIC))
    matcher = LoftrMatcher(LoftrOptions(str(weights), min_score=0.0, max_size_px=192))
    # Compared at half the size, the network's grid of 8 pixels is one of 16; beside it, and beyond reach, is no match.
    near, beside = on_grid(picture, (2, 2), 16), on_grid(picture, (3, 3), 16)
    pairs = matcher.match(matcher.prepare(near), matcher.prepare(near))
    assert len(pairs) > 20
    assert np.mean(pairs[:, 0] == pairs[:, 1]) > 0.9
    assert len(matcher.match(matcher.prepare(near), matcher.prepare(beside))) == 0


@torch_only
def test_features_without_a_picture_are_refused_and_slivers_match_nothing(weights: Path) -> None:
    matcher = LoftrMatcher(LoftrOptions(str(weights), min_score=0.0))
    features = on_grid(texture(96, 64))
    bare = LocalFeatures(features.keypoints, features.descriptors, 96, 64)
    with pytest.raises(UsageError, match="come without one; take mutual-nn"):
        matcher.prepare(bare)
    assert matcher.prepare(features.first(5)).picture.shape == (64, 96)
    sliver = on_grid(texture(640, 4))
    assert matcher.match(matcher.prepare(sliver), matcher.prepare(features)).shape == (0, 2)
