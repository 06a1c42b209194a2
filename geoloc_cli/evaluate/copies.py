"""Copies of one picture among many: stored anew, smaller, brighter or cropped a little, and not the place seen again.

A picture is reduced to 32 x 32 greys. The signs of its lowest cosines are a code of 64 bits (Zauner 2010,
"Implementation and benchmarking of perceptual image hash functions"), taken of the picture and of its middle, so that a
crop meets the middle of what it was cropped from. Pictures whose codes are near are laid over each other, shifted and
stretched (Lucas and Kanade 1981), and are copies where they then agree.

Seen with 170 pictures of streets, a field from the air, a corridor, an object and a rendered town: all copies stored at
quality 10, at a fifth of the size, stretched or brightened were found, 338 of 340 cropped by up to 4 or 6 % on each
side, 130 of 170 by up to 10 %, and few by more. No two of the views of a street 7 m apart, of the field or of the town
were taken for copies: where their codes are near they agree to 0.84 at most, and copies to 0.94. Frames of a video that
are a step apart agree as copies do, and are as good as copies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geoloc_cli.contracts import ParallelMap
from geoloc_cli.errors import PhotoError
from geoloc_cli.evaluate.hamming import near_codes
from geoloc_cli.photos.decode import decode_gray
from geoloc_cli.pipeline.extract import fingerprint
from geoloc_cli.types import Failure

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SIDE = 32
_DECODED_PX = 256
_MIDDLES = (1.0, 0.96, 0.92)
_RADIUS_BITS = 11
_ALIKE = 0.94
# A crop is never so unlike what it was cropped from, even before the two are laid over each other.
_UNLIKE = 0.4
# A wall of one tone has no cosines but those of its noise: every such wall would be a copy of every other.
_FLAT_GREYS = 4.0
# So many references are compared with a query, the nearest codes first; more copies than one change nothing.
_COMPARED = 8
_ROUNDS = 5
_LARGEST_CHANGE = 0.25
_BATCH = 2048

_COSINES = np.cos(np.pi / _SIDE * (np.arange(_SIDE) + 0.5) * np.arange(9)[:, None])


@dataclass(frozen=True, slots=True)
class Print:
    """What is kept of one picture: the digest of its file, codes (3,) uint64, greys (32, 32) uint8."""

    path: str
    sha256: str
    codes: NDArray[np.uint64]
    greys: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Prints:
    """The prints of N pictures in columns, and the failures of those that could not be read."""

    paths: list[str]
    sha256: list[str]
    codes: NDArray[np.uint64]
    greys: NDArray[np.uint8]
    failures: tuple[Failure, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def textured(self) -> NDArray[np.bool_]:
        """(N,): whether a picture shows enough for its code to mean anything."""
        return np.asarray(self.greys.std(axis=(1, 2)) >= _FLAT_GREYS)


def take_prints(paths: Iterable[str], parallel_map: ParallelMap) -> Prints:
    """The prints of pictures in their order; 10 ms for each of a megapixel."""
    taken, failures = [], []
    for result in parallel_map("geoloc_cli.evaluate.copies:build_printer", {}, paths):
        if isinstance(result, Failure):
            failures.append(result)
        else:
            taken.append(result)
    return Prints(
        [p.path for p in taken],
        [p.sha256 for p in taken],
        np.array([p.codes for p in taken], np.uint64).reshape(-1, len(_MIDDLES)),
        np.array([p.greys for p in taken], np.uint8).reshape(-1, _SIDE, _SIDE),
        tuple(failures),
    )


def build_printer(spec: dict[str, Any]) -> Callable[[str], Print | Failure]:
    """What takes a print of a path; `spec` is empty."""

    def take(path: str) -> Print | Failure:
        try:
            sha256 = fingerprint(path)[0]
            picture = Image.fromarray(decode_gray(path, max_size=_DECODED_PX).pixels)
        except PhotoError as error:
            return Failure(path, error.code, str(error))
        middles = [_reduced(picture, share) for share in _MIDDLES]
        return Print(path, sha256, np.array([code_of(middle) for middle in middles], np.uint64), middles[0])

    return take


def _reduced(picture: Image.Image, share: float) -> NDArray[np.uint8]:
    """The middle `share` of a picture's sides in 32 x 32 greys."""
    width, height = picture.size
    aside, above = width * (1.0 - share) / 2.0, height * (1.0 - share) / 2.0
    box = (aside, above, width - aside, height - above)
    return np.asarray(picture.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS, box=box))


def code_of(greys: NDArray[np.uint8]) -> int:
    """64 bits of a picture of 32 x 32: which of its lowest cosines, without the mean, are above their median."""
    cosines = _COSINES @ greys.astype(np.float64) @ _COSINES.T
    lowest = np.append(cosines[:8, :8].ravel()[1:], cosines[8, 0])
    return int.from_bytes(np.packbits(lowest > np.median(lowest)).tobytes(), "big")


