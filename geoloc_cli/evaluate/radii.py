"""Masses and radii of many beliefs at once, each about its own place: `geo/belief.py` has them one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from geoloc_cli.evaluate.metrics.mixtures import mixtures
from geoloc_cli.geo import fisher
from geoloc_cli.geo.earth import EARTH_RADIUS_M, HALF_EARTH_M, Floats, unit_vectors
from geoloc_cli.types import Belief

# From a thousandth of a millimetre to half the Earth's circumference, to a millionth of itself.
_LEAST_M = 1e-6
_HALVINGS = 46


class Around:
    """Beliefs (N,) about places (N,), in degrees."""

    def __init__(self, beliefs: Sequence[Belief], lat: ArrayLike, lon: ArrayLike) -> None:
        self._table = mixtures(beliefs)
        chord = np.linalg.norm(unit_vectors(lat, lon).reshape(-1, 3)[self._table.owner] - self._table.unit, axis=-1)
        self._away = 2.0 * np.arcsin(np.clip(chord / 2.0, 0.0, 1.0))

    def mass_within(self, radius_m: ArrayLike) -> Floats:
        """The mass (N,) of each belief within its radius (N,)."""
        table = self._table
        angle = np.clip(np.broadcast_to(np.divide(radius_m, EARTH_RADIUS_M), table.spread.shape), 0.0, np.pi)
        held = table.weight * fisher.share_in_circle(self._away, angle[table.owner], table.kappa)
        mass = np.bincount(table.owner, held, minlength=table.spread.size)
        return np.clip(mass + table.spread * fisher.rise_of_angle(angle) / 2.0, 0.0, 1.0)

    def radius_m(self, share: float = 0.9) -> Floats:
        """The radii (N,) that hold a share of each."""
        low = np.full(self._table.spread.shape, np.log(_LEAST_M))
        high = np.full(self._table.spread.shape, np.log(HALF_EARTH_M))
        for _ in range(_HALVINGS):
            middle = (low + high) / 2.0
            enough = self.mass_within(np.exp(middle)) >= share
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        radius: Floats = np.exp(high)
        return radius
