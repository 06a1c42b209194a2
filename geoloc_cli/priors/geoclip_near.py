"""The places of GeoCLIP's gallery that a photo looks most and least like, in place of an index's photos."""

from __future__ import annotations

import threading

import numpy as np

from geoloc_cli.photos.decode import decode_rgb
from geoloc_cli.priors.geoclip import GeoClipPrior
from geoloc_cli.priors.vlm_rag import Alike, Nearby
from geoloc_cli.types import Photo


class GeoClipNeighbours:
    """`vlm_rag.Neighbours` by GeoCLIP's scores; its encoder scores any place, so that each has something beside it."""

    def __init__(self, prior: GeoClipPrior) -> None:
        self._prior = prior
        self._lock = threading.Lock()

    def __call__(self, photo: Photo, count: int) -> Nearby:
        """`count` places of each. Raises PhotoError's kin where the photo cannot be read."""
        prior = self._prior
        pixels = decode_rgb(photo.path, max_size=prior.pictures.wanted_px())
        with self._lock:
            picture = prior.pictures.embed([pixels])[0]
            scores = prior.scores(picture)
        order = np.argsort(-scores, kind="stable")

        def likeness(lat: float, lon: float) -> float:
            with self._lock:
                return float(prior.scores_at(picture, np.array([lat]), np.array([lon]))[0])

        def listed(rows: list[int]) -> tuple[Alike, ...]:
            return tuple(
                Alike(float(prior.gallery.lat[i]), float(prior.gallery.lon[i]), float(scores[i])) for i in rows
            )

        return Nearby(listed(order[:count].tolist()), listed(order[::-1][:count].tolist()), likeness)
