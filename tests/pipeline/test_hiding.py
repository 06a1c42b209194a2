"""A photo that is to be scored: its own stated place reaches no prior, and it is not found in an index of itself."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.index.reader import Circle, Index
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.pipeline.batch import ask_photos, locate_photos
from geoloc_cli.pipeline.build import build_index
from geoloc_cli.pipeline.hiding import NOTHING_HIDDEN, Hiding
from geoloc_cli.pipeline.locate import LocateOptions
from geoloc_cli.pipeline.ondemand import LocalMaps
from geoloc_cli.types import Fix

if TYPE_CHECKING:
    from conftest import SmallTown

ITSELF, PLACE = Hiding(itself=True), Hiding(position=True)


def located(town: SmallTown, path: str, options: LocateOptions, priors: tuple[str, ...] = ()) -> Fix:
    (fix,) = locate_photos(town.index, [path], options, LocalPool(1), priors=priors)
    assert isinstance(fix, Fix)
    return fix


@pytest.mark.parametrize("retriever", ["global", "cann"])
def test_a_photo_does_not_find_itself_whatever_its_name(town: SmallTown, tmp_path: Path, retriever: str) -> None:
    own = town.photos[6]
    renamed = str(tmp_path / "query.jpg")
    shutil.copy(own.path, renamed)
    found = {}
    for hide in (NOTHING_HIDDEN, ITSELF):
        options = LocateOptions(top_k=5, list_k=5, hide=hide)
        (fix,) = locate_photos(town.index, [renamed], options, LocalPool(1), retriever=retriever)
        assert isinstance(fix, Fix)
        assert fix.stage == "rerank"
        found[hide] = [candidate.photo for candidate in fix.candidates]
    assert found[NOTHING_HIDDEN][0] == own.path
    assert own.path not in found[ITSELF]
    # One more was looked at in its place.
    assert len(found[ITSELF]) == len(found[NOTHING_HIDDEN]) == 5


def test_as_many_are_looked_at_inside_a_region_and_outside_of_it(town: SmallTown) -> None:
    own = town.photos[6]
    near = Circle(own.lat, own.lon, 10.0)
    shares = []
    for hide in (NOTHING_HIDDEN, ITSELF):
        fix = located(town, own.path, LocateOptions(near=(near,), top_k=6, outside_share=0.5, list_k=20, hide=hide))
        away = [float(haversine_m(own.lat, own.lon, c.lat or 0.0, c.lon or 0.0)) for c in fix.candidates]
        shares.append((sum(m <= 10.0 for m in away), sum(m > 10.0 for m in away)))
    # The walk has a photo each 4 m.
    assert shares == [(3, 3), (3, 3)]


def test_the_same_file_twice_in_an_index_is_hidden_twice_and_another_photo_is_not(
    town: SmallTown, tmp_path: Path
) -> None:
    paths = []
    for number, photo in enumerate((town.photos[6], town.photos[6], town.photos[7])):
        paths.append(str(tmp_path / f"{number}.jpg"))
        shutil.copy(photo.path, paths[-1])
    build_index(tmp_path / "index", paths, parallel_map=LocalPool(1))
    for query, left in ((town.photos[6].path, 1), (town.queries[0].path, 3)):
        options = LocateOptions(hide=ITSELF)
        (fix,) = locate_photos(tmp_path / "index", [query], options, LocalPool(1))
        assert isinstance(fix, Fix)
        assert len(fix.candidates) == left


def test_no_prior_is_told_the_place_that_a_photos_file_states(town: SmallTown) -> None:
    path = town.photos[3].path
    assert read_photo(path).position is not None
    assert PLACE.read(path) == replace(read_photo(path), position=None, notes=())
    (told,) = ask_photos([path], ["exif"], LocalPool(1))
    (kept,) = ask_photos([path], ["exif"], LocalPool(1), hide=PLACE)
    assert isinstance(told, Fix)
    assert isinstance(kept, Fix)
    assert (told.status, told.stage) == ("ok", "prior")
    assert (kept.status, kept.reason) == ("unlocated", "nothing_known")
    assert located(town, path, LocateOptions(hide=PLACE), ("exif",)).priors[0].lat is None


def test_a_map_made_on_demand_is_made_without_the_photo(town: SmallTown) -> None:
    """Its neighbours would be mapped with it, and know by it where their points are."""
    with Index.open(town.index) as index:
        seed, own = town.photos[6].path, town.photos[7].path
        rows = {photo.path: photo.row_id for photo in index.all_photos()}
        assert rows[own] in index.around(rows[seed], 7, 6)
        ((_, made),) = LocalMaps(index, None).around([seed], frozenset({own}))
        assert len(made.model.images) > 10
        assert own not in made.model.images
