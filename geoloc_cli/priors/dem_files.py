"""Files of elevation models -> grids: SRTM tiles (.hgt), ASCII grids (.asc), GeoTIFF, or a folder of such.

Heights are metres above the sea level, as those of SRTM, Copernicus and national surveys are.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from geoloc_cli.errors import UsageError
from geoloc_cli.priors.dem import MOST_READ, Grid, grid_of, pooled
from geoloc_cli.priors.dem_tiff import read_tiff

SUFFIXES = (".hgt", ".asc", ".tif", ".tiff")
# Of all tiles together; finer ones are pooled. What is worked out of a million cells takes 100 MB and 0.2 s a photo.
MOST_CELLS = 1 << 20
_TILE = re.compile(r"([NS])(\d{2})([EW])(\d{3})", re.IGNORECASE)


def read_dem(path: Path) -> list[Grid]:
    """The grids of a file or of every one in a folder, in no more cells than `MOST_CELLS`.

    Raises UsageError, which names the file, where it cannot be read or says nothing of where it lies.
    """
    files = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise UsageError(f"{path} holds no elevation model; put files of {', '.join(SUFFIXES)} into it.")
    pool, grids = 1, list[Grid]()
    for file in files:
        grids.append(pooled(_read(file), pool))
        # Coarser as more is met, all alike: each cell of the answer then stands for as much ground.
        while sum(grid.height_m.size for grid in grids) > MOST_CELLS:
            grids, pool = [pooled(grid, 2) for grid in grids], 2 * pool
    if not any(np.isfinite(grid.height_m).any() for grid in grids):
        raise UsageError(f"{path} holds no heights; give an elevation model in metres.")
    return grids


def _read(path: Path) -> Grid:
    readers = {".hgt": _hgt, ".asc": _asc, ".tif": read_tiff, ".tiff": read_tiff}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"{path} is no elevation model that is read here; give one of {', '.join(SUFFIXES)}.")
    try:
        return reader(path)
    except (OSError, ValueError, LookupError) as error:
        raise UsageError(f"{path} cannot be read as an elevation model ({error}); get it again.") from error


def _hgt(path: Path) -> Grid:
    """SRTM: big-endian int16 from the north-western corner; the outermost samples lie on the degrees themselves."""
    named = _TILE.match(path.name)
    data = np.fromfile(path, dtype=">i2")
    side = math.isqrt(data.size)
    if not named or side * side != data.size or side < 2:
        raise ValueError("it should be named as N47E008.hgt, and be a square of 16-bit numbers")
    south = float(named[2]) * (1.0 if named[1].upper() == "N" else -1.0)
    west = float(named[4]) * (1.0 if named[3].upper() == "E" else -1.0)
    step = 1.0 / (side - 1)
    return grid_of(data.reshape(side, side), south + 1.0 + step / 2.0, west - step / 2.0, step, step, 0, path)


def _asc(path: Path) -> Grid:
    """The ASCII grid of Esri, in degrees; a corner or the centre of its south-western cell is stated."""
    head: dict[str, float] = {}
    with path.open(encoding="ascii", errors="replace") as file:
        line = file.readline()
        while len(fields := line.split()) == 2 and fields[0][0].isalpha():
            head[fields[0].lower()] = float(fields[1])
            line = file.readline()
        rows, columns = int(head["nrows"]), int(head["ncols"])
        if rows * columns > MOST_READ:
            raise ValueError(f"it has {rows} by {columns} cells; cut it to the region that is wanted")
        values = np.fromstring(line + file.read(), dtype=np.float32, sep=" ")
    heights = values.reshape(rows, columns)
    heights[heights == np.float32(head.get("nodata_value", -9999.0))] = np.nan
    right, down = head.get("dx", head.get("cellsize", 0.0)), head.get("dy", head.get("cellsize", 0.0))
    west = head["xllcorner"] if "xllcorner" in head else head["xllcenter"] - right / 2.0
    south = head["yllcorner"] if "yllcorner" in head else head["yllcenter"] - down / 2.0
    return grid_of(heights, south + down * rows, west, down, right, 0, path)
