"""Candidates inside what priors name, and a little outside: retrieved, ordered, verified; in vain, then everywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.contracts import Matcher, Search
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.index.reader import Circle, Index
from geoloc_cli.index.rows import IndexedPhoto
from geoloc_cli.pipeline.asking import Region
from geoloc_cli.pipeline.matching import References
from geoloc_cli.retrieval.once import Once
from geoloc_cli.retrieval.rerank import best_first, first_scores, plausibility
from geoloc_cli.retrieval.verify import Comparisons, Verification, VerifyOptions
from geoloc_cli.types import Searched

# Half the circumference of the Earth.
_FARTHEST_M = 2.0e7
# Of the candidates, as many as a belief may send outside of what it names.
_MOST_OUTSIDE = 0.9


@dataclass(frozen=True, slots=True)
class Hits:
    """Candidates and how similar they are, before any is compared, and the share of the index that was looked at."""

    photos: list[IndexedPhoto]
    similarities: list[float]
    looked_at_share: float


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where to look for a photo first; without regions everywhere.

    outside_share: of the candidates, taken from outside of the regions.
    """

    regions: tuple[Region, ...] = ()
    outside_share: float = 0.0

    @property
    def near(self) -> list[Circle]:
        return [region.circle for region in self.regions]

    def away_m(self, photos: Sequence[IndexedPhoto]) -> NDArray[np.float64] | None:
        """(n,) metres from each photo to the nearest region's rim, 0 inside; None without regions or photos."""
        return _distances(self.near, photos).min(axis=1) if self.regions and photos else None

    def hold_any(self, photos: Sequence[IndexedPhoto]) -> bool:
        """Whether one of the photos lies in some region."""
        away_m = self.away_m(photos)
        return away_m is not None and bool((away_m <= 0.0).any())

    def scores(self, photos: Sequence[IndexedPhoto], similarities: Sequence[float], rerank: str) -> NDArray[np.float64]:
        """(n,) what candidates are ordered by before any is compared, by the formula of this name."""
        plausible = None
        if self.regions and photos:
            radius_m = np.array([region.circle.radius_m for region in self.regions])
            weight = np.array([region.weight for region in self.regions])
            plausible = plausibility(_distances(self.near, photos), radius_m, weight)
        return first_scores(np.array(similarities, np.float32), plausible, rerank)


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


class Sight:
    """One photo before one index: what it is found by, and what it was compared with so far.

    Nothing is worked out twice, however many ways of searching are tried.
    """

    def __init__(
        self,
        index: Index,
        retrieve: Search,
        matcher: Matcher,
        features: LocalFeatures,
        verify: VerifyOptions,
        hidden: frozenset[int] = frozenset(),
    ) -> None:
        """hidden: rows that are passed over."""
        self.index, self.features, self.hidden = index, features, hidden
        self.references = References(index, matcher)
        self._retrieve, self._once = retrieve, Once()
        self._comparisons = Comparisons(features, verify, matcher)

    def hits(self, k: int, within: Sequence[Circle] | None = None, elsewhere: int = 0) -> Hits:
        """The k most similar photos inside the circles, and the `elsewhere` most similar of the others.

        Raises TooFewFeatures where there is nothing to search by.
        """
        key = (k, None if within is None else tuple(within), elsewhere)
        return self._once(key, lambda: self._found(k, within, elsewhere))

    def verified(self, photos: Sequence[IndexedPhoto]) -> list[Verification | None]:
        """What comparing with these gave, as far as it was needed, in their order."""
        return self._comparisons.verify([(photo.row_id, partial(self.references.load, photo)) for photo in photos])

    def take_spared_ms(self) -> float:
        """Milliseconds of work that was asked for again since this was asked last, and not done again."""
        return self._once.take_spared_ms() + self._comparisons.once.take_spared_ms()

    def _found(self, k: int, within: Sequence[Circle] | None, elsewhere: int) -> Hits:
        """Of as many more as are hidden, inside and outside, no more than k and `elsewhere` are taken."""
        more = len(self.hidden)
        outside_k = elsewhere + more if elsewhere else 0
        found = self._retrieve(self.features, k + more, within=within, outside_k=outside_k)
        pairs = zip(found.row_ids.tolist(), found.similarities.tolist(), strict=True)
        kept = [(row, similarity) for row, similarity in pairs if row not in self.hidden]
        hits = list(zip(self.index.photos([row for row, _ in kept]), (s for _, s in kept), strict=True))
        if more and within and hits:
            inside = _distances(within, [photo for photo, _ in hits]).min(axis=1) <= 0.0
            near = [hit for hit, here in zip(hits, inside, strict=True) if here]
            hits = near[:k] + [hit for hit, here in zip(hits, inside, strict=True) if not here][:elsewhere]
        hits = hits if within else hits[:k]
        return Hits([photo for photo, _ in hits], [s for _, s in hits], found.looked_at_share)


