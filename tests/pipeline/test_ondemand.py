"""Poses without a map: one is made around the photo, kept by what it was made of, and as honest as its positions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.index.reader import Index
from geoloc_cli.maps.stored import from_arrays, to_arrays
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.pipeline.batch import locate_photos
from geoloc_cli.pipeline.build import build_index
from geoloc_cli.pipeline.locate import LocateOptions
from geoloc_cli.pipeline.ondemand import LocalMaps
from geoloc_cli.pipeline.posing import map_of, stage_spec
from geoloc_cli.store import Store
from geoloc_cli.types import Fix

if TYPE_CHECKING:
    from conftest import SmallTown


def posed(index: str | Path, paths: list[str], cache: Path | None = None) -> list[Fix]:
    answers = list(
        locate_photos(
            index,
            paths,
            LocateOptions(),
            LocalPool(1),
            pose=stage_spec(None, None),
            cache=str(cache) if cache else None,
        )
    )
    assert all(isinstance(answer, Fix) for answer in answers)
    return [answer for answer in answers if isinstance(answer, Fix)]


def test_photos_beside_a_walk_are_posed_without_a_map_and_the_second_time_from_the_cache(
    town: SmallTown, tmp_path: Path
) -> None:
    paths = [query.path for query in town.queries]
    first = posed(town.index, paths, tmp_path / "cache")
    for fix, query in zip(first, town.queries, strict=True):
        assert fix.stage == "pose"
        assert fix.pose is not None
        assert fix.pose.heading_deg is not None
        assert fix.lat is not None
        assert fix.lon is not None
        assert fix.radius_m is not None
        # Positions of 1 m of noise on a street 56 m long.
        assert float(haversine_m(fix.lat, fix.lon, query.lat, query.lon)) < min(3.0, fix.radius_m)
        assert abs((fix.pose.heading_deg - query.pose.heading_deg + 180.0) % 360.0 - 180.0) < 8.0
    second = posed(town.index, paths, tmp_path / "cache")
    assert [fix.pose for fix in second] == [fix.pose for fix in first]
    spent = [sum(fix.timing_ms["pose"] for fix in fixes) for fixes in (first, second)]
    assert spent[1] < spent[0] / 2
    for fix in second:
        # Whoever draws the pose finds the map that it is in.
        assert fix.pose is not None
        component = map_of(fix.pose, None, town.index, str(tmp_path / "cache"), "mutual-nn")
        assert component is not None
        assert component.georeference is not None
        placed = component.georeference.in_enu(np.array(fix.pose.center_in_map))
        assert placed == pytest.approx(np.array(fix.pose.center_in_enu), abs=1e-6)


def test_a_kept_map_is_what_was_made_and_a_damaged_one_is_made_again(town: SmallTown, tmp_path: Path) -> None:
    with Index.open(town.index) as index:
        seed = town.photos[6].path
        ((name, made),) = list(LocalMaps(index, Store(tmp_path)).around([seed]))
        assert name.endswith(f"#{seed}")
        again = from_arrays(to_arrays(made))
        assert set(again.model.images) == set(made.model.images)
        assert again.georeference is not None
        assert made.georeference is not None
        assert again.georeference.rotation.tobytes() == made.georeference.rotation.tobytes()
        for path, image in made.model.images.items():
            assert again.model.images[path].camera == image.camera
            assert (again.model.images[path].point_rows == image.point_rows).all()
        (entry,) = list(tmp_path.rglob("*.npz"))
        entry.write_bytes(entry.read_bytes()[:-9])
        ((_, anew),) = list(LocalMaps(index, Store(tmp_path)).around([seed]))
        assert set(anew.model.images) == set(made.model.images)


def test_two_photos_are_a_map_whose_radius_admits_it(town: SmallTown, tmp_path: Path) -> None:
    query = town.queries[1]
    near = sorted(town.photos, key=lambda p: float(haversine_m(p.lat, p.lon, query.lat, query.lon)))[:2]
    build_index(tmp_path / "index", [photo.path for photo in near], parallel_map=LocalPool(1))
    (fix,) = posed(tmp_path / "index", [query.path])
    assert fix.pose is not None
    assert fix.lat is not None
    assert fix.lon is not None
    assert fix.radius_m is not None
    assert float(haversine_m(fix.lat, fix.lon, query.lat, query.lon)) < fix.radius_m < 60.0


def test_one_photo_gives_a_place_and_no_pose(town: SmallTown, tmp_path: Path) -> None:
    build_index(tmp_path / "index", [town.photos[6].path], parallel_map=LocalPool(1))
    (fix,) = posed(tmp_path / "index", [town.photos[7].path])
    assert (fix.status, fix.stage, fix.pose) == ("ok", "rerank", None)
    assert fix.reason == "no_pose_not_in_map"


def test_a_stranger_gets_neither_a_place_nor_a_map(town: SmallTown) -> None:
    for fix in posed(town.index, [photo.path for photo in town.strangers]):
        assert (fix.status, fix.pose) == ("unlocated", None)
        assert "pose" not in fix.timing_ms


@pytest.mark.realdata
@pytest.mark.timeout(240)
def test_aerial_photos_are_posed_without_a_map_as_well_as_their_receivers_say(
    realdata: Path, tmp_path: Path, described: str
) -> None:
    split = json.loads((realdata / "splits.json").read_text())["seneca"]
    folder = realdata / split["photos"]
    photos = sorted(path for path in folder.iterdir() if path.name not in split["queries"])
    # A part of the flight that other tests describe too, and the queries that were taken within it.
    build_index(tmp_path / "index", [str(path) for path in photos[4:28]], parallel_map=LocalPool(1), cache=described)
    names = {path.name for path in photos[8:24]}
    queries = [str(folder / q) for q in split["queries"] if min(names) < q < max(names)]
    fixes = posed(tmp_path / "index", queries)
    errors, inside = [], []
    for fix in fixes:
        place = read_photo(fix.photo).position
        assert place is not None
        assert fix.lat is not None
        assert fix.lon is not None
        assert fix.radius_m is not None
        if fix.stage != "pose":
            continue
        errors.append(float(haversine_m(fix.lat, fix.lon, place.lat, place.lon)))
        inside.append(errors[-1] <= fix.radius_m)
    assert len(errors) == len(queries) == 4
    assert np.median(errors) < 4.0
    assert sum(inside) >= len(errors) - 1
