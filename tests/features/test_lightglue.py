"""LightGlue of seeded random weights: its weights' names, what it must not depend on, and who may use it."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from program import called

from geoloc_cli.errors import MissingExtra, UsageError, WeightsMismatch, WeightsMissing
from geoloc_cli.features.lightglue import FILES, LightGlueMatcher, LightGlueOptions
from geoloc_cli.features.local import LocalFeatures

if TYPE_CHECKING:
    from conftest import SmallTown

HAS_TORCH = all(importlib.util.find_spec(name) for name in ("torch", "kornia"))
torch_only = pytest.mark.skipif(not HAS_TORCH, reason="needs torch and kornia: make test sets them up")
WIDTH, HEIGHT = 640, 480


@functools.cache
def random_state(features: str) -> dict[str, Any]:
    """The state dict of one architecture with random numbers, under kornia's names."""
    glue = importlib.import_module("kornia.feature").LightGlue
    importlib.import_module("torch").manual_seed(0)
    conf = {name: value for name, value in glue.features[features].items() if name != "weights"}
    state: dict[str, Any] = glue(None, **conf).state_dict()
    return state


def random_weights(path: Path, features: str) -> Path:
    importlib.import_module("torch").save(random_state(features), path)
    return path


def as_published(state: dict[str, Any]) -> dict[str, Any]:
    """Under the names that the authors gave them: `self_attn.0.` for `transformers.0.self_attn.`, and a prefix."""
    names = {name: name.split(".") for name in state if name != "confidence_thresholds"}
    old = {n: f"{p[2]}.{p[1]}.{'.'.join(p[3:])}" if p[0] == "transformers" else n for n, p in names.items()}
    return {f"matcher.{old[name]}": state[name] for name in names}


def made(weights: Path, features: str, **options: Any) -> LightGlueMatcher:
    """Random weights are sure of nothing: every mutual match counts, unless said otherwise."""
    return LightGlueMatcher(LightGlueOptions(features, str(weights), **({"min_score": 0.0} | options)))


def pair(n: int, dim: int, seed: int = 0) -> tuple[LocalFeatures, LocalFeatures]:
    """n keypoints, and the same ones in another order, a little elsewhere, a little different."""
    rng = np.random.default_rng(seed)
    keypoints = rng.uniform((20, 20, 1, -3), (WIDTH - 20, HEIGHT - 20, 9, 3), (n, 4)).astype(np.float32)
    looks = rng.normal(size=(n, dim)).astype(np.float32)
    order = rng.permutation(n)
    moved = keypoints[order] + np.float32([4, -3, 0, 0])
    noisy = looks[order] + rng.normal(0, 0.05, (n, dim)).astype(np.float32)
    return LocalFeatures(keypoints, looks, WIDTH, HEIGHT), LocalFeatures(moved, noisy, WIDTH, HEIGHT)


def matched(matcher: LightGlueMatcher, query: LocalFeatures, reference: LocalFeatures) -> np.ndarray:
    return matcher.match(matcher.prepare(query), matcher.prepare(reference))


@pytest.mark.skipif(HAS_TORCH, reason="says what is missing where torch is not installed")
def test_without_torch_the_remedy_is_said() -> None:
    with pytest.raises(MissingExtra, match=r"geoloc\[torch\]"):
        LightGlueMatcher(LightGlueOptions("aliked"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"features": "orb"},
        {"min_score": 1.0},
        {"depth_confidence": -1.0},
        {"width_confidence": 1.5},
        {"max_keypoints": 0},
    ],
)
def test_options_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        LightGlueOptions(**wrong).check()


# Layers x (self-attention 10, cross-attention 12, assignment 4) + 2 x (layers - 1) of confidence, + encoding,
# thresholds, and, where descriptors are not as wide as the network, 2 of their projection. Widths of the published
# files: 256 (LightGlue), 96 (LighterGlue); 32 or 48 frequencies of x, y and, for SIFT, of scale and orientation.
@torch_only
@pytest.mark.parametrize(
    ("features", "tensors", "projection", "encoding"),
    [
        ("aliked", 254, (256, 128), (32, 2)),
        ("sift", 254, (256, 128), (32, 4)),
        ("superpoint", 252, None, (32, 2)),
        ("xfeat", 170, (96, 64), (48, 2)),
    ],
)
def test_weights_have_the_published_architecture_and_come_back_as_they_were(
    tmp_path: Path, features: str, tensors: int, projection: tuple[int, int] | None, encoding: tuple[int, int]
) -> None:
    torch = importlib.import_module("torch")
    state = random_state(features)
    assert len(state) == tensors
    if projection:
        assert state["input_proj.weight"].shape == projection
    assert state["posenc.Wr.weight"].shape == encoding
    torch.save(as_published(state), tmp_path / FILES[features])
    loaded = made(tmp_path / FILES[features], features)._model.state_dict()
    assert set(loaded) == set(state)
    assert all(torch.equal(loaded[name], state[name]) for name in state)


