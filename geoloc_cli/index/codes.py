"""How an index keeps its vectors for searching: as they are, in half precision, or as codes with exact re-scoring.

Product quantisation: Jégou, Douze and Schmid 2011. RaBitQ, one bit a number: Gao and Long 2024. Both take a random
rotation first (`Codes.prepared`), since principal axes put what there is to see into a few of the numbers.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import UsageError

# Below this the exact product takes milliseconds, and the vectors are a few megabytes.
CODES_FROM_ROWS = 10_000
# The best by their codes that are compared again with their exact vectors: on clustered vectors of 320 numbers this
# holds 99 % of the true ten nearest where codes have one bit a number.
RESCORED = 400

_EXAMPLES = ("none", "float16", "pq16", "pq32", "pq64", "pq128", "rabitq")
_PQ = re.compile(r"pq([1-9][0-9]{0,2})")
_SEED = 0


@dataclass(frozen=True, slots=True)
class Codes:
    """One of none, float16, pq<M> (M bytes a photo), and rabitq (a bit a number, and eight bytes).

    rescored: how many of the best by their codes are compared exactly.
    """

    name: str = "none"
    rescored: int = RESCORED

    @property
    def parts(self) -> int:
        """The M of pq<M>, and 0 of the others."""
        match = _PQ.fullmatch(self.name)
        return int(match[1]) if match else 0

    @property
    def are_codes(self) -> bool:
        """Whether searches compare codes, and the vectors themselves only of the best."""
        return self.name not in ("none", "float16")

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the vectors that are kept in the order of their cells."""
        return np.dtype("<f2" if self.name == "float16" else "<f4")

    def width(self, dim: int) -> int:
        """Numbers in a prepared vector: `dim`, and zeros up to a multiple of the parts."""
        return dim if not self.parts else -(-dim // self.parts) * self.parts

    def bytes_a_photo(self, dim: int) -> int:
        """What a search has to hold in memory of a vector of `dim` numbers."""
        if self.parts:
            return self.parts
        return -(-dim // 8) + 8 if self.name == "rabitq" else self.dtype.itemsize * dim

    def prepared(self, vectors: NDArray[Any]) -> NDArray[np.float32]:
        """What is coded of vectors (N, D): (N, width) float32, with the same inner products."""
        rows = np.ascontiguousarray(vectors, np.float32)
        if not self.are_codes:
            return rows
        padding = self.width(rows.shape[1]) - rows.shape[1]
        return _rotated(np.pad(rows, ((0, 0), (0, padding))))


NONE = Codes()


def codes_named(name: str) -> Codes:
    """Raises UsageError, with what may have been meant."""
    if name in _EXAMPLES or _PQ.fullmatch(name):
        return Codes(name)
    near = difflib.get_close_matches(name.lower(), _EXAMPLES, n=1)
    hint = f"did you mean '{near[0]}'?" if near else "give none, float16, rabitq, or pq<M> such as pq64."
    raise UsageError(f"There are no codes '{name}'; {hint}")


def _rotated(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows (N, D) by one fixed rotation: random signs and a Walsh-Hadamard transform over the first, then the last 2^p.

    As good for codes as a random rotation, of which nothing need be kept, and D log D steps in place of D^2.
    """
    dim = rows.shape[1]
    span = 1 << (dim.bit_length() - 1)
    signs = np.random.default_rng(_SEED).choice(np.array([-1.0, 1.0], np.float32), (2, dim))
    turned: NDArray[np.float32] = rows * signs[0]
    turned[:, :span] = _walsh_hadamard(turned[:, :span])
    if span < dim:
        turned *= signs[1]
        turned[:, dim - span :] = _walsh_hadamard(turned[:, dim - span :])
    return turned


def _walsh_hadamard(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    count, span = rows.shape
    step = 1
    while step < span:
        pairs = rows.reshape(count, -1, 2, step)
        rows = np.concatenate([pairs[:, :, :1] + pairs[:, :, 1:], pairs[:, :, :1] - pairs[:, :, 1:]], axis=2)
        rows = rows.reshape(count, span)
        step *= 2
    rows *= np.float32(1.0 / np.sqrt(span))
    return rows
