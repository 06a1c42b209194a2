"""Codes of 64 bits that differ in few, found among many without comparing all: multi-index hashing.

Of two codes that differ in at most r bits, one of the four quarters differs in at most r / 4 (Norouzi, Punjani and
Fleet 2012, "Fast search in Hamming space with multi-index hashing"). So each quarter of a query, and what is so near to
it, is looked up in a table of 65536 buckets, and only what lies there is compared whole.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.evaluate.datasets.near import blocks_of_ranges

Codes = NDArray[np.uint64]
Ints = NDArray[np.int64]

_QUARTERS = tuple(np.uint64(16 * quarter) for quarter in range(4))
MAX_RADIUS = 15
# So few pairs are compared sooner than the buckets are gone through.
_ALL_PAIRS = 1 << 18


def near_codes(queries: Codes, references: Codes, radius: int) -> tuple[Ints, Ints, Ints]:
    """The pairs not more than `radius` bits apart: rows of queries, rows of references, bits; each pair once, in order.

    Thirty thousand codes against as many, radius 11, take 0.3 s where they are spread; codes that many photographs
    share are to be given once.
    """
    if not 0 <= radius <= MAX_RADIUS:
        raise ValueError(f"radius {radius} is not within 0 to {MAX_RADIUS}")
    if len(queries) * len(references) <= _ALL_PAIRS:
        apart = np.bitwise_count(queries[:, None] ^ references[None]).astype(np.int64)
        row, other = np.nonzero(apart <= radius)
        return row, other, apart[row, other]
    rows = [np.empty(0, np.int64)]
    others, bits = list(rows), list(rows)
    masks = [sum(1 << bit for bit in chosen) for n in range(radius // 4 + 1) for chosen in combinations(range(16), n)]
    for quarter in _QUARTERS:
        asked, known = ((codes >> quarter).astype(np.uint16) for codes in (queries, references))
        order = np.argsort(known, kind="stable")
        many = np.bincount(known, minlength=65536)
        first = np.cumsum(many) - many
        for mask in masks:
            buckets = asked ^ np.uint16(mask)
            for block, places in blocks_of_ranges(first[buckets], many[buckets]):
                found = order[places]
                apart = np.bitwise_count(queries[block] ^ references[found])
                near = np.flatnonzero(apart <= radius)
                rows.append(block[near])
                others.append(found[near])
                bits.append(apart[near].astype(np.int64))
    pairs = np.concatenate(rows) * max(len(references), 1) + np.concatenate(others)
    unique, once = np.unique(pairs, return_index=True)
    row, other = np.divmod(unique, max(len(references), 1))
    return row, other, np.concatenate(bits)[once]
