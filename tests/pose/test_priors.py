"""Gravity and altitude beside pairs: they help where pairs are weak, are dropped where they lie, and count once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from geoloc_cli.geo.earth import geodetic_from_enu
from geoloc_cli.geo.gravity import up_in_cam
from geoloc_cli.maps.georeference import Georeference
from geoloc_cli.maps.similarity import rotation_of
from geoloc_cli.pose.priors import Altitude, Gravity, PosePrior, altitude_of, gravity_of
from geoloc_cli.pose.refine import RefinedPose, refine
from geoloc_cli.testing.render import CameraPose
from geoloc_cli.types import Attitude, Position

FOCAL = 900.0
CHI2_MEDIAN_6 = 5.348
UP = np.array([0.0, 0.0, 1.0])
STD_DEG, STD_M = 1.0, 0.5


def camera(rng: np.random.Generator) -> CameraPose:
    return CameraPose(
        tuple(rng.uniform(-3, 3, 3)), *rng.uniform((0, -60, -20), (360, 30, 20)), FOCAL, 1200, 800
    )  # fmt: skip


def gutter(pose: CameraPose, rng: np.random.Generator, count: int = 20) -> np.ndarray:
    """(N, 3) points before a camera on a level line 15 m off, 5 cm thick: turning about the line moves no pixel."""
    rotation = pose.rotation_cam_from_enu()
    ahead = 15.0 * rotation[2]
    along = np.cross(rotation[2], UP) / np.linalg.norm(np.cross(rotation[2], UP))
    points = np.array(pose.center_in_enu) + ahead + rng.uniform(-5, 5, (count, 1)) * along
    return np.asarray(points + rng.normal(0, 0.05, (count, 3)))


def priors_of(pose: CameraPose, rng: np.random.Generator) -> tuple[Gravity, Altitude]:
    """As a gimbal of one degree and a receiver of half a metre would state them."""
    tilt = np.array([*rng.normal(0, np.radians(STD_DEG), 2), 0.0])
    frame = np.linalg.svd((pose.rotation_cam_from_enu() @ UP)[None])[2]
    said = rotation_of(tilt[0] * frame[1] + tilt[1] * frame[2]) @ pose.rotation_cam_from_enu() @ UP
    height = pose.center_in_enu[2] + rng.normal(0, STD_M)
    return Gravity(UP, said, np.radians(STD_DEG)), Altitude(UP, height, STD_M)


def solved(pose: CameraPose, points: np.ndarray, pixels: np.ndarray, priors: tuple[PosePrior, ...] = ()) -> RefinedPose:
    off = rotation_of(np.radians([1.0, -1.0, 0.5])) @ pose.rotation_cam_from_enu()
    start = np.array(pose.center_in_enu) + np.array([0.1, -0.1, 0.1])
    found = refine((pixels - (600, 400)) / FOCAL, points, off, start, FOCAL, 60.0, priors=priors)
    assert found is not None
    return found


def error(found: RefinedPose, pose: CameraPose) -> np.ndarray:
    """(6,) rotation vector in cam [rad] and centre, found less true."""
    off = found.rotation @ pose.rotation_cam_from_enu().T
    turn = np.array([off[2, 1] - off[1, 2], off[0, 2] - off[2, 0], off[1, 0] - off[0, 1]]) / 2
    return np.concatenate([turn, found.center - pose.center_in_enu])


def test_points_in_a_line_are_posed_by_gravity() -> None:
    """Pairs alone leave the turn about the line to the line's 5 cm; at 15 m a degree of gravity is 0.26 m."""
    alone, helped, stated = [], [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        pose = replace(camera(rng), pitch_deg=10.0, roll_deg=2.0)
        points = gutter(pose, rng)
        pixels = pose.project(points) + rng.normal(0, 1.0, (len(points), 2))
        gravity, _ = priors_of(pose, rng)
        alone.append(error(solved(pose, points, pixels), pose))
        found = solved(pose, points, pixels, (gravity,))
        helped.append(error(found, pose))
        stated.append(np.sqrt(np.trace(found.covariance[3:, 3:])))
        assert found.dropped == ()
    places = [np.median(np.linalg.norm(np.array(errors)[:, 3:], axis=1)) for errors in (alone, helped)]
    turns = [np.degrees(np.median(np.linalg.norm(np.array(errors)[:, :3], axis=1))) for errors in (alone, helped)]
    assert places[0] > 0.6
    assert places[1] < 0.35
    assert turns[0] > 2.5
    assert turns[1] < 1.2
    assert np.median(stated) < 0.5


def test_five_distant_points_are_posed_by_an_altitude() -> None:
    """Points 2 km away tell a camera's height to 4 m at one pixel; a receiver of half a metre tells it better."""
    alone, helped = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        pose = replace(camera(rng), pitch_deg=0.0, roll_deg=0.0)
        x_in_cam = np.column_stack([rng.uniform(-800, 800, 5), rng.uniform(-200, 200, 5), rng.uniform(1500, 2500, 5)])
        points = x_in_cam @ pose.rotation_cam_from_enu() + np.array(pose.center_in_enu)
        pixels = pose.project(points) + rng.normal(0, 1.0, (5, 2))
        alone.append(abs(error(solved(pose, points, pixels), pose)[5]))
        helped.append(abs(error(solved(pose, points, pixels, priors_of(pose, rng)[1:]), pose)[5]))
    assert np.median(alone) > 3.0
    # The median of a Gaussian's absolute value is 0.67 of its deviation.
    assert np.median(helped) < 0.67 * STD_M * 1.5


@pytest.mark.parametrize("weak", [False, True])
def test_the_covariance_is_that_of_the_errors_with_priors(weak: bool) -> None:
    """Mahalanobis over 150 problems: within a factor of 1.5 of the chi-square median.

    Every third keypoint is a second one of its spot, whose error it shares, as it is in pictures.
    """
    distances = []
    for seed in range(150):
        rng = np.random.default_rng([seed, int(weak)])
        pose = camera(rng)
        if weak:
            points = gutter(pose, rng, 20)
        else:
            x_in_cam = np.column_stack([rng.uniform(-6, 6, 20), rng.uniform(-4, 4, 20), rng.uniform(8, 25, 20)])
            points = x_in_cam @ pose.rotation_cam_from_enu() + np.array(pose.center_in_enu)
        pixels = pose.project(points) + rng.normal(0, 1.0, (20, 2))
        twice = np.concatenate([np.arange(20), np.arange(10)])
        found = solved(pose, points[twice], pixels[twice], priors_of(pose, rng))
        off = error(found, pose)
        distances.append(off @ np.linalg.solve(found.covariance, off))
    assert CHI2_MEDIAN_6 / 1.5 < np.median(distances) < CHI2_MEDIAN_6 * 1.5


def test_a_prior_that_lies_is_dropped_by_name_and_moves_nothing() -> None:
    rng = np.random.default_rng(0)
    pose = camera(rng)
    x_in_cam = np.column_stack([rng.uniform(-6, 6, 40), rng.uniform(-4, 4, 40), rng.uniform(8, 25, 40)])
    points = x_in_cam @ pose.rotation_cam_from_enu() + np.array(pose.center_in_enu)
    pixels = pose.project(points) + rng.normal(0, 1.0, (40, 2))
    gravity, altitude = priors_of(pose, rng)
    alone = solved(pose, points, pixels)
    tipped = replace(gravity, up_in_cam=rotation_of(np.radians([6.0, 0.0, 0.0])) @ gravity.up_in_cam)
    lifted = replace(altitude, height_m=altitude.height_m + 5.0)
    for priors, names in (
        ((tipped, altitude), ("gravity",)),
        ((gravity, lifted), ("altitude",)),
        ((tipped, lifted), ("gravity", "altitude")),
        ((gravity, altitude), ()),
    ):
        found = solved(pose, points, pixels, priors)
        assert found.dropped == names
        # What is left weighs little against forty pairs.
        assert np.linalg.norm(found.center - alone.center) < 0.05
    assert np.array_equal(solved(pose, points, pixels, (tipped, lifted)).center, alone.center)


def test_priors_in_a_maps_frame_agree_with_the_true_pose() -> None:
    """The frame is turned, scaled and shifted; a kilometre from its origin the Earth has curved by 8 cm."""
    turn, origin = rotation_of(np.array([0.7, -1.9, 1.1])), (47.0, 8.0, 400.0)
    covariance = np.diag([0.0, *np.radians([3.0, 1.0, 9.0]) ** 2, 0.0, 0.0, 0.25])
    frame = Georeference(
        origin, 7.5, turn, np.array([120.0, -40.0, 15.0]), covariance, 2.0, 3.0, {}, (), (), "sea_level"
    )
    pose = CameraPose((1000.0, 200.0, 30.0), 77.0, -88.0, 160.0)
    rotation = pose.rotation_cam_from_enu() @ frame.rotation
    center = frame.rotation.T @ (np.array(pose.center_in_enu) - frame.translation) / frame.scale
    lat, lon, alt_m = (float(v) for v in geodetic_from_enu(np.array(pose.center_in_enu), origin))
    gravity = gravity_of(Attitude(-88.0, 160.0, 1.0, "dji"), frame)
    assert np.degrees(gravity.std_rad) == pytest.approx(np.sqrt(1 + 9))
    assert np.abs(gravity.rows(rotation, center)[0]).max() < 1e-9
    place = Position(lat, lon, alt_m, "sea_level", radius_m=2.146)
    altitude = altitude_of(place, frame, center + 0.5)
    assert altitude is not None
    # 1 m of the receiver across is 2 m upwards; 3 m are the map's own, and half a metre its frame's, and its tilt.
    assert altitude.std_m > np.sqrt(4 + 9 + 0.25)
    assert abs(altitude.rows(rotation, center)[0][0] * altitude.std_m) < 0.01
    assert altitude_of(replace(place, alt_datum="ellipsoid"), frame, center) is None
    assert altitude_of(replace(place, alt_datum=None), frame, center) is None


@pytest.mark.parametrize("seed", range(5))
def test_up_in_a_camera_is_the_third_column_of_its_rotation(seed: int) -> None:
    heading, pitch, roll = np.random.default_rng(seed).uniform((0, -90, -180), (360, 90, 180))
    rotation = CameraPose((0, 0, 0), heading, pitch, roll).rotation_cam_from_enu()
    assert up_in_cam(Attitude(pitch, roll, 1.0, "dji")) == pytest.approx(rotation[:, 2], abs=1e-12)
