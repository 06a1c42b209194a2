"""How much more likely what was found is if a photo was taken inside of a region than if it was taken elsewhere.

With f the density of the answer over places, evenness as its prior, A the region's area and e the density of the places
that 'elsewhere' means, what was found has the likelihoods

    inside = (1 / A) * integral of f over the region        elsewhere = integral of f e,

and as the answer is wrong altogether with the probability d (its doubt), and may then be anything at all,

    LR = ((1 - d) inside + d m) / ((1 - d) elsewhere + d m)        with m = max(inside, elsewhere).

A wrong answer is so taken for one that lies as badly as it can: in the claimed region although the claim is false, as
where somebody claims a place that looks the same, and outside although it is true. LR stays within d and 1 / d.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from geoloc_cli.claims.region import Region, sunflower
from geoloc_cli.errors import UsageError
from geoloc_cli.geo.belief import density_per_m2, from_components
from geoloc_cli.geo.earth import EARTH_RADIUS_M, HALF_EARTH_M, Floats, destination, haversine_m
from geoloc_cli.types import Belief, Component

Elsewhere = Literal["scales", "world", "index"]
ELSEWHERE: tuple[Elsewhere, ...] = ("scales", "world", "index")

# Answers are off by more than a Gaussian's tail admits: of 33 aerial photographs 31 lay within their 90 % radius, as
# they should, but the farthest 2.2 radii away, where a Gaussian leaves one in 90 000. A tenth is spread three times as
# wide, and a hundredth ten times.
_TAILS = ((1.0, 0.89), (3.0, 0.10), (10.0, 0.01))
_EARTH_M2 = 4.0 * np.pi * EARTH_RADIUS_M**2
_GOLDEN_DEG = 180.0 * (3.0 - 5.0**0.5)
# Places at which f e is summed: of e, and of all components together, but no fewer than 128 of each.
_OF_SCALES, _OF_COMPONENTS, _OF_EACH = 4096, 8192, 128


def heavy_tailed(belief: Belief) -> Belief:
    """The components of a belief, without its even share, as wide as they are found to be."""
    return from_components(
        Component(c.lat, c.lon, min(c.radius_m * wider, HALF_EARTH_M), c.weight * share)
        for c in belief.components
        for wider, share in _TAILS
    )


def likelihood_ratio(inside: float, elsewhere: float, doubt: float) -> float:
    """LR of the module's formula; 1 where the answer is as good as impossible either way."""
    most = max(inside, elsewhere)
    if not most > 0.0:
        return 1.0
    inside, elsewhere = inside / most, elsewhere / most
    return ((1.0 - doubt) * inside + doubt) / ((1.0 - doubt) * elsewhere + doubt)


def log10_ratio(
    belief: Belief, region: Region, doubt: float, elsewhere: Elsewhere = "scales", indexed: Floats | None = None
) -> float:
    """log10 LR of an answer that has the components of a belief; `doubt` stands for its even share.

    indexed: (n, 2) latitudes and longitudes of the index's photos. Raises UsageError where none of them is elsewhere.
    """
    if not belief.components:
        return 0.0
    wide = heavy_tailed(belief)
    inside = region.share_of(wide) / region.area_m2
    ratio = likelihood_ratio(inside, _elsewhere(wide, region, elsewhere, indexed), doubt)
    return math.log10(ratio)


def _elsewhere(wide: Belief, region: Region, elsewhere: Elsewhere, indexed: Floats | None) -> float:
    if elsewhere == "world":
        return max(1.0 - region.share_of(wide), 0.0) / (_EARTH_M2 - region.area_m2)
    if elsewhere == "scales":
        return _over_scales(wide, region)
    if indexed is None:
        raise UsageError("--elsewhere index asks for an index; give --index or --map.")
    lat, lon = indexed.T
    outside = ~region.holds(lat, lon)
    if not outside.any():
        raise UsageError("--elsewhere index: no photo of the index lies outside of the claim; take scales or world.")
    return float(np.mean(density_per_m2(wide, lat[outside], lon[outside])))


def _over_scales(wide: Belief, region: Region) -> float:
    """The integral of f e where e has as much of each power of ten of the distance, from the region to the antipode.

    A false claim is so as likely to be off by some hundred metres as by some thousand kilometres. Summed over places
    that lie as f's components do, and places that lie as e does, by the balance heuristic (Veach and Guibas 1995), so
    that neither a sharp f nor a wide one is missed.
    """
    nth = np.arange(_OF_SCALES)
    away = region.near_m * (HALF_EARTH_M / region.near_m) ** ((nth + 0.5) / _OF_SCALES)
    places = [destination(region.lat, region.lon, _GOLDEN_DEG * nth % 360.0, away)]
    outside = float(np.mean(~region.holds(*places[0])))
    each = max(_OF_EACH, _OF_COMPONENTS // len(wide.components))
    places += [sunflower(c.lat, c.lon, c.radius_m, each) for c in wide.components]
    lat, lon = (np.concatenate(axis) for axis in zip(*places, strict=True))
    kept = ~region.holds(lat, lon)
    lat, lon = lat[kept], lon[kept]
    alike = from_components(Component(c.lat, c.lon, c.radius_m, 1.0) for c in wide.components)
    drawn = each * len(wide.components) * density_per_m2(alike, lat, lon)
    scales = _density_of_scales(region, lat, lon)
    product = density_per_m2(wide, lat, lon) * scales
    total = drawn + _OF_SCALES * scales
    return float(np.sum(np.where(total > 0.0, product / np.where(total > 0.0, total, 1.0), 0.0))) / max(outside, 1e-9)


def _density_of_scales(region: Region, lat: Floats, lon: Floats) -> Floats:
    """Per square metre of the places at which the distance from the middle is even in its logarithm."""
    away = haversine_m(region.lat, region.lon, lat, lon)
    ring = 2.0 * np.pi * EARTH_RADIUS_M * np.sin(np.minimum(away, HALF_EARTH_M - 1.0) / EARTH_RADIUS_M)
    far = away >= region.near_m
    span = math.log(HALF_EARTH_M / region.near_m)
    return np.where(far, 1.0 / (np.maximum(away, region.near_m) * span * np.maximum(ring, 1.0)), 0.0)
