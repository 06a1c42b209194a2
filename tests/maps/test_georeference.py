"""Where a map lies on the Earth, by positions of all degrees of badness; the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from surveys import ORIGIN, Survey, grid, held, noisy, strip, walk

from geoloc_cli.geo.earth import enu_from_geodetic
from geoloc_cli.maps.georeference import fit
from geoloc_cli.maps.similarity import umeyama
from geoloc_cli.testing.render import CameraPose

# The median of chi-square with three degrees of freedom.
CHI2_3 = 2.366


def test_the_covariance_says_how_wrong_the_frame_is() -> None:
    """2 m and 6 m of noise, 60 seeds: Mahalanobis at the middle, at the farthest camera, and of the rotation."""
    middle, edge, turns, scales = [], [], [], []
    for seed in range(60):
        survey = walk(seed)
        found = survey.sure(noisy(survey, np.random.default_rng([seed, 1])))
        assert found.outliers == ()
        assert found.notes == ()
        far = int(np.linalg.norm(survey.in_enu - survey.in_enu.mean(axis=0), axis=1).argmax())
        for distances, point, true in (
            (middle, survey.in_map.mean(axis=0), survey.in_enu.mean(axis=0)),
            (edge, survey.in_map[far], survey.in_enu[far]),
        ):
            off = found.in_enu(point) - true
            distances.append(float(off @ np.linalg.solve(found.frame_covariance(point), off)))
        turn = survey.turn_error(found)
        turns.append(float(turn @ np.linalg.solve(found.covariance[1:4, 1:4], turn)))
        scales.append(float(np.log(found.scale / survey.scale) ** 2 / found.covariance[0, 0]))
        # What nine in ten residuals stay within, with nine in ten certainty, is more than their deviation.
        assert 1.5 < found.horizontal_m < 3.5
        assert found.vertical_m == pytest.approx(6.0, rel=0.5)
    for distances in (middle, edge, turns):
        assert 1 / 1.5 < np.median(distances) / CHI2_3 < 1.5
    # One degree of freedom has the median 0.455; of 60 draws it scatters by a third.
    assert 1 / 3 < np.median(scales) / 0.455 < 2


def test_wrong_positions_are_named_and_move_nothing() -> None:
    survey, rng = walk(1), np.random.default_rng(5)
    positions = noisy(survey, rng)
    clean = survey.sure(positions)
    wrong = rng.choice(60, 12, replace=False)
    angle = rng.uniform(0, 2 * np.pi, 12)
    positions[wrong, :2] += rng.uniform(150, 500, 12)[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    positions[wrong[0]] = enu_from_geodetic(-33.9, 151.2, 20.0, ORIGIN)
    found = survey.sure(positions)
    assert set(found.outliers) == {survey.names[i] for i in wrong}
    rest = np.delete(np.arange(60), wrong)
    # 6 m upwards of 48 positions and their drift: the edge is known to 2.5 m, its place to 0.5 m.
    assert np.abs(survey.errors(found)[rest]).max(axis=0) == pytest.approx([0, 0, 0], abs=4.0)
    assert np.abs(survey.errors(found)[rest, :2]).max() < 1.5
    assert np.linalg.norm(survey.errors(found) - survey.errors(clean), axis=1).max() < 2.5
    assert found.horizontal_m < 4.0


@pytest.mark.parametrize("turn_deg", [0.0, 90.0])
@pytest.mark.parametrize("pitch", [-88.0, -45.0, 4.0])
def test_a_straight_flight_is_rolled_upright_by_its_level_cameras(pitch: float, turn_deg: float) -> None:
    """Looking down, aslant or ahead; cameras that look sideways have their right axes along the way."""
    survey = strip(2, pitch=pitch, turn_deg=turn_deg)
    if turn_deg == 90.0 and pitch != 4.0:
        # The right axes lie along the line: whether such a camera looks down or ahead is in no position.
        survey = strip(2, pitch=pitch, turn_deg=60.0)
    found = survey.sure(noisy(survey, np.random.default_rng(3), 0.5, 1.0))
    roll = survey.turn_error(found)[1]
    std = float(np.sqrt(found.covariance[2, 2]))
    assert any("line" in note and "degrees" in note for note in found.notes)
    assert abs(roll) < np.radians(5.0)
    assert abs(roll) < 3.0 * std
    assert np.linalg.norm(survey.errors(found), axis=1).max() < 2.0
    assert survey.turned_deg(found) < 6.0


def test_a_straight_flight_with_cameras_held_anyhow_has_no_roll_and_says_so() -> None:
    survey = strip(3)
    rng = np.random.default_rng(3)
    twisted = np.stack([held(np.array([h]), 0.0, rng, roll_std=60.0)[0] for h in rng.uniform(0, 360, 40)])
    survey = Survey(survey.in_enu, twisted)
    found = survey.sure(noisy(survey, rng, 0.5, 1.0))
    # 0.3 m of wandering beside the line is all that positions of 0.5 m say of the roll.
    std = float(np.sqrt(found.covariance[2, 2]))
    assert np.degrees(std) > 10.0
    assert abs(survey.turn_error(found)[1]) < 3.0 * std
    assert any("degrees only" in note for note in found.notes)
    # Where it lies along the line is known all the same.
    assert np.linalg.norm(survey.errors(found), axis=1).max() < 2.0


def test_level_cameras_do_not_overrule_positions_that_say_better() -> None:
    """All cameras rolled by 25 degrees, over a field: the positions know."""
    survey = grid(4)
    rng = np.random.default_rng(1)
    headings = np.where(np.arange(60) // 12 % 2 == 0, 0.0, 180.0)
    twisted = Survey(survey.in_enu, np.stack([held(np.array([h]), 0.0, rng, 0.0)[0] for h in headings]))
    rolled = Survey(twisted.in_enu, np.stack([_rolled(r, 25.0) for r in twisted.cam_from_enu]))
    found = rolled.sure(noisy(rolled, rng, 1.0, 2.0))
    assert rolled.turned_deg(found) < 1.5
    assert found.notes == ()


def _rolled(cam_from_enu: np.ndarray, degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) @ cam_from_enu


def test_missing_altitudes_cost_nothing_but_heights() -> None:
    survey, rng = walk(5), np.random.default_rng(2)
    positions = noisy(survey, rng, 1.0, 2.0)
    positions[::2, 2] = np.nan
    found = survey.sure(positions)
    assert np.linalg.norm(survey.errors(found), axis=1).max() < 3.0
    assert all(found.residuals_m[name][2] == 0.0 for name in survey.names[::2])
    positions[:, 2] = np.nan
    without = survey.sure(positions)
    assert any("no photograph states an altitude" in note for note in without.notes)
    assert np.linalg.norm(survey.errors(without)[:, :2], axis=1).max() < 3.0


def test_too_few_positions_and_one_spot_are_no_georeference() -> None:
    survey = walk(6, count=8)
    one = Survey(survey.in_enu[:1], survey.cam_from_enu[:1])
    assert one.fitted(one.in_enu) is None
    assert survey.fitted(np.tile(survey.in_enu[0], (8, 1))) is None
    assert fit([], np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0), np.zeros((0, 3, 3)), ORIGIN) is None


def test_two_positions_and_level_cameras_are_a_georeference_that_admits_what_it_does_not_know() -> None:
    """Pairs 4 to 30 m apart with 2 m of noise: nine in ten places between them lie within their radius."""
    rng, inside, radii = np.random.default_rng(0), [], []
    for _ in range(60):
        azimuth, apart = rng.uniform(0, 2 * np.pi), rng.uniform(4, 30)
        true = np.array([[0.0, 0.0, 1.6], [apart * np.sin(azimuth), apart * np.cos(azimuth), 1.7]])
        held = [CameraPose((0, 0, 0), rng.uniform(0, 360), rng.normal(4, 3), rng.normal(0, 2)) for _ in true]
        pair = Survey(true, np.stack([camera.rotation_cam_from_enu() for camera in held]))
        found = pair.fitted(true + rng.normal(0, [2, 2, 3], (2, 3)))
        if found is None:
            continue
        between = true.mean(axis=0) + rng.normal(0, 5, 3)
        in_map = (between - np.array(pair.shift)) @ pair.rotation / pair.scale
        spread = found.frame_covariance(in_map)[:2, :2] + np.eye(2) * found.horizontal_m**2
        radii.append(2.146 * np.sqrt(np.linalg.eigvalsh(spread)[-1]))
        inside.append(np.linalg.norm((found.in_enu(in_map) - between)[:2]) <= radii[-1])
    assert len(inside) > 45
    assert np.mean(inside) >= 0.9
    assert np.median(radii) < 15.0


def test_receivers_that_admit_50_m_do_not_pull_those_that_state_1_m() -> None:
    survey, rng = walk(7, across_m=200.0), np.random.default_rng(4)
    stated = np.where(np.arange(60) % 3 == 0, 1.0, 50.0)
    positions = survey.in_enu + rng.normal(0.0, 1.0, (60, 3)) * stated[:, None]
    found = survey.sure(positions, stated)
    # Twenty positions of 1 m: 0.5 m at the edge. Weighted alike, the forty others leave 10 m.
    assert np.linalg.norm(survey.errors(found), axis=1).max() < 2.0
    assert np.linalg.norm(survey.errors(survey.sure(positions)), axis=1).max() > 4.0
    assert found.horizontal_m < 3.0


def test_a_drift_of_the_altitudes_is_fitted_and_not_taken_for_a_tilt() -> None:
    """Out and back, 12 m in all: heights of a place at two times show the drift, and the map stays level."""
    rng = np.random.default_rng(8)
    north = np.concatenate([np.linspace(0, 200, 30), np.linspace(200, 0, 30)])
    east = np.concatenate([np.zeros(30), np.full(30, 60.0)]) + rng.normal(0, 4, 60)
    survey = Survey(np.column_stack([east, north, rng.normal(50, 1, 60)]), held(rng.uniform(0, 360, 60), 0.0, rng))
    positions = noisy(survey, rng, 0.5, 0.5)
    positions[:, 2] += np.linspace(-6.0, 6.0, 60)
    scale, rotation, _ = umeyama(survey.in_map, positions)
    assert scale == pytest.approx(survey.scale, rel=0.02)
    plain = np.degrees(np.arccos(np.clip((rotation @ survey.rotation.T)[2, 2], -1, 1)))
    found = survey.sure(positions)
    tilt = np.degrees(np.linalg.norm(survey.turn_error(found)[:2]))
    assert plain > 4.0
    assert tilt < 2.0
    assert any("drift" in note for note in found.notes)


def test_an_altitude_that_wanders_is_believed_as_little_as_it_deserves() -> None:
    """A random walk of 0.6 m a photograph: the tilt stays within what the covariance says, in the median of 40."""
    distances, tilts = [], []
    for seed in range(40):
        survey = grid(seed)
        rng = np.random.default_rng([seed, 9])
        positions = noisy(survey, rng, 1.0, 0.5)
        positions[:, 2] += np.cumsum(rng.normal(0.0, 0.6, 60))
        found = survey.sure(positions)
        turn = survey.turn_error(found)[:2]
        tilts.append(float(np.degrees(np.linalg.norm(turn))))
        distances.append(float(turn @ np.linalg.solve(found.covariance[1:3, 1:3], turn)))
    assert np.median(tilts) < 1.0
    assert max(tilts) < 3.5
    # Chi-square with two degrees of freedom has the median 1.386; taken for independent noise, it is 18 times that.
    assert np.median(distances) / 1.386 < 2.0


def test_a_drift_tilts_a_map_by_no_more_than_it_rises_over_it() -> None:
    """8 m from first to last. Strips there and back show it; along one straight strip of 300 m it is a tilt, of 1.5."""
    survey, rng = grid(3), np.random.default_rng(6)
    positions = noisy(survey, rng, 0.5, 0.5)
    positions[:, 2] += np.linspace(-4.0, 4.0, 60)
    assert survey.turned_deg(survey.sure(positions)) < 1.0
    straight = strip(4)
    positions = noisy(straight, rng, 0.5, 0.5)
    positions[:, 2] += np.linspace(-4.0, 4.0, 40)
    assert abs(np.degrees(straight.turn_error(straight.sure(positions))[0])) < 1.7


def test_mirrored_positions_are_refused() -> None:
    mirror = np.array([-1.0, 1.0, 1.0])
    flat, hilly = grid(5), walk(9)
    hilly = Survey(hilly.in_enu + np.column_stack([np.zeros((60, 2)), 0.4 * hilly.in_enu[:, 0]]), hilly.cam_from_enu)
    for survey in (flat, hilly):
        positions = noisy(survey, np.random.default_rng(7), 1.0, 2.0)
        assert survey.fitted(positions) is not None
        assert survey.fitted(positions * mirror) is None


def test_positions_of_other_photographs_are_refused() -> None:
    survey, rng = walk(10), np.random.default_rng(0)
    assert survey.fitted(rng.permutation(survey.in_enu)) is None


def test_a_large_survey_with_many_thousands_of_positions_is_fitted() -> None:
    survey = walk(11, count=3000, across_m=500.0)
    found = survey.sure(noisy(survey, np.random.default_rng(0)))
    # A drift as wide as the noise, 6 m, is a tilt where the photographs go from one side to the other.
    assert np.abs(survey.errors(found)[:, :2]).max() < 0.3
    assert np.abs(survey.errors(found)[:, 2]).max() < 3.0
