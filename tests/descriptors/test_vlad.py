"""VLAD: the same photos teach the same vocabulary, and parts of a photo stay nearer to it than other photos."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from geoloc_cli.descriptors.vlad import VladDescriptor, VladOptions, learn, raw_vectors
from geoloc_cli.errors import TooFewFeatures, UsageError
from geoloc_cli.features.local import LocalFeatures

OPTIONS = VladOptions(words=8, local_dim=16, dim=32, sample=4000)


def lloyd(rows: np.ndarray, k: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centers = rows[rng.choice(len(rows), k, replace=False)]
    for _ in range(10):
        nearest = ((rows[:, None] - centers[None]) ** 2).sum(axis=2).argmin(axis=1)
        centers = np.stack([rows[nearest == i].mean(axis=0) if (nearest == i).any() else centers[i] for i in range(k)])
    return centers.astype(np.float32)


def photo(seed: int, n: int = 300) -> LocalFeatures:
    """Keypoints that look like one of twenty things common to all photos, in a share that is the photo's own."""
    things = np.random.default_rng(99).gamma(0.4, size=(20, 128))
    rng = np.random.default_rng(seed)
    mixture = rng.dirichlet(np.full(20, 0.5))
    rows = things[rng.choice(20, n, p=mixture)] * rng.uniform(0.6, 1.4, (n, 128))
    looks = np.round(512 * np.sqrt(rows / rows.sum(axis=1, keepdims=True))).clip(0, 255).astype(np.uint8)
    keypoints = np.c_[rng.uniform((0, 0), (640, 480), (n, 2)), np.ones((n, 2))].astype(np.float32)
    return LocalFeatures(keypoints, looks, 640, 480)


PHOTOS = [photo(seed) for seed in range(30)]


@pytest.fixture(scope="module")
def state() -> dict[str, np.ndarray]:
    return learn(len(PHOTOS), PHOTOS.__getitem__, lloyd, OPTIONS)


def half(features: LocalFeatures, side: int) -> LocalFeatures:
    kept = (features.keypoints[:, 0] < 320) == (side == 0)
    return LocalFeatures(features.keypoints[kept], features.descriptors[kept], 640, 480)


def test_vectors_are_unit_and_halves_of_a_photo_find_it(state: dict[str, np.ndarray]) -> None:
    descriptor = VladDescriptor(state)
    vectors = np.stack([descriptor.describe(p) for p in PHOTOS])
    assert vectors.shape == (30, descriptor.dim)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
    found = [int((vectors @ descriptor.describe(half(p, side))).argmax()) for p in PHOTOS for side in (0, 1)]
    expected = [i for i in range(30) for _ in (0, 1)]
    # Chance is one in thirty; halves hold the same mixture of things with sampling noise.
    assert np.mean(np.array(found) == np.array(expected)) > 0.8


def test_the_same_photos_teach_the_same_state(state: dict[str, np.ndarray]) -> None:
    again = learn(len(PHOTOS), PHOTOS.__getitem__, lloyd, OPTIONS)
    assert state.keys() == again.keys()
    for name in state:
        assert np.array_equal(state[name], again[name]), name
    other = learn(len(PHOTOS), PHOTOS.__getitem__, lloyd, replace(OPTIONS, seed=1))
    assert not np.array_equal(state["words"], other["words"])


def test_each_option_matters(state: dict[str, np.ndarray]) -> None:
    assert state["words"].shape == (8, 16)
    assert state["whitening"].shape == (8 * 16, 32)
    fewer = learn(len(PHOTOS), PHOTOS.__getitem__, lloyd, replace(OPTIONS, words=4, local_dim=8, dim=16, crops=0))
    assert fewer["words"].shape == (4, 8)
    assert fewer["whitening"].shape[1] == 10  # a third of 30 photos without their crops
    # The variance of the first axis over the last: as it is, brought nearer, and brought to one but for the floor.
    spreads = []
    for whiten in (0.0, 0.5, 1.0):
        learned = learn(len(PHOTOS), PHOTOS.__getitem__, lloyd, replace(OPTIONS, whiten=whiten, crops=0))
        raw = [next(raw_vectors(p, learned, 0, np.random.default_rng(0))) for p in PHOTOS]
        variance = ((np.stack(raw) - learned["center"]) @ learned["whitening"]).var(axis=0)
        spreads.append(variance[0] / variance[-1])
    assert spreads[0] > spreads[1] > spreads[2]
    assert 1.0 < spreads[2] < 2.0


def test_few_features_are_refused_with_a_sentence(state: dict[str, np.ndarray]) -> None:
    with pytest.raises(TooFewFeatures, match="Only 7 keypoints"):
        VladDescriptor(state).describe(photo(1, 7))
    with pytest.raises(TooFewFeatures, match="too few to learn 8 visual"):
        learn(1, lambda _: photo(0, 10), lloyd, OPTIONS)
    with pytest.raises(TooFewFeatures):
        learn(0, PHOTOS.__getitem__, lloyd, OPTIONS)


def test_wrong_options_and_foreign_state_are_refused(state: dict[str, np.ndarray]) -> None:
    with pytest.raises(UsageError, match="words"):
        replace(OPTIONS, words=1).check()
    with pytest.raises(UsageError, match=r"whiten is 1\.5; give a number from 0 to 1"):
        replace(OPTIONS, whiten=1.5).check()
    with pytest.raises(UsageError, match="whitening"):
        VladDescriptor({name: rows for name, rows in state.items() if name != "whitening"})
