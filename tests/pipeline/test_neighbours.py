"""Neighbours of a photo in an index: which they are, and what stands beside a place."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from geoloc_cli.errors import IndexMissing
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.pipeline.asking import build_priors
from geoloc_cli.pipeline.neighbours import IndexNeighbours

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import SmallTown


def test_the_most_and_the_least_similar_photos_and_what_stands_beside_a_place(town: SmallTown, tmp_path: Path) -> None:
    neighbours = IndexNeighbours(town.index, str(tmp_path / "cache"))
    query = town.queries[0]
    nearby = neighbours(read_photo(query.path), 4)
    assert len(nearby.similar) == len(nearby.dissimilar) == 4
    likenesses = [[photo.similarity for photo in photos] for photos in (nearby.similar, nearby.dissimilar)]
    assert likenesses[0] == sorted(likenesses[0], reverse=True)
    assert likenesses[1] == sorted(likenesses[1])
    assert min(likenesses[0]) > max(likenesses[1])
    best = nearby.similar[0]
    assert haversine_m(best.lat, best.lon, query.lat, query.lon) < 30.0
    assert nearby.likeness(query.lat, query.lon) == pytest.approx(best.similarity, abs=1e-6)
    assert nearby.likeness(query.lat + 1.0, query.lon) is None
    assert nearby.support(query.lat, query.lon) == pytest.approx(2.0, abs=1e-5)
    # Asked by the threads of a prior that has many requests under way, all the same.
    with ThreadPoolExecutor(2) as pool:
        again = list(pool.map(lambda _: neighbours(read_photo(query.path), 4), range(2)))
    assert [(found.similar, found.dissimilar) for found in again] == [(nearby.similar, nearby.dissimilar)] * 2


def test_a_picture_without_features_has_no_neighbours(town: SmallTown, tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    Image.fromarray(np.full((200, 200, 3), 128, np.uint8)).save(path)
    assert IndexNeighbours(town.index)(read_photo(str(path)), 4).similar == ()


def test_a_gallery_that_is_not_there_is_said_before_the_first_photo(tmp_path: Path) -> None:
    pytest.importorskip("httpx")
    with pytest.raises(IndexMissing, match="nowhere"):
        build_priors([f"vlm?url=http://127.0.0.1:9/v1&model=m&rag=3&gallery={tmp_path / 'nowhere'}"])
