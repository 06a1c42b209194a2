"""Looks of photos, found ahead of the workers that take them: on a GPU, of which each worker would take its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.descriptors.vlad import VladDescriptor
from geoloc_cli.device import choose
from geoloc_cli.errors import PhotoError
from geoloc_cli.photos.batches import in_batches
from geoloc_cli.pipeline.describer import build_pictures, decode_for

Item = TypeVar("Item")
Look = NDArray[np.float32]

# Photos that are handed to the network together: a few of its batches, so that it need not wait for each. With those
# that are being decoded meanwhile, they are 240 MB of pictures of 644 px.
_BATCH = 64


def pays(describer: dict[str, Any]) -> bool:
    """Whether the photos of such an index are better described here than by the workers: by a network, on a GPU."""
    return describer["descriptor"]["name"] != VladDescriptor.name and choose().name != "cpu"


def with_looks(
    items: Iterable[Item], path_of: Callable[[Item], str], spec: dict[str, Any], cache: str | None, threads: int
) -> Iterator[tuple[Item, Look | None]]:
    """Each item with the look of its photo, in their order, by the describer of this spec.

    None where a photo cannot be read: whoever takes it finds out why. threads: that decode.
    """
    pictures = build_pictures(spec, cache)
    assert pictures is not None, "asked of descriptors of pictures alone"
    found = in_batches(items, lambda item: decode_for(pictures, path_of(item)), pictures.embed, _BATCH, threads)
    for item, look in found:
        yield item, None if isinstance(look, PhotoError) else look
