"""A belief as its source has earned it: wider or narrower, and surer or less sure, than the source says."""

from __future__ import annotations

from geoloc_cli.geo.belief import from_components
from geoloc_cli.geo.earth import HALF_EARTH_M
from geoloc_cli.types import Belief, Component

# No source is believed beyond 99.5 %: it takes two hundred labelled photos without a gross error to show so much.
LEAST_SPREAD = 0.005


def tempered(belief: Belief, inflate: float, doubt: float) -> Belief:
    """The belief with radii times `inflate`, and its certainty, 1 - spread, times 1 - doubt.

    A doubt from 0 to 1 is the share of what the source says that is spread evenly over the Earth instead. One below
    zero is a source that doubts itself too much: its spread shrinks, down to `LEAST_SPREAD`. ValueError where inflate
    is no factor above zero, or doubt is above 1. With 1 and 0 the belief is as it was.
    """
    if not 0.0 < inflate < float("inf") or not doubt <= 1.0:
        raise ValueError(f"a belief cannot be tempered by inflate {inflate} and doubt {doubt}")
    if (inflate, doubt) == (1.0, 0.0) or not belief.components:
        return belief
    spread = tempered_spread(belief.spread, doubt)
    kept = (1.0 - spread) / (1.0 - belief.spread)
    components = (
        Component(c.lat, c.lon, min(c.radius_m * inflate, HALF_EARTH_M), c.weight * kept) for c in belief.components
    )
    return from_components(components, spread)


def tempered_spread(spread: float, doubt: float) -> float:
    """The even share that `tempered` leaves a belief of this one."""
    return max(spread + doubt * (1.0 - spread), LEAST_SPREAD)
