"""The levels at which a place can be told, and the fixed cells of each.

A place is told as the middle of the cell that holds it, never with noise: noise is averaged away by whoever asks often
enough, a cell is not. The cells are H3's (`geo/cells.py`), of about equal area wherever on the Earth, and nest: the
street's cell lies in one city's cell, and so on. What is told at a coarse level is therefore the same whether it was
made of the exact place or of a finer level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, get_args

from geoloc_cli.errors import UsageError
from geoloc_cli.geo.cells import centers_of, nested_cell
from geoloc_cli.types import Level

LEVELS: tuple[Level, ...] = get_args(Level)
# No two places are farther apart.
_WIDEST_M = 20_015_000


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells of a level. A cell's middle is rounded to `decimals` of a degree, and is still in the cell.

    No place of a cell is farther than `reach_m - spare_m` from its middle: 1.1462 edge lengths to the farthest corner
    (`geo/cells.py`), and what the rounding adds. `area_km2` is that of a usual cell; the smallest, about the twelve
    pentagons, are half as large, and the largest a fifth larger.
    """

    resolution: int
    decimals: int
    reach_m: int
    spare_m: int
    area_km2: float

    def cell_of(self, lat: float, lon: float) -> int:
        return nested_cell(lat, lon, self.resolution)

    def middle_of(self, cell: int) -> tuple[float, float]:
        """Latitude and longitude, by which every place of the cell is told."""
        lat, lon = centers_of([cell])
        return round(float(lat[0]), self.decimals) + 0.0, round(float(lon[0]), self.decimals) + 0.0

    def snapped(self, lat: float, lon: float) -> tuple[float, float]:
        """The middle of the cell that holds a place."""
        return self.middle_of(self.cell_of(lat, lon))

    def radius_m(self, step: int) -> float:
        """A radius about the middle that covers every circle of `step` metres about a place of the cell."""
        return float(min(self.reach_m + (step if step > self.spare_m else 0), _WIDEST_M))


GRIDS: dict[Level, Grid] = {
    # 0.9 km across: some streets, and hundreds of doors where people live close together.
    "street": Grid(8, 3, 800, 100, 0.737),
    # 17 km across: a large town and its surroundings, or a part of a very large one.
    "city": Grid(5, 2, 13_000, 900, 253.0),
    # 120 km across: a province.
    "region": Grid(3, 1, 95_000, 8_000, 12_393.0),
    # 840 km across, the size of France; smaller countries lie in one cell together.
    "country": Grid(1, 0, 700_000, 67_000, 609_788.0),
}
"""The levels between `exact` and `none`, at which a place is told by its cell."""


def coarsest(*levels: Level) -> Level:
    """That which tells least."""
    return max(levels, key=LEVELS.index)


def level_of(text: Any, where: str) -> Level:
    """The level of this name. UsageError where there is none, which says `where` it stands."""
    if text not in LEVELS:
        raise UsageError(f"{where} is {text!r}; give one of {', '.join(LEVELS)}.")
    level: Level = text
    return level


def step_of(radius_m: float | None, was: Level) -> int:
    """A radius of an answer at the level `was`, as the power of two of metres above it, and 0 for none.

    Powers of two, because the digits of a radius would tell one answer from another; and whole metres, so that what a
    finer level added can be taken off again: the step is the same whichever level it is read from.
    """
    stated = radius_m or 0.0
    grid = GRIDS.get(was)
    rest = stated - grid.reach_m if grid else stated
    return 0 if rest <= 0.0 else 2 ** max(0, math.ceil(math.log2(min(rest, 2.0 * _WIDEST_M))))
