"""One product for all candidates finds what nearest neighbours find one candidate at a time."""

from __future__ import annotations

import numpy as np
import pytest

from geoloc_cli.errors import UsageError
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.features.match import MutualNearest, MutualNearestOptions, match_all
from geoloc_cli.features.match_torch import TorchNearest, TorchNearestOptions

pytest.importorskip("torch", reason="needs torch: make test sets it up")


def described(descriptors: np.ndarray) -> LocalFeatures:
    return LocalFeatures(np.ones((len(descriptors), 4), np.float32), descriptors, 640, 480)


def sift_like(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(0, 120, (count, 128)).astype(np.uint8)


@pytest.mark.parametrize("max_ratio", [0.7, 0.85, 1.0])
def test_it_finds_what_nearest_neighbours_find(max_ratio: float) -> None:
    rng = np.random.default_rng(0)
    query = sift_like(rng, 300)
    references = []
    for count in (500, 40, 2, 1, 0, 300):
        reference = sift_like(rng, count)
        shared = min(count, 120)
        rows = rng.permutation(300)[:shared]
        noise = rng.integers(-12, 13, (shared, 128))
        reference[:shared] = np.clip(query[rows].astype(int) + noise, 0, 255).astype(np.uint8)
        references.append(reference)
    plain = MutualNearest(MutualNearestOptions(max_ratio))
    batched = TorchNearest(TorchNearestOptions(max_ratio, "cpu"))
    found = match_all(batched, batched.prepare(described(query)), [batched.prepare(described(r)) for r in references])
    peers = match_all(plain, plain.prepare(described(query)), [plain.prepare(described(r)) for r in references])
    assert len(peers[0]) > 100
    for matches, peer in zip(found, peers, strict=True):
        assert matches.dtype == np.int32
        assert np.array_equal(matches, peer)


def test_the_answer_does_not_depend_on_how_many_are_compared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    query, references = sift_like(rng, 200), [sift_like(rng, count) for count in (150, 90, 210)]
    matcher = TorchNearest(TorchNearestOptions(1.0, "cpu"))
    prepared = [matcher.prepare(described(reference)) for reference in references]
    together = matcher.match_all(matcher.prepare(described(query)), prepared)
    monkeypatch.setattr("geoloc_cli.features.match_torch._COSINES", 1)
    apart = matcher.match_all(matcher.prepare(described(query)), prepared)
    assert sum(map(len, together)) > 20
    assert all(np.array_equal(a, b) for a, b in zip(together, apart, strict=True))


def test_nothing_is_compared_with_nothing() -> None:
    matcher = TorchNearest(TorchNearestOptions(device="cpu"))
    some = matcher.prepare(described(sift_like(np.random.default_rng(2), 5)))
    none = matcher.prepare(described(np.zeros((0, 128), np.uint8)))
    assert matcher.match(none, some).shape == (0, 2)
    assert matcher.match(some, none).shape == (0, 2)
    assert matcher.match_all(some, []) == []


def test_a_ratio_out_of_range_is_refused() -> None:
    with pytest.raises(UsageError, match="max_ratio"):
        TorchNearest(TorchNearestOptions(1.5))
