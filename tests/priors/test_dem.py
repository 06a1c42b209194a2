"""Elevation models: one landscape in every format lies where it lies, and what is wrong with a file is one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from geoloc_cli.errors import UsageError
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.geo.utm import geodetic_from_utm
from geoloc_cli.priors import dem_files
from geoloc_cli.priors.dem import Grid, grid_of, pooled
from geoloc_cli.priors.dem_files import read_dem

if TYPE_CHECKING:
    from pathlib import Path

SIDE = 61  # samples of a degree: every arc minute
DEGREES = (1, 1, 0, 4, 1024, 0, 1, 2, 1025, 0, 1, 1, 2048, 0, 1, 4326, 2054, 0, 1, 9102)


def height_m(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """A slope to the north-east, the same to a centimetre at the same place."""
    return 100.0 + 600.0 * (lat - 47.0) + 300.0 * (lon - 8.0)


def whole_degree() -> tuple[np.ndarray, np.ndarray]:
    """Latitudes and longitudes of the samples, the outermost on the degrees."""
    return np.meshgrid(np.linspace(48.0, 47.0, SIDE), np.linspace(8.0, 9.0, SIDE), indexing="ij")


def write_tiff(path: Path, heights: np.ndarray, tags: dict[int, tuple[int, Any]], **options: Any) -> Path:
    """tags: number -> type of TIFF (3 short, 12 double, 2 text) and value."""
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, (kind, value) in tags.items():
        directory.tagtype[tag] = kind
        directory[tag] = value
    Image.fromarray(heights).save(path, tiffinfo=directory, **options)
    return path


def laid(step: float, column: float, row: float, x: float, y: float, keys: tuple[int, ...]) -> dict[int, Any]:
    return {33550: (12, (step, step, 0.0)), 33922: (12, (column, row, 0.0, x, y, 0.0)), 34735: (3, keys)}


def write(folder: Path, form: str) -> Path:
    """The degree north-east of 47 north, 8 east, in one of the formats, with one cell unknown."""
    heights = height_m(*whole_degree()).astype(np.float32)
    step, edge = 1.0 / (SIDE - 1), 0.5 / (SIDE - 1)
    heights[3, 5] = -9999.0
    if form == "hgt":
        heights[3, 5] = -32768.0
        (folder / "n47e008.hgt").write_bytes(np.rint(heights).astype(">i2").tobytes())
        return folder / "n47e008.hgt"
    if form.startswith("asc"):
        where = f"xllcorner {8 - edge}\nyllcorner {47 - edge}" if form == "asc corner" else "XLLCENTER 8\nYLLCENTER 47"
        rows = "\n".join(" ".join(f"{value:.3f}" for value in row) for row in heights)
        (folder / "dem.asc").write_text(f"ncols {SIDE}\nnrows {SIDE}\n{where}\ncellsize {step}\n{rows}\n")
        return folder / "dem.asc"
    tags = laid(step, 0.0, 0.0, 8.0 - edge, 48.0 + edge, DEGREES) | {42113: (2, "-9999")}
    if form == "tiff points":  # by the middle of another cell than the first
        tags |= laid(step, 10.0, 20.0, 8.0 + 10 * step, 48.0 - 20 * step, (*DEGREES[:11], 2, *DEGREES[12:]))
    if form == "tiff transform":
        del tags[33550], tags[33922]
        tags[34264] = (12, (step, 0.0, 0.0, 8.0 - edge, 0.0, -step, 0.0, 48.0 + edge, *[0.0] * 7, 1.0))
    if form == "tiff int16":
        return write_tiff(folder / "dem.tif", np.rint(heights).astype(np.int32), tags)
    return write_tiff(folder / "dem.tif", heights, tags, compression="tiff_lzw" if form == "tiff lzw" else None)


FORMS = ["hgt", "asc corner", "asc centre", "tiff", "tiff points", "tiff transform", "tiff int16", "tiff lzw"]


@pytest.mark.parametrize("form", FORMS)
def test_the_same_landscape_in_every_format(tmp_path: Path, form: str) -> None:
    (grid,) = read_dem(write(tmp_path, form))
    assert grid.height_m.shape == (SIDE, SIDE)
    assert np.isnan(grid.height_m[3, 5])
    assert np.isnan(grid.height_m).sum() == 1
    row, column = np.indices(grid.height_m.shape) + 0.5
    lat, lon = grid.places(row, column)
    assert lat[0, 0] == pytest.approx(48.0, abs=1e-9)
    assert lon[-1, -1] == pytest.approx(9.0, abs=1e-9)
    off = np.abs(grid.height_m - height_m(lat, lon))
    assert np.nanmax(off) <= (0.5 if form in ("hgt", "tiff int16") else 1e-3)


def test_a_grid_in_utm_lies_where_it_lies(tmp_path: Path) -> None:
    """Zone 32, whose middle is 9 degrees east, and zone 56 of the southern half: ten by eight cells of 100 m."""
    heights = np.arange(80, dtype=np.float32).reshape(8, 10)
    for code, zone, south in ((32632, 32, False), (25832, 32, False), (32756, 56, True)):
        keys = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, code)
        tags = laid(100.0, 0.0, 0.0, 400_000.0, 5_300_000.0, keys)
        (grid,) = read_dem(write_tiff(tmp_path / "dem.tif", heights, tags))
        lat, lon = grid.places(np.array(7.5), np.array(9.5))
        wanted = geodetic_from_utm(400_950.0, 5_299_250.0, zone, south)
        assert haversine_m(lat, lon, *wanted) < 1e-6
        assert grid.cell_m(np.array(0.5)) == (100.0, 100.0)


def test_cells_are_as_wide_as_their_latitude_says(tmp_path: Path) -> None:
    (grid,) = read_dem(write(tmp_path, "tiff"))
    down, across = grid.cell_m(np.array([0.5, SIDE - 0.5]))
    step = 1.0 / (SIDE - 1)
    assert down == pytest.approx(float(haversine_m(47.0, 8.0, 47.0 + step, 8.0)), rel=1e-6)
    wanted = haversine_m(np.array([48.0, 47.0]), 8.0, np.array([48.0, 47.0]), 8.0 + step)
    assert across == pytest.approx(wanted, rel=1e-6)


def test_pooling_keeps_the_mean_and_tells_the_relief(tmp_path: Path) -> None:
    """Of a plane that rises by 10 m a cell, squares of k cells have the deviation k * 10 / sqrt(12), and so has one."""
    plane = np.tile(10.0 * np.arange(12.0), (12, 1))
    grid = grid_of(plane, 48.0, 8.0, 0.01, 0.01, 0, tmp_path)
    assert grid.relief_m == pytest.approx(np.full((12, 12), 10.0 / np.sqrt(12.0)))
    for by in (2, 3, 4):
        coarse = pooled(grid, by)
        assert coarse.height_m[0] == pytest.approx(plane[0].reshape(-1, by).mean(axis=1))
        assert coarse.relief_m == pytest.approx(np.full(coarse.relief_m.shape, by * 10.0 / np.sqrt(12.0)), rel=1e-4)
    again = pooled(pooled(grid, 2), 2)
    assert again.relief_m == pytest.approx(pooled(grid, 4).relief_m, rel=1e-4)
    odd = pooled(grid_of(plane[:5, :7], 48.0, 8.0, 0.01, 0.01, 0, tmp_path), 4)
    assert odd.height_m == pytest.approx(np.array([[15.0, 50.0], [15.0, 50.0]]))
    assert (odd.down, odd.right) == (0.04, 0.04)


def test_a_folder_of_tiles_is_pooled_until_it_is_small_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heights = np.rint(height_m(*whole_degree())).astype(">i2")
    for name in ("N47E008.hgt", "N47E009.hgt", "S03W001.hgt"):
        (tmp_path / name).write_bytes(heights.tobytes())
    (tmp_path / "readme.txt").write_text("not a tile")
    assert [grid.height_m.shape for grid in read_dem(tmp_path)] == [(SIDE, SIDE)] * 3
    monkeypatch.setattr(dem_files, "MOST_CELLS", 1000)
    grids: list[Grid] = read_dem(tmp_path)
    assert [grid.height_m.shape for grid in grids] == [(16, 16)] * 3
    assert sorted((round(g.north), round(g.west)) for g in grids) == [(-2, -1), (48, 8), (48, 9)]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("tile.hgt", bytes(2 * 9), "named as N47E008.hgt"),
        ("N47E008.hgt", bytes(2 * 10), "a square of 16-bit numbers"),
        ("a.asc", b"ncols 2\nnrows 2\nxllcorner 0\n1 2\n3 4", "'yllc"),
        ("a.asc", b"ncols 2\nnrows 2\nxllcorner 0\nyllcorner 0\ncellsize 1\n1 2 3", "reshape"),
        ("a.asc", b"ncols 2\nnrows 2\nxllcorner 6e5\nyllcorner 2e5\ncellsize 100\n1 2 3 4", "GeoTIFF, in EPSG:4326"),
        ("a.asc", b"ncols 99999\nnrows 99999\nxllcorner 0\nyllcorner 0\ncellsize 1\n", "cut it"),
        ("a.tif", b"II*\x00", "cannot be read as an elevation model"),
        ("a.png", b"", "no elevation model that is read here"),
        ("missing.tif", None, "cannot be read as an elevation model"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(tmp_path: Path, name: str, data: bytes | None, said: str) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError, match=said) as error:
        read_dem(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)


def test_a_tiff_that_lies_nowhere_or_elsewhere_is_refused(tmp_path: Path) -> None:
    heights, path = np.zeros((4, 4), dtype=np.float32), tmp_path / "dem.tif"
    swiss = (1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 2056)
    turned = (12, (1.0, 0.5, 0.0, 8.0, 0.5, -1.0, 0.0, 48.0, *[0.0] * 7, 1.0))
    for tags, said in (
        ({}, "does not say where it lies"),
        (laid(100.0, 0.0, 0.0, 2.6e6, 1.2e6, swiss), "projection EPSG:2056; bring it to EPSG:4326"),
        ({34264: turned, 34735: (3, DEGREES)}, "turned against north"),
    ):
        with pytest.raises(UsageError, match=said):
            read_dem(write_tiff(path, heights, tags))
    with pytest.raises(UsageError, match="not one band of heights"):
        read_dem(write_tiff(path, np.zeros((4, 4, 3), dtype=np.uint8), laid(0.1, 0, 0, 8.0, 48.0, DEGREES)))
    with pytest.raises(UsageError, match="holds no heights"):
        read_dem(write_tiff(path, heights - 9999.0, laid(0.1, 0, 0, 8.0, 48.0, DEGREES)))
    path.unlink()
    with pytest.raises(UsageError, match="holds no elevation model"):
        read_dem(tmp_path)
