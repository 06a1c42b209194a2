"""Scores of places -> a belief: what stands out of an even answer, gathered to hills, and looked at more closely.

A softmax is no probability of where a photo was taken. Three numbers make it one: a temperature that the scores are
divided by, a `doubt` that is spread over the Earth, and a floor under every radius, since a network does not see finer
than the waves that it is made of. The first two are learned from labelled scores by `learn`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo.belief import from_components, log_density, mix, simplify
from geoloc_cli.geo.earth import EARTH_RADIUS_M
from geoloc_cli.geo.hills import MOST, hills
from geoloc_cli.priors.calibrate import likeliest_share
from geoloc_cli.priors.gallery import Floats, Gallery
from geoloc_cli.priors.regions import grid
from geoloc_cli.types import Belief, Component

Score = Callable[[Floats, Floats], Floats]
"""Latitudes and longitudes (N,) in degrees -> scores (N,), of which the softmax is taken."""

# What is left out of what stands out: a long tail of places that each say next to nothing.
_TOLD_SHARE = 0.98
# And the same of hills: below a thousandth each, they are many and far between.
_LEAST_HILL = 0.001
# A finer look at a hill takes this many places, which lie a thirteenth of its radius apart.
_GRID = 512
# The 90 % radius of a hill times this is looked over, since its own places were coarse.
_MARGIN = 1.5
# Hills are joined within this share of the radius that is looked over: some three steps of the grid.
_REACH = 0.25
# The weightiest hills are looked at, and those alone that hold a twentieth of the belief.
_MOST_REFINED = 4
_LEAST_REFINED = 0.05
# Temperatures that `learn` tries: eight to an octave would tell no more than a thousand photos do.
_TEMPERATURES = tuple(float(t) for t in 2.0 ** np.arange(-2.0, 3.01, 0.25))


@dataclass(frozen=True, slots=True)
class Reading:
    """How scores are read: see `priors/geoclip.py` for what each is there."""

    temperature: float
    doubt: float
    reach_m: float
    floor_m: float
    most: int


def believed(gallery: Gallery, scores: Floats, reading: Reading) -> Belief:
    """Of the scores (N,) of a gallery's places: at most `reading.most` components, the rest and the doubt evenly."""
    which, mass = _standing_out(scores, gallery.times, reading.temperature)
    radius = np.maximum(gallery.spacing_m[which], reading.floor_m)
    told = _components(gallery.lat[which], gallery.lon[which], radius, mass * (1.0 - reading.doubt))
    found = hills(from_components(told, 1.0 - sum(c.weight for c in told)), reading.reach_m)
    kept = [c for c in found.components if c.weight >= _LEAST_HILL]
    return simplify(from_components(kept, 1.0 - sum(c.weight for c in kept)), reading.most)


def refined(belief: Belief, score: Score, reading: Reading, levels: int) -> Belief:
    """The belief with its weightiest hills looked at more closely, `levels` times: an even grid in place of a gallery.

    What does not stand out inside a hill stays with the hill as it was, and each hill keeps the share that the gallery
    gave it. One as small as the floor is left alone.
    """
    for _ in range(levels):
        looked = {
            c
            for c in sorted(belief.components, key=lambda c: -c.weight)[:_MOST_REFINED]
            if c.weight >= _LEAST_REFINED and c.radius_m > 1.1 * reading.floor_m
        }
        if not looked:
            break
        parts = [
            (_closer(c, score, reading) if c in looked else Belief((_whole(c),), 0.0), c.weight)
            for c in belief.components
        ]
        belief = simplify(mix([*parts, (Belief(), belief.spread)]), reading.most)
    return belief


def _closer(component: Component, score: Score, reading: Reading) -> Belief:
    """One component, looked at through a grid: a belief without a spread."""
    around_m = min(_MARGIN * component.radius_m, np.pi * EARTH_RADIUS_M)
    lat, lon, step_m = grid(component.lat, component.lon, around_m, _GRID)
    which, mass = _standing_out(score(lat, lon), np.ones(_GRID, np.int64), reading.temperature)
    radius = np.full(len(which), max(step_m, reading.floor_m))
    told = _components(lat[which], lon[which], radius, mass)
    if not told:
        return Belief((_whole(component),), 0.0)
    found = hills(from_components(told), max(_REACH * around_m, reading.floor_m))
    held = sum(c.weight for c in told)
    return mix([(found, held), (Belief((_whole(component),), 0.0), max(0.0, 1.0 - held))])


def _standing_out(scores: Floats, times: NDArray[np.int64], temperature: float) -> tuple[NDArray[np.int64], Floats]:
    """The places (M,) that the softmax lifts above an even answer, and by how much; M is at most hills.MOST.

    times (N,): how often each place counts. All of it is the total variation distance from an even answer: 0 where the
    scores tell nothing, towards 1 where they name one place of many.
    """
    level = (scores - scores.max()) / temperature
    share = times * np.exp(level)
    lifted = share / share.sum() - times / times.sum()
    order = np.argsort(-lifted, kind="stable")[:MOST]
    mass = np.maximum(lifted[order], 0.0)
    whole = float(np.maximum(lifted, 0.0).sum())
    kept = int(np.searchsorted(np.cumsum(mass), _TOLD_SHARE * whole)) + 1
    some = mass[:kept] > 0.0
    return order[:kept][some], mass[:kept][some]


def _components(lat: Floats, lon: Floats, radius_m: Floats, weight: Floats) -> list[Component]:
    rows = zip(lat.tolist(), lon.tolist(), radius_m.tolist(), weight.tolist(), strict=True)
    return [Component(*row) for row in rows]


def _whole(component: Component) -> Component:
    return Component(component.lat, component.lon, component.radius_m, 1.0)


def learn(
    gallery: Gallery, scores: Sequence[Floats], lat: Floats, lon: Floats, reading: Reading
) -> tuple[float, float]:
    """The temperature and the doubt under which the true places (n,) of n labelled photos are likeliest.

    For each temperature the doubt d maximises the sum of log((1 - d) f + d / area), f the density at the true place of
    a belief without doubt; it is found by expectation and maximisation, which never leaves 0 to 1.
    """
    best = (-np.inf, reading.temperature, reading.doubt)
    even = -np.log(4.0 * np.pi * EARTH_RADIUS_M**2)
    for temperature in _TEMPERATURES:
        sure = Reading(temperature, 0.0, reading.reach_m, reading.floor_m, reading.most)
        found = (believed(gallery, row, sure) for row in scores)
        density = np.array([log_density(b, *at) for b, at in zip(found, zip(lat, lon, strict=True), strict=True)])
        doubt = likeliest_share(density, np.full(density.shape, even))
        likelihood = float(np.logaddexp(np.log(doubt) + even, np.log1p(-doubt) + density).sum())
        best = max(best, (likelihood, temperature, doubt))
    return best[1], best[2]
