"""Runs with known errors, to be reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from geoloc_cli.evaluate.distances import Sureness
from geoloc_cli.evaluate.evaluated import Evaluated
from geoloc_cli.evaluate.joined import join
from geoloc_cli.evaluate.predicted import Predictions
from geoloc_cli.evaluate.report.entry import Placed
from geoloc_cli.evaluate.score import How, measured
from geoloc_cli.evaluate.truth import Truth
from geoloc_cli.geo.earth import destination

HOW = How(sure=Sureness(replicates=50))
Made = Callable[..., Evaluated]


def made(
    name: str, errors_m: Sequence[float], *, photos: Sequence[str] = (), spread_deg: float = 0.5, **said: Any
) -> Evaluated:
    """A run over photographs along a parallel, `spread_deg` apart; each answer lies that far east of its truth."""
    count = len(errors_m)
    names = list(photos) or [f"{number}.jpg" for number in range(count)]
    lat, lon = np.full(count, 40.0), np.arange(count) * spread_deg
    nothing = np.full(count, np.nan)
    truth = Truth("truth.csv", names, lat, lon, nothing, nothing, [None] * count)
    there, east = destination(lat, lon, 90.0, np.asarray(errors_m, dtype=np.float64))
    columns = {"radius_m": nothing, "confidence": nothing, **said}
    (score,) = measured([join(Predictions(name, list(names), there, east, **columns), truth)], HOW)
    return Evaluated(name, score)


def placed(run: Evaluated) -> Placed:
    assert run.score is not None
    return Placed(run.name, run.score)


@pytest.fixture
def make() -> Made:
    return made


@pytest.fixture
def place() -> Callable[[Evaluated], Placed]:
    return placed


@pytest.fixture
def how() -> How:
    return HOW
