"""Exact search inside regions on a GPU: one masked product of many queries with all vectors, which stay on the device.

FAISS's indexes on a GPU take a selector and do not heed it (faiss#3924), so that a search there is not bounded. Here
cosines of rows outside a query's region are put out before the best are picked, and what is picked is looked at again.

The device says which rows may be among the best: all whose cosine is within what its arithmetic can be wrong by. The
few of these are compared again on the CPU in float32, and ordered as `index/search.py` orders them: answers are those
of its exact search, whatever the device, the precision there, and how many queries were taken together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geoloc_cli.device import full_precision, uploaded
from geoloc_cli.index.derived import Ordered
from geoloc_cli.index.search import (
    Circle,
    SearchResult,
    best_places,
    check_inside,
    check_kept_out,
    products,
    rows_within,
)

Rows = NDArray[np.int64]
# By which cosines are wrong: sums of products of float32 in any order; and halves have 11 bits, so that of unit
# vectors, by Cauchy and Schwarz, the sum of what is rounded off is at most 2^-11.
_FLOAT_ERROR, _HALF_ERROR = 5e-6, 2.0**-11
# Cosines that are equal to six decimals are.
_EQUAL = 1e-6
# Bytes of a query for each row, while its best are picked; numbers of vectors that are moved or widened at a time.
_EACH_ROW = 32
_BLOCK = 1 << 22


class OnDevice:
    """(N, D) unit vectors, kept on a device in float32; `half` keeps 16 bits of each number, for twice as many of them.

    `max_memory_mib` bounds what is taken beside the vectors, but for one query.
    """

    def __init__(self, vectors: NDArray[Any], device: str, *, half: bool = False, max_memory_mib: int = 1024) -> None:
        count, dim = vectors.shape
        self.device = device
        self._kept = torch.empty(count, dim, dtype=torch.float16 if half else torch.float32, device=device)
        self._rows = max(1, _BLOCK // max(1, dim))
        for start in range(0, count, self._rows):
            block = vectors[start : start + self._rows]
            self._kept[start : start + len(block)] = uploaded(block, device)
        self._slack = 2.0 * (_FLOAT_ERROR + (_HALF_ERROR if half else 0.0)) + _EQUAL
        self._together = max(1, ((max_memory_mib << 20) - 8 * _BLOCK) // (_EACH_ROW * max(1, count)))

    @classmethod
    def where_it_fits(cls, vectors: NDArray[Any], device: str) -> OnDevice | None:
        """On this GPU, in halves where a half of its free memory would not hold more; None where that holds no halves.

        The other half is for the networks and batches that the same card works for.
        """
        free = torch.cuda.mem_get_info(device)[0]
        whole = 4 * vectors.size
        if whole > free:
            return None
        return cls(vectors, device, half=vectors.dtype == np.float16 or whole > free // 2)

    def search(
        self,
        ordered: Ordered,
        vectors: NDArray[np.float32],
        k: int,
        within: Sequence[Sequence[Circle] | None],
        outside_k: int,
    ) -> list[SearchResult]:
        """The answer of `index/search.py` to each of (B, D) queries in its own circles; `ordered` has these vectors."""
        found = []
        for start in range(0, len(vectors), self._together):
            part = slice(start, start + self._together)
            found += self._searched(ordered, vectors[part], k, within[part], outside_k)
        return found

    def _searched(
        self,
        ordered: Ordered,
        queries: NDArray[np.float32],
        k: int,
        within: Sequence[Sequence[Circle] | None],
        outside_k: int,
    ) -> list[SearchResult]:
        regions = [rows_within(ordered, circles) if circles else None for circles in within]
        with torch.inference_mode(), full_precision():
            cosines, inside = self._cosines(queries), self._inside(regions)
            likely = self._likely(cosines, inside, k)
            others = self._likely(cosines, ~inside, outside_k) if outside_k > 0 else []
        found = []
        for i, (query, region, circles) in enumerate(zip(queries, regions, within, strict=True)):
            parts, share = [_best(ordered, query, likely[i], k)], 1.0
            if region is not None and circles:
                check_inside(ordered, parts[0][0], circles)
                share = len(region) / len(ordered.row_ids)
                if outside_k > 0:
                    parts.append(_best(ordered, query, others[i], outside_k))
                    check_kept_out(parts[1][0], region)
                    share = 1.0
            rows, similarities = (np.concatenate(part) for part in zip(*parts, strict=True))
            found.append(SearchResult(ordered.row_ids[rows], similarities, share))
        return found

    def _cosines(self, queries: NDArray[np.float32]) -> Tensor:
        """(B, N) float32."""
        asked = uploaded(queries, self.device)
        cosines = torch.empty(len(queries), len(self._kept), dtype=torch.float32, device=self.device)
        for start in range(0, len(self._kept), self._rows):
            block = self._kept[start : start + self._rows]
            torch.matmul(asked, block.float().t(), out=cosines[:, start : start + len(block)])
        return cosines

    def _inside(self, regions: Sequence[Rows | None]) -> Tensor:
        """(B, N) bool: the rows of each query's region, or all of them."""
        inside = torch.zeros(len(regions), len(self._kept), dtype=torch.bool, device=self.device)
        for mask, region in zip(inside, regions, strict=True):
            if region is None:
                mask.fill_(True)
            else:
                mask[uploaded(region, self.device)] = True
        return inside

    def _likely(self, cosines: Tensor, allowed: Tensor, k: int) -> list[Rows]:
        """For each query the allowed rows that may be among its k best, ascending."""
        left = cosines.masked_fill(~allowed, -torch.inf)
        edge = left.topk(min(k, left.shape[1]), dim=1).values[:, -1:]
        query, row = ((left >= edge - self._slack) & allowed).nonzero(as_tuple=True)
        ends = torch.bincount(query, minlength=len(left)).cumsum(0)[:-1].cpu().numpy()
        return list(np.split(row.cpu().numpy(), ends))


def _best(ordered: Ordered, query: NDArray[np.float32], rows: Rows, k: int) -> tuple[Rows, NDArray[np.float32]]:
    """Of these rows the k most similar, best first, and how similar they are, by float32 on the CPU."""
    similarities = products(ordered, rows, query)
    best = best_places(similarities, ordered.row_ids[rows], k)
    return rows[best], similarities[best].astype(np.float32)
