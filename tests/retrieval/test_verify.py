"""Two-view verification: evidence against chance, on made matches whose truth is known."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from geoloc_cli.errors import UsageError
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.features.match import MutualNearest
from geoloc_cli.retrieval.verify import (
    Comparisons,
    Load,
    Query,
    Verification,
    VerifyOptions,
    chance_evidence,
    verify_pair,
)

WIDTH, HEIGHT = 640, 480


def features_at(xy: np.ndarray, descriptors: np.ndarray) -> LocalFeatures:
    keypoints = np.zeros((len(xy), 4), np.float32)
    keypoints[:, :2] = xy
    keypoints[:, 2] = np.linspace(20, 2, len(xy))
    return LocalFeatures(keypoints, descriptors, WIDTH, HEIGHT)


def verified(query: LocalFeatures, reference: LocalFeatures) -> Verification:
    return verify_pair(Query(query, MutualNearest(), 4096), reference, VerifyOptions())


def verified_of(query: LocalFeatures, loaders: list[Load], options: VerifyOptions) -> list[Verification | None]:
    return Comparisons(query, options, MutualNearest()).verify(list(enumerate(loaders)))


def random_descriptors(rng: np.random.Generator, n: int) -> np.ndarray:
    rows = rng.gamma(0.5, size=(n, 128))
    return np.round(512 * np.sqrt(rows / rows.sum(axis=1, keepdims=True))).clip(0, 255).astype(np.uint8)


def pair_under(homography: np.ndarray, n: int, wrong: int, seed: int = 0) -> tuple[LocalFeatures, LocalFeatures]:
    """n keypoints of one plane seen twice, and `wrong` more with the same look at unrelated places."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform((0, 0), (WIDTH, HEIGHT), (n + wrong, 2))
    seen = np.c_[xy, np.ones(len(xy))] @ homography.T
    other = seen[:, :2] / seen[:, 2:] + rng.normal(0, 0.5, (len(xy), 2))
    other[n:] = rng.uniform((0, 0), (WIDTH, HEIGHT), (wrong, 2))
    looks = random_descriptors(rng, n + wrong)
    return features_at(xy, looks), features_at(other, looks)


