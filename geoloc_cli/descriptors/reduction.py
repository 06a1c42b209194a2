"""Fewer numbers a vector, learned from the indexed photos: centring, principal axes, and part of a whitening.

Jégou and Chum 2012. A full whitening of a few hundred photos is noise, so that its power is an option.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import UsageError


@dataclass(frozen=True, slots=True)
class ReductionOptions:
    """`dim` numbers are kept of a vector (0: all, and nothing is learned); `whiten` from 0, principal axes as they are,
    to 1, all of one variance. At most `sample` photos are learned from, the same with the same `seed`.
    """

    dim: int = 0
    whiten: float = 0.5
    sample: int = 4096
    seed: int = 0

    def check(self) -> None:
        """Raises UsageError where one is out of range."""
        if self.dim < 0 or self.dim == 1:
            raise UsageError(f"dim is {self.dim}; give at least 2, or 0 for the vectors as they are.")
        if not 0.0 <= self.whiten <= 1.0:
            raise UsageError(f"whiten is {self.whiten}; give a number from 0 to 1.")
        if self.sample < 2:
            raise UsageError(f"sample is {self.sample}; give at least 2.")


@dataclass(frozen=True, slots=True)
class Axes:
    """center (D,), and the r principal axes about it, largest first: basis (D, r), all float32; variance (r,)."""

    center: NDArray[np.float32]
    basis: NDArray[np.float32]
    variance: NDArray[np.float64]

    def gain(self, dim: int, whiten: float) -> NDArray[np.float64]:
        """What each of the first `dim` axes is multiplied by."""
        variance = self.variance[:dim]
        # The floor keeps noise from being blown up.
        gain: NDArray[np.float64] = (variance + 0.1 * variance.mean()) ** (-0.5 * whiten)
        return gain


def learn_axes(rows: NDArray[np.float32], dim: int) -> Axes:
    """The principal axes of rows (N, D), `dim` of them at most.

    At most a third of the rows, which bounds what can be learned from them.
    """
    center = rows.mean(axis=0)
    centered = rows - center
    # By way of the samples' Gram matrix, which is the smaller one: X^T u / s for each of its pairs.
    squares, columns = np.linalg.eigh((centered @ centered.T).astype(np.float64))
    squares, columns = squares[::-1], columns[:, ::-1]
    rank = int(min(dim, max(2, len(rows) // 3), max(1, (squares > squares[0] * 1e-6).sum())))
    basis = centered.T @ (columns[:, :rank] / np.sqrt(squares[:rank])).astype(np.float32)
    return Axes(center, basis, squares[:rank] / len(rows))


def learn_reduction(rows: NDArray[np.float32], dim: int, whiten: float) -> dict[str, NDArray[Any]]:
    """`center` (D,) and `whitening` (D, d) float32 of rows (N, D), d <= dim: `(row - center) @ whitening`."""
    axes = learn_axes(rows, dim)
    return {"center": axes.center, "whitening": (axes.basis * axes.gain(dim, whiten)).astype(np.float32)}


def reduced(row: NDArray[np.float32], state: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    """A row (D,) by what `learn_reduction` learned: (d,) float32 of unit length."""
    vector = (row - state["center"]) @ state["whitening"]
    unit: NDArray[np.float32] = (vector / max(float(np.linalg.norm(vector)), 1e-9)).astype(np.float32)
    return unit
