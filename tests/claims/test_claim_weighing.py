"""How claims are weighed: ratios that can be reckoned by hand, and what no answer may ever do."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from geoloc_cli.claims.region import Area, area_of_file, disc
from geoloc_cli.claims.weigh import heavy_tailed, likelihood_ratio, log10_ratio
from geoloc_cli.errors import UsageError
from geoloc_cli.geo.belief import from_components, mass_within
from geoloc_cli.geo.earth import EARTH_RADIUS_M, destination
from geoloc_cli.types import Belief, Component

AT = (47.3769, 8.5417)


def at(radius_m: float, away_m: float = 0.0) -> Belief:
    lat, lon = destination(*AT, 70.0, away_m)
    return from_components([Component(float(lat), float(lon), radius_m, 1.0)])


def test_the_ratio_is_the_plain_one_where_nothing_is_doubted_and_stays_within_the_doubt() -> None:
    assert likelihood_ratio(3e-6, 1e-6, 0.0) == pytest.approx(3.0)
    assert likelihood_ratio(1.0, 0.0, 0.01) == pytest.approx(100.0)
    assert likelihood_ratio(0.0, 1e-12, 0.01) == pytest.approx(0.01)
    assert likelihood_ratio(0.0, 0.0, 0.01) == 1.0
    # It is fair: exchanging the two hypotheses turns it about.
    assert likelihood_ratio(2.0, 5.0, 0.1) == pytest.approx(1.0 / likelihood_ratio(5.0, 2.0, 0.1))


def test_over_the_world_the_ratio_is_that_of_the_odds() -> None:
    claimed, belief = disc(*AT, 300e3), at(500e3)
    held = float(mass_within(heavy_tailed(belief), *AT, 300e3))
    share = claimed.area_m2 / (4.0 * math.pi * EARTH_RADIUS_M**2)
    odds = (held / (1.0 - held)) / (share / (1.0 - share))
    assert log10_ratio(belief, claimed, 1e-9, "world") == pytest.approx(math.log10(odds), abs=1e-6)


@pytest.mark.parametrize(("radius_m", "away_m"), [(20.0, 0.0), (20.0, 320.0), (5e3, 900.0), (800e3, 3000e3)])
def test_over_scales_the_sum_agrees_with_a_plain_one_however_sharp_the_answer_is(
    radius_m: float, away_m: float
) -> None:
    """Slow truth: the mean of the answer's density at 100 000 places whose distance is even in its logarithm."""
    from geoloc_cli.geo.belief import density_per_m2

    rng = np.random.default_rng(5)
    claimed, belief = disc(*AT, 100.0), at(radius_m, away_m)
    far = 100.0 * (math.pi * EARTH_RADIUS_M / 100.0) ** rng.random(100_000)
    wide = heavy_tailed(belief)
    elsewhere = float(np.mean(density_per_m2(wide, *destination(*AT, 360.0 * rng.random(100_000), far))))
    inside = float(mass_within(wide, *AT, 100.0)) / claimed.area_m2
    assert log10_ratio(belief, claimed, 0.0) == pytest.approx(math.log10(inside / elsewhere), abs=0.06)


def test_what_is_inside_supports_what_is_far_contradicts_and_the_rim_decides_nothing() -> None:
    claimed = disc(*AT, 200.0)
    found = {away: log10_ratio(at(20.0, away), claimed, 3e-4) for away in (0.0, 200.0, 1000.0, 50e3, 9000e3)}
    assert found[0.0] > 2.5
    # Half of it lies inside; the other half is one of the 11.5 times by which distances grow by e from 200 m on.
    assert found[200.0] == pytest.approx(math.log10(2.0 * 11.5), abs=0.1)
    assert found[1000.0] < found[50e3] + 1e-6 < -3.0
    assert found[9000e3] == pytest.approx(math.log10(3e-4), abs=0.01)


def test_an_answer_that_is_doubted_decides_nothing() -> None:
    claimed = disc(*AT, 200.0)
    assert log10_ratio(at(20.0), claimed, 0.25) == pytest.approx(math.log10(4.0), abs=0.01)
    assert log10_ratio(at(20.0, 50e3), claimed, 0.25) == pytest.approx(-math.log10(4.0), abs=0.01)
    assert log10_ratio(Belief(), claimed, 3e-4) == 0.0


