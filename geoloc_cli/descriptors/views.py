"""Several views of one picture, at other scales and mirrored, as one vector: the mean of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.contracts import PictureDescriptor
from geoloc_cli.errors import UsageError


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """`scales` are factors of the size at which the descriptor sees a picture, as in 0.7,1,1.5; `flip` says whether
    each is seen mirrored, too. The vectors' cost is that many times the descriptor's, a scale by its square.
    """

    scales: str = "1"
    flip: bool = False

    def check(self) -> None:
        """Raises UsageError where one is out of range."""
        factors(self.scales)

    def settled(self) -> ViewOptions:
        """The same, written in the one way in which an index records it."""
        return replace(self, scales=",".join(f"{factor:g}" for factor in sorted(factors(self.scales))))


def factors(scales: str) -> tuple[float, ...]:
    """Of `ViewOptions.scales`. Raises UsageError where it is anything else than different numbers from 0.1 to 10."""
    try:
        found = tuple(float(part) for part in scales.split(","))
    except ValueError:
        found = ()
    if not found or not all(0.1 <= factor <= 10.0 for factor in found) or len(set(found)) < len(found):
        raise UsageError(f"scales is {scales!r}; give different numbers from 0.1 to 10, as in 0.7,1,1.5.")
    return found


@runtime_checkable
class Scalable(PictureDescriptor, Protocol):
    """A descriptor of pictures that can be had for pictures of another size."""

    def scaled(self, factor: float) -> Self:
        """The same, which sees pictures `factor` times as large. Raises UsageError where it cannot."""
        ...


class ViewsDescriptor:
    """Another descriptor's vectors, of unit length each, averaged over the views and brought to unit length again.

    Radenović, Tolias and Chum 2019 average over scales so. With `flip` a picture and its mirror image are one.
    """

    def __init__(self, descriptor: PictureDescriptor, options: ViewOptions) -> None:
        """Raises UsageError where the descriptor cannot be had at these scales."""
        options.check()
        self.name, self.options, self.dim = descriptor.name, descriptor.options, descriptor.dim
        self.identity = f"{descriptor.identity}, scales {options.scales}, flip {options.flip}"
        self._scaled = [_at(descriptor, factor) for factor in factors(options.scales)]
        self._flip = options.flip

    def wanted_px(self) -> int:
        wanted = [descriptor.wanted_px() for descriptor in self._scaled]
        return max(wanted) if all(wanted) else 0

    def embed(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """pictures: upright RGB, (H, W, 3) uint8 of any sizes. Returns (B, dim) float32 rows of unit length."""
        seen = [pictures]
        if self._flip:
            seen.append([np.ascontiguousarray(picture[:, ::-1]) for picture in pictures])
        rows = [descriptor.embed(views) for descriptor in self._scaled for views in seen]
        if len(rows) == 1:
            return rows[0]
        total = np.sum(rows, axis=0, dtype=np.float64)
        lengths = np.sqrt(np.einsum("nd,nd->n", total, total))
        return np.asarray(total / np.maximum(lengths, 1e-9)[:, None], np.float32)


def _at(descriptor: PictureDescriptor, factor: float) -> PictureDescriptor:
    if factor == 1.0:
        return descriptor
    if not isinstance(descriptor, Scalable):
        raise UsageError(f"descriptor '{descriptor.name}' sees pictures at one size alone; leave the scales out.")
    return descriptor.scaled(factor)
