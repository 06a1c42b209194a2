"""The rendered town: every pixel's point is where the camera says, and signs mean what their names say."""

from __future__ import annotations

import numpy as np
import pytest

from geoloc_cli.testing.render import LIGHTS, CameraPose, render
from geoloc_cli.testing.town import Town, surfaces_of

AT = (59.95, 24.5, 20.0)
# In the crossing of two streets (the blocks end at 30, 42, 72, 84 m), looking along the street to north.
CROSSING = (36.0, 36.0, 1.6)


@pytest.fixture(scope="module")
def town() -> Town:
    return Town(0, *AT)


def small(center: tuple[float, float, float], heading: float, pitch: float = 0.0, roll: float = 0.0) -> CameraPose:
    return CameraPose(center, heading, pitch, roll, focal_px=160.0, width=160, height=120)


@pytest.mark.parametrize("pose", [small(CROSSING, 20.0, 3.0, 4.0), small((50.0, 36.0, 3.0), 250.0, -10.0, -7.0)])
def test_the_point_of_a_pixel_projects_onto_that_pixel(town: Town, pose: CameraPose) -> None:
    _, points = render(town, pose)
    seen = np.isfinite(points[..., 0])
    assert 0.4 < seen.mean() < 1.0
    rows, columns = np.nonzero(seen)
    expected = np.stack([columns + 0.5, rows + 0.5], axis=1)
    assert np.abs(pose.project(points[seen]) - expected).max() < 1e-6


def test_every_seen_point_lies_on_a_surface_and_none_is_seen_through_a_wall(town: Town) -> None:
    pose = small(CROSSING, 70.0, 5.0)
    _, points = render(town, pose)
    seen = points[np.isfinite(points[..., 0])][::37]
    center = np.array(pose.center_in_enu)
    for point in seen:
        ray, nearest = point - center, np.inf
        for surface in town.surfaces:
            normal = np.cross(surface.along, surface.up)
            slope = normal @ ray
            if slope >= 0:
                continue  # from behind, or aslant: not drawn
            share = normal @ (surface.corner - center) / slope
            at = center + share * ray - surface.corner
            a, b = at @ surface.along / (surface.along @ surface.along), at @ surface.up / (surface.up @ surface.up)
            if share > 0 and 0 <= a < 1 and 0 <= b < 1:
                nearest = min(nearest, share)
        assert nearest == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("heading", [0.0, 33.0, 180.0, 271.0])
@pytest.mark.parametrize(("pitch", "roll"), [(0.0, 0.0), (20.0, -15.0), (-89.0, 170.0)])
def test_the_rotation_is_one(heading: float, pitch: float, roll: float) -> None:
    rotation = small(CROSSING, heading, pitch, roll).rotation_cam_from_enu()
    assert np.abs(rotation @ rotation.T - np.eye(3)).max() < 1e-12
    assert np.linalg.det(rotation) == pytest.approx(1.0)


def test_heading_pitch_and_roll_mean_what_they_say() -> None:
    center = np.array(CROSSING)
    middle = [80.0, 60.0]
    for heading, direction in ((0.0, (0, 1, 0)), (90.0, (1, 0, 0)), (180.0, (0, -1, 0)), (270.0, (-1, 0, 0))):
        ahead = small(CROSSING, heading).project(center + 10.0 * np.array([direction]))
        assert ahead[0] == pytest.approx(middle)
    north, east, up = np.array([0, 10.0, 0]), np.array([1.0, 0, 0]), np.array([0, 0, 1.0])
    level = small(CROSSING, 0.0)
    assert level.project((center + north + east)[None])[0] == pytest.approx([80 + 16, 60])  # east is right of north
    assert level.project((center + north + up)[None])[0] == pytest.approx([80, 60 - 16])  # up is up
    assert np.isnan(level.project((center - north)[None])).all()  # and what is behind has no place
    # Looking up by 10 degrees, the horizon sinks by f tan 10; turned clockwise, the right of the scene rises.
    horizon = small(CROSSING, 0.0, 10.0).project((center + north)[None])[0]
    assert horizon == pytest.approx([80, 60 + 160 * np.tan(np.radians(10))])
    turned = small(CROSSING, 0.0, 0.0, 10.0).project((center + north + east)[None])[0]
    assert turned == pytest.approx([80 + 16 * np.cos(np.radians(10)), 60 - 16 * np.sin(np.radians(10))])


def test_two_cameras_see_one_point_in_one_colour(town: Town) -> None:
    one, two = small((36.0, 30.0, 1.6), 0.0, 4.0), small((37.0, 31.0, 2.0), 3.0, 6.0)
    first, points = render(town, one)
    second, others = render(town, two)
    rows, columns = np.nonzero(np.isfinite(points[..., 0]) & (points[..., 2] > 0.1))
    at = two.project(points[rows, columns])
    inside = (at > 1).all(axis=1) & (at < (158, 118)).all(axis=1)
    differences = []
    for row, column, (x, y) in zip(rows[inside], columns[inside], at[inside], strict=True):
        r, c = int(y), int(x)
        if np.linalg.norm(others[r, c] - points[row, column]) < 0.05:  # not behind something else
            differences.append(np.abs(first[row, column].astype(float) - second[r, c]).mean())
    assert len(differences) > 300
    assert np.median(differences) < 12  # half a pixel of windows and bricks apart
    assert np.median(differences) < 0.5 * np.abs(first.astype(float) - np.roll(first, 20, axis=1)).mean()


def test_light_changes_colours_and_not_places(town: Town) -> None:
    pose = small(CROSSING, 120.0)
    pictures = {name: render(town, pose, light) for name, light in LIGHTS.items()}
    noon, evening, night = (pictures[name][0].astype(float) for name in ("noon", "evening", "night"))
    assert night.mean() < 0.6 * noon.mean()
    assert evening[..., 2].mean() / evening[..., 0].mean() < 0.75 * noon[..., 2].mean() / noon[..., 0].mean()
    assert all(np.array_equal(points, pictures["noon"][1], equal_nan=True) for _, points in pictures.values())


def test_a_town_is_the_same_for_the_same_seed_alone() -> None:
    one = Town(3, *AT)
    surfaces_of.cache_clear()  # so that the second is painted anew
    same, other = Town(3, *AT), Town(4, *AT)
    assert all(np.array_equal(a.pyramid[0], b.pyramid[0]) for a, b in zip(one.surfaces, same.surfaces, strict=True))
    assert not np.array_equal(one.surfaces[1].pyramid[0], other.surfaces[1].pyramid[0])


def test_streets_are_clear_and_houses_face_them(town: Town) -> None:
    facades = [surface for surface in town.surfaces if surface.up[2] > 0]
    assert len(facades) == 9 * 4 * 3
    for start, end in town.streets:
        for share in np.linspace(0, 1, 30):
            east, north = start + share * (end - start)
            for surface in facades:
                low = np.minimum(surface.corner, surface.corner + surface.along)[:2]
                high = np.maximum(surface.corner, surface.corner + surface.along)[:2]
                away = np.linalg.norm(np.maximum(np.maximum(low - (east, north), (east, north) - high), 0))
                assert away >= 6.0 - 1e-9  # half of the twelve metres of a street
    for block in range(9):
        of_block = facades[block * 12 : block * 12 + 12]
        middle = np.mean([surface.corner[:2] + surface.along[:2] / 2 for surface in of_block], axis=0)
        for surface in of_block:
            outwards = np.cross(surface.along, surface.up)[:2]
            assert outwards @ (surface.corner[:2] + surface.along[:2] / 2 - middle) > 0
