"""Digital elevation models: grids of heights with the relief within each cell, pooled where they are too fine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import UsageError
from geoloc_cli.geo.earth import EARTH_RADIUS_M, Floats, wrap_lon
from geoloc_cli.geo.utm import geodetic_from_utm

Heights = NDArray[np.float32]

MOST_READ = 200_000_000  # cells of one file
_HEIGHTS_M = (-500.0, 9000.0)  # the ground's, from the Dead Sea to Everest; what is beyond is no height
METRES_PER_DEG = math.pi * EARTH_RADIUS_M / 180.0


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells (rows, columns) from the north-west: the mean height of each, NaN where it is unknown, and the standard
    deviation of the ground's height within it.

    `north` and `west` are the outer edges, `down` and `right` the sides of a cell, in degrees, or in metres of the UTM
    `zone` (negative in the southern half; 0 for degrees).
    """

    height_m: Heights
    relief_m: Heights
    north: float
    west: float
    down: float
    right: float
    zone: int = 0

    def places(self, row: Floats, column: Floats) -> tuple[Floats, Floats]:
        """Latitudes and longitudes of places counted in cells from the north-western edge."""
        y, x = self.north - self.down * row, self.west + self.right * column
        if self.zone:
            return geodetic_from_utm(x, y, abs(self.zone), self.zone < 0)
        return y, wrap_lon(x)

    def cell_m(self, row: Floats) -> tuple[float, Floats]:
        """The height and the widths of cells in metres, at rows counted as above."""
        if self.zone:
            return self.down, np.full(np.shape(row), self.right)
        across = self.right * METRES_PER_DEG * np.cos(np.radians(self.north - self.down * row))
        return self.down * METRES_PER_DEG, np.maximum(across, 0.0)


def grid_of(
    height_m: NDArray[np.generic], north: float, west: float, down: float, right: float, zone: int, path: Path
) -> Grid:
    """A grid as it was read: the ground within a cell is a slope. Raises UsageError where it is none."""
    if min(height_m.shape, default=0) < 2 or height_m.ndim != 2 or height_m.size > MOST_READ:
        raise UsageError(f"{path} has {height_m.shape} cells; give a grid of 2 by 2 up to {MOST_READ} cells.")
    south, east = north - down * height_m.shape[0], west + right * height_m.shape[1]
    inside = zone or (-90.5 <= south < north <= 90.5 and -360.5 <= west < east <= 360.5)
    if not (math.isfinite(north + west) and down > 0 and right > 0 and inside):
        raise UsageError(f"{path} does not lie in degrees; give it as GeoTIFF, in EPSG:4326 or in UTM.")
    height = height_m.astype(np.float32)
    height[~((height >= _HEIGHTS_M[0]) & (height <= _HEIGHTS_M[1]))] = np.nan
    # Of a plane over a cell whose sides differ by d: the variance of an even share of it, d^2 / 12.
    slope = sum(np.nan_to_num(np.gradient(height, axis=axis)) ** 2 for axis in (0, 1))
    return Grid(height, np.sqrt(slope / 12.0).astype(np.float32), north, west, down, right, zone)


def pooled(grid: Grid, by: int) -> Grid:
    """Squares of by x by cells made one, with the variance of their heights; cells that are unknown do not count."""
    if by == 1:
        return grid
    rows, columns = (-(-side // by) * by for side in grid.height_m.shape)
    room = ((0, rows - grid.height_m.shape[0]), (0, columns - grid.height_m.shape[1]))
    height, relief = (np.pad(part, room, constant_values=np.nan) for part in (grid.height_m, grid.relief_m))
    known = np.isfinite(height)
    squares = (rows // by, by, columns // by, by)

    def summed(values: NDArray[np.float32]) -> Floats:
        total: Floats = np.where(known, values, 0.0).reshape(squares).sum(axis=(1, 3), dtype=np.float64)
        return total

    with np.errstate(invalid="ignore", divide="ignore"):
        count = summed(np.ones_like(height))
        mean = summed(height) / count
        variance = (summed(height**2) + summed(relief**2)) / count - mean**2
    spread = np.sqrt(np.maximum(variance, 0.0)).astype(np.float32)
    return Grid(mean.astype(np.float32), spread, grid.north, grid.west, by * grid.down, by * grid.right, grid.zone)
