"""Which way is up in a map, by what its photographs' own sensors say of how they were held.

Each attitude is a direction in the map, and all of them are the same one. It says how a map lies where positions do
not: on a straight line, or at one spot. Where attitudes are known they take the place of the assumption that cameras
are held level (`maps/level.py`), at the deviation that they state or the larger one with which they scatter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo.gravity import up_in_cam
from geoloc_cli.maps.model import MapImage
from geoloc_cli.maps.similarity import rotation_of
from geoloc_cli.types import Attitude

Floats = NDArray[np.float64]

_UP = np.array([0.0, 0.0, 1.0])
# Below this angle [rad] nothing is out of plumb.
_LEVEL = 1e-9
# One mount's error is shared by all photographs of a flight: of so many the mean is as good as it gets.
_SHARED = 25
_CAUCHY = 9.0
# Attitudes within this many of their standard deviations of each other agree; fewer than these prove nothing.
_AGREE = 4.0
_LEAST = 2
# Attitudes whose median misfit to what positions say is beyond this many are of another convention, or mount.
_CONTRADICTED = 3.0


@dataclass(frozen=True, slots=True)
class Plumb:
    """up: (M, 3) unit vectors in map that are said to be up; std: (M,) radians of each axis; mean: (3,) of them."""

    up: Floats
    std: Floats
    mean: Floats

    def rows(self, rotation: Floats) -> tuple[Floats, Floats, Floats]:
        """Jacobian (2 M, 3) by the rotation vector in enu, residual (2 M,) radians and weight (2 M,) of plumb cameras.

        The east and north of what is said to be up: d (w x v) = (w_y v_z - w_z v_y, w_z v_x - w_x v_z) of them.
        """
        up = self.up @ rotation.T
        jacobian = np.zeros((len(up), 2, 3))
        jacobian[:, 0, 1], jacobian[:, 0, 2] = up[:, 2], -up[:, 1]
        jacobian[:, 1, 0], jacobian[:, 1, 2] = -up[:, 2], up[:, 0]
        away = _angles(up, _UP) / self.std
        weight = 1.0 / (self.std**2 * max(1.0, len(up) / _SHARED) * (1.0 + away**2 / _CAUCHY))
        return jacobian.reshape(-1, 3), -up[:, :2].ravel(), np.repeat(weight, 2)

    def contradicts(self, rotation: Floats, covariance: Floats) -> bool:
        """Whether most are far from up by a map's rotation (3, 3), and the covariance of that (3, 3) [rad^2]."""
        off = np.cross(rotation @ self.mean, _UP)
        size = float(np.linalg.norm(off))
        about = off / size if size > _LEVEL else np.zeros(3)
        away = _angles(self.up @ rotation.T, _UP)
        return bool(np.median(away / np.sqrt(self.std**2 + about @ covariance @ about)) > _CONTRADICTED)

    def rolled(self, rotation: Floats, axis: Floats) -> Floats:
        """The rotation (3, 3) turned about `axis` (in enu) until up is as near to where it is said to be as it gets."""
        said, up = (v - (v @ axis) * axis for v in (rotation @ self.mean, _UP))
        angle = math.atan2(float(axis @ np.cross(said, up)), float(said @ up))
        return np.asarray(rotation_of(angle * axis) @ rotation)

    def upright(self, source: Floats, target: Floats, weight: Floats) -> Floats:
        """The rotation (3, 3) enu_from_map with up as it is said, and the heading that lays source on target.

        source, target: (N, 3) centres in map and positions in enu; weight: (N,).
        """
        first = np.cross(self.mean, np.eye(3)[int(np.abs(self.mean).argmin())])
        first /= np.linalg.norm(first)
        level = np.stack([first, np.cross(self.mean, first), self.mean])
        a, b = ((v - np.average(v, axis=0, weights=weight)) for v in (source @ level.T, target))
        # Of all turns about the vertical the one with the largest sum of products (Procrustes in the plane).
        sine = weight @ (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
        cosine = weight @ (a[:, 0] * b[:, 0] + a[:, 1] * b[:, 1])
        size = math.hypot(sine, cosine)
        s, c = (sine / size, cosine / size) if size else (0.0, 1.0)
        turned: Floats = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]) @ level
        return turned


def plumb(images: Mapping[str, MapImage], attitudes: Mapping[str, Attitude]) -> Plumb | None:
    """What the attitudes of a map's photographs say; None where fewer than two agree, or fewer than half of all."""
    held = [(image, attitudes[path]) for path, image in images.items() if path in attitudes]
    if len(held) < _LEAST:
        return None
    up = np.stack([image.rotation.T @ up_in_cam(attitude) for image, attitude in held])
    std = np.radians([attitude.std_deg for _, attitude in held])
    # About each of them, how far the others are, none counted beyond what is disagreement.
    apart = np.arccos(np.clip(up @ up.T, -1.0, 1.0)) / np.hypot(std[:, None], std)
    middle = int(np.minimum(apart, _AGREE).sum(axis=1).argmin())
    agree = apart[middle] < _AGREE
    if agree.sum() < max(_LEAST, len(held) / 2.0):
        return None
    mean = (up[agree] / std[agree, None] ** 2).sum(axis=0)
    mean /= np.linalg.norm(mean)
    # The median of the length of two Gaussian axes is 1.1774 of their deviation (Rayleigh).
    scatter = float(np.median(_angles(up, mean) / std)) / 1.1774
    return Plumb(up, std * max(1.0, scatter), np.asarray(mean, np.float64))


def _angles(directions: Floats, axis: Floats) -> Floats:
    """(M,) radians between unit vectors (M, 3) and one."""
    across = np.linalg.norm(np.cross(directions, axis), axis=1)
    return np.asarray(np.arctan2(across, directions @ axis))
