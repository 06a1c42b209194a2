"""Where there is no map: a small one is made around a photo's verified neighbours, and kept by what it was made of."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geometry.colmap import version
from geoloc_cli.index.reader import Index
from geoloc_cli.index.rows import IndexedPhoto
from geoloc_cli.maps import colmap, mapping
from geoloc_cli.maps.folder import Component
from geoloc_cli.maps.stored import from_arrays, to_arrays
from geoloc_cli.photos.lenses import lens_keys
from geoloc_cli.pipeline.map import RATIO, adjusted, map_photo, misfit
from geoloc_cli.pipeline.matching import References, build_matcher, key_of_matcher
from geoloc_cli.store import Store, key_of

# A map is made of the photo that looks most like the query, of those most alike to that one, and of the nearest.
_ALIKE, _NEAR = 7, 6
# Each is compared with these many others of them, and with the first.
_PAIRS_EACH = 4
_QUERY_KEYPOINTS = 2048
_SEEDS = 3
_ROUNDS = 1
# Raised when the same photos would give another map.
_RECIPE = 2


class LocalMaps:
    """Small maps of an index's photos, each made once: kept in memory, and in the store where there is one."""

    def __init__(self, index: Index, store: Store | None, matcher: str = "mutual-nn") -> None:
        self._index, self._store = index, store
        self._matcher = build_matcher(index, matcher, RATIO)
        self._references = References(index, self._matcher)
        self._photos = {photo.path: photo for photo in index.all_photos()}
        self._by_row = {photo.row_id: photo for photo in self._photos.values()}
        self._keys = lens_keys({photo.path: photo.camera for photo in self._photos.values()})
        self._made: dict[str, Component | None] = {}

    def around(self, verified: Sequence[str], hidden: frozenset[str] = frozenset()) -> Iterator[tuple[str, Component]]:
        """Maps about the best verified photos, the best first; each is made when the one before gave no pose.

        hidden: paths of photos that are in none of them.
        """
        for seed in [path for path in verified if path in self._photos][:_SEEDS]:
            component = self._about(self._photos[seed], hidden)
            if component is not None:
                yield f"{self._index.folder}#{seed}", component

    def _about(self, seed: IndexedPhoto, hidden: frozenset[str]) -> Component | None:
        around = [self._by_row[row] for row in self._index.around(seed.row_id, _ALIKE, _NEAR)]
        around = [photo for photo in around if photo.path not in hidden]
        # Before the key is made: a map without some of them must not be taken for the one with all.
        photos = self._references.at_hand([seed, *around])
        if seed not in photos:
            return None
        key = key_of(
            recipe=_RECIPE,
            pycolmap=version(),
            features=self._index.manifest.describer["features"],
            matcher=key_of_matcher(self._matcher),
            photos=[
                [
                    photo.sha256,
                    photo.path.encode(errors="surrogateescape").hex(),
                    str(photo.position),
                    str(photo.attitude),
                ]
                for photo in photos
            ],
        )
        if key not in self._made:
            self._made[key] = self._kept(key) or self._make(key, photos)
        return self._made[key]

    def _kept(self, key: str) -> Component | None:
        arrays = self._store.get(key) if self._store else None
        try:
            return from_arrays(arrays) if arrays else None
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def _make(self, key: str, photos: Sequence[IndexedPhoto]) -> Component | None:
        with tempfile.TemporaryDirectory(prefix="geoloc-") as scratch:
            work = Path(scratch)
            mapped = [map_photo(self._index, photo, photo.camera, self._keys[photo.path]) for photo in photos]
            database = work / "database.db"
            listed, held, guessed = colmap.write_database(database, mapped, self._matches(photos))
            models = mapping.reconstruct(
                database, listed, held, guessed, len(photos), work, lambda: None, misfit(photos), one=True
            )
            if not models:
                return None
            colmap.rename_images(models[0], {f"{number:06d}": photo.path for number, photo in enumerate(photos)})
            model, georeference = adjusted(models[0], photos, _ROUNDS, lambda stage, done: None)
        component = Component("0", model, georeference)
        if self._store:
            self._store.put(key, to_arrays(component))
        return component

    def _matches(self, photos: Sequence[IndexedPhoto]) -> Iterator[tuple[int, int, NDArray[np.int32]]]:
        """Of all with the first, and of those that share most of its keypoints with one another."""
        matcher = self._matcher
        loaded = [self._references.load(photo) for photo in photos]
        whole = [local for local in loaded if local is not None]
        if len(whole) < len(photos):  # gone since a moment ago, when they were at hand
            return
        references = [matcher.prepare(local) for local in whole]
        queries = [matcher.prepare(local.first(_QUERY_KEYPOINTS)) for local in whole]
        seen = [np.zeros(0, np.int64)]
        for i in range(1, len(photos)):
            found = matcher.match(queries[0], references[i])
            seen.append(found[:, 0].astype(np.int64))
            yield 0, i, found
        shared = np.array([[len(np.intersect1d(a, b)) for b in seen] for a in seen])
        np.fill_diagonal(shared, -1)
        wanted = {
            (min(i, int(j)), max(i, int(j)))
            for i in range(1, len(photos))
            for j in np.argsort(-shared[i], kind="stable")[:_PAIRS_EACH]
            if j
        }
        for i, j in sorted(wanted):
            yield i, j, matcher.match(queries[i], references[j])
