"""Beliefs: mixtures of von Mises-Fisher components and a share spread evenly over the Earth.

Sources of evidence are joined by `fuse` (all of them hold at once) or `mix` (one of them holds), and asked by
`mass_within`, `credible_radius_m`, `credible_cells`, `density_per_m2`, `mode` and `sample`. Densities are per square
metre of the sphere of `EARTH_RADIUS_M`; the mathematics of one component is in `geo/fisher.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geoloc_cli.geo import fisher
from geoloc_cli.geo.cells import Cells, all_cells, cells_of
from geoloc_cli.geo.earth import (
    EARTH_RADIUS_M,
    HALF_EARTH_M,
    Floats,
    destination,
    haversine_m,
    places_of_units,
    unit_vectors,
)
from geoloc_cli.geo.fisher import kappa_from_radius, radius_from_kappa
from geoloc_cli.types import Belief, Component

__all__ = [
    "credible_cells",
    "credible_radius_m",
    "density_per_m2",
    "from_components",
    "fuse",
    "joined",
    "kappa_from_radius",
    "log_density",
    "mass_within",
    "mix",
    "mode",
    "radius_from_kappa",
    "sample",
    "simplify",
    "uniform",
]

_NEGLIGIBLE = 1e-12  # a component of a smaller share is dropped: a millionth of the sum that Belief lets stand
_PAIRS_AT_ONCE = 1 << 18  # of places and components, so that no temporary exceeds 6 MB
_CLIMBS = 8  # densest centres from which the mode is sought
_PER_CELL = 16  # points spread over each cell to weigh it
_MAX_CELLS = 60_000  # a million points; more cells than that serve nobody
_MAX_PAIRWISE = 512  # components compared each with each: a table of 2 MB


@dataclass(frozen=True, slots=True)
class _Mixture:
    """The components of a belief as arrays (n,), with their centres as unit vectors (n, 3)."""

    lat: Floats
    lon: Floats
    radius_m: Floats
    weight: Floats
    kappa: Floats
    unit: Floats


def _mixture(belief: Belief) -> _Mixture:
    table = np.array([(c.lat, c.lon, c.radius_m, c.weight) for c in belief.components], dtype=np.float64)
    lat, lon, radius, weight = table.reshape(-1, 4).T
    return _Mixture(lat, lon, radius, weight, kappa_from_radius(radius), unit_vectors(lat, lon))


def uniform() -> Belief:
    """The belief that knows nothing: evenly over the Earth."""
    return Belief()


def from_components(components: Iterable[Component], spread: float = 0.0) -> Belief:
    """A belief of components and an even share, scaled to one together; `uniform` where nothing has any weight."""
    kept = tuple(components)
    total = spread + sum(c.weight for c in kept)
    if spread < 0.0 or not np.isfinite(total):
        raise ValueError(f"the weights and the spread {spread} of a belief are shares, none below zero")
    if total == 0.0:
        return uniform()
    scaled = (Component(c.lat, c.lon, c.radius_m, c.weight / total) for c in kept)
    return Belief(tuple(c for c in scaled if c.weight >= _NEGLIGIBLE), spread / total)


def _belief(lat: Floats, lon: Floats, radius_m: Floats, weight: Floats, spread: float) -> Belief:
    rows = zip(lat.tolist(), lon.tolist(), radius_m.tolist(), weight.tolist(), strict=True)
    return from_components((Component(*row) for row in rows), spread)


def mix(parts: Sequence[tuple[Belief, float]]) -> Belief:
    """The belief that one of several holds, each with its share; the shares are scaled to add up to one."""
    components = [
        Component(c.lat, c.lon, c.radius_m, c.weight * share) for belief, share in parts for c in belief.components
    ]
    return from_components(components, sum(belief.spread * share for belief, share in parts))


def fuse(a: Belief, b: Belief, doubt_a: float = 0.0, doubt_b: float = 0.0) -> Belief:
    """The belief that two independent sources hold at once: the product of their densities, scaled to one.

    Each is first mixed with its doubt (0 to 1), the even share that the source is granted for being wrong altogether;
    a source with doubt 1 says nothing. The product of two components is one of kappa mu = kappa_a mu_a + kappa_b mu_b,
    so that with c the chord between the centres
        kappa^2 = (kappa_a + kappa_b)^2 - kappa_a kappa_b c^2,
    and it weighs w_a w_b 4 pi C(kappa_a) C(kappa_b) / C(kappa) exp(kappa - kappa_a - kappa_b), where the exponent is
    -kappa_a kappa_b c^2 / (kappa + kappa_a + kappa_b). It is worked in logarithms, so that no product vanishes before
    it is compared with the others. Without any doubt two sources that contradict each other agree on a place between.
    """
    for doubt in (doubt_a, doubt_b):
        if not 0.0 <= doubt <= 1.0:
            raise ValueError(f"a doubt of {doubt} is not within 0 to 1")
    one, two = _mixture(a), _mixture(b)
    even_a, even_b = a.spread * (1.0 - doubt_a) + doubt_a, b.spread * (1.0 - doubt_b) + doubt_b
    with np.errstate(divide="ignore"):
        log_a, log_b = np.log(one.weight * (1.0 - doubt_a)), np.log(two.weight * (1.0 - doubt_b))
        log_even_a, log_even_b = np.log(even_a), np.log(even_b)

    i, j = (x.ravel() for x in np.indices((one.lat.size, two.lat.size)))
    ka, kb = one.kappa[i], two.kappa[j]
    total, bend = ka + kb, ka * kb * np.sum((one.unit[i] - two.unit[j]) ** 2, axis=-1)
    kappa = np.sqrt(np.maximum(total**2 - bend, 0.0))
    overlap = fisher.log_peak(ka) + fisher.log_peak(kb) - fisher.log_peak(kappa) + np.log(4.0 * np.pi)
    log_both = log_a[i] + log_b[j] + overlap - bend / np.where(total > 0.0, kappa + total, 1.0)
    toward = ka[:, None] * one.unit[i] + kb[:, None] * two.unit[j]
    lat, lon = places_of_units(toward)

    logs = np.concatenate([log_both, log_a + log_even_b, log_b + log_even_a])
    top = max(float(np.max(logs, initial=-np.inf)), float(log_even_a + log_even_b))
    if top == -np.inf:
        return uniform()
    return _belief(
        np.concatenate([lat, one.lat, two.lat]),
        np.concatenate([lon, one.lon, two.lon]),
        np.concatenate([radius_from_kappa(kappa), one.radius_m, two.radius_m]),
        np.exp(logs - top),
        float(np.exp(log_even_a + log_even_b - top)),
    )


def log_density(belief: Belief, lat: ArrayLike, lon: ArrayLike) -> Floats:
    """Natural logarithm of the density per square metre at places, of the shape to which lat and lon broadcast.

    Minus infinity where a belief without spread and without components near holds nothing that float64 can express.
    """
    m = _mixture(belief)
    lats, lons = np.broadcast_arrays(np.asarray(lat, dtype=np.float64), np.asarray(lon, dtype=np.float64))
    units = unit_vectors(lats.ravel(), lons.ravel())
    with np.errstate(divide="ignore"):
        at_center = np.log(m.weight) + fisher.log_peak(m.kappa)
        even = np.log(belief.spread / (4.0 * np.pi)) if belief.spread > 0.0 else -np.inf
    out = np.full(len(units), even)
    step = max(1, _PAIRS_AT_ONCE // max(1, m.lat.size))
    for first in range(0, len(units) if m.lat.size else 0, step):
        block = slice(first, first + step)
        rise = 0.5 * np.sum((units[block, None] - m.unit) ** 2, axis=-1)
        out[block] = np.logaddexp(out[block], np.logaddexp.reduce(at_center - m.kappa * rise, axis=1))
    log: Floats = (out - 2.0 * np.log(EARTH_RADIUS_M)).reshape(lats.shape)[()]
    return log


def density_per_m2(belief: Belief, lat: ArrayLike, lon: ArrayLike) -> Floats:
    """Density per square metre at places, of the shape to which lat and lon broadcast; its integral is one."""
    return np.exp(log_density(belief, lat, lon))


def mass_within(belief: Belief, lat: float, lon: float, radius_m: ArrayLike) -> Floats:
    """The probability inside circles about one place, of the shape of `radius_m`.

    Exact for the even share and for components centred on the place, within 1e-5 of each other component's weight.
    """
    return _mass(_mixture(belief), belief.spread, lat, lon, radius_m)


def _mass(m: _Mixture, spread: float, lat: float, lon: float, radius_m: ArrayLike) -> Floats:
    angle = np.clip(np.divide(radius_m, EARTH_RADIUS_M), 0.0, np.pi)
    away = haversine_m(lat, lon, m.lat, m.lon) / EARTH_RADIUS_M
    held = fisher.share_in_circle(away, angle[..., None], m.kappa) @ m.weight
    mass: Floats = np.clip(held + spread * fisher.rise_of_angle(angle) / 2.0, 0.0, 1.0)
    return mass


def credible_radius_m(belief: Belief, lat: float, lon: float, share: float = 0.9) -> float:
    """The radius in metres of the circle about a place that holds the share; found to a millionth by bisection."""
    if not 0.0 < share <= 1.0:
        raise ValueError(f"a share of {share} is not within 0 to 1")
    m = _mixture(belief)
    low, high = 1e-6, HALF_EARTH_M
    while high > low * (1.0 + 1e-6):
        middle = float(np.sqrt(low * high))
        if _mass(m, belief.spread, lat, lon, middle) >= share:
            high = middle
        else:
            low = middle
    return high


def mode(belief: Belief) -> tuple[float, float]:
    """The densest place (lat, lon); ValueError where the belief is even and so has none.

    From the densest centres, x <- grad f / |grad f|: f is convex in x, so that no step goes down.
    """
    m = _mixture(belief)
    if not np.any((m.weight > 0.0) & (m.kappa > 0.0)):
        raise ValueError("a belief that is spread evenly over the Earth has no densest place")
    x = m.unit[np.argsort(-log_density(belief, m.lat, m.lon), kind="stable")[:_CLIMBS]]
    with np.errstate(divide="ignore"):
        log_pull = np.log(m.weight) + fisher.log_peak(m.kappa) + np.log(m.kappa)
    for _ in range(200):
        pull = log_pull - 0.5 * m.kappa * np.sum((x[:, None] - m.unit) ** 2, axis=-1)
        toward = np.exp(pull - pull.max(axis=1, keepdims=True)) @ m.unit
        step = toward / np.linalg.norm(toward, axis=1, keepdims=True)
        moved, x = float(np.max(np.abs(step - x))), step
        if moved < 1e-12:
            break
    lat, lon = places_of_units(x)
    best = int(np.argmax(log_density(belief, lat, lon)))
    return float(lat[best]), float(lon[best])


def sample(belief: Belief, n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Places drawn from the belief: latitudes and longitudes (n,), by the closed form on this sphere (Ulrich 1984)."""
    m = _mixture(belief)
    shares = np.append(m.weight, belief.spread)
    source = rng.choice(len(shares), size=n, p=np.maximum(shares, 0.0) / np.maximum(shares, 0.0).sum())
    lat, lon, kappa = np.append(m.lat, 0.0), np.append(m.lon, 0.0), np.append(m.kappa, 0.0)
    arc = fisher.angle_holding(rng.random(n), kappa[source]) * EARTH_RADIUS_M
    return destination(lat[source], lon[source], rng.uniform(0.0, 360.0, n), arc)


