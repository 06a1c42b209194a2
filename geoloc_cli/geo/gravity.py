"""Which way is up, in the axes of a camera (COLMAP's: x right, y down, z forward) that says how it was held."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.types import Attitude


def up_in_cam(attitude: Attitude) -> NDArray[np.float64]:
    """(3,) unit vector; near the nadir, too, where heading and roll cannot be told apart, it is well determined.

    From forward . up = sin p, right . up = -sin r cos p and down . up = -cos r cos p (`testing/render.py`).
    """
    p, r = math.radians(attitude.pitch_deg), math.radians(attitude.roll_deg)
    return np.array([-math.sin(r) * math.cos(p), -math.cos(r) * math.cos(p), math.sin(p)])
