"""Pictures decoded ahead of a network: in order, in batches, with few in flight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from geoloc_cli.errors import NotAPhoto
from geoloc_cli.photos.batches import in_batches

Picture = NDArray[np.uint8]


def decode(item: int) -> Picture:
    if item % 5 == 3:
        raise NotAPhoto(f"{item} is not a picture; take another.")
    return np.full((2, 2, 3), item % 256, np.uint8)


def test_items_come_in_order_with_what_is_seen_or_why_not_and_few_are_taken() -> None:
    sizes: list[int] = []
    taken = 0

    def see(pictures: Sequence[Picture]) -> list[int]:
        sizes.append(len(pictures))
        return [int(picture[0, 0, 0]) for picture in pictures]

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            yield taken
            taken += 1

    found = in_batches(endless(), decode, see, 4, 3)
    for number in range(40):
        item, seen = next(found)
        assert item == number
        if number % 5 == 3:
            assert isinstance(seen, NotAPhoto)
        else:
            assert seen == number
        assert taken < number + 4 * (1 + 2 + 1)  # the batch that is out, one with the network, and two ahead of it
    found.close()  # type: ignore[attr-defined]
    assert set(sizes) <= {3, 4}
    assert [item for item, _ in in_batches(range(6), decode, see, 4, 1)] == list(range(6))


def test_a_defect_of_the_network_is_raised() -> None:
    def see(pictures: Sequence[Picture]) -> list[int]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(in_batches(range(2), decode, see, 4, 1))