def credible_cells(belief: Belief, share: float, resolution: int) -> Cells:
    """The fewest H3 cells that together hold the share, the weightiest first (uint64).

    Each component is laid out as points of equal weight on a sunflower spiral, enough to weigh every cell it covers,
    so that components far smaller than a cell and far larger are handled alike; the even share is added by area.
    ValueError where the answer would need more than 60 000 cells.
    """
    if not 0.0 < share <= 1.0:
        raise ValueError(f"a share of {share} is not within 0 to 1")
    m = _mixture(belief)
    count = 2.0 + 120.0 * 7.0**resolution
    covered = 3.0 * fisher.rise_of_angle(np.minimum(m.radius_m / EARTH_RADIUS_M, np.pi)) / 2.0 * count + 8.0
    if min(covered.sum(), count) > _MAX_CELLS:
        raise ValueError(f"the belief is too wide for cells of resolution {resolution}; ask for a coarser one")
    cells, masses = np.zeros(0, dtype=np.uint64), np.zeros(0)
    if m.lat.size:
        points = np.ceil(_PER_CELL * np.minimum(covered, count)).astype(np.int64)
        which = np.repeat(np.arange(m.lat.size), points)
        nth = np.arange(len(which)) - np.repeat(np.cumsum(points) - points, points)
        arc = fisher.angle_holding((nth + 0.5) / points[which], m.kappa[which]) * EARTH_RADIUS_M
        golden = 180.0 * (3.0 - np.sqrt(5.0))
        found = cells_of(*destination(m.lat[which], m.lon[which], golden * nth % 360.0, arc), resolution)
        cells, inverse = np.unique(found, return_inverse=True)
        masses = np.bincount(inverse, (m.weight / points)[which]).astype(np.float64)
    if masses.sum() + belief.spread * len(cells) / count < share * (1.0 - 1e-9):
        if count > _MAX_CELLS:
            raise ValueError(f"the belief is too wide for cells of resolution {resolution}; ask for a coarser one")
        rest = np.setdiff1d(all_cells(resolution), cells)
        cells, masses = np.append(cells, rest), np.append(masses, np.zeros(len(rest)))
    masses = masses + belief.spread / count
    order = np.argsort(-masses, kind="stable")
    needed = int(np.searchsorted(np.cumsum(masses[order]), share * (1.0 - 1e-9))) + 1
    return cells[order[:needed]]