def test_a_wide_belief_says_nothing_of_a_small_claim_at_its_middle_against_near_places() -> None:
    """A city-wide belief cannot tell a house from the next one, whatever it tells of other continents."""
    claimed = disc(*AT, 50.0)
    assert log10_ratio(at(10e3), claimed, 1e-4) < 1.0
    assert log10_ratio(at(10e3), claimed, 1e-4, "world") > 3.0


def test_the_index_as_elsewhere_compares_with_where_its_photos_were_taken() -> None:
    claimed, belief = disc(*AT, 100.0), at(30.0)
    ring = np.stack(destination(*AT, np.arange(0.0, 360.0, 10.0), 60.0 * np.ones(36)), axis=1)
    with pytest.raises(UsageError, match="lies outside"):
        log10_ratio(belief, claimed, 1e-3, "index", ring)
    far = np.stack(destination(*AT, np.arange(0.0, 360.0, 10.0), 5e3 * np.ones(36)), axis=1)
    assert log10_ratio(belief, claimed, 1e-3, "index", far) == pytest.approx(3.0, abs=0.01)
    assert log10_ratio(at(30.0, 5e3), claimed, 1e-3, "index", far) == pytest.approx(-3.0, abs=0.01)


def square(lat: float, lon: float, half_m: float) -> list[list[float]]:
    """GeoJSON's ring of a square with sides along the meridians."""
    north = math.degrees(half_m / EARTH_RADIUS_M)
    east = north / math.cos(math.radians(lat))
    corners = [(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]
    return [[lon + x * east, lat + y * north] for x, y in corners]


def drawn(path: Path, *rings: list[list[float]]) -> Area:
    path.write_text(json.dumps({"type": "Polygon", "coordinates": rings}))
    return area_of_file(str(path))


def test_a_drawn_region_weighs_as_the_disc_of_its_size_and_its_holes_are_outside(tmp_path: Path) -> None:
    whole = drawn(tmp_path / "square.geojson", square(*AT, 1000.0))
    assert whole.area_m2 == pytest.approx(4e6, rel=1e-4)
    round_one = disc(*AT, math.sqrt(4e6 / math.pi))
    for away in (0.0, 5e3):
        ours, theirs = (log10_ratio(at(60.0, away), claimed, 1e-3) for claimed in (whole, round_one))
        assert ours == pytest.approx(theirs, abs=0.2)
    holed = drawn(tmp_path / "holed.geojson", square(*AT, 1000.0), square(*AT, 500.0))
    assert holed.area_m2 == pytest.approx(3e6, rel=1e-4)
    assert log10_ratio(at(60.0), holed, 1e-3) < -1.0
    assert holed.away_m(*AT) == pytest.approx(500.0, rel=1e-3)
    assert holed.away_m(float(destination(*AT, 0.0, 1500.0)[0]), AT[1]) == pytest.approx(500.0, rel=1e-3)
    assert holed.away_m(float(destination(*AT, 0.0, 700.0)[0]), AT[1]) == 0.0


def test_a_region_across_the_antimeridian_is_one(tmp_path: Path) -> None:
    both = {"type": "MultiPolygon", "coordinates": [[[[179.5, -17], [180, -17], [180, -16], [179.5, -16]]]]}
    ring = [[179.5, -17.0], [-179.5, -17.0], [-179.5, -16.0], [179.5, -16.0], [179.5, -17.0]]
    fiji = drawn(tmp_path / "fiji.geojson", ring)
    (tmp_path / "half.geojson").write_text(json.dumps(both))
    half = area_of_file(str(tmp_path / "half.geojson"))
    assert fiji.area_m2 == pytest.approx(2.0 * half.area_m2, rel=1e-9)
    assert list(fiji.holds(np.array([-16.5, -16.5, -16.5]), np.array([179.9, -179.9, 0.0]))) == [True, True, False]
    assert abs(fiji.lon) == pytest.approx(180.0, abs=0.2)


@pytest.mark.parametrize(
    ("lat", "lon", "radius_m", "said"),
    [
        (139.69, 35.68, 100.0, "exchanged.*35.68,139.69"),
        (95.0, 120.0, 100.0, "latitude 95 is not within -90 to 90 degrees\\.$"),
        (47.0, 181.0, 100.0, "longitude 181"),
        (47.0, 8.0, 0.0, "radius"),
        (47.0, 8.0, 2e7, "radius"),
        (float("nan"), 8.0, 10.0, "latitude"),
    ],
)
def test_a_claim_that_is_no_place_is_refused_in_a_sentence(lat: float, lon: float, radius_m: float, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        disc(lat, lon, radius_m)
