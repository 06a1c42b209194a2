"""A pose in a map's frame -> where that is on the Earth, how the camera was held, and how sure both are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo.belief import from_components
from geoloc_cli.geo.earth import geodetic_from_enu
from geoloc_cli.geo.fisher import R90_PER_SIGMA
from geoloc_cli.geo.geoid import above_ellipsoid_m
from geoloc_cli.maps.colmap import scaled
from geoloc_cli.maps.georeference import Georeference
from geoloc_cli.pose.estimate import PoseFound
from geoloc_cli.types import Belief, Camera, Component, Lens, Pose

Floats = NDArray[np.float64]
_LEAST_RADIUS_M = 0.01
# Not every gated pose is right: the share of the belief that is kept for a wrong one.
_DOUBT = 0.01


def angles_deg(cam_from_enu: Floats) -> tuple[float, float, float]:
    """Heading (clockwise from north), pitch (up positive) and roll (clockwise positive) of a rotation (3, 3)."""
    right, _, forward = cam_from_enu
    heading = math.atan2(forward[0], forward[1])
    level_right = np.array([math.cos(heading), -math.sin(heading), 0.0])
    level_down = np.cross(forward, level_right)
    roll = math.atan2(float(right @ level_down), float(right @ level_right))
    pitch = math.asin(float(np.clip(forward[2], -1.0, 1.0)))
    return math.degrees(heading) % 360.0, math.degrees(pitch), math.degrees(roll)


def quaternion_wxyz(rotation: Floats) -> tuple[float, float, float, float]:
    """Unit quaternion of a rotation (3, 3), w first and not negative (Shepperd 1978)."""
    m = rotation
    squares = np.array(
        [
            1 + m[0, 0] + m[1, 1] + m[2, 2],
            1 + m[0, 0] - m[1, 1] - m[2, 2],
            1 - m[0, 0] + m[1, 1] - m[2, 2],
            1 - m[0, 0] - m[1, 1] + m[2, 2],
        ]
    )
    k = int(squares.argmax())
    q = np.empty(4)
    q[k] = squares[k]
    differences = (m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1])
    sums = {(1, 2): m[1, 0] + m[0, 1], (1, 3): m[0, 2] + m[2, 0], (2, 3): m[2, 1] + m[1, 2]}
    for i in range(4):
        if i != k:
            q[i] = differences[max(i, k) - 1] if 0 in (i, k) else sums[(min(i, k), max(i, k))]
    q /= np.linalg.norm(q)
    q = -q if q[0] < 0 else q
    return float(q[0]), float(q[1]), float(q[2]), float(q[3])


def covariance_in_enu(found: PoseFound, georeference: Georeference) -> Floats:
    """(3, 3) m^2 of the camera's place: the pose's own, the frame's, and what the positions share.

    A receiver's errors last for minutes, so that the mean over a flight or a walk does not shed them: one position's
    whole noise stays in every answer.
    """
    turn = georeference.scale * georeference.rotation
    own = turn @ found.refined.covariance[3:, 3:] @ turn.T
    shared = np.diag([georeference.horizontal_m**2, georeference.horizontal_m**2, georeference.vertical_m**2])
    total: Floats = own + georeference.frame_covariance(found.refined.center) + shared
    return total


def pose_record(found: PoseFound, map_name: str, size: tuple[int, int]) -> Pose:
    """The pose as it stands in a fix; angles and metres only where the map is georeferenced.

    size: of the upright picture, width first, for which the camera is told.
    """
    refined, georeference = found.refined, found.component.georeference
    translation = -refined.rotation @ refined.center
    rotation_std = np.degrees(np.sqrt(np.diag(refined.covariance[:3, :3])))
    center_in_enu = position_std = heading = pitch = roll = None
    if georeference is not None:
        center_in_enu = _three(georeference.in_enu(refined.center))
        heading, pitch, roll = angles_deg(refined.rotation @ georeference.rotation.T)
        position_std = _three(np.sqrt(np.diag(covariance_in_enu(found, georeference))))
        frame = georeference.rotation.T @ georeference.covariance[1:4, 1:4] @ georeference.rotation
        in_cam = refined.rotation @ frame @ refined.rotation.T
        rotation_std = np.degrees(np.sqrt(np.diag(refined.covariance[:3, :3] + in_cam)))
    return Pose(
        map=map_name,
        georeferenced=georeference is not None,
        rotation_wxyz=quaternion_wxyz(refined.rotation),
        translation=_three(translation),
        center_in_map=_three(refined.center),
        center_in_enu=center_in_enu,
        heading_deg=heading,
        pitch_deg=pitch,
        roll_deg=roll,
        inliers=found.inliers,
        inlier_ratio=round(found.inliers / found.pairs, 4),
        reprojection_px=round(found.reprojection_px, 3),
        position_std_m=position_std,
        rotation_std_deg=_three(rotation_std),
        solver=found.solver,
        camera=_lens(found.camera, size),
    )


def _lens(camera: Camera | None, size: tuple[int, int]) -> Lens | None:
    if camera is None:
        return None
    full = scaled(camera, *size)
    return Lens(full.model, *size, tuple(round(p, 9) for p in full.params))


def place_of(found: PoseFound, georeference: Georeference) -> Component:
    """Where a pose was taken, with the 90 % radius of its own; its weight is 1."""
    lat, lon, _ = geodetic_from_enu(georeference.in_enu(found.refined.center), georeference.origin)
    covariance = covariance_in_enu(found, georeference)[:2, :2]
    # The circle of an ellipse's 90 %: exact where it is round, and at most a tenth too wide where it is a line.
    radius_m = max(_LEAST_RADIUS_M, R90_PER_SIGMA * math.sqrt(float(np.linalg.eigvalsh(covariance)[-1])))
    return Component(round(float(lat), 9), round(float(lon), 9), round(radius_m, 3), 1.0)


def altitude_of_pose(found: PoseFound, georeference: Georeference) -> float | None:
    """Metres above the ellipsoid, by EGM96 where the map's heights count from the sea; None where nobody says."""
    if georeference.alt_datum is None:
        return None
    lat, lon, alt_m = geodetic_from_enu(georeference.in_enu(found.refined.center), georeference.origin)
    above_m = alt_m if georeference.alt_datum == "ellipsoid" else above_ellipsoid_m(lat, lon, alt_m)
    return round(float(above_m), 3)


def belief_of(places: Sequence[Component]) -> Belief:
    """The belief of a pose and of those that the pairs speak for as well, by their weights."""
    total = sum(place.weight for place in places)
    shares = [replace(place, weight=place.weight / total * (1.0 - _DOUBT)) for place in places]
    return from_components(shares, _DOUBT)


def _three(values: Floats) -> tuple[float, float, float]:
    a, b, c = (round(float(v), 9) for v in values)
    return a, b, c