def simplify(belief: Belief, max_components: int) -> Belief:
    """The belief with at most `max_components`, merged pair by pair where the least is lost; `spread` stays.

    Two components become the one of their joint weight and mean vector. What is lost is the entropy that this adds,
    (w_i + w_j) H(ij) - w_i H(i) - w_j H(j): the merged one has the most entropy of all with its mean vector. Beyond
    512 components the lightest first join the nearest of the heaviest 512.
    """
    if max_components < 1:
        raise ValueError(f"a belief cannot be made of {max_components} components")
    m = _mixture(belief)
    n = m.lat.size
    if n <= max_components:
        return belief
    weight, spread, unit = m.weight, fisher.dispersion(m.kappa), m.unit
    if n > _MAX_PAIRWISE:
        order = np.argsort(-weight, kind="stable")
        heavy = unit[order[:_MAX_PAIRWISE]]
        group = np.empty(n, dtype=np.int64)
        for block in np.array_split(order, 1 + n * _MAX_PAIRWISE // _PAIRS_AT_ONCE):
            group[block] = np.argmax(unit[block] @ heavy.T, axis=1)
        group[order[:_MAX_PAIRWISE]] = np.arange(_MAX_PAIRWISE)
        weight, spread, unit = _matched(weight, spread, unit, group)
        n = _MAX_PAIRWISE
    low, high = np.triu_indices(n, 1)
    cost = np.full((n, n), np.inf)
    cost[low, high] = cost[high, low] = _loss(weight, spread, unit, low, high)
    alive = np.ones(n, dtype=bool)
    for _ in range(n - max_components):
        i, j = divmod(int(np.argmin(cost)), n)
        pair = np.array([i, j])
        (weight[i],), (spread[i],), (unit[i],) = _matched(weight[pair], spread[pair], unit[pair], np.zeros(2, np.int64))
        alive[j] = False
        cost[j, :] = cost[:, j] = np.inf
        others = np.flatnonzero(alive & (np.arange(n) != i))
        cost[i, others] = cost[others, i] = _loss(weight, spread, unit, np.full(others.size, i), others)
    lat, lon = places_of_units(unit[alive])
    radius = radius_from_kappa(fisher.kappa_from_dispersion(spread[alive]))
    return _belief(lat, lon, radius, weight[alive], belief.spread)


def joined(belief: Belief, group: NDArray[np.int64]) -> Belief:
    """The belief with the components of each group made one, of their joint weight and mean vector; `spread` stays.

    group: the number of its group for each component, from 0 without gaps.
    """
    m = _mixture(belief)
    weight, spread, unit = _matched(m.weight, fisher.dispersion(m.kappa), m.unit, group)
    lat, lon = places_of_units(unit)
    return _belief(lat, lon, radius_from_kappa(fisher.kappa_from_dispersion(spread)), weight, belief.spread)


def _matched(weight: Floats, spread: Floats, unit: Floats, group: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
    """Weight, dispersion and centre of each group joined: 1 - |mean| = sum of the shares of (d + (1 - d) c^2 / 2)."""
    joint = np.bincount(group, weight).astype(np.float64)
    share = weight / np.where(joint > 0.0, joint, 1.0)[group]
    pull = share * (1.0 - spread)
    toward = np.stack([np.bincount(group, pull * unit[:, axis]) for axis in range(3)], axis=-1)
    length = np.linalg.norm(toward, axis=-1, keepdims=True)
    center = np.where(length > 0.0, toward / np.where(length > 0.0, length, 1.0), np.array([0.0, 0.0, 1.0]))
    chord2 = np.sum((unit - center[group]) ** 2, axis=-1)
    wider = np.bincount(group, share * spread + 0.5 * pull * chord2)
    return joint, np.clip(wider, 0.0, 1.0), center


def _loss(weight: Floats, spread: Floats, unit: Floats, i: NDArray[np.int64], j: NDArray[np.int64]) -> Floats:
    """The entropy that joining component i with component j adds, for arrays of pairs."""
    both, group = np.concatenate([i, j]), np.tile(np.arange(i.size), 2)
    joint, wider, _ = _matched(weight[both], spread[both], unit[both], group)
    alone = weight * fisher.entropy(fisher.kappa_from_dispersion(spread))
    return joint * fisher.entropy(fisher.kappa_from_dispersion(wider)) - alone[i] - alone[j]
