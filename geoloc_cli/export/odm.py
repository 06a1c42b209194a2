"""Located photos as OpenDroneMap's image geolocation file, `geo.txt` in the folder of its project.

A line is `name x y [z [yaw pitch roll [horizontal vertical]]]`: what is unknown ends it, since ODM counts columns.
Names are those of the files alone. Its angles are those of a camera that looks down: yaw is where the top of the
picture points, clockwise from north, pitch 0 is straight down and 90 the horizon, and roll turns about the picture's
upward axis. Accuracies are standard deviations in metres, and ODM weighs a photo by the larger one.

ODM takes a photo without a height for one at sea level, whatever its metadata say, and asks not from where heights
count. So they are all of one source: the fixes' (above the ellipsoid) if each has one, and else the photos' own.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

import numpy as np

from geoloc_cli.export.located import Located, is_utf8
from geoloc_cli.export.outlines import degrees
from geoloc_cli.geo.earth import Floats
from geoloc_cli.geo.fisher import R90_PER_SIGMA

FILE = "geo.txt"
_LEVEL = 1e-6  # a top of the picture that points so nearly up has no direction of its own


def document(photos: Sequence[Located], left_out: Counter[str]) -> str:
    """The file; photos that it cannot name are counted in `left_out`."""
    lines: dict[str, str] = {}
    found = all(photo.fix.alt_m is not None for photo in photos)
    for photo in photos:
        name = PurePath(photo.fix.photo).name
        if not name or name.startswith("#") or name.split() != [name] or not is_utf8(name):
            left_out["with a space, a # or no UTF-8 in its name"] += 1
        elif name in lines:
            left_out["of the same name as another"] += 1
        else:
            lines[name] = " ".join([name, *_values(photo, found=found)])
    return "\n".join(["EPSG:4326", *lines.values(), ""])


def _values(photo: Located, *, found: bool) -> list[str]:
    fix, pose, (lat, lon) = photo.fix, photo.fix.pose, photo.place
    own = photo.photo.altitude if photo.photo and not found else None
    alt_m = fix.alt_m if found else own.alt_m if own else None
    values = [degrees(lon), degrees(lat)]
    if alt_m is None:
        return values
    angles = (math.nan, math.nan, math.nan)  # ODM's word for angles that nobody knows
    if pose and pose.heading_deg is not None and pose.pitch_deg is not None and pose.roll_deg is not None:
        angles = yaw_pitch_roll(pose.heading_deg, pose.pitch_deg, pose.roll_deg)
    values += [degrees(alt_m), *(f"{angle:.4f}" for angle in angles)]
    if fix.radius_m is not None:
        across_m = fix.radius_m / R90_PER_SIGMA
        above_m = pose.position_std_m[2] if found and pose and pose.position_std_m else across_m
        values += [f"{across_m:.3f}", f"{above_m:.3f}"]
    return values


def yaw_pitch_roll(heading_deg: float, pitch_deg: float, roll_deg: float) -> tuple[float, float, float]:
    """Heading, pitch and roll of a fix as ODM's angles, yaw 0 to 360, roll -90 to 90.

    ned_from_body = Rz(yaw) Ry(pitch) Rx(roll), the body's axes being the picture's top, its right and where it looks
    (Bäumker and Heimes 2001). Where the picture's top points straight up or down, roll is 0.
    """
    heading, pitch, roll = (math.radians(angle) for angle in (heading_deg, pitch_deg, roll_deg))
    sight = _ned(heading, pitch)
    right = _ned(heading + math.pi / 2.0, 0.0)
    down = np.cross(sight, right)
    right = math.cos(roll) * right + math.sin(roll) * down
    top = np.cross(right, sight)
    if math.hypot(top[0], top[1]) < _LEVEL:
        yaw, tilt, turn = math.atan2(right[1], right[0]) - math.pi / 2.0, math.copysign(math.pi / 2.0, -top[2]), 0.0
    else:
        yaw, tilt = math.atan2(top[1], top[0]), math.asin(float(np.clip(-top[2], -1.0, 1.0)))
        turn = math.atan2(right[2], sight[2])
        if abs(turn) > math.pi / 2.0:  # the same attitude, told as a camera that looks above the horizon
            yaw, tilt, turn = yaw + math.pi, math.pi - tilt, turn - math.copysign(math.pi, turn)
    return math.degrees(yaw) % 360.0, math.degrees(tilt), math.degrees(turn)


def _ned(azimuth: float, elevation: float) -> Floats:
    level = math.cos(elevation)
    return np.array([level * math.cos(azimuth), level * math.sin(azimuth), -math.sin(elevation)])
