"""What a source is worth is found from its words about labelled photographs, and no more than they tell."""

from __future__ import annotations

import numpy as np
import pytest
from simulated import Errors, as_stated, source

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.calibrate import conformal_factor, fit, spoken
from geoloc_cli.evaluate.radii import Around
from geoloc_cli.geo.belief import credible_radius_m, from_components, mass_within
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.geo.tempered import LEAST_SPREAD
from geoloc_cli.pipeline.calibrated import Reliability
from geoloc_cli.types import Belief, Component

AS_SAID = Reliability()


def held(said: object, worth: Reliability) -> float:
    """The share of truths within the 90 % radius of tempered beliefs."""
    beliefs = [worth.of(belief) for belief in said.beliefs]  # type: ignore[attr-defined]
    lat, lon, true_lat, true_lon = said.lat, said.lon, said.true_lat, said.true_lon  # type: ignore[attr-defined]
    return float(np.mean(haversine_m(lat, lon, true_lat, true_lon) <= Around(beliefs, lat, lon).radius_m()))


@pytest.mark.parametrize(("inflate", "doubt"), [(2.0, 0.2), (0.5, 0.0), (1.0, 0.4)])
def test_a_sources_faults_are_recovered_from_three_hundred_photographs(inflate: float, doubt: float) -> None:
    found = fit(source(300, 0, inflate=inflate, doubt=doubt))
    # A radius is known to 1 / (2 sqrt(300)) = 3 %, a share to 3 points; what the source says counts for ten of them.
    assert found.inflate == pytest.approx(inflate, rel=0.1)
    assert found.doubt == pytest.approx(doubt, abs=0.06)


def test_a_source_that_doubts_itself_too_much_is_believed_more() -> None:
    # It spreads 40 % of each belief, and is wrong in 10 % of the cases: 0.4 - 0.5 * 0.6.
    found = fit(source(300, 1, inflate=1.0, doubt=-0.5, spread=0.4))
    assert found.doubt == pytest.approx(-0.5, abs=0.07)
    assert found.inflate == pytest.approx(1.0, rel=0.1)


def test_a_few_photographs_move_little_and_none_are_refused() -> None:
    few, many = (fit(source(count, 2, inflate=4.0, doubt=0.0)) for count in (4, 400))
    # sqrt((10 + 4 * 16) / 14) = 2.3 is what four count for beside ten, give or take what chance makes of four.
    assert 1.3 < few.inflate < 3.2
    assert many.inflate == pytest.approx(4.0, rel=0.1)
    with pytest.raises(UsageError, match="No labelled photograph has a belief"):
        fit(spoken([Belief()], [1.0], [2.0], [1.0], [2.0]))


def test_no_source_is_believed_without_any_doubt() -> None:
    """Two hundred without a fault do not show that there is none."""
    said = source(200, 3, inflate=1.0, doubt=0.0, spread=0.3)
    found = fit(said)
    assert min(found.of(belief).spread for belief in said.beliefs) >= LEAST_SPREAD


def near_or_far(rng: np.random.Generator) -> float:
    """A tenth of the radius, and three times as far in one of five."""
    return float(3.0 * rng.uniform(0.9, 1.1) if rng.uniform() < 0.2 else 0.1)


def bounded(rng: np.random.Generator) -> float:
    """Anywhere within twice the radius, and never beyond."""
    return float(2.0 * np.sqrt(rng.uniform()))


@pytest.mark.parametrize(("errors", "likeliest"), [(near_or_far, (0.7, 0.85)), (bounded, (0.97, 1.0))])
def test_a_radius_holds_nine_in_ten_of_new_photographs_whatever_their_errors_are_like(
    errors: Errors, likeliest: tuple[float, float]
) -> None:
    """Where a Gaussian's likelihood would hold too few or too many of them, the conformal factor does not."""
    learned, new = (source(400, seed, inflate=1.0, doubt=0.0, spread=0.01, errors=errors) for seed in (4, 5))
    # What the mean square says: the likelihood's answer without a doubt that would explain the farthest.
    squares = [np.log(10.0) * errors(np.random.default_rng(seed)) ** 2 for seed in range(2000)]
    low, high = likeliest
    assert low <= held(new, Reliability(float(np.sqrt(np.mean(squares))))) <= high
    assert 0.85 <= held(new, fit(learned)) <= 0.95


@pytest.mark.parametrize("freedom", [1.0, 2.0])
def test_far_flung_errors_are_taken_for_doubt(freedom: float) -> None:
    """Student's t, whose mean square is infinite: the few that are farthest do not widen the radius of all."""

    def student(rng: np.random.Generator) -> float:
        return as_stated(rng) * float(np.sqrt(freedom / rng.chisquare(freedom)))

    learned, new = (source(400, seed, inflate=1.0, doubt=0.0, spread=0.01, errors=student) for seed in (4, 5))
    assert held(new, AS_SAID) < 0.85
    assert 0.85 <= held(new, fit(learned)) <= 0.95


def test_the_conformal_quantile_is_one_of_the_factors_and_rounds_up() -> None:
    factors = [5.0, 1.0, 4.0, 2.0, 3.0, 6.0, 7.0, 8.0, 9.0]
    # ceil(10 * 0.9) = 9 of nine; ceil(10 * 0.5) = 5; and of three, ceil(4 * 0.9) = 4, of which there are three.
    assert conformal_factor(factors) == 9.0
    assert conformal_factor(factors, 0.5) == 5.0
    assert conformal_factor([1.0, 3.0, 2.0]) == 3.0


def test_many_radii_and_masses_are_those_of_one_by_one() -> None:
    rng = np.random.default_rng(6)
    beliefs = [
        from_components(
            [
                Component(48.0 + rng.uniform(0, 2), 2.0 + rng.uniform(0, 2), 10.0 ** rng.uniform(1, 6), rng.uniform())
                for _ in range(rng.integers(1, 5))
            ],
            0.05 * rng.uniform(),
        )
        for _ in range(12)
    ]
    beliefs.append(Belief())
    lat, lon = rng.uniform(47, 51, 13), rng.uniform(1, 5, 13)
    around = Around(beliefs, lat, lon)
    one_by_one = [credible_radius_m(b, *at) for b, at in zip(beliefs, zip(lat, lon, strict=True), strict=True)]
    assert around.radius_m() == pytest.approx(one_by_one, rel=1e-5)
    masses = [float(mass_within(b, *at, 50e3)) for b, at in zip(beliefs, zip(lat, lon, strict=True), strict=True)]
    assert around.mass_within(50e3) == pytest.approx(masses, abs=1e-9)
