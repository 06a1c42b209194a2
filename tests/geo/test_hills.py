"""Hills: how many there are, what each holds, and that no pole and no seam is one's end."""

from __future__ import annotations

import numpy as np
import pytest

from geoloc_cli.geo.belief import from_components
from geoloc_cli.geo.earth import destination, haversine_m
from geoloc_cli.geo.fisher import R90_PER_SIGMA
from geoloc_cli.geo.hills import MOST, hills
from geoloc_cli.types import Belief, Component


def blob(lat: float, lon: float, sigma_m: float, weight: float, seed: int, count: int = 400) -> list[Component]:
    """Points of 10 km spread as a normal distribution of `sigma_m` a side about a place."""
    rng = np.random.default_rng(seed)
    away = np.hypot(*rng.normal(0.0, sigma_m, (2, count)))
    places = zip(*destination(lat, lon, rng.uniform(0.0, 360.0, count), away), strict=True)
    return [Component(float(a), float(o), 10_000.0, weight / count) for a, o in places]


@pytest.mark.parametrize("place", [(48.0, 11.0), (0.0, 180.0), (-17.0, 179.9), (90.0, 0.0), (-89.5, 120.0)])
def test_one_blob_is_one_hill_wherever_it_lies(place: tuple[float, float]) -> None:
    """400 points: the mean is within 3 x 60 / 20 = 9 km, the radius within a tenth (chi-square of 800)."""
    (found,) = hills(from_components(blob(*place, 60_000.0, 1.0, seed=1)), 300_000.0).components
    assert haversine_m(found.lat, found.lon, *place) < 9_000.0
    assert found.weight == pytest.approx(1.0)
    wide = np.hypot(60_000.0, 10_000.0 / R90_PER_SIGMA)
    assert found.radius_m == pytest.approx(R90_PER_SIGMA * wide, rel=0.1)


def test_two_blobs_keep_their_shares_and_their_widths() -> None:
    parts = blob(41.9, 12.5, 40_000.0, 0.5, seed=2) + blob(40.4, -3.7, 80_000.0, 0.3, seed=3)
    found = hills(from_components(parts, 0.2), 300_000.0)
    one, two = found.components
    assert (one.weight, two.weight, found.spread) == pytest.approx((0.5, 0.3, 0.2))
    assert haversine_m(one.lat, one.lon, 41.9, 12.5) < 6_000.0
    assert haversine_m(two.lat, two.lon, 40.4, -3.7) < 12_000.0
    assert 1.7 < two.radius_m / one.radius_m < 2.1


def test_the_reach_says_what_is_one() -> None:
    pair = from_components([Component(50.0, 10.0, 5_000.0, 0.6), Component(50.0, 11.0, 5_000.0, 0.4)])
    assert len(hills(pair, 60_000.0).components) == 2
    (one,) = hills(pair, 80_000.0).components
    assert one.lon == pytest.approx(10.4, abs=0.01)


def test_nothing_stays_nothing_and_too_much_is_refused() -> None:
    assert hills(Belief(), 1000.0) == Belief()
    many = from_components([Component(0.0, i * 0.01, 100.0, 1.0) for i in range(MOST + 1)])
    with pytest.raises(ValueError, match="2049 components"):
        hills(many, 1000.0)
    with pytest.raises(ValueError, match="reach"):
        hills(Belief(), 0.0)
