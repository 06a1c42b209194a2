"""EfficientLoFTR: pictures at one size, cells paired and refined as by a slow reference, and whose weights it takes."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from pictures import on_grid, texture

from geoloc_cli.errors import WeightsMismatch, WeightsMissing
from geoloc_cli.features.efficient_loftr import EfficientLoftrMatcher, EfficientLoftrOptions, paired, refined
from geoloc_cli.registry import BackendSpec, create
from geoloc_cli.testing.efficient_loftr import random_efficient_loftr

HAS_TORCH = all(importlib.util.find_spec(name) for name in ("torch", "transformers", "safetensors"))
pytestmark = pytest.mark.skipif(not HAS_TORCH, reason="needs torch and transformers: make setup-torch")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_efficient_loftr(tmp_path_factory.mktemp("efficient_loftr") / "efficientloftr.safetensors")


@pytest.fixture(scope="module")
def matcher(weights: Path) -> EfficientLoftrMatcher:
    return EfficientLoftrMatcher(EfficientLoftrOptions(str(weights), min_score=0.0))


def test_the_published_file_fits() -> None:
    """Its 16,050,816 float32 numbers are counted by the hub; counters of batches, integers, are not among them."""
    torch, transformers = importlib.import_module("torch"), importlib.import_module("transformers")
    with torch.device("meta"):
        model = transformers.EfficientLoFTRForKeypointMatching(transformers.EfficientLoFTRConfig())
    state = model.state_dict()
    assert sum(value.numel() for value in state.values() if value.is_floating_point()) == 16_050_816
    assert tuple(state["efficientloftr.backbone.stages.0.blocks.0.conv1.conv.weight"].shape) == (64, 1, 3, 3)


def test_both_pictures_are_compared_at_one_size_of_whole_groups(matcher: EfficientLoftrMatcher) -> None:
    across, upright = (1024, 768), (768, 1024)
    assert matcher.sizes(across, across) == ((640, 480), (640, 480))
    assert matcher.sizes(upright, upright) == ((480, 640), (480, 640))
    assert matcher.sizes(across, upright) == ((640, 640), (640, 640))
    # Nothing is enlarged but to whole groups: 200 x 150 to 192 x 160.
    assert matcher.sizes((200, 150), (160, 120)) == ((192, 160), (192, 160))
    assert matcher.sizes((2000, 1), (1, 1)) == ((640, 32), (640, 32))


def test_cells_are_paired_as_by_brute_force() -> None:
    torch = importlib.import_module("torch")
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(20, 8)), rng.normal(size=(30, 8))
    grown = np.exp(a @ b.T / 2.0)
    scores = grown / grown.sum(axis=0) * (grown / grown.sum(axis=1, keepdims=True))
    expected = [
        (i, j, scores[i, j]) for i in range(20) for j in range(30) if scores[i, j] == max(*scores[i], *scores[:, j])
    ]
    rows_a, rows_b, found = paired(torch.from_numpy(a), torch.from_numpy(b), 2.0)
    assert len(expected) > 5
    assert list(zip(rows_a.tolist(), rows_b.tolist(), strict=True)) == [(i, j) for i, j, _ in expected]
    assert found.tolist() == pytest.approx([score for _, _, score in expected])


def test_places_are_refined_as_by_a_slow_reference() -> None:
    """Window by window, as equations 4 to 6 of the paper and the authors' training count pixels."""
    torch = importlib.import_module("torch")
    rng = np.random.default_rng(0)
    side, rimmed, channels, local, temperature = 4, 6, 10, 2, 3.0
    a = rng.normal(size=(25, side * side, channels)) * 3
    b = rng.normal(size=(25, rimmed * rimmed, channels)) * 3
    moved_a, moved_b = refined(torch.from_numpy(a).float(), torch.from_numpy(b).float(), local, temperature)
    at_rim = 0
    for window_a, window_b, found_a, found_b in zip(a, b, moved_a.numpy(), moved_b.numpy(), strict=True):
        grown = np.exp(window_a[:, :-local] @ window_b[:, :-local].T / channels)
        likely = (grown / grown.sum(axis=0) * (grown / grown.sum(axis=1, keepdims=True))).reshape(-1, rimmed, rimmed)
        best, pixel_a, y, x = max(
            (likely[i, v + 1, u + 1], i, v, u) for i in range(side**2) for v in range(side) for u in range(side)
        )
        assert best > 0
        grid = window_b.reshape(rimmed, rimmed, channels)
        steps = [(dx, dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
        heat = np.array([grid[y + dy, x + dx, -local:] @ window_a[pixel_a, -local:] / local**0.5 for dx, dy in steps])
        heat = np.exp(heat / temperature) / np.exp(heat / temperature).sum()
        at_rim += 0 in (x, y)
        assert found_a == pytest.approx([pixel_a % side - 1.5, pixel_a // side - 1.5])
        assert found_b == pytest.approx(np.array([x - 1.5, y - 1.5]) + heat @ np.array(steps), abs=1e-4)
    assert at_rim > 3


def test_a_moved_picture_is_matched_where_it_moved(matcher: EfficientLoftrMatcher) -> None:
    wide = texture(256, 192)
    # Whole groups, by which attention steps: what is at (x, y) of b is at (x + 32, y + 32) of a.
    in_a, in_b, scores = matcher.dense(wide[:160, :224], wide[32:, 32:])
    moved = in_a - in_b
    assert len(moved) > 150
    assert scores.min() > 0
    # Untrained, the last stage is off by up to a pixel to either side.
    assert np.mean(np.abs(moved - 32).max(axis=1) <= 2.0) > 0.9
    # The two outermost of the cells of 8 px are left out, and a window is half of one to either side.
    for points in (in_a, in_b):
        assert points.min(axis=0) == pytest.approx([16, 16], abs=5)
        assert (points.max(axis=0) <= (224 - 24 + 5, 160 - 24 + 5)).all()


def test_the_same_pictures_give_the_same_rows_which_are_those_of_the_motion(
    matcher: EfficientLoftrMatcher,
) -> None:
    wide = texture(256, 192)
    a, b = on_grid(wide[:160, :224], (2, 2)), on_grid(wide[32:, 32:], (2, 2))
    pairs = matcher.match(matcher.prepare(a), matcher.prepare(b))
    again = matcher.match(matcher.prepare(a), matcher.prepare(b))
    assert pairs.dtype == np.int32
    assert len(pairs) > 50
    assert pairs.tobytes() == again.tobytes()
    moved = a.keypoints[pairs[:, 0], :2] - b.keypoints[pairs[:, 1], :2]
    assert np.mean((moved == 32).all(axis=1)) > 0.8


def test_rows_are_those_of_the_described_size_whatever_size_is_compared(weights: Path) -> None:
    """Described at 448 x 320 and compared at 224 x 160: its keypoints 16 px apart are 8 px apart there."""
    matcher = EfficientLoftrMatcher(EfficientLoftrOptions(str(weights), min_score=0.0, max_size_px=224))
    wide = np.kron(texture(256, 192), np.ones((2, 2), np.uint8))
    a, b = on_grid(wide[:320, :448], (5, 5), 16), on_grid(wide[64:, 64:], (5, 5), 16)
    pairs = matcher.match(matcher.prepare(a), matcher.prepare(b))
    moved = a.keypoints[pairs[:, 0], :2] - b.keypoints[pairs[:, 1], :2]
    assert len(pairs) > 20
    assert np.mean((moved == 64).all(axis=1)) > 0.8


def test_what_is_less_sure_is_left_out_and_plain_pictures_and_slivers_match_nothing(
    weights: Path, matcher: EfficientLoftrMatcher
) -> None:
    sure = EfficientLoftrMatcher(EfficientLoftrOptions(str(weights), min_score=0.9))
    wide = texture(256, 192)
    scores = matcher.dense(wide[:160, :224], wide[32:, 32:])[2]
    kept = sure.dense(wide[:160, :224], wide[32:, 32:])[2]
    assert 0 < len(kept) < len(scores)
    assert kept.tolist() == [score for score in scores.tolist() if score > 0.9]
    features, sliver = on_grid(np.full((64, 96), 90, np.uint8)), on_grid(texture(640, 4))
    assert sure.match(sure.prepare(features), sure.prepare(features)).shape == (0, 2)
    # All cells of a sliver are among the outermost.
    assert matcher.match(matcher.prepare(sliver), matcher.prepare(sliver)).shape == (0, 2)


def test_weights_are_found_pinned_and_refused_where_they_are_others(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "none"))
    with pytest.raises(WeightsMissing, match=r"'efficient-loftr' needs its weights, .* efficientloftr\.safetensors"):
        EfficientLoftrMatcher()
    monkeypatch.setenv("GEOLOC_WEIGHTS", str(weights.parent))
    made = create("matcher", BackendSpec("efficient-loftr", {"min_score": "0.5"}))
    assert isinstance(made, EfficientLoftrMatcher)
    assert made.options.weights == str(weights)
    assert made.options.min_score == 0.5
    assert made.options.weights_sha256 in made.identity
    held = importlib.import_module("safetensors.torch").load_file(weights)
    loaded = made._model.state_dict()
    assert all((loaded[name] == value).all() for name, value in held.items())
    held.pop("refinement_layer.out_conv.weight")
    importlib.import_module("safetensors.torch").save_file(held, tmp_path / "other.safetensors")
    with pytest.raises(WeightsMismatch, match="another model"):
        EfficientLoftrMatcher(EfficientLoftrOptions(str(tmp_path / "other.safetensors")))
