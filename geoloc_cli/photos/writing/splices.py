"""A change of a file as the few stretches of it that become others: the rest stays, and the way back is as short."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise


class Tangled(Exception):
    """What stands in a file could not be changed without harm to something else; the message is why, in words."""


@dataclass(frozen=True, slots=True)
class Splice:
    """The bytes from `start` to `stop` (not included) become `data`; where the two are equal, `data` is put between."""

    start: int
    stop: int
    data: bytes


def ordered(splices: Iterable[Splice]) -> list[Splice]:
    """By their place. Raises Tangled where two of them are about the same bytes."""
    found = sorted(splices, key=lambda splice: (splice.start, splice.stop))
    for before, after in pairwise(found):
        if after.start < before.stop:
            raise Tangled("two parts of its metadata lie on one another")
    return found


def applied(data: bytes, splices: Iterable[Splice]) -> bytes:
    """The data after the change."""
    parts, at = [], 0
    for splice in ordered(splices):
        if splice.stop > len(data):
            raise Tangled("a part of its metadata lies beyond its end")
        parts += [data[at : splice.start], splice.data]
        at = splice.stop
    return b"".join([*parts, data[at:]])


def inverse(data: bytes, splices: Iterable[Splice]) -> list[Splice]:
    """The change of the changed data that gives `data` again."""
    back, moved = [], 0
    for splice in ordered(splices):
        start = splice.start + moved
        back.append(Splice(start, start + len(splice.data), data[splice.start : splice.stop]))
        moved += len(splice.data) - (splice.stop - splice.start)
    return back


def shifted(splices: Iterable[Splice], by: int) -> list[Splice]:
    """The change of a part as a change of the whole, in which the part begins at `by`."""
    return [Splice(splice.start + by, splice.stop + by, splice.data) for splice in splices]


def blanks(spans: Sequence[tuple[int, int]], fill: bytes = b"\x00") -> list[Splice]:
    """Spans filled with one byte; spans that lie on one another are one."""
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return [Splice(start, stop, fill * (stop - start)) for start, stop in merged if stop > start]
