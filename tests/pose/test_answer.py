"""Angles and quaternions of a rotation against the renderer's, which builds them the other way round."""

from __future__ import annotations

import numpy as np
import pytest

from geoloc_cli.pose.answer import angles_deg, quaternion_wxyz
from geoloc_cli.testing.render import CameraPose


@pytest.mark.parametrize("seed", range(20))
def test_angles_are_those_the_camera_was_held_at(seed: int) -> None:
    rng = np.random.default_rng(seed)
    heading, pitch, roll = rng.uniform(0, 360), rng.uniform(-85, 85), rng.uniform(-175, 175)
    pose = CameraPose((0.0, 0.0, 0.0), heading, pitch, roll)
    assert angles_deg(pose.rotation_cam_from_enu()) == pytest.approx((heading, pitch, roll), abs=1e-8)


@pytest.mark.parametrize("seed", range(20))
def test_a_quaternion_turns_as_its_rotation_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    turn = CameraPose((0.0, 0.0, 0.0), *rng.uniform(-180, 180, 3)).rotation_cam_from_enu()
    w, x, y, z = quaternion_wxyz(turn)
    assert w >= 0
    assert w * w + x * x + y * y + z * z == pytest.approx(1.0)
    v = rng.normal(size=3)
    axis = np.array([x, y, z])
    assert v + 2 * np.cross(axis, np.cross(axis, v) + w * v) == pytest.approx(turn @ v)