def turned(angle_deg: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    a = scale * np.array([[math.cos(math.radians(angle_deg)), -math.sin(math.radians(angle_deg))],
                          [math.sin(math.radians(angle_deg)), math.cos(math.radians(angle_deg))]])  # fmt: skip
    return np.array([[*a[0], shift[0]], [*a[1], shift[1]], [0, 0, 1]])


def test_evidence_of_chance_agreement_is_none_and_grows_with_inliers() -> None:
    # 8 of 42 matches within 6 px on a 1280x960 picture is what wrong pairs reach; 30 of 42 never happens by chance.
    alpha = math.pi * 36 / (1280 * 960)
    assert chance_evidence(42, 4, 4, alpha) == 0.0
    assert chance_evidence(42, 7, 4, alpha) < 6.0
    assert chance_evidence(42, 30, 4, alpha) > 80.0
    grown = [chance_evidence(60, k, 7, 0.01) for k in range(8, 60)]
    assert all(b >= a for a, b in itertools.pairwise(grown))


def test_same_plane_is_verified_and_its_centre_falls_where_the_homography_says() -> None:
    query_from_reference = turned(30.0, 0.8, (100.0, -20.0))
    reference, query = pair_under(query_from_reference, 200, 100)
    result = verified(query, reference)
    assert result.evidence > 100
    assert result.planar
    assert 190 <= result.inliers <= 210
    x, y, _ = query_from_reference @ np.array([WIDTH / 2, HEIGHT / 2, 1.0])
    assert result.center_in_query == pytest.approx((x - WIDTH / 2, y - HEIGHT / 2), abs=2.0)


def test_unrelated_pairs_stay_below_half_the_threshold() -> None:
    reached = []
    for seed in range(20):
        reference, query = pair_under(np.eye(3), 0, 60, seed)
        reached.append(verified(query, reference).evidence)
    assert max(reached) < VerifyOptions().min_evidence / 2


def test_scene_in_depth_is_verified_by_its_epipolar_geometry_and_is_not_planar() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform((-4, -3, 4), (4, 3, 12), (300, 3))
    first = 500 * points[:, :2] / points[:, 2:] + (320, 240)
    moved = points - (1.0, 0.2, 0.5)
    second = 500 * moved[:, :2] / moved[:, 2:] + (320, 240) + rng.normal(0, 0.3, (300, 2))
    looks = random_descriptors(rng, 300)
    result = verified(features_at(second, looks), features_at(first, looks))
    assert result.inliers > 280
    assert not result.planar
    assert result.center_in_query is None


def test_one_keypoint_with_many_orientations_counts_once() -> None:
    rng = np.random.default_rng(2)
    xy = np.repeat(rng.uniform((0, 0), (WIDTH, HEIGHT), (5, 2)), 12, axis=0)
    looks = random_descriptors(rng, 60)
    result = verified(features_at(xy, looks), features_at(xy, looks))
    assert result.matches == 60
    assert result.inliers <= 5
    assert result.evidence < VerifyOptions().min_evidence


def test_stops_when_enough_are_verified_and_retries_only_when_none_is() -> None:
    reference, query = pair_under(np.eye(3), 300, 0)
    loaded: list[int] = []

    def loader(i: int) -> LocalFeatures:
        loaded.append(i)
        return reference

    found = verified_of(query, [lambda i=i: loader(i) for i in range(5)], VerifyOptions(enough=2))
    assert loaded == [0, 1]
    assert [r is not None for r in found] == [True, True, False, False, False]

    # The common points are all of the small scales, which the quick comparison does not look at.
    hidden_query = features_at(query.keypoints[::-1, :2].copy(), query.descriptors[::-1].copy())
    few = VerifyOptions(quick_query=8, full_query=4096, retry=1)
    small = features_at(reference.keypoints[:200, :2].copy(), reference.descriptors[:200].copy())
    found = verified_of(hidden_query, [lambda: small], few)
    assert found[0] is not None
    assert found[0].evidence > 100


def test_what_cannot_be_loaded_is_passed_over_and_counts_neither_as_verified_nor_as_missed() -> None:
    reference, query = pair_under(np.eye(3), 300, 0)
    references = [lambda: None, lambda: reference, lambda: None, lambda: None, lambda: reference]
    found = verified_of(query, references, VerifyOptions(patience=1))
    assert [r is not None for r in found] == [False, True, False, False, True]
    retried = VerifyOptions(quick_query=8, full_query=4096, retry=5)
    small = features_at(reference.keypoints[:200, :2].copy(), reference.descriptors[:200].copy())
    hidden_query = features_at(query.keypoints[::-1, :2].copy(), query.descriptors[::-1].copy())
    missing, again = verified_of(hidden_query, [lambda: None, lambda: small], retried)
    assert missing is None
    assert again is not None
    assert again.evidence > 100


def test_a_pair_is_compared_once_and_what_that_took_is_told_whoever_is_spared_it() -> None:
    reference, query = pair_under(np.eye(3), 300, 0)
    loaded: list[int] = []

    def loader(i: int) -> LocalFeatures:
        loaded.append(i)
        return reference

    references = [(f"row {i}", lambda i=i: loader(i)) for i in range(3)]
    comparisons = Comparisons(query, VerifyOptions(), MutualNearest())
    first = comparisons.verify(references)
    assert comparisons.once.take_spared_ms() == 0.0
    # In another order, as by another formula, and with one that is new.
    again = comparisons.verify([*reversed(references), ("row 3", lambda: loader(3))])
    assert loaded == [0, 1, 2, 3]
    assert again[:3] == first[::-1]
    assert comparisons.once.take_spared_ms() > 0.0
    assert comparisons.once.take_spared_ms() == 0.0


def test_options_are_checked() -> None:
    with pytest.raises(UsageError, match="quick_query"):
        VerifyOptions(quick_query=9, full_query=8).check()


def test_the_matches_that_were_counted_come_with_the_count() -> None:
    """Each inlier counts once by its place in the query, and the pixels are those that the truth joins."""
    query_from_reference = turned(30.0, 0.8, (100.0, -20.0))
    result = verified(*pair_under(query_from_reference, 200, 100)[::-1])
    matched = result.matched
    assert matched is not None
    assert len(matched.in_query) == len(matched.in_reference) == result.matches
    assert int(matched.stands.sum()) == result.inliers < result.matches
    a, b = matched.in_reference[matched.stands], matched.in_query[matched.stands]
    assert len(np.unique(np.round(b), axis=0)) == len(b)
    off = np.linalg.norm((np.c_[a, np.ones(len(a))] @ query_from_reference.T)[:, :2] - b, axis=1)
    assert np.median(off) < 1.0  # the noise is 0.5 on each axis
