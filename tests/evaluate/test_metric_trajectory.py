"""Trajectories: what alignment hides, and drift that no alignment can."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geoloc_cli.evaluate.metrics.pose import Poses
from geoloc_cli.evaluate.metrics.trajectory import absolute_errors, relative_errors
from geoloc_cli.maps.similarity import rotation_of

WALK = np.cumsum(np.random.default_rng(0).normal(0.0, 1.0, (200, 3)), axis=0)


def test_an_offset_is_hidden_wholly() -> None:
    said = absolute_errors(WALK + np.array([3.0, -4.0, 12.0]), WALK)
    assert (said.photos, said.posed, said.direct) == (200, 200, pytest.approx(13.0))
    assert (said.se3, said.sim3, said.scale) == (
        pytest.approx(0.0, abs=1e-9),
        pytest.approx(0.0, abs=1e-9),
        pytest.approx(1.0),
    )
    assert (said.hidden_se3, said.hidden_sim3) == (pytest.approx(1.0), pytest.approx(1.0))


def test_a_wrong_scale_is_hidden_by_the_similarity_alone() -> None:
    middle = WALK.mean(axis=0)
    said = absolute_errors(middle + 1.1 * (WALK - middle), WALK)
    assert said.direct == pytest.approx(said.se3)
    assert (said.hidden_se3, said.hidden_sim3) == (pytest.approx(0.0, abs=1e-6), pytest.approx(1.0))
    assert said.scale == pytest.approx(1.0 / 1.1)


def test_noise_is_not_hidden() -> None:
    said = absolute_errors(WALK + np.random.default_rng(1).normal(0.0, 0.1, WALK.shape), WALK)
    assert said.direct == pytest.approx(0.1 * math.sqrt(3.0), rel=0.08)
    # Of 600 numbers a motion takes six and a similarity seven.
    assert said.hidden_se3 < said.hidden_sim3 < 0.02


def test_alignments_are_the_best_there_are() -> None:
    """No motion near the one found leaves less: 60 others are tried."""
    rng = np.random.default_rng(2)
    path = 1.3 * WALK @ rotation_of(np.array([0.3, -0.8, 0.2])).T + [50.0, 2.0, 7.0] + rng.normal(0.0, 0.5, WALK.shape)
    said = absolute_errors(path, WALK)
    assert said.sim3 < said.se3 < said.direct
    turn = rotation_of(np.array([0.3, -0.8, 0.2]))
    for _ in range(60):
        other = (path - path.mean(axis=0)) @ rotation_of(rng.normal(0.0, 0.02, 3)) @ turn
        shift = WALK.mean(axis=0) + rng.normal(0.0, 0.02, 3)
        for scale, least in ((1.0, said.se3), (said.scale * float(rng.normal(1.0, 0.01)), said.sim3)):
            left = scale * other + shift - WALK
            assert math.sqrt((left**2).sum(axis=1).mean()) >= least - 1e-9


def test_missing_poses_are_counted_and_left_out() -> None:
    path = WALK + np.array([0.0, 0.0, 2.0])
    path[::4] = np.nan
    said = absolute_errors(path, WALK)
    assert (said.photos, said.posed, said.direct) == (200, 150, pytest.approx(2.0))
    with pytest.raises(ValueError, match="no poses"):
        absolute_errors(np.full((3, 3), np.nan), WALK[:3])


def test_two_places_are_not_aligned_and_a_perfect_path_hides_nothing() -> None:
    said = absolute_errors(WALK[:2] + 1.0, WALK[:2])
    assert said.direct == pytest.approx(math.sqrt(3.0))
    assert math.isnan(said.se3)
    assert math.isnan(said.hidden_sim3)
    assert absolute_errors(WALK, WALK).hidden_se3 == 0.0


def poses_along(centers: np.ndarray, seed: int = 5) -> Poses:
    rng = np.random.default_rng(seed)
    rotations = np.stack([rotation_of(vector) for vector in rng.normal(0.0, 1.0, (len(centers), 3))])
    return Poses(rotations, -np.einsum("nij,nj->ni", rotations, centers))


def test_relative_errors_do_not_see_the_frame() -> None:
    true = poses_along(WALK)
    turn, shift = rotation_of(np.array([1.0, 0.5, -0.2])), np.array([9.0, 8.0, 7.0])
    moved = Poses(true.rotation @ turn.T, true.translation - np.einsum("nij,j->ni", true.rotation @ turn.T, shift))
    said = relative_errors(moved, true)
    assert (said.pairs, said.rmse) == (199, pytest.approx(0.0, abs=1e-9))
    assert said.rmse_deg == pytest.approx(0.0, abs=1e-6)


def test_relative_errors_are_the_drift_of_each_step() -> None:
    """A camera that drives ahead 1 m a photograph, found to turn by 2 degrees in each, and to go 1.05 m."""
    count = 20
    ahead = np.zeros((count, 3))
    ahead[:, 2] = np.arange(count)
    true = Poses(np.repeat(np.eye(3)[None], count, axis=0), -ahead)
    rotations, centers = [np.eye(3)], [np.zeros(3)]
    for _ in range(count - 1):
        centers.append(centers[-1] + rotations[-1].T @ [0.0, 0.0, 1.05])
        rotations.append(rotation_of(np.radians([0.0, 2.0, 0.0])) @ rotations[-1])
    turns = np.stack(rotations)
    found = Poses(turns, -np.einsum("nij,nj->ni", turns, np.stack(centers)))
    said = relative_errors(found, true)
    assert (said.pairs, said.rmse, said.median) == (19, pytest.approx(0.05), pytest.approx(0.05))
    assert (said.rmse_deg, said.median_deg) == (pytest.approx(2.0), pytest.approx(2.0))
    assert relative_errors(found, true, step=5).rmse_deg == pytest.approx(10.0)


def test_pairs_without_both_poses_are_left_out() -> None:
    true = poses_along(WALK[:10])
    partly = Poses(true.rotation.copy(), true.translation.copy())
    partly.translation[4] = np.nan
    assert relative_errors(partly, true).pairs == 7
    assert relative_errors(partly, true, step=3).pairs == 5
    for step in (0, 10):
        with pytest.raises(ValueError, match="photographs"):
            relative_errors(true, true, step=step)
