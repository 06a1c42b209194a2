"""Poses of answers in the frame of the set's own, scene by scene."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geoloc_cli.evaluate.metrics.pose import Poses
from geoloc_cli.evaluate.posed import Frame, pose_figures
from geoloc_cli.maps.similarity import rotation_of
from geoloc_cli.types import Pose

COUNT = 12


def wxyz(rotation: np.ndarray) -> tuple[float, float, float, float]:
    w = math.sqrt(max(0.0, 1.0 + np.trace(rotation))) / 2.0
    skew = rotation - rotation.T
    return (w, skew[2, 1] / (4 * w), skew[0, 2] / (4 * w), skew[1, 0] / (4 * w))


def answer(name: str, rotation: np.ndarray, center: np.ndarray) -> Pose:
    nothing = (None,) * 4
    shift = tuple(float(x) for x in -rotation @ center)
    return Pose(name, False, wxyz(rotation), shift, tuple(center), *nothing, 50, 0.9, 1.0, None, None, "made")


@pytest.fixture
def true() -> Poses:
    rng = np.random.default_rng(0)
    rotation = np.stack([rotation_of(rng.normal(0.0, 0.5, 3)) for _ in range(COUNT)])
    centers = rng.normal(0.0, 10.0, (COUNT, 3))
    return Poses(rotation, -np.einsum("nij,nj->ni", rotation, centers))


def in_map(true: Poses, frame: Frame, off: np.ndarray, name: str) -> list[Pose]:
    """The true poses, moved by `off` in the set's frame, as a map states them that lies so in it."""
    centers = (true.center_in_map + off - frame.translation) @ frame.rotation / frame.scale
    return [answer(name, r @ frame.rotation, c) for r, c in zip(true.rotation, centers, strict=True)]


def test_a_map_of_another_scale_and_place_is_laid_over_the_set(true: Poses) -> None:
    frame = Frame(0.2, rotation_of(np.array([0.3, -1.0, 0.4])), np.array([5.0, -2.0, 30.0]), 20, 0.01)
    off = np.zeros((COUNT, 3))
    off[0] = [0.0, 0.24, 0.32]
    found = pose_figures(in_map(true, frame, off, "m#0"), true, None, {"m#0": frame})
    assert found.report.posed == 1.0
    assert list(found.report.within.values()) == pytest.approx([11 / 12, 1.0, 1.0], abs=1e-9)
    assert found.report.median_m == pytest.approx(0.0, abs=1e-9)
    assert found.report.median_deg == pytest.approx(0.0, abs=1e-5)
    assert found.auc_deg[5.0] == pytest.approx(1.0, abs=1e-3)
    assert found.fitted == {"m#0": (20, 0.01)}
    assert found.path is not None
    assert found.path.direct == pytest.approx(0.4 / math.sqrt(COUNT))
    assert found.by_scene == {}


def test_a_photograph_without_a_pose_or_in_a_map_that_lies_nowhere_counts_as_wrong(true: Poses) -> None:
    own = Frame(1.0, np.eye(3), np.zeros(3))
    answers: list[Pose | None] = list(in_map(true, own, np.zeros((COUNT, 3)), "m#0"))
    answers[:3] = [None] * 3
    answers[3:6] = in_map(true, own, np.zeros((COUNT, 3)), "m#1")[3:6]
    found = pose_figures(answers, true, None, {"m#0": own})
    assert found.report.posed == 0.5
    assert list(found.report.within.values()) == [0.5] * 3
    assert found.fitted == {}


def test_scenes_are_told_apart(true: Poses) -> None:
    own = Frame(1.0, np.eye(3), np.zeros(3))
    off = np.zeros((COUNT, 3))
    off[COUNT // 2 :, 2] = 0.4
    scenes = ["chess"] * (COUNT // 2) + ["fire"] * (COUNT // 2)
    found = pose_figures(in_map(true, own, off, "m#0"), true, scenes, {"m#0": own})
    assert {name: report.median_m for name, report in found.by_scene.items()} == pytest.approx(
        {"chess": 0.0, "fire": 0.4}, abs=1e-9
    )
    assert found.by_scene["fire"].within[(0.25, 2.0)] == 0.0
    assert found.report.within[(0.25, 2.0)] == 0.5
    assert found.path is None  # two scenes have no path
