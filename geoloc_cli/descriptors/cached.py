"""Looks that are kept, so that no picture is described twice."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.contracts import PictureDescriptor
from geoloc_cli.store import Store, key_of


class CachedDescriptor:
    """Another descriptor's vectors, through a store: the key is the picture's pixels, not its file."""

    def __init__(self, descriptor: PictureDescriptor, store: Store) -> None:
        self.name, self.options, self.identity = descriptor.name, descriptor.options, descriptor.identity
        self.dim = descriptor.dim
        self._descriptor, self._store = descriptor, store

    def wanted_px(self) -> int:
        return self._descriptor.wanted_px()

    def embed(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """As the descriptor's own; read back where the same picture was described by it with the same options."""
        keys = [self._key(picture) for picture in pictures]
        kept = [self._store.get(key) for key in keys]
        new = [i for i, arrays in enumerate(kept) if arrays is None]
        made = dict(zip(new, self._descriptor.embed([pictures[i] for i in new]), strict=True)) if new else {}
        for i, vector in made.items():
            self._store.put(keys[i], {"look": vector})
        rows = [made[i] if arrays is None else arrays["look"] for i, arrays in enumerate(kept)]
        return np.stack(rows) if rows else np.zeros((0, self.dim), np.float32)

    def _key(self, picture: NDArray[np.uint8]) -> str:
        options: dict[str, Any] = {} if self.options is None else asdict(self.options)
        pixels = hashlib.sha256(picture.tobytes()).hexdigest()
        return key_of(pixels=pixels, shape=picture.shape, look=self.name, identity=self.identity, options=options)
