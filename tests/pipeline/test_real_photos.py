"""The main job on real photographs: held-out pictures are found where they were taken, strangers are not found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.pipeline.batch import locate_photos
from geoloc_cli.pipeline.build import build_index
from geoloc_cli.pipeline.locate import LocateOptions
from geoloc_cli.types import Fix

SETS = ("seneca", "lund")


def photos_and_queries(data: Path, name: str) -> tuple[list[str], list[str]]:
    split = json.loads((data / "splits.json").read_text())[name]
    folder = data / split["photos"]
    queries = [str(folder / query) for query in split["queries"]]
    return [str(path) for path in sorted(folder.iterdir()) if str(path) not in queries], queries


def located(index: Path, paths: list[str], cache: str) -> list[Fix]:
    answers = list(locate_photos(index, paths, LocateOptions(), LocalPool(1), cache=cache))
    assert all(isinstance(answer, Fix) for answer in answers)
    return [answer for answer in answers if isinstance(answer, Fix)]


@pytest.mark.realdata
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("name", "median_m", "worst_m"),
    [
        ("seneca", 15.0, 60.0),  # aerial, 70 m up, GPS of a drone: half of them within 8 m
        ("lund", 10.0, 25.0),  # around one building, GPS of a camera: half of them within 5 m
    ],
)
def test_held_out_photos_are_found_and_strangers_are_not(
    realdata: Path, tmp_path: Path, described: str, name: str, median_m: float, worst_m: float
) -> None:
    photos, queries = photos_and_queries(realdata, name)
    # A quarter of the flight: the whole of it and its 33 queries are the work of `scripts/evaluate_real.py`.
    photos = photos[:36]
    queries = [query for query in queries if query < photos[-1]]
    report = build_index(tmp_path / "index", photos, parallel_map=LocalPool(1), cache=described)
    assert (report.added, report.left_out) == (len(photos), ())
    fixes = located(tmp_path / "index", queries, described)
    assert [fix.status for fix in fixes] == ["ok"] * len(queries)
    truth = [read_photo(query).position for query in queries]
    errors = np.array(
        [
            float(haversine_m(fix.lat, fix.lon, place.lat, place.lon))
            for fix, place in zip(fixes, truth, strict=True)
            if fix.lat is not None and fix.lon is not None and place is not None
        ]
    )
    radii = np.array([fix.radius_m for fix in fixes])
    assert np.median(errors) < median_m
    assert errors.max() < worst_m
    assert (errors <= radii).mean() >= 0.9
    # A radius that always holds the truth because it is enormous would be no use: at most four times what is needed.
    assert np.median(radii) < 4 * np.percentile(errors, 90)
    other = next(s for s in SETS if s != name)
    # Every fifth is enough: half a dozen of them, each compared with fifteen photos.
    strangers = photos_and_queries(realdata, other)[1][::5]
    strangers += sorted(map(str, (realdata / "berlin" / "photos").iterdir()))
    for fix in located(tmp_path / "index", strangers, described):
        assert fix.confidence <= 0.2, fix.photo
        assert fix.status == "unlocated", fix.photo
