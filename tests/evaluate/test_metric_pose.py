"""Poses: errors worked by hand, the field's definitions, and covariances that are too small by a known factor."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geoloc_cli.evaluate.metrics.pose import (
    Poses,
    chi_square_quantile,
    consistency,
    direction_errors_deg,
    localized,
    mahalanobis2,
    pose_auc,
    position_errors,
    report,
    rotation_errors_deg,
    virtual_errors_px,
)
from geoloc_cli.maps.similarity import rotation_of


def turned(degrees: float, axis: tuple[float, float, float] = (0.0, 1.0, 0.0)) -> np.ndarray:
    return rotation_of(np.radians(degrees) * np.array(axis) / np.linalg.norm(axis))


def poses_at(centers: np.ndarray, rotations: np.ndarray) -> Poses:
    return Poses(rotations, -np.einsum("nij,nj->ni", rotations, centers))


def random_poses(count: int, seed: int = 0) -> Poses:
    rng = np.random.default_rng(seed)
    rotations = np.stack([rotation_of(vector) for vector in rng.normal(0.0, 1.0, (count, 3))])
    return poses_at(rng.normal(0.0, 10.0, (count, 3)), rotations)


@pytest.mark.parametrize("degrees", [1e-9, 1e-4, 2.0, 90.0, 179.99, 180.0])
def test_an_angle_is_told_near_zero_and_near_the_half_turn(degrees: float) -> None:
    base = turned(33.0, (1.0, 2.0, -1.0))
    found = rotation_errors_deg(turned(degrees, (3.0, 1.0, 2.0)) @ base, base)
    assert found == pytest.approx(degrees, rel=1e-6)


def test_positions_are_of_centres_and_not_of_translations() -> None:
    true = poses_at(np.array([[100.0, 0.0, 0.0]]), np.eye(3)[None])
    found = poses_at(np.array([[100.0, 3.0, 4.0]]), turned(10.0)[None])
    assert position_errors(found, true) == pytest.approx([5.0])
    assert np.linalg.norm(found.translation - true.translation) > 13.0
    with pytest.raises(ValueError, match="no poses"):
        Poses(np.eye(3)[None], np.zeros((2, 3)))


METRES, DEGREES = [0.25, 0.1, 0.4, 3.0, np.nan], [2.0, 2.1, 4.0, 30.0, np.nan]


def test_a_level_asks_for_both_metres_and_degrees() -> None:
    assert localized(METRES, DEGREES).tolist() == pytest.approx([0.2, 0.6, 0.6])
    assert localized([np.nan], [np.nan]).tolist() == [0.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="no photographs"):
        localized([], [])


def test_the_report_counts_photographs_without_a_pose() -> None:
    true = poses_at(np.zeros((5, 3)), np.repeat(np.eye(3)[None], 5, axis=0))
    centers = np.array([[0.2, 0.0, 0.0], [0.0, 0.3, 0.0], [4.0, 0.0, 0.0], [np.nan] * 3, [np.nan] * 3])
    rotations = np.stack([turned(angle) for angle in (1.0, 3.0, 9.0, 0.0, 0.0)])
    rotations[3:] = np.nan
    said = report(poses_at(centers, rotations), true)
    assert (said.photos, said.posed) == (5, 0.6)
    assert list(said.within.values()) == pytest.approx([0.2, 0.4, 0.6])
    assert (said.median_m, said.median_deg) == (pytest.approx(4.0), pytest.approx(9.0))
    none = Poses(np.full((5, 3, 3), np.nan), np.full((5, 3), np.nan))
    assert report(none, true).median_m == math.inf


def test_directions_have_no_sign_unless_asked_for() -> None:
    a = [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [2.0, 2.0, 0.0]]
    b = [[-5.0, 0.0, 0.0], [0.0, 3.0, 0.0], [1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]]
    assert direction_errors_deg(a, b).tolist() == pytest.approx([0.0, 90.0, math.nan, 45.0], nan_ok=True)
    one_way = direction_errors_deg(a, b, either_way=False)
    assert one_way.tolist() == pytest.approx([180.0, 90.0, math.nan, 135.0], nan_ok=True)


def test_auc_by_hand() -> None:
    """Errors 1 and 3 of four: lines (0, 0), (1, 1/4), (3, 2/4), level to 5: 1/8 + 2 * 3/8 + 2 * 1/2 = 1.875 of 5."""
    assert pose_auc([3.0, np.nan, 1.0, 7.0], [5.0]).tolist() == pytest.approx([1.875 / 5])
    # Up to 10 the third is recalled from 7 on: (3, 1/2) to (7, 3/4) is 2.5, and then 3 * 3/4.
    assert pose_auc([3.0, np.nan, 1.0, 7.0], [10.0]).tolist() == pytest.approx([(0.125 + 0.75 + 2.5 + 2.25) / 10])
    assert pose_auc([50.0, np.nan]).tolist() == [0.0, 0.0, 0.0]
    assert pose_auc([0.0, 0.0]).tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="no poses"):
        pose_auc([])


def test_auc_is_what_fine_steps_say() -> None:
    errors = np.random.default_rng(1).exponential(8.0, 500)
    ordered = np.append(0.0, np.sort(errors))
    for threshold, area in zip((5.0, 10.0, 20.0), pose_auc(errors), strict=True):
        x = np.linspace(0.0, threshold, 200_001)
        below = ordered[ordered < threshold]
        assert area == pytest.approx(np.interp(x, below, np.arange(below.size) / 500).mean(), abs=1e-4)


@pytest.mark.parametrize(
    ("share", "dimensions", "table"), [(0.9, 1, 2.706), (0.9, 2, 4.605), (0.9, 3, 6.251), (0.95, 6, 12.592)]
)
def test_chi_square_is_that_of_printed_tables(share: float, dimensions: int, table: float) -> None:
    assert chi_square_quantile(share, dimensions) == pytest.approx(table, abs=6e-4)


def test_covariances_that_are_right_and_that_are_too_small() -> None:
    rng = np.random.default_rng(2)
    shape = rng.normal(0.0, 1.0, (4000, 3, 3))
    covariance = shape @ np.swapaxes(shape, 1, 2) + 0.01 * np.eye(3)
    errors = np.einsum("nij,nj->ni", np.linalg.cholesky(covariance), rng.normal(0.0, 1.0, (4000, 3)))
    right = consistency(mahalanobis2(errors, covariance))
    assert right.held.low < 0.9 < right.held.high
    assert (right.count, right.ratio) == (4000, pytest.approx(1.0, abs=0.03))
    boasting = consistency(mahalanobis2(errors, covariance / 9.0))
    assert boasting.ratio == pytest.approx(3.0, abs=0.1)
    assert boasting.held.high < 0.3


def test_variances_do_for_covariances_and_a_photo_without_a_pose_is_left_out() -> None:
    errors = np.array([[1.0, 2.0, 2.0], [np.nan, 0.0, 0.0]])
    variances = np.array([[1.0, 4.0, 1.0], [1.0, 1.0, 1.0]])
    full = np.stack([np.diag(row) for row in variances])
    assert mahalanobis2(errors, variances)[0] == pytest.approx(6.0) == mahalanobis2(errors, full)[0]
    assert consistency(mahalanobis2(errors, variances)).count == 1
    assert math.isnan(consistency([np.nan]).ratio)


LENS, SIZE = np.array([500.0, 500.0, 320.0, 240.0]), np.array([640.0, 480.0])


def test_virtual_points_move_by_focal_length_over_depth() -> None:
    """Seen by a camera 2 cm to the side, a point at depth z moves by 500 * 0.02 / z pixels; none at the border here."""
    true = poses_at(np.zeros((1, 3)), np.eye(3)[None])
    found = poses_at(np.array([[0.02, 0.0, 0.0]]), np.eye(3)[None])
    depths = 1.8 + 0.3 * np.arange(7)
    wide = np.array([1400.0, 1400.0])
    by_hand = np.mean(500.0 * 0.02 / depths)
    assert virtual_errors_px(found, true, [500.0, 500.0, 700.0, 700.0], wide) == pytest.approx([by_hand])
    assert virtual_errors_px(true, true, LENS, SIZE) == pytest.approx([0.0])


def test_virtual_errors_depend_on_neither_the_frame_nor_the_rest_of_the_batch() -> None:
    true, found = random_poses(6), random_poses(6, 1)
    world = random_poses(1, 2)
    for_all = virtual_errors_px(found, true, LENS, SIZE)
    moved = [
        Poses(p.rotation @ world.rotation, p.translation + np.einsum("nij,j->ni", p.rotation, world.translation[0]))
        for p in (found, true)
    ]
    assert virtual_errors_px(*moved, LENS, SIZE) == pytest.approx(for_all)
    assert np.all(for_all <= math.hypot(640.0, 480.0))
    lost = Poses(np.where(np.arange(6)[:, None, None] == 2, np.nan, found.rotation), found.translation)
    partly = virtual_errors_px(lost, true, LENS, SIZE)
    assert np.isnan(partly).tolist() == [False, False, True, False, False, False]
    assert np.delete(partly, 2) == pytest.approx(np.delete(for_all, 2))


def test_virtual_errors_are_what_a_slow_loop_says() -> None:
    true = random_poses(4, 3)
    rng = np.random.default_rng(4)
    near = np.stack([rotation_of(v) for v in rng.normal(0.0, 0.1, (4, 3))])
    found = poses_at(true.center_in_map + rng.normal(0.0, 0.3, (4, 3)), near @ true.rotation)
    for row, error in enumerate(virtual_errors_px(found, true, LENS, SIZE)):
        apart = []
        for x in (-0.9, -0.6, -0.3, 0.0, 0.3, 0.6, 0.9):
            for y in (-0.45, -0.15, 0.15, 0.45):
                for z in (1.8, 2.1, 2.4, 2.7, 3.0, 3.3, 3.6):
                    seen = np.array([x, y, z])
                    in_map = true.rotation[row].T @ (seen - true.translation[row])
                    again = found.rotation[row] @ in_map + found.translation[row]
                    pixels = [
                        (min(max(500 * p[0] / p[2] + 320, 0), 640), min(max(500 * p[1] / p[2] + 240, 0), 480))
                        for p in (seen, again)
                    ]
                    apart.append(math.dist(*pixels))
        assert error == pytest.approx(np.mean(apart))
