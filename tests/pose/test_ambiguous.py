"""A façade that was built twice: two places with weights, and not one of them said with confidence."""

from __future__ import annotations

import numpy as np
import pytest

from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.features.match import MutualNearest
from geoloc_cli.geo.belief import credible_radius_m
from geoloc_cli.geo.earth import geodetic_from_enu
from geoloc_cli.maps.folder import Component as MapPart
from geoloc_cli.maps.model import MapImage, SparseModel
from geoloc_cli.pose.answer import belief_of
from geoloc_cli.pose.estimate import PoseFound, PoseOptions, estimate_pose
from geoloc_cli.pose.solve import PoseLibSolver
from geoloc_cli.pose.together import run_together
from geoloc_cli.types import Camera, Component

CAMERA = Camera("SIMPLE_PINHOLE", 1280, 960, (1000.0, 640.0, 480.0), "user", 0.0)
POINTS, APART_M = 100, 30.0


def features(xy: np.ndarray, looks: np.ndarray) -> LocalFeatures:
    keypoints = np.ones((len(xy), 4), np.float32)
    keypoints[:, :2] = xy
    return LocalFeatures(keypoints, looks.astype(np.float32), 1280, 960)


def posed(twins: int) -> PoseFound:
    """A query before a front of 100 points, of which the first `twins` were built a second time, 30 m to the right."""
    rng = np.random.default_rng(0)
    xy = rng.uniform((40, 40), (1240, 920), (POINTS, 2))
    depth = rng.uniform(8, 14, POINTS)
    front = np.column_stack([(xy - (640, 480)) / 1000.0 * depth[:, None], depth])
    points = np.concatenate([front, front[:twins] + np.array([APART_M, 0.0, 0.0])])
    looks = rng.normal(size=(POINTS, 32))
    looks /= np.linalg.norm(looks, axis=1, keepdims=True)
    here = MapImage("here", CAMERA, np.eye(3), np.zeros(3), np.arange(POINTS))
    there = MapImage("there", CAMERA, np.eye(3), np.array([-APART_M, 0, 0]), POINTS + np.arange(twins))
    model = SparseModel({"here": here, "there": there}, points, np.full(len(points), 2), 0.5)
    stored = {"here": features(xy, looks), "there": features(xy[:twins], looks[:twins])}
    query = features(xy + rng.normal(0, 0.5, xy.shape), looks)
    asking = estimate_pose(
        query,
        [CAMERA],
        ["here", "there"],
        MapPart("0", model, None),
        stored.__getitem__,
        MutualNearest(),
        PoseOptions(),
    )
    (found,) = run_together([asking], PoseLibSolver())
    assert isinstance(found, PoseFound)
    return found


def test_two_places_that_explain_as_much_are_two_answers() -> None:
    found = posed(twins=POINTS)
    ((weight, other),) = found.others
    assert weight == pytest.approx(1.0, abs=0.1)
    centers = sorted((found.refined.center[0], other.refined.center[0]))
    assert centers == pytest.approx([0.0, APART_M], abs=0.1)


def test_a_twin_of_four_fifths_weighs_by_the_fourth_power_of_its_support() -> None:
    found = posed(twins=80)
    ((weight, other),) = found.others
    assert other.inliers < found.inliers
    assert weight == pytest.approx((other.inliers / found.inliers) ** 4)
    assert weight == pytest.approx(0.8**4, abs=0.06)


def test_a_twin_of_half_is_no_answer() -> None:
    assert posed(twins=50).others == ()


def test_the_belief_has_a_component_for_each_and_the_radius_holds_both() -> None:
    origin = (48.0, 11.0, 0.0)
    places = []
    for east, weight in ((0.0, 1.0), (APART_M, 0.8)):
        lat, lon, _ = geodetic_from_enu(np.array([east, 0.0, 0.0]), origin)
        places.append(Component(float(lat), float(lon), 2.0, weight))
    belief = belief_of(places)
    assert belief.spread == pytest.approx(0.01)
    shares = sorted(component.weight for component in belief.components)
    assert shares == pytest.approx([0.99 * 0.8 / 1.8, 0.99 / 1.8], rel=1e-6)
    # Nine in ten of the whole reach into the second place: 30 m off, less or more what it is uncertain by.
    assert 28.0 < credible_radius_m(belief, places[0].lat, places[0].lon, 0.9) < 32.0
