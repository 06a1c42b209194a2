"""What dense matchers share: snapping to keypoints, sizes of whole cells, and pixels that come back from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pictures import on_grid, texture

from geoloc_cli.errors import UsageError
from geoloc_cli.features.dense import DenseOptions, resized, snapped, whole_cells
from geoloc_cli.features.efficient_loftr import EfficientLoftrOptions
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.features.loftr import LoftrOptions


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


def test_sizes_come_to_whole_cells_and_the_longer_side_to_no_more_than_is_asked_for() -> None:
    # 320 x 213.76, of which 26.72 cells are 27.
    assert whole_cells((1000, 668), 320, 8) == (320, 216)
    assert whole_cells((1000, 664), 1000, 8) == (1000, 664)
    # 100 is 12 cells and a half.
    assert whole_cells((1000, 668), 100, 8) == (96, 64)
    assert whole_cells((1000, 3), 100, 8) == (96, 8)


def test_pixels_of_a_resized_picture_come_back() -> None:
    picture = texture(1000, 668)
    pixels, scale = resized(picture, (320, 216))
    assert pixels.shape == (216, 320)
    assert scale == pytest.approx([1000 / 320, 668 / 216])
    same, one = resized(picture, (1000, 668))
    assert same is picture
    assert one.tolist() == [1.0, 1.0]
    # The edge between black and white is where it was, in COLMAP's pixels, whose origin is the picture's corner.
    split = np.zeros((640, 1280), np.uint8)
    split[:, 500:] = 255
    half, scale = resized(split, (640, 320))
    assert int((half[100] < 128).sum()) * scale[0] == 500.0


@pytest.mark.parametrize("options", [LoftrOptions, EfficientLoftrOptions])
@pytest.mark.parametrize("wrong", [{"min_score": 1.0}, {"snap_px": 0.0}, {"max_size_px": 8}])
def test_options_out_of_range_are_refused(options: type[DenseOptions], wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        options(**wrong).check()


def test_a_picture_has_the_size_of_its_features() -> None:
    features = on_grid(texture(96, 64))
    with pytest.raises(ValueError, match="picture"):
        LocalFeatures(features.keypoints, features.descriptors, 96, 64, texture(64, 96))
