"""Many beliefs as flat arrays, so that a million of them are scored without a loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo import fisher
from geoloc_cli.geo.earth import EARTH_RADIUS_M, Floats, unit_vectors
from geoloc_cli.types import Belief

Ints = NDArray[np.intp]

EARTH_KM2 = 4.0 * np.pi * (EARTH_RADIUS_M / 1e3) ** 2


@dataclass(frozen=True, slots=True)
class Mixtures:
    """The components (M,) of N beliefs, those of each together, and the even shares (N,).

    `log_top` is the logarithm of a component's weight times its density per steradian at its centre. `first` (N + 1,)
    is where each belief's components begin, `owner` (M,) whose each is. Components of one belief and one centre, and
    no others, share a number in `center`. What is even over the Earth as a component counts in `spread`.
    """

    unit: Floats
    kappa: Floats
    weight: Floats
    log_top: Floats
    center: Ints
    owner: Ints
    first: Ints
    spread: Floats


def mixtures(beliefs: Sequence[Belief]) -> Mixtures:
    """The beliefs (N,) as arrays."""
    counts = np.fromiter((len(b.components) for b in beliefs), np.intp, len(beliefs))
    flat = chain.from_iterable((c.lat, c.lon, c.radius_m, c.weight) for b in beliefs for c in b.components)
    lat, lon, radius, weight = np.fromiter(flat, np.float64, 4 * int(counts.sum())).reshape(-1, 4).T
    radii, back = np.unique(radius, return_inverse=True)
    kappa = fisher.kappa_from_radius(radii)[back]
    owner = np.repeat(np.arange(counts.size), counts)
    even = kappa <= 1e-12
    spread = np.fromiter((b.spread for b in beliefs), np.float64, len(beliefs))
    spread = spread + np.bincount(owner, weight * even, minlength=counts.size)
    weight = np.where(even, 0.0, weight)
    with np.errstate(divide="ignore"):
        log_top = np.log(weight) + fisher.log_peak(kappa)
    order = np.lexsort((lon, lat, owner))
    center = np.zeros(lat.size, dtype=np.intp)
    sorted_rows = np.stack([lat, lon, owner])[:, order]
    center[order[1:]] = np.cumsum(np.any(np.diff(sorted_rows, axis=1) != 0.0, axis=0))
    first = np.concatenate([[0], np.cumsum(counts)])
    return Mixtures(unit_vectors(lat, lon), kappa, weight, log_top, center, owner, first, spread)


def log_components(table: Mixtures, here: Floats) -> Floats:
    """The logarithm of the density per steradian of each belief at its own place (N,), without the even share.

    here: (N, 3), the places as unit vectors.
    """
    rise = 0.5 * np.sum((here[table.owner] - table.unit) ** 2, axis=-1)
    return log_sums(table.log_top - table.kappa * rise, table.first)


def log_sums(terms: Floats, first: Ints) -> Floats:
    """log sum exp of the terms (M,) of each belief, (N,); minus infinity where it has none."""
    out = np.full(first.size - 1, -np.inf)
    some = np.diff(first) > 0
    if some.any():
        out[some] = np.logaddexp.reduceat(terms, first[:-1][some])
    return out
