"""Matching against a slow exact truth, and SIFT on pictures with and without texture."""

from __future__ import annotations

import numpy as np
import pytest

from geoloc_cli.features.local import LocalFeatures, unit_rows
from geoloc_cli.features.match import MutualNearest, MutualNearestOptions, match_unit
from geoloc_cli.features.sift import SiftFeatures, SiftOptions


def made_rows(rng: np.random.Generator, n: int, dim: int = 16) -> np.ndarray:
    rows = rng.normal(size=(n, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def slow_matches(a: np.ndarray, b: np.ndarray, max_ratio: float) -> list[tuple[int, int]]:
    found = []
    for i, row in enumerate(a):
        distances = np.linalg.norm(b - row, axis=1)
        j = int(distances.argmin())
        second = np.delete(distances, j).min()
        if int(np.linalg.norm(a - b[j], axis=1).argmin()) == i and distances[j] < max_ratio * second:
            found.append((i, j))
    return found


@pytest.mark.parametrize("n", [1, 50, 1500])  # 1500 rows take more than one block
def test_agrees_with_the_slow_truth(n: int) -> None:
    rng = np.random.default_rng(n)
    b = made_rows(rng, 700)
    a = b[rng.integers(0, 700, n)] + rng.normal(0, 0.1, (n, 16)).astype(np.float32)
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    expected = slow_matches(a, b, 0.8)
    assert [tuple(pair) for pair in match_unit(a, b, 0.8).tolist()] == expected
    assert n == 1 or len(expected) > 10


def test_nothing_matches_nothing() -> None:
    rng = np.random.default_rng(0)
    assert match_unit(made_rows(rng, 0), made_rows(rng, 5), 0.8).shape == (0, 2)
    assert match_unit(made_rows(rng, 5), made_rows(rng, 1), 0.8).shape == (0, 2)


def matches(max_ratio: float, query: LocalFeatures, reference: LocalFeatures) -> np.ndarray:
    matcher = MutualNearest(MutualNearestOptions(max_ratio=max_ratio))
    return matcher.match(matcher.prepare(query), matcher.prepare(reference))


def test_a_stricter_ratio_and_fewer_query_keypoints_give_fewer_matches() -> None:
    rng = np.random.default_rng(5)
    looks = rng.integers(0, 120, (400, 128)).astype(np.uint8)
    noisy = (looks + rng.integers(0, 60, looks.shape)).astype(np.uint8)
    keypoints = np.ones((400, 4), np.float32)
    query, reference = LocalFeatures(keypoints, noisy, 10, 10), LocalFeatures(keypoints, looks, 10, 10)
    all_of_them = matches(0.95, query, reference)
    strict = matches(0.5, query, reference)
    few = matches(0.95, query.first(100), reference)
    assert len(strict) < len(all_of_them)
    assert few[:, 0].max() < 100 < len(all_of_them)
    assert query.first(400) is query


def field(contrast: float, seed: int = 0) -> np.ndarray:
    """A textured picture, 320 x 240: blobs of several sizes, `contrast` grey levels of standard deviation."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((240, 320))
    for size in (4, 8, 16):
        coarse = rng.normal(size=(240 // size, 320 // size))
        picture += np.kron(coarse, np.ones((size, size)))
    return np.clip(128 + contrast * picture / picture.std(), 0, 255).astype(np.uint8)


def test_bare_ground_is_described_by_the_low_contrast_threshold() -> None:
    plain = field(3.0)
    usual = SiftFeatures(SiftOptions(peak_threshold=0.02 / 3)).extract(plain)
    ours = SiftFeatures().extract(plain)
    assert len(ours) > 5 * max(1, len(usual))
    assert len(ours) > 100


def test_blank_picture_gives_no_features_and_order_is_coarse_to_fine() -> None:
    assert len(SiftFeatures().extract(np.full((64, 64), 7, np.uint8))) == 0
    assert len(SiftFeatures().extract(np.zeros((1, 1), np.uint8))) == 0
    features = SiftFeatures(SiftOptions(max_features=200)).extract(field(40.0))
    assert len(features) == 200
    assert (np.diff(features.keypoints[:, 2]) <= 0).all()
    assert np.linalg.norm(unit_rows(features.descriptors), axis=1) == pytest.approx(1.0, abs=1e-5)
    assert (features.keypoints[:, :2] >= 0).all()
    assert (features.keypoints[:, :2] <= (320, 240)).all()


def dots() -> np.ndarray:
    """Small dots far apart, 320 x 240: keypoints at the finest scales and at no other."""
    rows, columns = np.indices((240, 320))
    picture = np.full((240, 320), 60.0)
    for y in range(20, 230, 40):
        for x in range(20, 310, 40):
            picture += 180 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * 2.2**2))
    return np.clip(picture, 0, 255).astype(np.uint8)


def test_a_picture_is_described_the_same_whatever_came_before_it() -> None:
    # The underlying library keeps the gradient of the last octave that had keypoints: here the first.
    fine_scales_alone = SiftOptions(peak_threshold=0.02 / 3)
    alone = SiftFeatures(fine_scales_alone).extract(field(40.0))
    extractor = SiftFeatures(fine_scales_alone)
    before = extractor.extract(dots())
    after = extractor.extract(field(40.0))
    assert len(before) >= 40
    assert before.keypoints[:, 2].max() < 4.0
    assert np.array_equal(after.keypoints, alone.keypoints)
    assert np.array_equal(after.descriptors, alone.descriptors)