def find_copies(queries: Prints, references: Prints) -> tuple[Ints, Ints, Floats]:
    """The rows of queries that are copies of a reference, the reference most alike, and how alike they are (to 1)."""
    asked, known = np.flatnonzero(queries.textured), np.flatnonzero(references.textured)
    meetings = [(0, k) for k in range(len(_MIDDLES))] + [(k, 0) for k in range(1, len(_MIDDLES))]
    found = []
    for own, other in meetings:
        rows, others, bits = _near_photos(queries.codes[asked, own], references.codes[known, other])
        # A query that is like the middle of a reference shows that share of it.
        share = np.full(len(rows), _MIDDLES[other] / _MIDDLES[own])
        found.append((asked[rows], known[others], bits, share))
    rows, others, bits, share = (np.concatenate(column) for column in zip(*found, strict=True))
    chosen = _best(rows, bits)
    rows, others, share = rows[chosen], others[chosen], share[chosen]
    alike = np.empty(len(rows))
    for start in range(0, len(rows), _BATCH):
        part = slice(start, start + _BATCH)
        alike[part] = laid_over(queries.greys[rows[part]], references.greys[others[part]], share[part])
    order = np.lexsort((others, -alike, rows))
    order = order[alike[order] >= _ALIKE]
    first = order[np.unique(rows[order], return_index=True)[1]]
    return rows[first], others[first], alike[first]


def _near_photos(queries: NDArray[np.uint64], references: NDArray[np.uint64]) -> tuple[Ints, Ints, Ints]:
    """Pairs of photographs whose codes are near; of references that share a code the first few."""
    of_query, back = np.unique(queries, return_inverse=True)
    order = np.argsort(references, kind="stable")
    of_reference, first, many = np.unique(references[order], return_index=True, return_counts=True)
    rows, others, bits = near_codes(of_query, of_reference, _RADIUS_BITS)
    few = np.minimum(many[others], _COMPARED)
    step = np.arange(few.sum()) - np.repeat(np.cumsum(few) - few, few)
    code, photo, bits = np.repeat(rows, few), order[np.repeat(first[others], few) + step], np.repeat(bits, few)
    chosen = _best(code, bits)
    code, photo, bits = code[chosen], photo[chosen], bits[chosen]
    start, end = (np.searchsorted(code, back, side) for side in ("left", "right"))
    count = end - start
    inside = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    at = np.repeat(start, count) + inside
    return np.repeat(np.arange(len(queries)), count), photo[at], bits[at]


def _best(rows: Ints, bits: Ints) -> Ints:
    """The entries that are among the nearest few of their row, in the order of the rows."""
    order = np.lexsort((bits, rows))
    ordered = rows[order]
    rank = np.arange(len(order)) - np.searchsorted(ordered, ordered, "left")
    return np.asarray(order[rank < _COMPARED], np.int64)


def laid_over(pictures: NDArray[Any], others: NDArray[Any], share: Floats) -> Floats:
    """How alike pictures (N, 32, 32) are to others once these are shifted and stretched: the correlation, -1 to 1.

    share: (N,) what part of the other's sides a picture shows, to begin with. The warp x' = (1 + sx) x + tx, and the
    same for y, is refined by Gauss and Newton's method on what both show; those that are alike already, or not in the
    least, are left as they are.
    """
    a, b = pictures.astype(np.float32), others.astype(np.float32)
    grid = np.linspace(-1.0, 1.0, _SIDE, dtype=np.float32)
    warp = np.zeros((len(a), 4), np.float32)
    warp[:, [0, 2]] = share[:, None] - 1.0
    best = np.full(len(a), -1.0)
    open_ = np.arange(len(a))
    for _ in range(_ROUNDS):
        moved, seen = _warped(b[open_], warp[open_], grid)
        own, other = _normalised(a[open_], seen), _normalised(moved, seen)
        best[open_] = np.maximum(best[open_], (own * other).sum(axis=(1, 2)))
        undecided = (best[open_] < _ALIKE) & (best[open_] > _UNLIKE)
        if not undecided.any():
            break
        open_, own, other, seen = open_[undecided], own[undecided], other[undecided], seen[undecided]
        down, right = np.gradient(other, grid, grid, axis=(1, 2))
        slopes = np.stack([right * grid, right, down * grid[:, None], down], axis=-1) * seen[..., None]
        slopes = slopes.reshape(len(open_), -1, 4)
        turned = slopes.transpose(0, 2, 1)
        push = turned @ ((own - other) * seen).reshape(len(open_), -1, 1)
        step = np.linalg.solve(turned @ slopes + 1e-6 * np.eye(4, dtype=np.float32), push)[..., 0]
        warp[open_] = np.clip(warp[open_] + step, -_LARGEST_CHANGE, _LARGEST_CHANGE)
    return best


def _warped(pictures: NDArray[np.float32], warp: NDArray[np.float32], grid: NDArray[np.float32]) -> tuple[Any, Any]:
    """Pictures sampled bilinearly at the warped grid, and 1 where that lies in them, else 0."""
    last = _SIDE - 1
    across, along = (
        (grid * (1.0 + warp[:, k : k + 1]) + warp[:, k + 1 : k + 2] + 1.0) * np.float32(last / 2.0) for k in (0, 2)
    )
    # Bilinear sampling is a product with matrices whose rows hold two numbers that add up to one.
    texels = np.arange(_SIDE, dtype=np.float32)
    columns, rows = (np.maximum(0.0, 1.0 - np.abs(at[:, :, None] - texels)) for at in (across, along))
    inside = [((at >= 0.0) & (at <= last)).astype(np.float32) for at in (along, across)]
    return rows @ pictures @ columns.transpose(0, 2, 1), inside[0][:, :, None] * inside[1][:, None, :]


def _normalised(pictures: NDArray[np.float32], seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of mean zero and length one over what is seen."""
    count = np.maximum(seen.sum(axis=(1, 2), keepdims=True), 1.0)
    centred = (pictures - (pictures * seen).sum(axis=(1, 2), keepdims=True) / count) * seen
    length = np.sqrt((centred * centred).sum(axis=(1, 2), keepdims=True))
    return np.asarray(centred / np.maximum(length, 1e-9))
