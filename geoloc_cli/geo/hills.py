"""Components that make up one hill of a belief's density become one: clustering on the sphere without a number given.

Quick shift (Vedaldi and Soatto 2008): each component leans on the nearest one at which the density is higher, and one
that has none within reach is the top of a hill. Poles and the antimeridian are places like any other.
"""

from __future__ import annotations

import numpy as np

from geoloc_cli.geo.belief import joined
from geoloc_cli.geo.earth import EARTH_RADIUS_M, unit_vectors
from geoloc_cli.types import Belief

# Components compared each with each: a table of 32 MB. No hill is lost if the rest is left out by weight.
MOST = 2048


def hills(belief: Belief, reach_m: float) -> Belief:
    """The belief with one component for each hill, the weightiest first; hills nearer than `reach_m` are one.

    The density is smoothed by a kernel of half the reach. ValueError beyond `MOST` components, or without a reach.
    """
    count = len(belief.components)
    if count > MOST or not reach_m > 0.0:
        raise ValueError(f"{count} components with a reach of {reach_m} m; at most {MOST}, with one above 0")
    if count == 0:
        return belief
    lat, lon, weight = np.array([(c.lat, c.lon, c.weight) for c in belief.components]).T
    unit = unit_vectors(lat, lon)
    reach2 = 4.0 * np.sin(min(reach_m / EARTH_RADIUS_M, np.pi) / 2.0) ** 2
    chord2 = np.maximum(2.0 - 2.0 * (unit @ unit.T), 0.0)
    order = np.argsort(-(np.exp(chord2 * (-2.0 / reach2)) @ weight), kind="stable")
    # Row by row, the denser ones: those before it.
    denser = np.where(np.tri(count, k=-1, dtype=bool), chord2[np.ix_(order, order)], np.inf)
    nearest = np.argmin(denser, axis=1)
    leans = denser[np.arange(count), nearest] <= reach2
    ranked = np.cumsum(~leans) - 1  # a top's own number; the others take theirs from where they lean
    for rank in np.flatnonzero(leans):
        ranked[rank] = ranked[nearest[rank]]
    label = np.empty(count, np.int64)
    label[order] = ranked
    made = joined(belief, label)
    return Belief(tuple(sorted(made.components, key=lambda c: -c.weight)), made.spread)
