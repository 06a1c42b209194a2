"""Beliefs made wider and narrower, surer and less sure."""

from __future__ import annotations

import pytest

from geoloc_cli.geo.belief import credible_radius_m, from_components
from geoloc_cli.geo.tempered import LEAST_SPREAD, tempered
from geoloc_cli.types import Belief, Component

PARIS, LYON = (48.85, 2.35), (45.76, 4.84)
SAID = from_components([Component(*PARIS, 2000.0, 0.6), Component(*LYON, 500.0, 0.2)], 0.2)


def test_taken_at_its_word_a_belief_is_the_same_and_what_says_nothing_stays_so() -> None:
    assert tempered(SAID, 1.0, 0.0) is SAID
    assert tempered(Belief(), 3.0, 0.5) == Belief()


def test_radii_and_certainty_are_scaled_and_places_keep_their_shares() -> None:
    found = tempered(SAID, 3.0, 0.5)
    assert [c.radius_m for c in found.components] == [6000.0, 1500.0]
    # Of the 80 % that were sure a half remain.
    assert found.spread == pytest.approx(0.6)
    assert [c.weight for c in found.components] == pytest.approx([0.3, 0.1])


def test_a_doubt_below_zero_gives_the_even_share_back_down_to_the_least() -> None:
    assert tempered(SAID, 1.0, -0.125).spread == pytest.approx(0.1)
    surest = tempered(SAID, 1.0, -0.9)
    assert surest.spread == pytest.approx(LEAST_SPREAD)
    assert sum(c.weight for c in surest.components) == pytest.approx(1.0 - LEAST_SPREAD)


def test_a_doubt_of_one_leaves_nothing_and_no_radius_outgrows_the_earth() -> None:
    assert tempered(SAID, 1.0, 1.0) == Belief()
    wide = tempered(SAID, 1e9, 0.0)
    assert credible_radius_m(wide, *PARIS) == pytest.approx(credible_radius_m(Belief(), *PARIS), rel=1e-3)


@pytest.mark.parametrize(("inflate", "doubt"), [(0.0, 0.0), (float("inf"), 0.0), (1.0, 1.1), (float("nan"), 0.0)])
def test_what_is_no_factor_and_no_share_is_refused(inflate: float, doubt: float) -> None:
    with pytest.raises(ValueError, match="cannot be tempered"):
        tempered(SAID, inflate, doubt)
