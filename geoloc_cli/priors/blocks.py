"""Probabilities of the cells of grids -> a few components: squares that are split where the most is to be told."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geoloc_cli.geo.earth import Floats
from geoloc_cli.geo.fisher import R90_PER_SIGMA
from geoloc_cli.priors.dem import Grid
from geoloc_cli.types import Component

# What is lost by a component for a square, in nats of the whole; less is not worth a component.
_LEAST_LOST = 1e-3


@dataclass(frozen=True, slots=True)
class _Level:
    """Sums (rows, columns) over the cells of each square: area, probability m, m log(m / area), and its moments, in
    cells from the north-western edge.
    """

    sums: Floats  # (7, rows, columns): area, m, m log(m / area), m x, m y, m x^2, m y^2

    def halved(self) -> _Level:
        rows, columns = (side + side % 2 for side in self.sums.shape[1:])
        padded = np.zeros((len(self.sums), rows, columns))
        padded[:, : self.sums.shape[1], : self.sums.shape[2]] = self.sums
        return _Level(padded.reshape(len(padded), rows // 2, 2, columns // 2, 2).sum(axis=(2, 4)))

    def lost(self, row: int, column: int) -> float:
        """What an even share of the square does not tell: the relative entropy of its cells, times its probability."""
        area, m, told = self.sums[:3, row, column]
        return float(told - m * np.log(m / area)) if m > 0.0 else 0.0


def components_of(
    grids: Sequence[Grid], masses: Sequence[Floats], areas: Sequence[Floats], most: int
) -> list[Component]:
    """At most `most` components for the probabilities of cells, which keep the sum of them.

    masses, areas: (rows, columns) of each grid, in any units; cells of no area hold nothing. The squares of a quadtree
    are split, the one first whose cells differ most from an even share (by relative entropy), and each becomes the
    component of its probability, centre and mean variance of both axes. Made wider by a quarter, to leave no ripples
    where squares are side by side, regions of 50 % hold 60 % of drawn places; as they are, 49 %.
    """
    towers = [_tower(mass, area) for mass, area in zip(masses, areas, strict=True)]
    total = sum(float(tower[-1].sums[1, 0, 0]) for tower in towers)
    heap = [(-tower[-1].lost(0, 0), which, len(tower) - 1, 0, 0) for which, tower in enumerate(towers)]
    heapq.heapify(heap)
    while heap and len(heap) + 3 <= most and -heap[0][0] > _LEAST_LOST * total:
        _, which, level, row, column = heapq.heappop(heap)
        below = towers[which][level - 1]
        for r in (2 * row, 2 * row + 1):
            for c in (2 * column, 2 * column + 1):
                if r < below.sums.shape[1] and c < below.sums.shape[2] and below.sums[1, r, c] > 0.0:
                    heapq.heappush(heap, (-below.lost(r, c), which, level - 1, r, c))
    return [_component(grids[which], towers[which][level].sums[:, r, c]) for _, which, level, r, c in sorted(heap)]


def _tower(mass: Floats, area: Floats) -> list[_Level]:
    """The grid itself, and squares of 2, 4, ... cells until one holds all."""
    y, x = (np.arange(side) + 0.5 for side in mass.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        told = np.where(mass > 0.0, mass * np.log(mass / area), 0.0)
    moments = [mass * x, mass * y[:, None], mass * (x**2 + 1 / 12), mass * (y**2 + 1 / 12)[:, None]]
    levels = [_Level(np.stack([area, mass, told, *moments]))]
    while max(levels[-1].sums.shape[1:]) > 1:
        levels.append(levels[-1].halved())
    return levels


def _component(grid: Grid, sums: Floats) -> Component:
    m = sums[1]
    x, y, xx, yy = sums[3:] / m
    lat, lon = grid.places(np.array(y), np.array(x))
    down_m, across_m = grid.cell_m(np.array(y))
    variance = ((xx - x * x) * float(across_m) ** 2 + (yy - y * y) * down_m**2) / 2.0
    return Component(float(lat), float(lon), R90_PER_SIGMA * float(np.sqrt(variance)), float(m))
