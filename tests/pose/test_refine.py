"""Refinement against exact poses: the pose is recovered, and its covariance is that of its errors."""

from __future__ import annotations

import numpy as np
import pytest

from geoloc_cli.pose.refine import refine
from geoloc_cli.testing.render import CameraPose

FOCAL = 900.0
CHI2_MEDIAN_6 = 5.348  # of six degrees of freedom
CHI2_MEDIAN_3 = 2.366


def scene(rng: np.random.Generator, count: int) -> tuple[np.ndarray, CameraPose, np.ndarray]:
    """Points before a camera, the camera, and their exact pixels about the optical centre."""
    pose = CameraPose((3.0, -2.0, 1.5), 40.0, 4.0, -3.0, FOCAL, 1200, 800)
    x_in_cam = np.stack([rng.uniform(-6, 6, count), rng.uniform(-4, 4, count), rng.uniform(8, 25, count)], axis=1)
    points = x_in_cam @ pose.rotation_cam_from_enu() + np.array(pose.center_in_enu)
    return points, pose, pose.project(points) - (600.0, 400.0)


def moved(pose: CameraPose) -> tuple[np.ndarray, np.ndarray]:
    """A start a third of a metre and two degrees off."""
    off = CameraPose(pose.center_in_enu, pose.heading_deg + 1.5, pose.pitch_deg - 1.0, pose.roll_deg + 1.0)
    return off.rotation_cam_from_enu(), np.array(pose.center_in_enu) + np.array([0.2, -0.2, 0.2])


def turn_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The rotation vector (3,) radians that turns b into a; for small angles."""
    between = a @ b.T
    return np.array([between[2, 1] - between[1, 2], between[0, 2] - between[2, 0], between[1, 0] - between[0, 1]]) / 2


def test_exact_pairs_give_the_exact_pose() -> None:
    points, pose, pixels = scene(np.random.default_rng(0), 60)
    found = refine(pixels / FOCAL, points, *moved(pose), FOCAL, 60.0)
    assert found is not None
    assert np.linalg.norm(found.center - pose.center_in_enu) < 1e-7
    assert np.abs(found.rotation - pose.rotation_cam_from_enu()).max() < 1e-9
    assert found.focal_scale == 1.0


def test_a_focal_length_wrong_by_a_tenth_is_found() -> None:
    points, pose, pixels = scene(np.random.default_rng(1), 80)
    wrong = FOCAL * 1.1
    found = refine(pixels / wrong, points, *moved(pose), wrong, 150.0, focal_std=0.3)
    assert found is not None
    assert found.focal_scale * wrong == pytest.approx(FOCAL, rel=1e-5)
    assert np.linalg.norm(found.center - pose.center_in_enu) < 1e-3


def test_wrong_pairs_do_not_move_the_pose() -> None:
    rng = np.random.default_rng(2)
    points, pose, pixels = scene(rng, 200)
    noisy = pixels + rng.normal(0, 0.5, pixels.shape)
    noisy[:60] = rng.uniform(-600, 600, (60, 2))
    found = refine(noisy / FOCAL, points, *moved(pose), FOCAL, 60.0)
    assert found is not None
    assert np.linalg.norm(found.center - pose.center_in_enu) < 0.03
    # Of wrong pixels over the whole picture, 0.03 lie within 60 px of where their points fall.
    assert (found.residuals_px[:60] < 4.0).sum() <= 2
    assert (found.residuals_px[60:] < 4.0).all()


def test_the_covariance_is_that_of_the_errors() -> None:
    """Mahalanobis over 200 scenes: the chi-square median times 0.67, the share of pairs that count, and less."""
    rng = np.random.default_rng(3)
    whole, places = [], []
    for _ in range(200):
        points, pose, pixels = scene(rng, 60)
        found = refine((pixels + rng.normal(0, 1.0, pixels.shape)) / FOCAL, points, *moved(pose), FOCAL, 60.0)
        assert found is not None
        error = np.concatenate(
            [
                turn_between(found.rotation, pose.rotation_cam_from_enu()),
                found.center - np.array(pose.center_in_enu),
            ]
        )
        whole.append(error @ np.linalg.solve(found.covariance, error))
        places.append(error[3:] @ np.linalg.solve(found.covariance[3:, 3:], error[3:]))
    assert CHI2_MEDIAN_6 / 1.8 < np.median(whole) < CHI2_MEDIAN_6 * 1.2
    assert CHI2_MEDIAN_3 / 1.8 < np.median(places) < CHI2_MEDIAN_3 * 1.2


def test_pairs_that_determine_nothing_give_no_pose() -> None:
    points, pose, pixels = scene(np.random.default_rng(4), 40)
    assert refine(pixels[:3] / FOCAL, points[:3], *moved(pose), FOCAL, 60.0) is None
    same = np.repeat(points[:1], 40, axis=0)
    assert refine(np.repeat(pixels[:1], 40, axis=0) / FOCAL, same, *moved(pose), FOCAL, 60.0) is None
