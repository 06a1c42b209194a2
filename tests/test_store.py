"""The cache of arrays: the same back or nothing, bounded, and never in the way."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest

from geoloc_cli import store
from geoloc_cli.features.cached import CachedFeatures
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.features.sift import SiftFeatures, SiftOptions
from geoloc_cli.store import Store, key_of, opened


def test_what_was_put_comes_back_and_another_key_does_not(tmp_path: Path) -> None:
    store = Store(tmp_path / "cache")
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros((0, 128), np.uint8)}
    key = key_of(content="x", backend="sift", options={"n": 1}, identity="1.0")
    assert store.get(key) is None
    store.put(key, arrays)
    found = store.get(key)
    assert found is not None
    for name, array in arrays.items():
        assert np.array_equal(found[name], array)
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
    assert store.get(key_of(content="x", backend="sift", options={"n": 2}, identity="1.0")) is None


def test_every_part_of_a_key_matters_and_their_order_does_not() -> None:
    parts = {"content": "x", "backend": "sift", "options": {"n": 1, "m": 2}, "identity": "1.0"}
    keys = {key_of(**parts)} | {key_of(**{**parts, name: "other"}) for name in parts}
    assert len(keys) == 5
    assert key_of(**dict(reversed(parts.items()))) == key_of(**parts)


@pytest.mark.parametrize("at", [0, 31, 40, -1])
def test_a_damaged_entry_is_as_if_it_were_not_there(tmp_path: Path, at: int) -> None:
    store = Store(tmp_path)
    store.put("ab" * 32, {"a": np.arange(100)})
    path = next(tmp_path.rglob("*.npz"))
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    assert store.get("ab" * 32) is None
    assert not path.exists()


def test_a_pickle_with_the_right_checksum_is_not_opened(tmp_path: Path) -> None:
    import hashlib

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return os.mkdir, (str(tmp_path / "boom"),)

    buffer = io.BytesIO()
    np.savez(buffer, a=np.array([Bomb()], dtype=object))
    path = tmp_path / "ab" / f"{'ab' * 32}.npz"
    path.parent.mkdir()
    path.write_bytes(hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue())
    assert Store(tmp_path).get("ab" * 32) is None
    assert not (tmp_path / "boom").exists()


def test_the_folder_is_bounded_and_the_longest_unused_goes_first(tmp_path: Path) -> None:
    store = Store(tmp_path, largest_bytes=50_000)
    keys = [key_of(n=i) for i in range(8)]
    for i, key in enumerate(keys):
        store.put(key, {"a": np.zeros(1000)})  # 8 kB each: six fit
        path = next(tmp_path.glob(f"*/{key}.npz"))
        os.utime(path, ns=(i * 10**9, i * 10**9))
        assert store.get(keys[0]) is not None  # asked for each time, and so the youngest
    assert store.size_bytes() <= 50_000
    left = [store.get(key) is not None for key in keys]
    assert left[0]
    assert left[-1]
    assert not left[1]


def test_a_folder_that_cannot_be_made_keeps_nothing_and_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file")
    store.put("ab" * 32, {"a": np.zeros(3)})
    assert store.get("ab" * 32) is None


class Counting(SiftFeatures):
    calls = 0

    def extract(self, gray: np.ndarray) -> LocalFeatures:
        self.calls += 1
        return super().extract(gray)


def picture(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 255, (24, 32))
    return np.kron(coarse, np.ones((8, 8))).astype(np.uint8)


def test_no_picture_is_described_twice(tmp_path: Path) -> None:
    features = Counting()
    cached = CachedFeatures(features, Store(tmp_path))
    first, again = cached.extract(picture(0)), cached.extract(picture(0))
    assert features.calls == 1
    assert len(first) > 20
    assert np.array_equal(first.keypoints, again.keypoints)
    assert np.array_equal(first.descriptors, again.descriptors)
    assert (again.width, again.height) == (256, 192)
    cached.extract(picture(1))
    assert features.calls == 2


def test_other_options_or_another_version_are_another_entry(tmp_path: Path) -> None:
    store = Store(tmp_path)
    CachedFeatures(Counting(), store).extract(picture(0))
    fewer = Counting(SiftOptions(max_features=10))
    assert len(CachedFeatures(fewer, store).extract(picture(0))) == 10
    newer = Counting()
    newer.identity = "pycolmap 99"
    CachedFeatures(newer, store).extract(picture(0))
    assert (fewer.calls, newer.calls) == (1, 1)
    # The same bytes in another shape are another picture.
    wide = Counting()
    CachedFeatures(wide, store).extract(picture(0).reshape(96, 512))
    assert wide.calls == 1


def test_a_folder_that_nobody_named_is_its_owners_alone_and_none_is_nowhere(tmp_path: Path) -> None:
    assert opened(None) is None
    assert opened("none", "answers") is None
    named = opened(str(tmp_path / "named"), "answers")
    usual = opened("", "answers")
    assert named is not None
    assert usual is not None
    key = key_of(content="x")
    usual.put(key, {"a": np.zeros(1)})
    assert named.get(key) is None
    again = opened(None, "answers")
    assert again is not None
    assert again.get(key) is not None
    assert store.usual_folder("answers").stat().st_mode & 0o077 == 0