@torch_only
def test_weights_are_found_pinned_and_refused_where_they_are_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEOLOC_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "none"))
    with pytest.raises(WeightsMissing, match=r"xfeat-lighterglue\.pt"):
        LightGlueMatcher(LightGlueOptions("xfeat"))
    path = random_weights(tmp_path / FILES["xfeat"], "xfeat")
    matcher = LightGlueMatcher(LightGlueOptions("xfeat"))
    assert matcher.options.weights == str(path)
    assert len(matcher.options.weights_sha256) == 64
    assert matcher.options.weights_sha256 in matcher.identity
    with pytest.raises(WeightsMismatch, match="another model"):
        LightGlueMatcher(LightGlueOptions("aliked", str(path)))
    with pytest.raises(WeightsMismatch, match="SHA-256"):
        LightGlueMatcher(LightGlueOptions("xfeat", weights_sha256="0" * 64))
    with pytest.raises(UsageError, match="whose keypoints"):
        LightGlueMatcher(LightGlueOptions())


@torch_only
def test_matches_are_the_same_keypoints_whatever_their_order_and_place(tmp_path: Path) -> None:
    matcher = made(random_weights(tmp_path / "weights.pth", "xfeat"), "xfeat", width_confidence=1.0)
    query, reference = pair(80, 64)
    pairs = matched(matcher, query, reference)
    assert pairs.dtype == np.int32
    assert len(pairs) > 20
    for column in (0, 1):
        assert len(np.unique(pairs[:, column])) == len(pairs)
    order = np.random.default_rng(1).permutation(80)
    turned = LocalFeatures(query.keypoints[order], query.descriptors[order], WIDTH, HEIGHT)
    again = matched(matcher, turned, reference)
    # The same sums in another order: a match or two at the edge of being mutual may differ.
    same = {(int(order[i]), int(j)) for i, j in again} & {(int(i), int(j)) for i, j in pairs}
    assert len(same) >= max(len(pairs), len(again)) - 2
    # Another first pixel: only differences of positions within a picture count, so that COLMAP's half is none.
    shifted = LocalFeatures(query.keypoints + np.float32([0.5, 0.5, 0, 0]), query.descriptors, WIDTH, HEIGHT)
    away = matched(matcher, shifted, reference)
    assert len({tuple(p) for p in away.tolist()} & {tuple(p) for p in pairs.tolist()}) >= len(pairs) - 2
    # Scales and orientations are for SIFT's network alone.
    turned = LocalFeatures(query.keypoints * np.float32([1, 1, 3, 0]), query.descriptors, WIDTH, HEIGHT)
    assert np.array_equal(matched(matcher, turned, reference), pairs)


@torch_only
def test_sift_has_scales_and_orientations_unit_rows_and_keypoints_within_the_picture(tmp_path: Path) -> None:
    matcher = made(random_weights(tmp_path / "sift.pth", "sift"), "sift", max_keypoints=8)
    keypoints = np.tile(np.float32([-0.2, HEIGHT + 0.2, 2.0, 0.5]), (9, 1))
    looks = np.full((9, 128), 45, np.uint8)  # 512 / sqrt(128)
    prepared = matcher.prepare(LocalFeatures(keypoints, looks, WIDTH, HEIGHT))
    assert prepared["descriptors"].shape == (1, 8, 128)
    assert prepared["descriptors"].norm(dim=-1).numpy() == pytest.approx(1.0, abs=1e-5)
    assert prepared["keypoints"][0, 0].tolist() == [0.0, HEIGHT]
    assert prepared["image_size"].tolist() == [[WIDTH, HEIGHT]]
    assert (prepared["scales"][0, 0].item(), prepared["oris"][0, 0].item()) == (2.0, 0.5)
    assert len(matcher.match(prepared, prepared)) <= 8


@torch_only
def test_nothing_matches_nothing_and_other_descriptors_are_refused(tmp_path: Path) -> None:
    path = random_weights(tmp_path / "xfeat.pth", "xfeat")
    matcher = made(path, "xfeat")
    query, reference = pair(20, 64)
    for a, b in ((query.first(0), reference), (query, reference.first(0)), (query.first(0), reference.first(0))):
        found = matched(matcher, a, b)
        assert (found.shape, found.dtype) == ((0, 2), np.int32)
    # Of a random network nothing is likely.
    assert len(matched(made(path, "xfeat", min_score=0.99), query, reference)) == 0
    with pytest.raises(UsageError, match=r"of 64 numbers, and these have 128"):
        matcher.prepare(pair(20, 128)[0])


@torch_only
def test_locate_takes_it_by_the_features_of_the_index(town: SmallTown, tmp_path: Path) -> None:
    path = random_weights(tmp_path / "sift_lightglue.pth", "sift")
    text = f"lightglue?weights={path}&max_keypoints=64"
    asked = ("--matcher", text, "--top-k", "2", "--workers", "1")
    done = called("locate", town.queries[0].path, "--index", town.index, *asked)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    # Random weights match nothing with any likelihood, and say so.
    assert (record["status"], record["reason"]) == ("unlocated", "not_in_index")
    assert [candidate["matches"] for candidate in record["candidates"]] == [0, 0]
