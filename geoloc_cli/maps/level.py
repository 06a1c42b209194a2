"""How cameras are held, as evidence of last resort for how a map lies: their right axes are level.

That holds whether a camera looks ahead, up a front or straight down, and for landscape and portrait alike once pictures
are upright; OpenSfM and Bundler set reconstructions upright so. Positions on a straight line do not say how the map is
rolled about it; right axes that stand off the line do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.maps.similarity import rotation_of

Floats = NDArray[np.float64]

# One photograph is rolled by this much, and the mean of many by half of it: they share a hand, a slope, a mount.
ROLL_SIGMA_RAD = math.radians(6.0)
_SHARED = 4
# How level the optical axes are as a whole. Used only where the right axes lie along the line and say nothing.
_PITCH_SIGMA_RAD = math.radians(20.0)
_ENOUGH = 1.0 / math.radians(10.0) ** 2
# Right axes whose median elevation is above this, at the best roll, are not level.
_NOT_LEVEL_RAD = math.radians(10.0)
_SCANNED = 120


@dataclass(frozen=True, slots=True)
class Held:
    """right, up, forward: (N, 3) unit vectors of the cameras in map; use_pitch: optical axes are level, too."""

    right: Floats
    up: Floats
    forward: Floats
    use_pitch: bool = False

    def rows(self, rotation: Floats) -> tuple[Floats, Floats, Floats]:
        """Jacobian (M, 3) by the rotation vector in enu, residual (M,) radians and weight (M,) of level cameras."""
        right = self.right @ rotation.T
        weight = 1.0 / (ROLL_SIGMA_RAD**2 * max(1.0, len(right) / _SHARED))
        robust = weight / (1.0 + (right[:, 2] / ROLL_SIGMA_RAD) ** 2 / 9.0)
        jacobian, residual = _tilts(right), -right[:, 2]
        if not self.use_pitch:
            return jacobian, residual, robust
        forward = self.forward @ rotation.T
        weights = np.concatenate([robust, np.full(len(right), 1.0 / (_PITCH_SIGMA_RAD**2 * len(right)))])
        return np.concatenate([jacobian, _tilts(forward)]), np.concatenate([residual, -forward[:, 2]]), weights


def held(cam_from_map: Floats) -> Held:
    """cam_from_map: (N, 3, 3), COLMAP's axes."""
    return Held(cam_from_map[:, 0], -cam_from_map[:, 1], cam_from_map[:, 2])


def _tilts(directions: Floats) -> Floats:
    """(N, 3): how the height of each direction changes with a rotation vector: d (w x v).z = w . (v x z)."""
    return np.stack([directions[:, 1], -directions[:, 0], np.zeros(len(directions))], axis=1)


def upside_down(cameras: Held, rotation: Floats) -> bool:
    """Whether most cameras would stand on their heads, or photograph the zenith."""
    up, forward = (float(np.median((v @ rotation.T)[:, 2])) for v in (cameras.up, cameras.forward))
    return up < -0.5 or (forward > 0.8 and abs(up) < 0.5)


def rolled(cameras: Held, rotation: Floats, axis: Floats) -> tuple[Floats, Held] | None:
    """The rotation turned about `axis` (in enu) so that the cameras are level; None where no turn makes them so.

    Returns it with the evidence to use: the optical axes too where the right axes lie along the axis.
    """
    right = cameras.right @ rotation.T
    across = right - np.outer(right @ axis, axis)
    information = float((across**2).sum()) / (ROLL_SIGMA_RAD**2 * max(1.0, len(right) / _SHARED))
    use_pitch = information < _ENOUGH
    best: tuple[float, Floats] | None = None
    for angle in np.arange(_SCANNED) * (2.0 * math.pi / _SCANNED):
        turned = rotation_of(angle * axis) @ rotation
        right, up, forward = ((v @ turned.T)[:, 2] for v in (cameras.right, cameras.up, cameras.forward))
        cost = np.minimum((right / ROLL_SIGMA_RAD) ** 2, 9.0) + 9.0 * (up < -0.2) + 9.0 * (forward > 0.8)
        if use_pitch:
            cost = cost + np.minimum((forward / _PITCH_SIGMA_RAD) ** 2, 9.0)
        total = float(cost.mean())
        if best is None or total < best[0]:
            best = total, turned
    assert best is not None
    elevation = float(np.median(np.abs((cameras.right @ best[1].T)[:, 2])))
    if elevation > _NOT_LEVEL_RAD:
        return None
    return best[1], Held(cameras.right, cameras.up, cameras.forward, use_pitch)
