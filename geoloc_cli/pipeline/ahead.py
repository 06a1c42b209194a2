"""Looks of photos, found ahead of the workers that take them: for a GPU, of which each worker would take its own share.

Pictures are decoded by threads, batches ahead of the network, so that neither waits for the other; what is in flight is
bounded, however many photos there are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.descriptors.vlad import VladDescriptor
from geoloc_cli.device import choose
from geoloc_cli.errors import PhotoError
from geoloc_cli.pipeline.describer import build_pictures, decode_for

Item = TypeVar("Item")
Look = NDArray[np.float32]

# Photos that are handed to the network together: a few of its batches, so that it need not wait for each.
_BATCH = 64
# So many of them are being decoded while one is described: 240 MB of pictures of 644 px.
_AHEAD = 2


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
    waiting = iter(items)

    def decoded(item: Item) -> NDArray[np.uint8] | None:
        try:
            return decode_for(pictures, path_of(item))
        except PhotoError:
            return None

    def found(batch: list[Item], decoding: list[Future[NDArray[np.uint8] | None]]) -> list[tuple[Item, Look | None]]:
        seen = [future.result() for future in decoding]
        rows = iter(pictures.embed([picture for picture in seen if picture is not None]))
        return [(item, None if picture is None else next(rows)) for item, picture in zip(batch, seen, strict=True)]

    with ThreadPoolExecutor(threads) as decoders, ThreadPoolExecutor(1) as network:
        flying: deque[Future[list[tuple[Item, Look | None]]]] = deque()
        try:
            while True:
                while len(flying) <= _AHEAD and (batch := list(islice(waiting, _BATCH))):
                    flying.append(network.submit(found, batch, [decoders.submit(decoded, item) for item in batch]))
                if not flying:
                    return
                yield from flying.popleft().result()
        finally:
            for future in flying:
                future.cancel()
            decoders.shutdown(cancel_futures=True)
