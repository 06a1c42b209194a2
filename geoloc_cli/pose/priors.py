"""What is known of a pose beside its pairs: gravity, by how the camera says it was held, and its altitude.

A prior is a residual of one or two rows in standard deviations, with its derivatives by the unknowns of `refine`: a
rotation vector in the camera frame, and the centre in the map frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo.earth import geodetic_from_enu
from geoloc_cli.geo.fisher import R90_PER_SIGMA
from geoloc_cli.geo.gravity import up_in_cam
from geoloc_cli.maps.georeference import Georeference
from geoloc_cli.types import Attitude, Position

Floats = NDArray[np.float64]

# Of a position that says nothing of its accuracy, and how much worse heights are than places.
_USUAL_ALTITUDE_M = 10.0
_VERTICAL_PER_HORIZONTAL = 2.0
# A prior farther from what the pairs say, in standard deviations of the difference, is wrong.
_CONTRADICTED = 4.0


class PosePrior(Protocol):
    """name: what a fix calls it."""

    @property
    def name(self) -> Literal["gravity", "altitude"]: ...

    def rows(self, rotation: Floats, center: Floats) -> tuple[Floats, Floats]:
        """Residual (K,) observed less predicted, and Jacobian (K, 6) of the prediction; both in standard deviations.

        rotation: (3, 3) cam_from_map; center: (3,) in map.
        """
        ...


@dataclass(frozen=True, slots=True)
class Gravity:
    """up_in_map, up_in_cam: (3,) unit vectors, of the georeference and of the attitude; std_rad: of each axis."""

    up_in_map: Floats
    up_in_cam: Floats
    std_rad: float
    name: Literal["gravity"] = "gravity"

    def rows(self, rotation: Floats, center: Floats) -> tuple[Floats, Floats]:
        """The rotation vector from the predicted to the observed direction, in two axes that are square to the latter.

        The third, about the vertical, is the heading, of which gravity says nothing.
        """
        predicted = rotation @ self.up_in_map
        cross = np.cross(predicted, self.up_in_cam)
        sine, cosine = float(np.linalg.norm(cross)), float(predicted @ self.up_in_cam)
        turn = cross * (math.atan2(sine, cosine) / sine if sine > 1e-12 else 1.0)
        axes = np.linalg.svd(self.up_in_cam[None])[2][1:]
        jacobian = np.zeros((2, 6))
        jacobian[:, :3] = axes
        return np.asarray(axes @ turn / self.std_rad), jacobian / self.std_rad


@dataclass(frozen=True, slots=True)
class Altitude:
    """up_m: (3,) metres upwards in enu for each unit of the map; height_m: of the camera along it; std_m."""

    up_m: Floats
    height_m: float
    std_m: float
    name: Literal["altitude"] = "altitude"

    def rows(self, rotation: Floats, center: Floats) -> tuple[Floats, Floats]:
        jacobian = np.zeros((1, 6))
        jacobian[0, 3:] = self.up_m
        return np.array([self.height_m - self.up_m @ center]) / self.std_m, jacobian / self.std_m


def gravity_of(attitude: Attitude, georeference: Georeference) -> Gravity:
    """The attitude as a prior in a map; the uncertainty of the map's own tilt is added to its own."""
    tilt = float(np.linalg.eigvalsh(georeference.covariance[1:3, 1:3])[-1])
    std_rad = math.sqrt(math.radians(attitude.std_deg) ** 2 + tilt)
    return Gravity(georeference.rotation[2], up_in_cam(attitude), std_rad)


def altitude_of(position: Position, georeference: Georeference, near: Floats) -> Altitude | None:
    """The stated altitude as a prior in a map; near: (3,) about where in the map, a kilometre off at most.

    None where there is none, or its datum is not known to be the one of the map's heights.
    """
    if position.alt_m is None or position.alt_datum is None or position.alt_datum != georeference.alt_datum:
        return None
    in_enu = georeference.in_enu(near)
    _, _, alt_m = geodetic_from_enu(in_enu, georeference.origin)
    # The Earth's curve, 8 cm at a kilometre, is taken as it is there.
    height_m = float(in_enu[2] + position.alt_m - alt_m - georeference.translation[2])
    own = _USUAL_ALTITUDE_M
    if position.radius_m is not None:
        own = _VERTICAL_PER_HORIZONTAL * position.radius_m / R90_PER_SIGMA
    frame = float(georeference.frame_covariance(near)[2, 2])
    std_m = math.sqrt(own**2 + georeference.vertical_m**2 + frame)
    return Altitude(georeference.scale * georeference.rotation[2], height_m, std_m)


def contradicted(prior: PosePrior, rotation: Floats, center: Floats, covariance: Floats) -> bool:
    """Whether a pose without it, of this (6, 6) covariance, is farther off than four standard deviations of both."""
    residual, jacobian = prior.rows(rotation, center)
    spread = np.eye(len(residual)) + jacobian @ covariance @ jacobian.T
    distance = float(residual @ np.linalg.solve(spread, residual))
    return distance > _CONTRADICTED**2
