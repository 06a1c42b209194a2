"""Many pose problems at once: each is answered as if it were alone, and those that have no answer say why."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch: make test sets it up")

from geoloc_cli.errors import UsageError
from geoloc_cli.pose.batched import PoseAnswer, solve_poses
from geoloc_cli.pose.problems import padded
from geoloc_cli.pose.robust import RobustOptions
from geoloc_cli.pose.solve import PoseProblem
from geoloc_cli.testing.pairs import KnownPairs, known_pairs

ON_CPU = RobustOptions(device="cpu")


def problem(truth: KnownPairs, **changes: object) -> PoseProblem:
    given = PoseProblem(truth.rays, truth.points, truth.focal_px, 6.0, pixel_from_ray=truth.pixel_from_ray)
    return replace(given, **changes)  # type: ignore[arg-type]


def degrees(a: np.ndarray, b: np.ndarray) -> float:
    # Of small angles the sine has more digits than the cosine.
    return float(np.degrees(2 * np.arcsin(min(1.0, np.linalg.norm(a - b) / np.sqrt(8)))))


def same(a: PoseAnswer, b: PoseAnswer) -> bool:
    """Bit for bit."""
    return a.status == b.status and all(
        np.array_equal(x.rotation, y.rotation)
        and np.array_equal(x.center, y.center)
        and np.array_equal(x.inliers, y.inliers)
        and np.array_equal(x.covariance, y.covariance)
        and (x.focal_scale, x.score, x.weight) == (y.focal_scale, y.score, y.weight)
        for x, y in zip(a.poses, b.poses, strict=True)
    )


@pytest.mark.parametrize(
    ("scene", "count", "wrong", "noise"),
    [
        ("general", 10, 0.3, 1.0),
        ("general", 500, 0.9, 0.5),
        ("planar", 200, 0.6, 1.0),
        ("near_planar", 200, 0.6, 1.0),
        ("far", 200, 0.6, 1.0),
        ("near", 200, 0.6, 1.0),
        ("wide", 200, 0.6, 1.0),
        ("distorted", 200, 0.6, 1.0),
    ],
)
def test_poses_are_found_as_well_as_poselib_finds_them(scene: str, count: int, wrong: float, noise: float) -> None:
    from geoloc_cli.pose.solve import poselib_pose

    truths = [known_pairs(scene, seed, count, wrong, noise) for seed in range(20)]
    ours, theirs = [], []
    for truth, answer in zip(truths, solve_poses([problem(t) for t in truths], ON_CPU), strict=True):
        assert answer.status == "ok"
        best = answer.poses[0]
        ours.append((np.linalg.norm(best.center - truth.center), degrees(best.rotation, truth.rotation)))
        pixels = np.ascontiguousarray(truth.rays * truth.focal_px)
        rotation, translation, _ = poselib_pose(pixels, truth.points, truth.focal_px, 6.0)  # type: ignore[misc]
        theirs.append((np.linalg.norm(-rotation.T @ translation - truth.center), degrees(rotation, truth.rotation)))
    # Both minimise robust reprojection errors: their medians of twenty differ by the tails of their losses.
    assert np.median(ours, axis=0) == pytest.approx(np.median(theirs, axis=0), rel=0.25)
    assert np.max(ours, axis=0)[1] < 3.0 * np.max(theirs, axis=0)[1]


def test_inliers_are_the_pairs_that_are_right() -> None:
    truth = known_pairs("general", 3, 500, 0.6, 1.0)
    (answer,) = solve_poses([problem(truth)], ON_CPU)
    inliers = answer.poses[0].inliers
    assert inliers[truth.right].mean() == 1.0  # six standard deviations
    assert inliers[~truth.right].sum() <= 2  # a disc of 6 px in 1280 x 960: one in ten thousand by chance
    assert answer.poses[0].score <= inliers.sum()


def test_covariances_are_those_of_the_errors() -> None:
    truths = [known_pairs("general", seed, 120, 0.3, 1.0) for seed in range(150)]
    distances = []
    for truth, answer in zip(truths, solve_poses([problem(t) for t in truths], ON_CPU), strict=True):
        best = answer.poses[0]
        turn = best.rotation @ truth.rotation.T
        away = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / 2
        error = np.concatenate([away, best.center - truth.center])
        distances.append(error @ np.linalg.solve(best.covariance, error))
    # The median of chi-square with six degrees of freedom is 5.35; covariances allow for a third of shared errors.
    assert 5.35 * 0.67 / 1.5 < np.median(distances) < 5.35 * 1.2


def test_the_answer_does_not_depend_on_company_memory_or_order() -> None:
    truths = [known_pairs("general", seed, 40 + 17 * seed, 0.5, 1.0) for seed in range(12)]
    problems = [problem(truth) for truth in truths]
    together = solve_poses(problems, ON_CPU)
    alone = [solve_poses([each], ON_CPU)[0] for each in problems]
    assert all(same(a, b) for a, b in zip(together, alone, strict=True))
    tight = solve_poses(problems, replace(ON_CPU, max_memory_mib=64))
    assert all(same(a, b) for a, b in zip(together, tight, strict=True))
    backwards = solve_poses(problems[::-1], ON_CPU)[::-1]
    assert all(same(a, b) for a, b in zip(together, backwards, strict=True))


def test_no_problem_disturbs_its_neighbours() -> None:
    good = known_pairs("general", 0, 200, 0.5, 1.0)
    (expected,) = solve_poses([problem(good)], ON_CPU)
    nan, infinite = good.rays.copy(), good.points.copy()
    nan[:], infinite[:] = np.nan, np.inf
    part = good.rays.copy()
    part[::4] = np.nan
    rng = np.random.default_rng(1)
    x_in_cam = (good.points - good.center) @ good.rotation.T
    behind = (x_in_cam * [1, 1, -1]) @ good.rotation + good.center
    line = good.points[:1] + rng.normal(size=(200, 1)) * [[1.0, 2.0, 0.5]]
    odd = {
        "nan": problem(good, rays=nan),
        "infinite": problem(good, points=infinite),
        "empty": problem(good, rays=np.zeros((0, 2)), points=np.zeros((0, 3))),
        "four": problem(good, rays=good.rays[:4], points=good.points[:4]),
        "one place": problem(good, points=np.repeat(good.points[:1], 200, axis=0)),
        "one pair": problem(good, rays=np.repeat(good.rays[:1], 200, 0), points=np.repeat(good.points[:1], 200, 0)),
        "line": problem(good, rays=((line - good.center) @ good.rotation.T)[:, :2], points=line),
        "behind": problem(good, points=behind),
        "noise": problem(good, rays=rng.uniform(-0.6, 0.6, (200, 2))),
        "focal": problem(good, focal_px=float("nan")),
        "tolerance": problem(good, max_error_px=0.0),
        "shape": problem(good, points=good.points[:, :2]),
        "partly nan": problem(good, rays=part),
    }
    problems = [each for strange in odd.values() for each in (strange, problem(good))]
    answers = solve_poses(problems, ON_CPU)
    assert all(same(answer, expected) for answer in answers[1::2])
    found = {name: answer.status for name, answer in zip(odd, answers[::2], strict=True)}
    few = dict.fromkeys(("nan", "infinite", "empty", "four", "focal", "tolerance", "shape"), "too_few")
    assert found.pop("partly nan") == "ok"
    # The mirror image of a scene agrees with poses of those of its points that lie nearly in one plane.
    found.pop("behind")
    mirrored = answers[2 * list(odd).index("behind")]
    assert all(pose.inliers.sum() < 20 for pose in mirrored.poses)
    assert found.pop("line") in ("degenerate", "no_consensus")
    assert found == few | dict.fromkeys(("one place", "one pair", "noise"), "no_consensus")


def test_an_empty_batch_has_no_answers() -> None:
    assert solve_poses([], ON_CPU) == []


def test_a_wall_that_was_built_twice_has_two_answers() -> None:
    """A third of the right pairs belongs to the twin: half of the support, a sixteenth of the weight; and 45 % each."""
    for seed in range(10):
        truth = known_pairs("repeated", seed, 400, 0.4, 1.0)
        (answer,) = solve_poses([problem(truth)], ON_CPU)
        assert len(answer.poses) == 2
        first, second = answer.poses
        assert truth.other is not None
        assert np.linalg.norm(first.center - truth.center) < 0.2
        assert np.linalg.norm(second.center - truth.other[1]) < 0.3
        expected = (second.inliers.sum() / first.inliers.sum()) ** 4
        assert second.weight / first.weight == pytest.approx(expected, rel=0.5)
        assert first.weight + second.weight == pytest.approx(1.0)


def test_one_wall_has_one_answer() -> None:
    answers = solve_poses([problem(known_pairs("general", seed, 400, 0.4, 1.0)) for seed in range(20)], ON_CPU)
    assert [len(answer.poses) for answer in answers] == [1] * 20


def test_order_by_quality_finds_what_no_uniform_sample_would() -> None:
    """2.5 % right pairs of 2000: one sample in 64000 is good; among the first hundredth of a good order, most are."""
    few = replace(ON_CPU, max_samples=2048)
    with_order = without = 0
    for seed in range(5):
        truth = known_pairs("general", seed, 2000, 0.975, 0.5)
        quality = truth.right + np.random.default_rng(seed).normal(0, 0.3, 2000)
        ordered, plain = solve_poses([problem(truth, quality=quality), problem(truth)], few)
        with_order += bool(ordered.poses) and bool(np.linalg.norm(ordered.poses[0].center - truth.center) < 0.2)
        without += bool(plain.poses) and bool(np.linalg.norm(plain.poses[0].center - truth.center) < 0.2)
    assert (with_order, without) == (5, 0)


def test_gravity_finds_poses_among_pairs_that_are_nearly_all_wrong() -> None:
    """At 97 % wrong pairs one triple in 37000 is good, and one pair in 1100."""
    few = replace(ON_CPU, max_samples=16384)
    up = np.array([0.0, 0.0, 1.0])
    found = 0
    for seed in range(5):
        truth = known_pairs("general", seed, 1000, 0.97, 0.5)
        given = problem(truth, up_in_cam=truth.rotation @ up, up_in_map=up)
        (answer,) = solve_poses([given], few)
        found += bool(answer.poses) and bool(np.linalg.norm(answer.poses[0].center - truth.center) < 0.3)
    assert found == 5


@pytest.mark.parametrize("scale", [0.6, 1.0, 1.7, 3.0])
def test_an_unknown_focal_length_is_found(scale: float) -> None:
    truths = [known_pairs("general", seed, 300, 0.5, 1.0) for seed in range(5)]
    given = [problem(t, rays=t.rays * scale, focal_px=t.focal_px / scale, focal_std=0.4) for t in truths]
    for truth, answer in zip(truths, solve_poses(given, ON_CPU), strict=True):
        assert answer.poses[0].focal_scale == pytest.approx(scale, rel=0.02)
        assert np.linalg.norm(answer.poses[0].center - truth.center) < 0.3


def test_a_tolerance_of_its_own_for_each_pair_is_kept() -> None:
    truth = known_pairs("general", 0, 300, 0.0, 1.0)
    tolerance = np.full(300, 6.0)
    tolerance[:150] = 0.3
    (answer,) = solve_poses([problem(truth, max_error_px=tolerance)], ON_CPU)
    inliers = answer.poses[0].inliers
    # Of Gaussian errors in two axes, 1 - exp(-0.3^2 / 2) = 4.4 % lie within 0.3 standard deviations.
    assert inliers[150:].all()
    assert 0.0 < inliers[:150].mean() < 0.15


def test_padding_follows_from_a_problem_s_own_size() -> None:
    assert [padded(n) for n in (1, 32, 33, 49, 65, 97, 129, 2000)] == [32, 32, 48, 64, 96, 128, 192, 2048]


@pytest.mark.parametrize(
    "wrong", [{"confidence": 1.0}, {"max_samples": 1}, {"modes": 0}, {"max_memory_mib": 1}, {"rival_share": 0.0}]
)
def test_options_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        replace(RobustOptions(), **wrong).check()  # type: ignore[arg-type]


@pytest.mark.parametrize(("max_memory_mib", "count"), [(64, 2000), (128, 8000)])
def test_the_working_set_stays_within_its_bound(max_memory_mib: int, count: int) -> None:
    """In a process of its own, whose memory has peaked at what torch itself takes before it begins."""
    program = (
        "import resource\n"
        "from geoloc_cli.pose.batched import solve_poses\n"
        "from geoloc_cli.pose.robust import RobustOptions\n"
        "from geoloc_cli.pose.solve import PoseProblem\n"
        "from geoloc_cli.testing.pairs import known_pairs\n"
        "def peak_kib(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"made = [known_pairs('general', seed, {count}, 0.8, 1.0) for seed in range(16)]\n"
        "problems = [PoseProblem(t.rays, t.points, t.focal_px, 6.0) for t in made]\n"
        "small = known_pairs('general', 0, 50, 0.2, 1.0)\n"
        "solve_poses([PoseProblem(small.rays, small.points, small.focal_px, 6.0)])\n"
        "before = peak_kib()\n"
        f"answers = solve_poses(problems, RobustOptions(device='cpu', max_memory_mib={max_memory_mib}))\n"
        "assert all(answer.poses for answer in answers)\n"
        "print(peak_kib() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) < max_memory_mib * 1024
