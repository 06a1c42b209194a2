"""Sources whose faults are known, and their words about places drawn at random."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from geoloc_cli.evaluate.calibrate import Spoken, spoken
from geoloc_cli.geo.belief import from_components
from geoloc_cli.geo.earth import destination
from geoloc_cli.types import Belief, Component

Place = tuple[float, float]


def anywhere(rng: np.random.Generator) -> Place:
    return float(np.degrees(np.arcsin(rng.uniform(-1.0, 1.0)))), float(rng.uniform(-180.0, 180.0))


# How many of its 90 % radii a source is off, drawn.
Errors = Callable[[np.random.Generator], float]


def as_stated(rng: np.random.Generator) -> float:
    """One that holds the truth within its radius nine times of ten, as a component of a belief does."""
    return float(np.sqrt(-np.log(1.0 - rng.uniform()) / np.log(10.0)))


def off(place: Place, radius_m: float, rng: np.random.Generator, errors: Errors = as_stated) -> Place:
    lat, lon = destination(*place, rng.uniform(0.0, 360.0), radius_m * errors(rng))
    return float(lat), float(lon)


def word(
    truth: Place,
    rng: np.random.Generator,
    *,
    inflate: float,
    doubt: float,
    spread: float = 0.0,
    errors: Errors = as_stated,
) -> tuple[Belief, Place]:
    """One that states a radius and a spread, is off by `inflate` times the one, and wrong altogether in `doubt` of what
    it is sure of.
    """
    radius_m = float(rng.uniform(500.0, 5000.0))
    wrong = rng.uniform() < spread + doubt * (1.0 - spread)
    named = off(anywhere(rng) if wrong else truth, inflate * radius_m, rng, errors)
    return from_components([Component(*named, radius_m, 1.0 - spread)], spread), named


def source(
    count: int, seed: int, *, inflate: float, doubt: float, spread: float = 0.0, errors: Errors = as_stated
) -> Spoken:
    rng = np.random.default_rng(seed)
    truths = [anywhere(rng) for _ in range(count)]
    words = [word(truth, rng, inflate=inflate, doubt=doubt, spread=spread, errors=errors) for truth in truths]
    places = np.array([[*named, *truth] for (_, named), truth in zip(words, truths, strict=True)])
    return spoken([belief for belief, _ in words], *(places[:, column] for column in range(4)))
