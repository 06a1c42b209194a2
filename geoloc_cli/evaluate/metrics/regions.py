"""Higher-density regions of beliefs: the area and the mass of all places that a belief holds denser than a given one.

Area is what Recall versus Area counts (`area.py`), mass is the probability-integral value whose distribution tells
whether a belief means what it says (`calibration.py`); Hyndman 1996 ("Computing and Graphing Highest Density Regions").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geoloc_cli.evaluate.metrics.mixtures import EARTH_KM2, Mixtures, log_components, log_sums, mixtures
from geoloc_cli.geo.earth import Floats, unit_vectors
from geoloc_cli.types import Belief

Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]

_SPHERE = 4.0 * np.pi
_TIE = 1e-6  # of the even share's density: places where the components add less than this are all alike
_CUT = 1e-4  # of the level: a component that adds less than this to a place claims none of its area
_RAYS, _NODES = 32, 24
_POLISH = 3
_LEAST_RISE = 1e-24  # h = 1 - cos(angle) of a hundredth of a millimetre
_HALVINGS = 44  # to eleven digits
_TERMS_AT_ONCE = 1 << 17  # of points and components, so that no temporary exceeds 3 MB


@dataclass(frozen=True, slots=True)
class Regions:
    """Of each belief (N,): the area and the mass of what is denser than its place, and of what is as dense."""

    area_km2: Floats
    tied_km2: Floats
    mass: Floats
    tied_mass: Floats


def denser_regions(beliefs: Sequence[Belief], lat: ArrayLike, lon: ArrayLike) -> Regions:
    """What each belief (N,) holds denser than its place; lat, lon: (N,) in degrees.

    Places where the components add less than a millionth of the even share's density are as dense as each other: tied.
    Where all components have one centre the region is a circle, and exact. Else it is integrated: see `_integrated`.
    """
    table = mixtures(beliefs)
    here = unit_vectors(lat, lon).reshape(-1, 3)
    log_here = log_components(table, here)
    with np.errstate(divide="ignore"):
        log_tie = np.log(table.spread * (_TIE / _SPHERE))
    tied = log_here <= log_tie
    level = np.maximum(log_here, log_tie)
    _, heads = np.unique(table.center, return_index=True)
    centers = np.bincount(table.owner[heads], minlength=level.size)
    circle = centers == 1
    rise = np.zeros(level.size)
    rise[circle] = 0.5 * np.sum((here[circle] - table.unit[table.first[:-1][circle]]) ** 2, axis=-1)
    rise[circle & tied] = _edges(table, circle & tied, level)
    area = 2.0 * np.pi * rise
    held = table.weight * _share_below(rise[table.owner], table.kappa)
    mass = np.bincount(table.owner, held, minlength=level.size).astype(np.float64)
    for row in np.flatnonzero(centers > 1).tolist():
        area[row], mass[row] = _integrated(table, row, float(level[row]))
    mass = np.clip(mass + table.spread * area / _SPHERE, 0.0, 1.0)
    km2 = area * (EARTH_KM2 / _SPHERE)
    return Regions(km2, np.where(tied, EARTH_KM2 - km2, 0.0), mass, np.where(tied, 1.0 - mass, 0.0))


def _share_below(rise: Floats, kappa: Floats) -> Floats:
    """The share of components that is nearer than h = 1 - cos(angle) to their centre (broadcasts)."""
    safe = np.where(kappa > 1e-12, kappa, 1.0)
    share: Floats = np.where(kappa > 1e-12, np.expm1(-safe * rise) / np.expm1(-2.0 * safe), rise / 2.0)
    return share


def _edges(table: Mixtures, chosen: Bools, level: Floats) -> Floats:
    """h at which the components of each chosen belief, all about one centre, sink to its level; by bisection."""
    member = chosen[table.owner]
    counts = np.diff(table.first)[chosen]
    first = np.concatenate([[0], np.cumsum(counts)])
    low, high = np.full(counts.size, _LEAST_RISE), np.full(counts.size, 2.0)
    for _ in range(_HALVINGS):
        middle = np.sqrt(low * high)
        terms = table.log_top[member] - table.kappa[member] * np.repeat(middle, counts)
        above = log_sums(terms, first) > level[chosen]
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return high


def _integrated(table: Mixtures, row: int, level: float) -> tuple[float, float]:
    """The steradians where the components of one belief together exceed a level (logarithm), and their mass there.

    Each place is shared out among the centres as their components share its density. About each centre its part is
    followed along rays, whose nodes lie closer than its sharpest component is wide; between nodes the logarithm of the
    density is taken as linear in h = 1 - cos(angle), which that of a single component is, and crossings are polished.
    Of 150 beliefs of two to five overlapping components, at one place drawn from each, the area was within 1 % for nine
    in ten and within 4 % for all, and the mass within 0.003. The worst are places next to the mode, where the region is
    a small part of every component about it.
    """
    own = slice(table.first[row], table.first[row + 1])
    _, group = np.unique(table.center[own], return_inverse=True)
    kappa, log_top = table.kappa[own], table.log_top[own]
    there = np.isfinite(log_top)
    rises = np.where(there, log_top - level - np.log(_CUT), 0.0) / np.where(there, kappa, 1.0)
    reach, sharpest = np.zeros(group.max() + 1), np.zeros(group.max() + 1)
    np.maximum.at(reach, group, np.clip(rises, 0.0, 2.0))
    np.maximum.at(sharpest, group, np.where(rises > 0.0, kappa, 0.0))
    rays = _Rays(table.unit[own], kappa, table.weight[own], log_top, group, reach, level)
    poles = np.flatnonzero(reach > 0.0)
    step = max(1, _TERMS_AT_ONCE // (_RAYS * (_NODES + 1) * kappa.size))
    found = [rays.followed(poles[i : i + step], sharpest) for i in range(0, poles.size, step)]
    return min(sum(area for area, _ in found), _SPHERE), sum(mass for _, mass in found)


@dataclass(frozen=True, slots=True)
class _Rays:
    """The components (n,) of one belief and the centre of each; reach: h beyond which a centre claims nothing."""

    unit: Floats
    kappa: Floats
    weight: Floats
    log_top: Floats
    group: Ints
    reach: Floats
    level: float

    def followed(self, poles: Ints, sharpest: Floats) -> tuple[float, float]:
        """Steradians and mass over the level about some centres (P,), by rays (P, K) of nodes (P, K, Q)."""
        center = self.unit[np.argmax(self.group == poles[:, None], axis=1)]
        end = 2.0 * np.arcsin(np.sqrt(self.reach[poles] / 2.0))
        scale = np.minimum(np.sqrt(2.0 / sharpest[poles]), end)
        steps = np.arcsinh(end / scale)[:, None] * np.linspace(0.0, 1.0, _NODES + 1)
        rise = 2.0 * np.sin(scale[:, None] * np.sinh(steps) / 2.0) ** 2
        rise = np.repeat(rise[:, None], _RAYS, axis=1)
        toward = _directions(center)
        over, claim = self._at(poles, center, toward, rise)
        held = self._held(poles, rise)
        inside = over > 0.0
        whole = inside[..., 1:] & inside[..., :-1]
        area = float(np.sum(whole * np.diff(rise) * (claim[..., 1:] + claim[..., :-1]) / 2.0))
        mass = float(np.sum(whole * np.diff(held)))
        pole, ray, node = np.nonzero(inside[..., 1:] != inside[..., :-1])
        if pole.size:
            inner = node + ~inside[pole, ray, node]  # the end of the segment that is inside
            outer = 2 * node + 1 - inner
            last, claimed = self._crossings(
                poles[pole],
                center[pole],
                toward[pole, ray],
                (rise[pole, ray, inner], over[pole, ray, inner]),
                (rise[pole, ray, outer], over[pole, ray, outer]),
            )
            start = rise[pole, ray, inner]
            area += float(np.sum(np.abs(last - start) * (claim[pole, ray, inner] + claimed) / 2.0))
            ends = self._held(poles[pole], last[:, None, None])[:, 0, 0]
            mass += float(np.sum(np.abs(ends - held[pole, ray, inner])))
        return area * (2.0 * np.pi / _RAYS), mass / _RAYS

    def _crossings(
        self, pole: Ints, center: Floats, toward: Floats, inner: tuple[Floats, Floats], outer: tuple[Floats, Floats]
    ) -> tuple[Floats, Floats]:
        """h at which each ray (X,) crosses the level, and the claim there; false position, Illinois' rule.

        inner, outer: h and what is over the level at the ends, the first positive and the second not.
        """
        (low, above), (high, below) = inner, outer
        claimed = np.zeros(pole.size)
        kept_low = kept_high = np.zeros(pole.size, dtype=bool)
        for _ in range(_POLISH):
            middle = low + (high - low) * (above / (above - below))
            over, claim = self._at(pole, center, toward[:, None], middle[:, None, None])
            over, claimed = over[:, 0, 0], claim[:, 0, 0]
            up = over > 0.0
            low, high = np.where(up, middle, low), np.where(up, high, middle)
            above = np.where(up, over, np.where(kept_low, above / 2.0, above))
            below = np.where(up, np.where(kept_high, below / 2.0, below), over)
            kept_low, kept_high = ~up, up
        return low + (high - low) * (above / (above - below)), claimed

    def _at(self, pole: Ints, center: Floats, toward: Floats, rise: Floats) -> tuple[Floats, Floats]:
        """What is over the level, in logarithms, and the centre's claim to it, at nodes (P, K, Q) of rays (P, K)."""
        sine = np.sqrt(rise * (2.0 - rise))
        points = center[:, None, None] * (1.0 - rise)[..., None] + toward[:, :, None] * sine[..., None]
        rises = 0.5 * np.sum((points[..., None, :] - self.unit) ** 2, axis=-1)
        own = (self.group == pole[:, None])[:, None, None]
        rises = np.where(own, rise[..., None], rises)
        terms = self.log_top - self.kappa * rises
        top = terms.max(axis=-1, keepdims=True)
        parts = np.exp(terms - top)
        over = top[..., 0] + np.log(parts.sum(axis=-1)) - self.level
        mine = np.sum(parts * own, axis=-1)
        rivals = np.sum(parts * (~own & (rises < self.reach[self.group])), axis=-1)
        # Far out on a ray nothing of the centre's own may be left.
        claim = np.where(mine > 0.0, mine / np.maximum(mine + rivals, 1e-300), 0.0)
        return over, claim

    def _held(self, pole: Ints, rise: Floats) -> Floats:
        """The mass of a centre's own components nearer than h, at nodes (P, K, Q)."""
        own = self.weight * (self.group == pole[:, None])
        held: Floats = np.sum(own[:, None, None] * _share_below(rise[..., None], self.kappa), axis=-1)
        return held


def _directions(center: Floats) -> Floats:
    """Unit vectors (P, K, 3) at right angles to the centres (P, 3), evenly around them."""
    away = np.eye(3)[np.argmin(np.abs(center), axis=1)]
    first = np.cross(center, away)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(center, first)
    angle = (np.arange(_RAYS) + 0.5) * (2.0 * np.pi / _RAYS)
    around: Floats = np.cos(angle)[:, None] * first[:, None] + np.sin(angle)[:, None] * second[:, None]
    return around
