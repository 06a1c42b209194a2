"""What is said to hold 50, 70 or 90 % holds it that often, when sources that know their own errors are joined."""

from __future__ import annotations

import numpy as np
import pytest

from geoloc_cli.geo.belief import from_components, log_density, sample
from geoloc_cli.geo.earth import destination
from geoloc_cli.pipeline.asking import together
from geoloc_cli.types import Belief, Component

TRIALS = 450
# Radius of each place that a source names, how often none of them is right, and the shares of the places.
SOURCES = (
    ((500e3, 0.05, (1.0,)), (50e3, 0.1, (1.0,))),
    ((100e3, 0.1, (0.5, 0.3, 0.2)), (2000e3, 0.1, (1.0,))),
    ((500e3, 0.05, (1.0,)), (50e3, 0.1, (1.0,)), (20e3, 0.3, (0.7, 0.3))),
)


def anywhere(rng: np.random.Generator) -> tuple[float, float]:
    return float(np.degrees(np.arcsin(rng.uniform(-1.0, 1.0)))), float(rng.uniform(-180.0, 180.0))


def said(
    truth: tuple[float, float], radius_m: float, wrong: float, shares: tuple[float, ...], rng: np.random.Generator
) -> Belief:
    """A source's belief: one of its places is right as often as it says, and as near as its radius says."""
    right = -1 if rng.uniform() < wrong else int(rng.choice(len(shares), p=shares))
    places = []
    for i, share in enumerate(shares):
        # The distance from the truth of a centre whose circle holds it nine times of ten.
        away_m = radius_m * np.sqrt(-np.log(1.0 - rng.uniform()) / np.log(10.0))
        lat, lon = destination(*(truth if i == right else anywhere(rng)), rng.uniform(0.0, 360.0), away_m)
        places.append(Component(float(lat), float(lon), radius_m, share * (1.0 - wrong)))
    return from_components(places, wrong)


def test_joined_sources_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    denser = []
    for trial in range(TRIALS):
        truth = anywhere(rng)
        belief = Belief()
        for source in SOURCES[trial % len(SOURCES)]:
            each = said(truth, *source, rng)
            belief = together(belief, each) if belief.components else each
        # The share of the belief that is denser than it is at the truth: that of the smallest region that holds it.
        drawn = log_density(belief, *sample(belief, 150, rng))
        denser.append(float(np.mean(drawn > log_density(belief, *truth))))
    held = [float(np.mean(np.array(denser) < share)) for share in (0.5, 0.7, 0.9)]
    assert held == pytest.approx([0.5, 0.7, 0.9], abs=0.05)  # 450 trials: a standard error of 0.024 at a half
