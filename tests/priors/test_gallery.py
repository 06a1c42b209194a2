"""Galleries: files of every kind, what is wrong with them in one sentence, spacing and grids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from geoloc_cli.errors import IndexMissing, UsageError
from geoloc_cli.geo.earth import HALF_EARTH_M, haversine_m
from geoloc_cli.priors.gallery import gallery_of, made_gallery
from geoloc_cli.priors.regions import grid

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import SmallTown


@pytest.mark.parametrize("header", ["lat,lon", "LAT,LON", "name,Longitude,Latitude", "\ufefflat,lng"])
def test_columns_are_found_by_name(tmp_path: Path, header: str) -> None:
    rows = ["a,2.5,48.5", "b,-179.5,-10"] if header.startswith("name") else ["48.5,2.5", "-10,-179.5"]
    path = tmp_path / "gallery.csv"
    path.write_text("\n".join([header, *rows, rows[0]]), encoding="utf-8")
    found = gallery_of(str(path))
    rows_found = zip(found.lat, found.lon, found.times, strict=True)
    assert sorted(rows_found) == [(-10.0, -179.5, 1), (48.5, 2.5, 2)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("latitude,y\n1,2\n", "no columns lat and lon"),
        ("", "no columns lat and lon"),
        ("lat,lon\n1,2\n91,0\n", "line 3"),
        ("lat,lon\n1,nan\n", "line 2"),
        ("lat,lon\n1\n", "line 2"),
        ("lat,lon\n", "holds no places"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "gallery.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=said) as error:
        gallery_of(str(path))
    assert str(path) in str(error.value)


def test_a_file_that_is_not_there_and_an_index_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read as a gallery"):
        gallery_of(str(tmp_path / "no.csv"))
    with pytest.raises(IndexMissing):
        gallery_of(f"index:{tmp_path / 'no'}")


def test_the_places_of_an_index(town: SmallTown) -> None:
    found = gallery_of(f"index:{town.index}")
    assert len(found.lat) == len(town.photos)
    assert found.spacing_m.max() < 30.0


def test_spacing_is_that_of_the_nearest_or_a_little_more() -> None:
    """Places as photographs lie: dense here, sparse there. It is never too small, and seldom twice too large."""
    rng = np.random.default_rng(0)
    lat = np.concatenate([rng.normal(48.8, 0.1, 300), rng.uniform(-80, 80, 300)])
    lon = np.concatenate([rng.normal(2.3, 0.1, 300), rng.uniform(-180, 180, 300)])
    found = made_gallery(lat, lon)
    away = haversine_m(found.lat[:, None], found.lon[:, None], found.lat, found.lon)
    np.fill_diagonal(away, np.inf)
    ratio = found.spacing_m / away.min(axis=1)
    assert ratio.min() > 1.0 - 1e-9
    assert (ratio < 2.0).mean() > 0.9


def test_a_gallery_of_one_place_and_the_same_in_another_order() -> None:
    assert made_gallery([1.0, 1.0], [2.0, 2.0]).spacing_m.tolist() == [HALF_EARTH_M]
    one, two = made_gallery([1.0, 5.0], [2.0, 6.0]), made_gallery([5.0, 1.0], [6.0, 2.0])
    assert one.sha256 == two.sha256 != made_gallery([1.0], [2.0]).sha256


@pytest.mark.parametrize("center", [(48.0, 11.0), (90.0, 0.0), (0.0, 180.0)])
def test_a_grid_is_even_and_fills_its_circle(center: tuple[float, float]) -> None:
    lat, lon, step_m = grid(*center, 100_000.0, 400)
    away = haversine_m(lat[:, None], lon[:, None], lat, lon)
    np.fill_diagonal(away, np.inf)
    assert 0.7 * step_m < away.min(axis=1).min() <= away.min(axis=1).max() < 1.2 * step_m
    reach = np.sort(haversine_m(*center, lat, lon))
    assert reach[-1] <= 100_000.0
    assert reach[199] == pytest.approx(100_000.0 / np.sqrt(2.0), rel=0.01)
