"""The solver among wrong pairs: it finds the pose, or none."""

from __future__ import annotations

import numpy as np
import pytest

from geoloc_cli.pose.solve import PoseLibSolver
from geoloc_cli.testing.render import CameraPose

FOCAL = 1000.0


def pairs(seed: int, count: int, wrong_share: float) -> tuple[np.ndarray, np.ndarray, CameraPose]:
    """Rays with 0.5 px of noise, points, and the camera; the first `wrong_share` of the rays are anywhere."""
    rng = np.random.default_rng(seed)
    pose = CameraPose((-4.0, 7.0, 2.0), 210.0, -8.0, 5.0, FOCAL, 1280, 960)
    x_in_cam = np.stack([rng.uniform(-7, 7, count), rng.uniform(-5, 5, count), rng.uniform(9, 30, count)], axis=1)
    points = x_in_cam @ pose.rotation_cam_from_enu() + np.array(pose.center_in_enu)
    pixels = pose.project(points) - (640.0, 480.0) + rng.normal(0, 0.5, (count, 2))
    wrong = round(wrong_share * count)
    pixels[:wrong] = rng.uniform((-640, -480), (640, 480), (wrong, 2))
    return pixels / FOCAL, points, pose


@pytest.mark.parametrize("wrong_share", [0.0, 0.5, 0.8, 0.95])
def test_the_pose_is_found_among_wrong_pairs(wrong_share: float) -> None:
    rays, points, pose = pairs(0, 600, wrong_share)
    found = PoseLibSolver().solve(rays, points, FOCAL, 4.0, focal_known=True)
    assert found is not None
    assert np.linalg.norm(found.center - pose.center_in_enu) < 0.15
    assert found.inliers[round(wrong_share * 600) :].mean() > 0.9


@pytest.mark.parametrize("guess", [0.5, 0.8, 1.3, 2.0])
def test_an_unknown_focal_length_is_found(guess: float) -> None:
    rays, points, _pose = pairs(1, 400, 0.5)
    found = PoseLibSolver().solve(rays / guess, points, FOCAL * guess, 6.0, focal_known=False)
    assert found is not None
    # The ladder's steps are eighths of an octave: the best one is within 9 % of the truth.
    assert found.focal_scale * guess == pytest.approx(1.0, rel=0.1)


def test_nothing_but_wrong_pairs_gives_no_support() -> None:
    rays, points, _ = pairs(2, 300, 1.0)
    found = PoseLibSolver().solve(rays, points, FOCAL, 4.0, focal_known=True)
    assert found is None or found.inliers.sum() < 15


def test_few_pairs_give_no_pose() -> None:
    rays, points, _ = pairs(3, 4, 0.0)
    assert PoseLibSolver().solve(rays, points, FOCAL, 4.0, focal_known=True) is None


def test_the_same_pairs_give_the_same_pose() -> None:
    rays, points, _ = pairs(4, 500, 0.7)
    first, second = (PoseLibSolver().solve(rays, points, FOCAL, 4.0, focal_known=True) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.center.tobytes() == second.center.tobytes()
