"""One von Mises-Fisher component, from a millimetre to the whole Earth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from geoloc_cli.geo import fisher
from geoloc_cli.geo.earth import EARTH_RADIUS_M, HALF_EARTH_M

KAPPAS = [0.0, 1e-13, 1e-9, 1e-3, 0.099, 0.101, 1.0, 12.0, 39.9, 40.1, 1e4]
WIDEST_M = EARTH_RADIUS_M * np.arccos(-0.8)


@given(st.floats(-3.0, np.log10(WIDEST_M) - 1e-6).map(lambda power: 10.0**power))
def test_kappa_and_radius_are_inverse_from_a_millimetre_to_the_widest(radius: float) -> None:
    kappa = fisher.kappa_from_radius(radius)
    assert fisher.radius_from_kappa(kappa) == pytest.approx(radius, rel=1e-9)
    assert fisher.share_within(radius / EARTH_RADIUS_M, kappa) == pytest.approx(0.9, abs=1e-12)


def test_kappa_falls_to_zero_where_nine_tenths_need_more_than_the_even_cap() -> None:
    radii = np.array([1e-3, 1.0, 1e6, 1.2e7, 0.999 * WIDEST_M, WIDEST_M, 1.7e7, HALF_EARTH_M, 1e9])
    kappa = fisher.kappa_from_radius(radii)
    assert (np.diff(kappa[:5]) < 0.0).all()
    assert 0.0 < kappa[4] < 0.01
    assert kappa[5:-1] == pytest.approx(0.0, abs=1e-9)
    assert fisher.radius_from_kappa(0.0) == pytest.approx(WIDEST_M)


@pytest.mark.parametrize("radius", [0.0, -1.0, float("nan")])
def test_a_radius_that_is_no_length_is_refused(radius: float) -> None:
    with pytest.raises(ValueError, match="positive length"):
        fisher.kappa_from_radius(radius)


@pytest.mark.parametrize("kappa", KAPPAS)
def test_density_sums_to_the_share_within(kappa: float) -> None:
    def ring(angle: float) -> float:
        exponent = fisher.log_peak(kappa) - kappa * fisher.rise_of_angle(angle)
        return float(2.0 * np.pi * np.sin(angle) * np.exp(exponent))

    for angle in (0.02, 0.5, 2.0, np.pi):
        total, _ = quad(ring, 0.0, angle, points=[min(angle, 0.05)], limit=200)
        assert fisher.share_within(angle, kappa) == pytest.approx(total, abs=1e-8)


@pytest.mark.parametrize("kappa", [*KAPPAS, 1e13, 1e20])
def test_angle_holding_is_the_inverse_of_share_within(kappa: float) -> None:
    share = np.linspace(0.001, 0.999, 50)
    assert fisher.share_within(fisher.angle_holding(share, kappa), kappa) == pytest.approx(share, abs=1e-9)
    assert fisher.angle_holding(0.0, kappa) == 0.0
    assert 0.0 < fisher.angle_holding(1.0, kappa) <= np.pi


@settings(deadline=None, max_examples=60)
@given(st.floats(-3.0, 6.0), st.floats(0.001, 6.0), st.floats(0.001, 6.0))
def test_share_in_circle_agrees_with_a_million_rings(log_kappa: float, away: float, radius: float) -> None:
    kappa = 10.0**log_kappa
    width = 1.0 / np.sqrt(max(kappa, 1.0))
    a, r = min(away * width, 3.14), min(radius * width, 3.14)
    ring = fisher.angle_holding((np.arange(100_000) + 0.5) / 100_000, kappa)
    cosine = (np.cos(r) - np.cos(a) * np.cos(ring)) / (np.sin(a) * np.sin(ring))
    by_rings = np.arccos(np.clip(cosine, -1.0, 1.0)).mean() / np.pi
    ours = fisher.share_in_circle(np.array(a), np.array(r), np.array(kappa))
    assert ours == pytest.approx(by_rings, abs=2e-5)


@pytest.mark.parametrize("kappa", KAPPAS)
def test_dispersion_is_the_mean_rise_and_inverts(kappa: float) -> None:
    mean_rise = np.mean(fisher.rise_of_angle(fisher.angle_holding((np.arange(200_000) + 0.5) / 200_000, kappa)))
    assert fisher.dispersion(kappa) == pytest.approx(mean_rise, rel=2e-5)
    assert fisher.kappa_from_dispersion(fisher.dispersion(kappa)) == pytest.approx(kappa, rel=1e-12, abs=1e-12)


def test_entropy_of_the_even_sphere_is_the_logarithm_of_its_area_and_falls() -> None:
    assert fisher.entropy(0.0) == pytest.approx(np.log(4.0 * np.pi))
    assert (np.diff(fisher.entropy(np.array([0.0, 0.05, 0.2, 1.0, 30.0, 50.0, 1e6, 1e20]))) < 0.0).all()