class Searcher:
    """A way of searching: how many candidates are looked at, and by which formula they are ordered."""

    def __init__(self, top_k: int, rerank: str) -> None:
        self._top_k, self._rerank = top_k, rerank

    def everywhere(self, sight: Sight) -> Hits:
        """The candidates of the whole index, the most similar first. Raises TooFewFeatures."""
        return sight.hits(self._top_k)

    def bounded(self, sight: Sight, bounds: Bounds) -> Hits:
        """Those that are looked at first: inside of the regions, and a share of others. Raises TooFewFeatures."""
        if not bounds.regions:
            return self.everywhere(sight)
        outside = max(1, round(self._top_k * min(bounds.outside_share, _MOST_OUTSIDE)))
        # One inside at least, and one outside: with a single candidate there are two.
        return sight.hits(max(1, self._top_k - outside), bounds.near, outside)

    def search(self, sight: Sight, bounds: Bounds, min_evidence: float, lap: Callable[[str, float], None]) -> Found:
        """The candidates of a photo, verified: where regions hold none that stands, those of the whole index as well.

        Also where one stands outside: the few that are looked at there place a photo worse than all of its neighbours.
        lap(stage, spared milliseconds) is called when a part is done. Raises TooFewFeatures.
        """
        photos, similarities, verified = list[IndexedPhoto](), list[float](), list[Verification | None]()
        looked_at, first = 0.0, np.zeros(0)
        widened = not bounds.regions
        while True:
            hits = self.everywhere(sight) if widened else self.bounded(sight, bounds)
            known = {photo.row_id for photo in photos}
            fresh = [i for i, photo in enumerate(hits.photos) if photo.row_id not in known]
            photos += [hits.photos[i] for i in fresh]
            similarities += [hits.similarities[i] for i in fresh]
            looked_at = max(looked_at, hits.looked_at_share)
            lap("search", sight.take_spared_ms())
            first = bounds.scores(photos, similarities, self._rerank)
            order = [i for i in best_first(first.tolist()) if i >= len(verified)]
            lap("rerank", 0.0)
            verified += [None] * len(fresh)
            for i, result in zip(order, sight.verified([photos[i] for i in order]), strict=True):
                verified[i] = result
            lap("verify", sight.take_spared_ms())
            standing = [photos[i] for i, r in enumerate(verified) if r and r.evidence >= min_evidence]
            if widened or bounds.hold_any(standing):
                break
            widened = True
        in_regions = sight.index.count_within(bounds.near) if bounds.regions else None
        searched = Searched(in_regions, round(looked_at, 6), bool(bounds.regions) and widened)
        return Found(photos, np.array(similarities), first, bounds.away_m(photos), verified, searched)


def _distances(near: Sequence[Circle], photos: Sequence[IndexedPhoto]) -> NDArray[np.float64]:
    """(n, circles) metres from each photo to each circle's rim, 0 inside.

    A photo that says nowhere where it was taken is as far as anything can be.
    """
    lat = np.array([p.position.lat if p.position else np.nan for p in photos])[:, None]
    lon = np.array([p.position.lon if p.position else np.nan for p in photos])[:, None]
    centers = np.array([(c.lat, c.lon, c.radius_m) for c in near]).T
    away: NDArray[np.float64] = np.maximum(haversine_m(lat, lon, centers[0], centers[1]) - centers[2], 0.0)
    return np.where(np.isnan(away), _FARTHEST_M, away)
