"""LoFTR: dense matches snapped to keypoints, pictures brought to whole cells, and whose weights it takes."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from geoloc_cli.errors import MissingExtra, UsageError, WeightsMismatch, WeightsMissing
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.features.loftr import LoftrMatcher, LoftrOptions, compared, snapped
from geoloc_cli.testing.loftr import random_loftr

HAS_TORCH = all(importlib.util.find_spec(name) for name in ("torch", "kornia"))
torch_only = pytest.mark.skipif(not HAS_TORCH, reason="needs torch and kornia: make test sets them up")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_loftr(tmp_path_factory.mktemp("loftr") / "loftr_outdoor.ckpt")


def texture(width: int, height: int, seed: int = 0) -> np.ndarray:
    """(height, width) uint8: random numbers, one for 4 x 4 pixels, interpolated."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def on_grid(picture: np.ndarray, shift: tuple[int, int] = (0, 0), step: int = 8) -> LocalFeatures:
    """Keypoints on the network's grid of a picture, each moved by `shift`; looks do not matter here."""
    height, width = picture.shape
    x, y = np.meshgrid(np.arange(0, width, step), np.arange(0, height, step))
    keypoints = np.zeros((x.size, 4), np.float32)
    keypoints[:, 0], keypoints[:, 1] = x.ravel() + shift[0], y.ravel() + shift[1]
    return LocalFeatures(keypoints, np.zeros((x.size, 2), np.uint8), width, height, picture)


def rows(pairs: np.ndarray) -> list[tuple[int, ...]]:
    assert pairs.dtype == np.int32
    return [tuple(pair) for pair in pairs.tolist()]


def floats(*values: Any) -> np.ndarray:
    return np.array(values, np.float32)


def test_each_keypoint_keeps_its_most_confident_match_within_reach() -> None:
    keypoints_a = floats((10, 10), (50, 10), (90, 10))
    keypoints_b = floats((20, 30), (60, 30), (100, 30), (140, 30))
    dense = [
        ((52, 10), (60, 31), 0.5),  # 1 - 1, and loses its b to none
        ((11, 10), (21, 30), 0.3),  # 0 - 0, less sure than the next
        ((8, 10), (100, 30), 0.9),  # 0 - 2, the surest of a's row 0
        ((90, 12), (102, 30), 0.8),  # 2 - 2, but b's row 2 is taken by 0 - 2
        ((90, 10), (140, 33), 0.2),  # 2 - 3: exactly 3 px away is within reach
        ((10, 13.1), (20, 30), 1.0),  # a's end is 3.1 px from its nearest
        ((50, 10), (20, 33.1), 1.0),  # b's end is
    ]
    a, b, scores = floats(*(m[0] for m in dense)), floats(*(m[1] for m in dense)), floats(*(m[2] for m in dense))
    assert rows(snapped(a, b, scores, keypoints_a, keypoints_b, 3.0)) == [(0, 2), (1, 1), (2, 3)]
    # With less reach the match that 0 - 2 had kept out comes through.
    assert rows(snapped(a, b, scores, keypoints_a, keypoints_b, 1.5)) == [(0, 0)]


def test_snapping_is_the_same_in_any_order_and_the_same_as_by_brute_force() -> None:
    rng = np.random.default_rng(0)
    keypoints_a, keypoints_b = rng.uniform(0, 100, (2, 300, 2)).astype(np.float32)
    a, b = rng.uniform(0, 100, (2, 700, 2)).astype(np.float32)
    scores = rng.integers(1, 4, 700).astype(np.float32)  # many are equally sure
    pairs = rows(snapped(a, b, scores, keypoints_a, keypoints_b, 3.0))
    order = rng.permutation(700)
    assert rows(snapped(a[order], b[order], scores[order], keypoints_a, keypoints_b, 3.0)) == pairs
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    possible = set()
    for point, other, score in zip(a, b, scores, strict=True):
        far_a, far_b = np.linalg.norm(keypoints_a - point, axis=1), np.linalg.norm(keypoints_b - other, axis=1)
        if far_a.min() <= 3.0 and far_b.min() <= 3.0:
            possible.add((float(score), int(far_a.argmin()), int(far_b.argmin())))
    best = {(i, j): max(s for s, k, m in possible if (k, m) == (i, j)) for _, i, j in possible}
    assert set(pairs) <= set(best)
    # What was left out shares an end with one that is as sure at the least.
    for (i, j), score in best.items():
        assert any((i == k or j == m) and best[k, m] >= score for k, m in pairs)


def test_nothing_snaps_to_nothing() -> None:
    none, some = np.zeros((0, 2), np.float32), floats((1, 1))
    for a, keypoints_a, keypoints_b in ((none, some, some), (some, none, some), (some, some, none)):
        found = snapped(a, a, np.ones(len(a), np.float32), keypoints_a, keypoints_b, 3.0)
        assert (found.shape, found.dtype) == ((0, 2), np.int32)


def test_pictures_come_to_whole_cells_and_their_pixels_back() -> None:
    picture = texture(1000, 668)
    pixels, scale = compared(picture, 320)
    # 320 x 213.76, of which 26.72 cells are 27.
    assert pixels.shape == (216, 320)
    assert scale == pytest.approx([1000 / 320, 668 / 216])
    same, one = compared(picture[:664], 1000)
    assert same.shape == (664, 1000)
    assert one.tolist() == [1.0, 1.0]
    # The longer side never exceeds what is asked for: 100 is 12 cells and a half.
    assert compared(picture, 100)[0].shape == (64, 96)
    # The edge between black and white is where it was, in COLMAP's pixels, whose origin is the picture's corner.
    split = np.zeros((640, 1280), np.uint8)
    split[:, 500:] = 255
    half, scale = compared(split, 640)
    assert int((half[100] < 128).sum()) * scale[0] == 500.0


@pytest.mark.parametrize("wrong", [{"min_score": 1.0}, {"snap_px": 0.0}, {"max_size_px": 8}])
def test_options_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        LoftrOptions(**wrong).check()


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
    assert matcher.prepare(features.first(5)).pixels.shape == (64, 96)
    sliver = on_grid(texture(640, 4))
    assert matcher.match(matcher.prepare(sliver), matcher.prepare(features)).shape == (0, 2)


def test_a_picture_has_the_size_of_its_features() -> None:
    features = on_grid(texture(96, 64))
    with pytest.raises(ValueError, match="picture"):
        LocalFeatures(features.keypoints, features.descriptors, 96, 64, texture(64, 96))
