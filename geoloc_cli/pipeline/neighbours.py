"""The photos of an index that look most and least like one, for a prior that shows their places to a model."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.contracts import Prior
from geoloc_cli.errors import TooFewFeatures
from geoloc_cli.index.reader import Circle, Index
from geoloc_cli.pipeline.describer import build_descriptor, describer_of
from geoloc_cli.priors.geoclip import GeoClipPrior
from geoloc_cli.priors.geoclip_near import GeoClipNeighbours
from geoloc_cli.priors.vlm_rag import Alike, Informed, Nearby
from geoloc_cli.registry import create, parse
from geoloc_cli.types import Photo

# A photo within this of a place stands beside it: one city, and the field's threshold of one.
_BESIDE_M = 25_000.0
# Photos of one spot are one neighbour; of so many times as many as are asked for, some are of others.
_CROWDED = 4
# Of a degree, within which two are of one spot: ten metres.
_DECIMALS = 4


def informed(prior: Prior, cache: str | None = None) -> Prior:
    """The prior, told of the gallery that it wants to be told of, if any: an index's folder, or the prior `geoclip`.

    cache: a folder in which what the photos are described by is kept. Raises the RunErrors of the index, or of geoclip.
    """
    if isinstance(prior, Informed) and (gallery := prior.gallery()):
        if parse(gallery).name == GeoClipPrior.name:
            places = create("prior", parse(gallery), {"cache": cache} if cache else {})
            prior.inform(GeoClipNeighbours(places))
        else:
            prior.inform(IndexNeighbours(gallery, cache))
    return prior


@dataclass
class IndexNeighbours:
    """An index and its describer, asked by one thread at a time. Raises the index's RunErrors when built."""

    folder: str
    cache: str | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._index = Index.open(self.folder)
        self._describer = describer_of(self._index, self.cache)
        self._descriptor = build_descriptor(self._index)
        ordered = self._index.ordered()
        # What is asked later comes from memory: SQLite serves the thread alone that opened it.
        rows = zip(ordered.row_ids.tolist(), ordered.lat.tolist(), ordered.lon.tolist(), strict=True)
        self._places = {row: (lat, lon) for row, lat, lon in rows}

    def __call__(self, photo: Photo, count: int) -> Nearby:
        """`count` of each, as the index's descriptor sees them. Raises PhotoError's kin where it cannot be read."""
        with self._lock:
            features = self._describer.describe(self._describer.decode(photo.path))
            try:
                vector = self._descriptor.describe(features)
            except TooFewFeatures:
                return Nearby()
            return Nearby(
                self._found(vector, count, 1.0),
                self._found(vector, count, -1.0),
                lambda lat, lon: self._beside(vector, lat, lon),
            )

    def _found(self, vector: NDArray[np.float32], count: int, sign: float) -> tuple[Alike, ...]:
        """The most similar to the vector, or with the sign -1 to its negative: the least similar to itself."""
        hits = self._index.search(np.float32(sign) * vector, _CROWDED * count)
        spots: dict[tuple[float, float], Alike] = {}
        for row, similarity in zip(hits.row_ids.tolist(), hits.similarities.tolist(), strict=True):
            lat, lon = self._places[row]
            if np.isfinite(lat):
                spot = round(lat, _DECIMALS), round(lon, _DECIMALS)
                spots.setdefault(spot, Alike(lat, lon, sign * similarity))
        return tuple(spots.values())[:count]

    def _beside(self, vector: NDArray[np.float32], lat: float, lon: float) -> float | None:
        with self._lock:
            found = self._index.search(vector, 1, [Circle(lat, lon, _BESIDE_M)]).similarities
        return float(found[0]) if len(found) else None
