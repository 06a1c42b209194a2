"""Candidates inside what priors name, and a little outside: retrieved, ordered, verified; in vain, then everywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.contracts import Matcher, Search
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.index.reader import Circle, Index
from geoloc_cli.index.rows import IndexedPhoto
from geoloc_cli.pipeline.asking import Region
from geoloc_cli.pipeline.matching import References
from geoloc_cli.retrieval.rerank import best_first, first_scores, plausibility
from geoloc_cli.retrieval.verify import Verification, VerifyOptions, verify_candidates
from geoloc_cli.types import Searched

# Half the circumference of the Earth.
_FARTHEST_M = 2.0e7
# Of the candidates, as many as a belief may send outside of what it names.
_MOST_OUTSIDE = 0.9


@dataclass(frozen=True, slots=True)
class Found:
    """Candidates and what came of comparing them; all of one length but `away_m`, None without regions.

    first: what they were ordered by before; away_m: (n,) metres to the nearest region's rim, 0 inside.
    """

    photos: list[IndexedPhoto]
    similarities: NDArray[np.float64]
    first: NDArray[np.float64]
    away_m: NDArray[np.float64] | None
    verified: list[Verification | None]
    searched: Searched


class Searcher:
    """One index, a way of searching it and one of comparing photos."""

    def __init__(self, index: Index, retrieve: Search, matcher: Matcher, top_k: int, rerank: str) -> None:
        self._index, self._retrieve, self._matcher = index, retrieve, matcher
        self._top_k, self._rerank = top_k, rerank

    def search(
        self,
        features: LocalFeatures,
        regions: Sequence[Region],
        outside_share: float,
        hidden: frozenset[int],
        verify: VerifyOptions,
        references: References,
        lap: Callable[[str], None],
    ) -> Found:
        """The candidates of a photo, verified: where regions hold none that stands, those of the whole index as well.

        outside_share: of the candidates, taken from outside of the regions. hidden: rows that are passed over.
        Raises TooFewFeatures where there is nothing to search by.
        """
        near = [region.circle for region in regions]
        outside = max(1, round(self._top_k * min(outside_share, _MOST_OUTSIDE))) if near else 0
        photos, similarities, verified = list[IndexedPhoto](), list[float](), list[Verification | None]()
        looked_at, first = 0.0, np.zeros(0)
        widened = not near
        while True:
            within, k, elsewhere = (None, self._top_k, 0) if widened else (near, self._top_k - outside, outside)
            known = {photo.row_id for photo in photos}
            hits, share = self._hits(features, k, within, elsewhere, hidden)
            fresh = [(photo, s) for photo, s in hits if photo.row_id not in known]
            photos += [photo for photo, _ in fresh]
            similarities += [s for _, s in fresh]
            looked_at = max(looked_at, share)
            lap("search")
            first = first_scores(np.array(similarities, np.float32), _plausible(regions, photos), self._rerank)
            order = [i for i in best_first(first.tolist()) if i >= len(verified)]
            lap("rerank")
            verified += [None] * len(fresh)
            loaders = [lambda photo=photos[i]: references.load(photo) for i in order]
            results = verify_candidates(features, loaders, verify, self._matcher)
            for i, result in zip(order, results, strict=True):
                verified[i] = result
            lap("verify")
            if widened or any(result and result.evidence >= verify.min_evidence for result in verified):
                break
            widened = True
        inside = self._index.count_within(near) if near else None
        searched = Searched(inside, round(looked_at, 6), bool(near) and widened)
        away_m = _distances(near, photos).min(axis=1) if near and photos else None
        return Found(photos, np.array(similarities), first, away_m, verified, searched)

    def _hits(
        self,
        features: LocalFeatures,
        k: int,
        within: Sequence[Circle] | None,
        elsewhere: int,
        hidden: frozenset[int],
    ) -> tuple[list[tuple[IndexedPhoto, float]], float]:
        """Photos with their similarities, and the share of the index that was looked at.

        As many more are asked for as are hidden, inside and outside, and no more than k and `elsewhere` are taken.
        """
        more = len(hidden)
        found = self._retrieve(features, k + more, within=within, outside_k=elsewhere + more if elsewhere else 0)
        pairs = zip(found.row_ids.tolist(), found.similarities.tolist(), strict=True)
        kept = [(row, similarity) for row, similarity in pairs if row not in hidden]
        hits = list(zip(self._index.photos([row for row, _ in kept]), (s for _, s in kept), strict=True))
        if more and within and hits:
            inside = _distances(within, [photo for photo, _ in hits]).min(axis=1) <= 0.0
            near = [hit for hit, here in zip(hits, inside, strict=True) if here]
            hits = near[:k] + [hit for hit, here in zip(hits, inside, strict=True) if not here][:elsewhere]
        return (hits if within else hits[:k]), found.looked_at_share


def _distances(near: Sequence[Circle], photos: Sequence[IndexedPhoto]) -> NDArray[np.float64]:
    """(n, circles) metres from each photo to each circle's rim, 0 inside.

    A photo that says nowhere where it was taken is as far as anything can be.
    """
    lat = np.array([p.position.lat if p.position else np.nan for p in photos])[:, None]
    lon = np.array([p.position.lon if p.position else np.nan for p in photos])[:, None]
    centers = np.array([(c.lat, c.lon, c.radius_m) for c in near]).T
    away: NDArray[np.float64] = np.maximum(haversine_m(lat, lon, centers[0], centers[1]) - centers[2], 0.0)
    return np.where(np.isnan(away), _FARTHEST_M, away)


def _plausible(regions: Sequence[Region], photos: Sequence[IndexedPhoto]) -> NDArray[np.float64] | None:
    """(n,) how plausible the priors find each photo's place, as `retrieval/rerank.py` has it; None without any."""
    if not regions or not photos:
        return None
    radius_m = np.array([region.circle.radius_m for region in regions])
    weight = np.array([region.weight for region in regions])
    return plausibility(_distances([region.circle for region in regions], photos), radius_m, weight)
