"""Photographs made of numbers, for tests of what follows extraction: files that name their own features and place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from geoloc_cli.descriptors.vlad import VladOptions
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.features.sift import SiftOptions
from geoloc_cli.index.rows import NewPhoto
from geoloc_cli.pipeline.extract import fingerprint
from geoloc_cli.types import Position

WIDTH, HEIGHT = 640, 480


def small_describer() -> dict[str, Any]:
    """A describer whose vocabulary is learned in milliseconds: four words, vectors of at most 16 numbers."""
    vlad = VladOptions(words=4, local_dim=8, dim=16, sample=2000, crops=1)
    return {
        "features": {"name": "sift", "options": asdict(SiftOptions())},
        "descriptor": {"name": "vlad", "options": asdict(vlad)},
    }


def made_features(seed: int, count: int = 60) -> LocalFeatures:
    """Keypoints at random places with random RootSIFT-like descriptors, the same for the same seed."""
    rng = np.random.default_rng(seed)
    keypoints = np.zeros((count, 4), np.float32)
    keypoints[:, :2] = rng.uniform((0, 0), (WIDTH, HEIGHT), (count, 2))
    keypoints[:, 2] = np.sort(rng.uniform(2, 20, count))[::-1]
    rows = rng.gamma(0.5, size=(count, 128))
    looks = np.round(512 * np.sqrt(rows / rows.sum(axis=1, keepdims=True))).clip(0, 255).astype(np.uint8)
    return LocalFeatures(keypoints, looks, WIDTH, HEIGHT)


def write_made(folder: Path, count: int, *, first: int = 0, lat: float = 50.0, lon: float = 10.0) -> list[str]:
    """`count` files, numbered from `first`, each 10 m north of the one before; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(first, first + count):
        path = folder / f"{number:05d}.made"
        path.write_text(json.dumps({"seed": number, "lat": lat + number * 9e-5, "lon": lon}))
        paths.append(str(path))
    return paths


def made_photo(path: str) -> NewPhoto:
    """What an extraction of a file of `write_made` would have given."""
    said = json.loads(Path(path).read_text())
    sha256, size_bytes, mtime_ns = fingerprint(path)
    position = Position(said["lat"], said["lon"], source="file")
    features = made_features(said["seed"])
    return NewPhoto(path, sha256, size_bytes, mtime_ns, WIDTH, HEIGHT, position, None, None, None, features)


class MadeExtraction:
    """A `contracts.ParallelMap` that extracts from files of `write_made`, in this process."""

    def __init__(self, on_photo: Callable[[str], None] = lambda path: None) -> None:
        """on_photo: told each path before it is extracted."""
        self._on_photo = on_photo

    def __call__(self, build: str, spec: dict[str, Any], items: Iterable[Any]) -> Iterator[Any]:
        for path, *_ in items:
            self._on_photo(path)
            yield made_photo(path)
