"""A pose in its map: cameras and points at their places, by the scale bar that the picture itself has."""

from __future__ import annotations

import numpy as np
import pytest

from geoloc_cli.export.map_view import SIDE, map_scene
from geoloc_cli.export.scene import GREEN, Area, Dots, Line, Panel, Scene, Words
from geoloc_cli.export.scene_png import image
from geoloc_cli.geo.fisher import R90_PER_SIGMA
from geoloc_cli.maps.folder import Component
from geoloc_cli.maps.georeference import Georeference
from geoloc_cli.maps.model import MapImage, SparseModel
from geoloc_cli.pose.answer import quaternion_wxyz
from geoloc_cli.types import Belief, Camera, Fix, Pose

# Camera axes in east, north, up of one that looks north, held level: right is east, down is down, forward is north.
NORTHWARD = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
DOWNWARD = np.array([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]])
SCALE = 10.0  # metres in a unit of the map
LENS = Camera("SIMPLE_RADIAL", 100, 100, (100.0, 50.0, 50.0, 0.0), "exif", 0.05)


def told(turn: np.ndarray, *, georeferenced: bool = True) -> tuple[Fix, Pose, Component]:
    """A camera 20 m east and 30 m north of the map's first, 5 m above it."""
    places = {"first.jpg": (0.0, 0.0, 0.0), "second.jpg": (100.0, 0.0, 0.0)}
    images = {
        path: MapImage(path, LENS, turn, -turn @ (np.array(at) / SCALE), np.zeros(0, np.int64))
        for path, at in places.items()
    }
    points = np.array([[x, y, 0.0] for x in range(0, 101, 10) for y in range(0, 101, 10)]) / SCALE
    model = SparseModel(images, points, np.full(len(points), 3), 1.0)
    frame = Georeference((47.0, 8.0, 0.0), SCALE, np.eye(3), np.zeros(3), np.zeros((7, 7)), 1.0, 1.0, {}, (), ())
    center = np.array([20.0, 30.0, 5.0])
    pose = Pose(
        map="m#0",
        georeferenced=georeferenced,
        rotation_wxyz=quaternion_wxyz(turn),
        translation=tuple((-turn @ center / SCALE).tolist()),
        center_in_map=tuple((center / SCALE).tolist()),
        center_in_enu=tuple(center.tolist()) if georeferenced else None,
        heading_deg=0.0 if georeferenced else None,
        pitch_deg=0.0 if georeferenced else None,
        roll_deg=0.0 if georeferenced else None,
        inliers=50,
        inlier_ratio=0.5,
        reprojection_px=1.0,
        position_std_m=(4.0, 2.0, 1.0) if georeferenced else None,
        rotation_std_deg=(0.1, 0.1, 0.1),
        solver="torch",
    )
    fix = Fix("gone.jpg", "ok", "pose", 47.0, 8.0, None, 9.0, 0.99, Belief(), pose=pose)
    return fix, pose, Component("0", model, frame if georeferenced else None)


def views(scene: Scene) -> list[Scene]:
    return [item.scene for item in scene.items if isinstance(item, Panel)]


def dots(view: Scene, kind: str) -> np.ndarray:
    return np.concatenate([item.at for item in view.items if isinstance(item, Dots) and item.kind == kind])


def units(view: Scene) -> float:
    """Pixels of a metre, by the bar."""
    (bar,) = [item for item in view.items if isinstance(item, Line) and item.kind == "bar"]
    (said,) = [item.text for item in view.items if isinstance(item, Words) and item.anchor == "end"]
    return float(np.ptp(bar.strands[0][:, 0])) / float(said.split()[0])


def test_places_from_above_and_from_the_side_are_metres_apart() -> None:
    above, side = views(map_scene(*told(NORTHWARD)))
    metre = units(above)
    camera, points = dots(above, "camera")[0], dots(above, "point")
    # The south-western point is the first photograph's place: 20 m to the west and 30 m to the south, y down.
    corner = points[np.argmin(points[:, 0] - points[:, 1])]
    assert ((camera - corner) / metre).tolist() == pytest.approx([20.0, -30.0], abs=0.01)
    metre = units(side)
    camera, points = dots(side, "camera")[0], dots(side, "point")
    # It looks north, to the right: the southernmost points are 30 m to the left, and 5 m below.
    assert ((camera - points[np.argmin(points[:, 0])]) / metre).tolist() == pytest.approx([30.0, -5.0], abs=0.01)


def test_the_pyramid_opens_to_where_the_camera_looks() -> None:
    above, side = views(map_scene(*told(NORTHWARD)))
    for view, across in ((above, False), (side, True)):
        tip = dots(view, "camera")[0]
        (far,) = [item for item in view.items if isinstance(item, Area) and item.kind == "sight"]
        middle = far.rings[0][:4].mean(axis=0) - tip
        assert middle.tolist() == pytest.approx([0.08 * SIDE, 0.0] if across else [0.0, -0.08 * SIDE], abs=0.01)


def test_the_ellipse_holds_nine_tenths_of_the_deviations() -> None:
    above, side = views(map_scene(*told(NORTHWARD)))
    for view, expected in ((above, (4.0, 2.0)), (side, (2.0, 1.0))):
        (line,) = [item for item in view.items if isinstance(item, Line) and item.kind == "ellipse"]
        half = np.ptp(line.strands[0], axis=0) / 2.0 / units(view)
        assert half == pytest.approx(np.array(expected) * R90_PER_SIGMA, rel=5e-3)


def test_of_a_camera_that_looks_down_the_side_view_has_it_upright() -> None:
    _, side = views(map_scene(*told(DOWNWARD)))
    (far,) = [item for item in side.items if isinstance(item, Area) and item.kind == "sight"]
    assert np.all(far.rings[0][:, 1] > dots(side, "camera")[0, 1] + 0.07 * SIDE)


def test_photographs_in_which_it_was_found_stand_out() -> None:
    scene = map_scene(*told(NORTHWARD), frozenset({"first.jpg", "elsewhere.jpg"}))
    colours = [item.colour for item in views(scene)[0].items if isinstance(item, Line) and item.kind == "indexed"]
    assert colours.count(GREEN) == 1
    # To eyes that take green for blue, it is filled.
    assert len([item for item in views(scene)[0].items if isinstance(item, Area) and item.kind == "found"]) == 1
    assert len(colours) == 2
    words = [item.text for item in scene.items if isinstance(item, Words)]
    assert "1 photos of the map in which it was found" in words


def test_a_map_nowhere_on_the_earth_has_neither_north_nor_metres() -> None:
    scene = map_scene(*told(NORTHWARD, georeferenced=False))
    above, side = views(scene)
    assert not [item for item in above.items if isinstance(item, Area) and item.kind == "north"]
    assert not [item for item in above.items if isinstance(item, Line) and item.kind == "ellipse"]
    assert "of the map's units" in " ".join(item.text for item in above.items if isinstance(item, Words))
    # Upright by how its cameras were held: the pose stands half a unit, of 5 m, above the points.
    points, camera = dots(side, "point"), dots(side, "camera")[0]
    step = units(side)
    assert (points[:, 1].max() - camera[1]) / step == pytest.approx(0.5, abs=0.01)
    assert image(scene).width == 1600
