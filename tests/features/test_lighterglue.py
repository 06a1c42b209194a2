"""LighterGlue's ONNX network: keypoints of XFeat only, whatever their order, and no other file in its place."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from program import called

from geoloc_cli.errors import MissingExtra, UsageError, WeightsMismatch, WeightsMissing
from geoloc_cli.features.lighterglue import LighterGlueMatcher, LighterGlueOptions
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.features.match import MutualNearest
from geoloc_cli.features.xfeat import XFeatFeatures, XFeatOptions
from geoloc_cli.photos.decode import decode_gray
from geoloc_cli.retrieval.verify import Query, VerifyOptions, verify_pair

if TYPE_CHECKING:
    from conftest import SmallTown

HAS_RUNTIME = importlib.util.find_spec("onnxruntime") is not None
HAS_TORCH = all(importlib.util.find_spec(name) for name in ("torch", "kornia"))
runtime_only = pytest.mark.skipif(not HAS_RUNTIME, reason="needs onnxruntime: pip install 'geoloc[onnx]'")
WIDTH, HEIGHT = 640, 480


@pytest.fixture(scope="module")
def matcher(realdata: Path) -> LighterGlueMatcher:
    if not HAS_RUNTIME:
        pytest.skip("needs onnxruntime")
    return LighterGlueMatcher(LighterGlueOptions(str(realdata / "weights" / "xfeat" / "lighterglue_L3.onnx")))


def scattered(n: int, seed: int = 0, dim: int = 64) -> LocalFeatures:
    rng = np.random.default_rng(seed)
    keypoints = np.ones((n, 4), np.float32)
    keypoints[:, :2] = rng.uniform((0, 0), (WIDTH, HEIGHT), (n, 2))
    return LocalFeatures(keypoints, rng.normal(size=(n, dim)).astype(np.float32), WIDTH, HEIGHT)


def matched(matcher: LighterGlueMatcher, query: LocalFeatures, reference: LocalFeatures) -> np.ndarray:
    return matcher.match(matcher.prepare(query), matcher.prepare(reference))


@pytest.mark.skipif(HAS_RUNTIME, reason="says what is missing where onnxruntime is not installed")
def test_without_onnxruntime_the_remedy_is_said() -> None:
    with pytest.raises(MissingExtra, match=r"geoloc\[onnx\]"):
        LighterGlueMatcher()


@pytest.mark.parametrize("wrong", [{"min_score": -0.1}, {"min_score": 1.0}, {"max_keypoints": 7}])
def test_options_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        LighterGlueOptions(**wrong).check()


@runtime_only
def test_a_file_that_is_no_network_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOLOC_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "none"))
    with pytest.raises(WeightsMissing, match=r"lighterglue_L3\.onnx"):
        LighterGlueMatcher()
    (tmp_path / "lighterglue_L3.onnx").write_bytes(b"no network")
    with pytest.raises(WeightsMismatch, match="cannot be read as a network"):
        LighterGlueMatcher()
    with pytest.raises(WeightsMismatch, match="SHA-256"):
        LighterGlueMatcher(LighterGlueOptions(weights_sha256="0" * 64))


@pytest.mark.realdata
@runtime_only
def test_another_network_is_refused_and_the_right_one_pinned(realdata: Path, matcher: LighterGlueMatcher) -> None:
    assert len(matcher.options.weights_sha256) == 64
    assert matcher.options.weights_sha256 in matcher.identity
    assert "onnxruntime" in matcher.identity
    with pytest.raises(WeightsMismatch, match="another network"):
        LighterGlueMatcher(LighterGlueOptions(str(realdata / "weights" / "xfeat" / "xfeat_dynamic.onnx")))


@pytest.mark.realdata
def test_a_picture_matches_itself_whatever_the_order_of_its_keypoints(matcher: LighterGlueMatcher) -> None:
    query = scattered(200)
    pairs = matched(matcher, query, query)
    assert pairs.dtype == np.int32
    # Random descriptors are not XFeat's, and yet nearly all are found likeliest to be themselves.
    assert len(pairs) > 100
    assert (pairs[:, 0] == pairs[:, 1]).mean() > 0.98
    order = np.random.default_rng(1).permutation(200)
    turned = LocalFeatures(query.keypoints[order], query.descriptors[order], WIDTH, HEIGHT)
    again = {(int(order[i]), int(j)) for i, j in matched(matcher, turned, query)}
    assert len(again & {(int(i), int(j)) for i, j in pairs}) >= max(len(again), len(pairs)) - 2
    # Described at another size, or with another first pixel, it is the same picture.
    larger = LocalFeatures(query.keypoints * np.float32(2.0), query.descriptors, 2 * WIDTH, 2 * HEIGHT)
    assert np.array_equal(matcher.prepare(larger)[0], matcher.prepare(query)[0])
    shifted = LocalFeatures(query.keypoints + np.float32([0.5, 0.5, 0, 0]), query.descriptors, WIDTH, HEIGHT)
    moved = {(int(i), int(j)) for i, j in matched(matcher, shifted, query)}
    assert len(moved & {(int(i), int(j)) for i, j in pairs}) >= len(pairs) - 2


@pytest.mark.realdata
def test_nothing_matches_nothing_and_other_descriptors_are_refused(matcher: LighterGlueMatcher) -> None:
    some, none = scattered(20), scattered(0)
    for query, reference in ((none, some), (some, none), (none, none)):
        found = matched(matcher, query, reference)
        assert (found.shape, found.dtype) == ((0, 2), np.int32)
    assert matched(matcher, scattered(1), some).shape[1] == 2
    with pytest.raises(UsageError, match="of 64 numbers, and these have 128"):
        matcher.prepare(scattered(20, dim=128))


@pytest.mark.realdata
@runtime_only
def test_locate_refuses_it_for_the_descriptors_of_another(town: SmallTown, realdata: Path) -> None:
    text = f"lighterglue?weights={realdata / 'weights' / 'xfeat' / 'lighterglue_L3.onnx'}"
    done = called("locate", town.queries[0].path, "--index", town.index, "--matcher", text, "--workers", "1")
    assert done.returncode == 2
    assert "take the matcher mutual-nn" in done.stderr


@pytest.mark.realdata
@pytest.mark.skipif(not HAS_TORCH, reason="needs torch and kornia: make test sets them up")
def test_on_photographs_it_verifies_more_than_nearest_neighbours(realdata: Path, matcher: LighterGlueMatcher) -> None:
    weights = str(realdata / "weights" / "xfeat" / "xfeat_backbone_kornia.pth")
    xfeat = XFeatFeatures(XFeatOptions(weights=weights, max_features=1024))

    def described(name: str) -> LocalFeatures:
        gray = decode_gray(str(realdata / "fountain" / "photos" / name), max_size=768).pixels[:480]
        return xfeat.extract(gray)

    query, reference = described("0004.jpg"), described("0006.jpg")
    eager = LighterGlueMatcher(replace(matcher.options, min_score=0.1))
    usual, learned = (
        verify_pair(Query(query, by, 1024), reference, VerifyOptions()) for by in (MutualNearest(), eager)
    )
    # Two steps apart on the arc about the fountain.
    assert learned.inliers > 1.3 * usual.inliers > 50
    assert learned.inliers > 0.7 * learned.matches
