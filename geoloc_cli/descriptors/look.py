"""What an index makes of the looks of its photos, which a descriptor of pictures found: fewer numbers, or the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.descriptors.reduction import ReductionOptions, learn_reduction, reduced
from geoloc_cli.errors import IndexMismatch, UsageError
from geoloc_cli.features.local import LocalFeatures


def learn_look(count: int, load: Callable[[int], LocalFeatures], options: ReductionOptions) -> dict[str, NDArray[Any]]:
    """The state of a `LookDescriptor` from `count` photos in a settled order, `load(i)` giving those of the i-th.

    The result depends on the photos, their order and the options alone.
    """
    options.check()
    rng = np.random.default_rng(options.seed)
    taken = np.arange(count) if count <= options.sample else np.sort(rng.choice(count, options.sample, False))
    if not options.dim:
        return {"length": np.array([len(_look(load(0)))], np.int64)}
    rows = np.stack([_look(load(int(i))) for i in taken])
    return {"length": np.array([rows.shape[1]], np.int64)} | learn_reduction(rows, options.dim, options.whiten)


def _look(features: LocalFeatures) -> NDArray[np.float32]:
    if features.look is None:
        raise UsageError("The photos were described without a descriptor of pictures; build the index again.")
    return features.look


class LookDescriptor:
    """`contracts.Descriptor` by the look of a photo."""

    def __init__(self, name: str, state: dict[str, NDArray[Any]]) -> None:
        """name: the descriptor of pictures; state: what `learn_look` returned; an index keeps it."""
        if "length" not in state:
            raise IndexMismatch(
                f"What the index learned is not of a descriptor of pictures such as '{name}'; build it again."
            )
        self.name, self._state = name, state
        self._length = int(state["length"][0])
        self.dim = int(state["whitening"].shape[1]) if "whitening" in state else self._length

    def state(self) -> dict[str, NDArray[Any]]:
        return self._state

    def describe(self, features: LocalFeatures) -> NDArray[np.float32]:
        """Returns (dim,) float32 of unit length; raises IndexMismatch where the look is not of this descriptor."""
        look = _look(features)
        if len(look) != self._length:
            raise IndexMismatch(
                f"The index was described by '{self.name}' with {self._length} numbers a photo, and now there are "
                f"{len(look)}; use the weights that it was built with, or build it again."
            )
        return reduced(look, self._state) if "whitening" in self._state else look
