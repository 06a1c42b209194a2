"""Retrieval by the index's own global descriptor: one vector a photo, the present way."""

from __future__ import annotations

from collections.abc import Sequence

from geoloc_cli.contracts import Search
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.index.reader import Circle, Index, SearchResult
from geoloc_cli.pipeline.describer import build_descriptor


class GlobalRetriever:
    """`contracts.Retriever` by the cosines of the vectors that the index holds."""

    name = "global"

    def over(self, index: Index) -> Search:
        """Raises IndexMismatch where the index was described as this version cannot."""
        descriptor = build_descriptor(index)

        def search(
            features: LocalFeatures, k: int, within: Sequence[Circle] | None = None, outside_k: int = 0
        ) -> SearchResult:
            return index.search(descriptor.describe(features), k, within, outside_k)

        return search
