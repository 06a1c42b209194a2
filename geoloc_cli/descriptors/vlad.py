"""VLAD on local features: one vector a photo, with a vocabulary learned from the indexed photos.

Jégou et al. 2010 (VLAD), Delhumeau et al. 2013 (local PCA of the descriptors), Arandjelović 2013 (intra-normalisation),
Jégou and Chum 2012 (whitening; here to the power one half, since a full whitening of a few hundred photos is noise).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.descriptors.reduction import learn_reduction, reduced
from geoloc_cli.errors import TooFewFeatures, UsageError
from geoloc_cli.features.local import LocalFeatures, unit_rows

# Fewer keypoints than this say nothing about a place: the vector would be one word's noise.
MIN_FEATURES = 8


@dataclass(frozen=True, slots=True)
class VladOptions:
    """Options of `vlad`: `words` in the vocabulary, `local_dim` of a projected local descriptor, `dim` of the vector.

    `whiten` from 0, principal axes as they are, to 1, all of one variance.
    `crops` random parts of each photo join it when the final projection is learned, so that an index of twenty photos
    still gets a projection of some use. `sample` local descriptors of at most `max_photos` photos are drawn in all;
    `seed` makes every draw the same.
    """

    words: int = 64
    local_dim: int = 64
    dim: int = 512
    crops: int = 3
    sample: int = 65_536
    max_photos: int = 600
    seed: int = 0
    whiten: float = 0.5

    def check(self) -> None:
        for name in ("words", "local_dim", "dim", "sample", "max_photos"):
            if getattr(self, name) < 2:
                raise UsageError(f"{name} is {getattr(self, name)}; give at least 2.")
        if not 0.0 <= self.whiten <= 1.0:
            raise UsageError(f"whiten is {self.whiten}; give a number from 0 to 1.")


def learn(
    count: int, load: Callable[[int], LocalFeatures], cluster: Callable[..., NDArray[np.float32]], options: VladOptions
) -> dict[str, NDArray[Any]]:
    """Vocabulary and projections from `count` photos in a settled order, `load(i)` giving the features of the i-th.

    cluster(rows (N, D) float32, k, seed) -> (k, D) float32 centroids. The result depends on the photos, their order
    and the options alone. Raises TooFewFeatures where all the photos together hold fewer keypoints than words.
    """
    options.check()
    rng = np.random.default_rng(options.seed)
    chosen = np.arange(count) if count <= options.max_photos else np.sort(rng.choice(count, options.max_photos, False))
    share = max(64, options.sample // max(1, len(chosen)))
    drawn = []
    for i in chosen:
        features = load(int(i))
        rows = np.sort(rng.permutation(len(features))[:share])
        drawn.append(unit_rows(features.descriptors[rows]))
    local = np.concatenate(drawn) if drawn else np.zeros((0, 128), np.float32)
    if len(local) < options.words * 2:
        raise TooFewFeatures(
            f"The photos to be indexed hold {len(local)} keypoints in all, too few to learn {options.words} visual "
            "words from; add photos with more texture."
        )
    mean = local.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov((local - mean).T.astype(np.float64)))
    projection = vectors[:, ::-1][:, : options.local_dim].astype(np.float32)
    words = cluster((local - mean) @ projection, options.words, options.seed)
    state: dict[str, NDArray[Any]] = {"mean": mean, "projection": projection, "words": words}
    raw = np.stack([row for i in chosen for row in raw_vectors(load(int(i)), state, options.crops, rng)])
    return state | learn_reduction(raw, options.dim, options.whiten)


def raw_vectors(
    features: LocalFeatures, state: dict[str, NDArray[Any]], crops: int, rng: np.random.Generator
) -> Iterator[NDArray[np.float32]]:
    """Before its last projection, the vector of a photo, (words * local_dim,) of unit length, and then of its crops."""
    local, nearest = _assigned(unit_rows(features.descriptors), state)
    yield _pooled(local, nearest, state["words"])
    size = np.array([features.width, features.height], np.float64)
    for _ in range(crops):
        extent = size * rng.uniform(0.5, 0.8)
        corner = rng.uniform(0.0, 1.0, 2) * (size - extent)
        inside = ((features.keypoints[:, :2] >= corner) & (features.keypoints[:, :2] < corner + extent)).all(axis=1)
        if inside.sum() >= MIN_FEATURES:
            yield _pooled(local[inside], nearest[inside], state["words"])


def _assigned(
    rows: NDArray[np.float32], state: dict[str, NDArray[Any]]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """rows: (N, D) unit local descriptors. Returns them projected, (N, local_dim), and each one's nearest word."""
    words = state["words"]
    local: NDArray[np.float32] = (rows - state["mean"]) @ state["projection"]
    nearest = (np.einsum("kd,kd->k", words, words) - 2.0 * (local @ words.T)).argmin(axis=1)
    return local, nearest


def _pooled(local: NDArray[np.float32], nearest: NDArray[np.int64], words: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sums of residuals by word: (words * local_dim,) float32, intra-normalised, of unit length."""
    member = np.zeros((len(local), len(words)), np.float32)
    member[np.arange(len(local)), nearest] = 1.0
    sums = member.T @ local - member.sum(axis=0)[:, None] * words
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    flat: NDArray[np.float32] = (sums / np.maximum(lengths, 1e-9)).ravel().astype(np.float32)
    return flat / np.float32(max(float(np.linalg.norm(flat)), 1e-9))


class VladDescriptor:
    """One unit vector a photo from its local features."""

    name = "vlad"

    def __init__(self, state: dict[str, NDArray[Any]]) -> None:
        """state: what `learn` returned; an index keeps it."""
        missing = {"mean", "projection", "words", "center", "whitening"} - state.keys()
        if missing:
            raise UsageError(f"The state of a vlad descriptor lacks {', '.join(sorted(missing))}.")
        self._state = state
        self.dim = int(state["whitening"].shape[1])

    def state(self) -> dict[str, NDArray[Any]]:
        return self._state

    def describe(self, features: LocalFeatures) -> NDArray[np.float32]:
        """Returns (dim,) float32 of unit length; raises TooFewFeatures below eight keypoints."""
        if len(features) < MIN_FEATURES:
            raise TooFewFeatures(
                f"Only {len(features)} keypoints were found on the picture, fewer than {MIN_FEATURES}: it is small, "
                "dark or plain beyond recognition; use a larger or sharper copy."
            )
        local, nearest = _assigned(unit_rows(features.descriptors), self._state)
        return reduced(_pooled(local, nearest, self._state["words"]), self._state)
