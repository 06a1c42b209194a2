"""The solver among wrong pairs: it finds the pose, or none."""

from __future__ import annotations

import numpy as np
import pytest

from geoloc_cli.contracts import PoseSolver
from geoloc_cli.errors import UnknownBackend
from geoloc_cli.pipeline.posing import stage_spec
from geoloc_cli.pose.solve import PoseProblem, Solved
from geoloc_cli.registry import BackendSpec, create, names
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


def solve(
    solver: PoseSolver, rays: np.ndarray, points: np.ndarray, focal_px: float, max_error_px: float, known: bool
) -> Solved | None:
    (found,) = solver.solve([PoseProblem(rays, points, focal_px, max_error_px, 0.0 if known else 0.4)])
    return found


@pytest.fixture(params=["auto", "poselib", "pycolmap", "torch"])
def solver(request: pytest.FixtureRequest) -> PoseSolver:
    if request.param == "torch":
        pytest.importorskip("torch", reason="needs torch: make test sets it up")
    made: PoseSolver = create("solver", BackendSpec(request.param))
    assert made.name == request.param
    return made


def test_both_are_there_by_name() -> None:
    assert names("solver") == ["auto", "poselib", "pycolmap", "torch"]
    with pytest.raises(UnknownBackend, match="did you mean 'poselib'"):
        stage_spec("map", None, "poslib")


@pytest.mark.parametrize("wrong_share", [0.0, 0.5, 0.8, 0.95])
def test_the_pose_is_found_among_wrong_pairs(solver: PoseSolver, wrong_share: float) -> None:
    rays, points, pose = pairs(0, 600, wrong_share)
    found = solve(solver, rays, points, FOCAL, 4.0, True)
    assert found is not None
    assert np.linalg.norm(found.center - pose.center_in_enu) < 0.15
    assert found.inliers[round(wrong_share * 600) :].mean() > 0.9


@pytest.mark.parametrize("guess", [0.5, 0.8, 1.3, 2.0])
def test_an_unknown_focal_length_is_found(solver: PoseSolver, guess: float) -> None:
    rays, points, _pose = pairs(1, 200, 0.5)
    found = solve(solver, rays / guess, points, FOCAL * guess, 6.0, False)
    assert found is not None
    # The ladder's steps are fourths of an octave: the best one is within 9 % of the truth.
    assert found.focal_scale * guess == pytest.approx(1.0, rel=0.1)


@pytest.mark.parametrize("guess", [0.2, 3.0])
@pytest.mark.parametrize("name", ["poselib", "pycolmap"])
def test_a_focal_length_beyond_the_ladder_gathers_less_than_a_known_one(name: str, guess: float) -> None:
    solver = create("solver", BackendSpec(name))
    rays, points, _ = pairs(1, 200, 0.5)
    known = solve(solver, rays, points, FOCAL, 4.0, True)
    found = solve(solver, rays / guess, points, FOCAL * guess, 4.0, False)
    assert known is not None
    # It takes the end of the ladder, and what it gathers there tells that it is wrong.
    assert found is None or found.inliers.sum() < 0.8 * known.inliers.sum()


def test_nothing_but_wrong_pairs_gives_no_support(solver: PoseSolver) -> None:
    rays, points, _ = pairs(2, 300, 1.0)
    found = solve(solver, rays, points, FOCAL, 4.0, True)
    assert found is None or found.inliers.sum() < 15


@pytest.mark.parametrize("count", [0, 1, 3, 4])
def test_few_pairs_give_no_pose(solver: PoseSolver, count: int) -> None:
    rays, points, _ = pairs(3, 4, 0.0)
    for known in (True, False):
        assert solve(solver, rays[:count], points[:count], FOCAL, 4.0, known) is None


def test_the_same_pairs_give_the_same_pose(solver: PoseSolver) -> None:
    rays, points, _ = pairs(4, 500, 0.7)
    first, second = (solve(solver, rays, points, FOCAL, 4.0, True) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.center.tobytes() == second.center.tobytes()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("known", [True, False])
def test_both_give_the_same_pose_of_easy_pairs(seed: int, known: bool) -> None:
    rays, points, pose = pairs(seed, 300, 0.2)
    one, other = (
        solve(create("solver", BackendSpec(name)), rays, points, FOCAL, 4.0, known) for name in ("poselib", "pycolmap")
    )
    assert one.focal_scale == other.focal_scale == 1.0
    distance = float(np.median(np.linalg.norm(points - pose.center_in_enu, axis=1)))
    assert np.linalg.norm(one.center - other.center) < 1e-2 * distance
    assert np.abs(one.rotation - other.rotation).max() < 1e-2
    assert (one.inliers == other.inliers).mean() > 0.98
