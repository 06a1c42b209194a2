"""Local features that are kept, so that no picture is described twice."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.contracts import Features
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.store import Store, key_of


class CachedFeatures:
    """Another backend's features, through a store: the key is the picture's pixels, not its file."""

    def __init__(self, features: Features, store: Store) -> None:
        self.name, self.options, self.identity = features.name, features.options, features.identity
        self._features, self._store = features, store

    def extract(self, gray: NDArray[np.uint8]) -> LocalFeatures:
        """As the backend's own; read back where the same picture was described by the same backend and options."""
        pixels = hashlib.sha256(gray.tobytes()).hexdigest()
        options: dict[str, Any] = asdict(self.options)
        key = key_of(pixels=pixels, shape=gray.shape, name=self.name, identity=self.identity, options=options)
        kept = self._store.get(key)
        if kept is not None:
            return LocalFeatures(kept["keypoints"], kept["descriptors"], gray.shape[1], gray.shape[0])
        found = self._features.extract(gray)
        self._store.put(key, {"keypoints": found.keypoints, "descriptors": found.descriptors})
        return found
