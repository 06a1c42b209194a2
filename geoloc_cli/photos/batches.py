"""Pictures for a network, decoded by threads ahead of the one that asks it, so that neither waits for the other.

What is in flight is bounded, however many photos there are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import PhotoError

Item = TypeVar("Item")
Seen = TypeVar("Seen")
Picture = NDArray[np.uint8]

# So many batches are being decoded while one is with the network.
_AHEAD = 2


def in_batches(
    items: Iterable[Item],
    decode: Callable[[Item], Picture],
    see: Callable[[Sequence[Picture]], Iterable[Seen]],
    size: int,
    threads: int,
) -> Iterator[tuple[Item, Seen | PhotoError]]:
    """Each item with what is seen on its picture, or with why that cannot be read, in their order.

    decode(item) is called by as many `threads`, see(pictures) by one, of `size` items at a time.
    """
    waiting = iter(items)

    def decoded(item: Item) -> Picture | PhotoError:
        try:
            return decode(item)
        except PhotoError as error:
            return error

    def found(batch: list[Item], decoding: list[Future[Picture | PhotoError]]) -> list[tuple[Item, Seen | PhotoError]]:
        pictures = [future.result() for future in decoding]
        seen = iter(see([picture for picture in pictures if not isinstance(picture, PhotoError)]))
        results = [picture if isinstance(picture, PhotoError) else next(seen) for picture in pictures]
        return list(zip(batch, results, strict=True))

    with ThreadPoolExecutor(threads) as decoders, ThreadPoolExecutor(1) as network:
        flying: deque[Future[list[tuple[Item, Seen | PhotoError]]]] = deque()
        try:
            while True:
                while len(flying) <= _AHEAD and (batch := list(islice(waiting, size))):
                    flying.append(network.submit(found, batch, [decoders.submit(decoded, item) for item in batch]))
                if not flying:
                    return
                yield from flying.popleft().result()
        finally:
            for future in flying:
                future.cancel()
            decoders.shutdown(cancel_futures=True)
