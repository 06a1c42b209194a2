"""How the camera was held, as drones and phones write it in XMP -> an Attitude of the upright picture.

Three conventions, all intrinsic turns by yaw, pitch and roll from north-east-down:

- `drone-dji:Gimbal*Degree`: the body's x axis is the optical axis, y points right; pitch -90 looks straight down, and
  roll is about the optical axis (DJI's SDK: gimbal attitude, NED). These are the angles of `types.Attitude` themselves.
- `Camera:Yaw, Pitch, Roll` of Pix4D, Parrot, MicaSense and senseFly: the body's x axis is the top of the picture, z the
  optical axis; pitch 0 looks straight down, 90 ahead, and roll is about the picture's upward axis (OpenSfM's
  exif.extract_opk, after Bäumker and Heimes 2001). As OpenDroneMap's photo.py has it, senseFly's roll has the other
  sign, and DJI and Hasselblad use the first convention under these names, too.
- `GPano:Pose*Degrees`: pitch above the horizon; with growing roll the horizon turns counterclockwise in the picture
  (Google's Photo Sphere XMP), which is the first convention again.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from geoloc_cli.types import Attitude

_PIX4D = ("http://pix4d.com/camera/1.0/", "http://pix4d.com/camera/1.0", "http://ns.sensefly.com/Camera/1.0/")
# A gimbal's horizon is calibrated to about a degree; a body's inertial sensors, or a phone's, less well.
_GIMBAL_STD_DEG, _BODY_STD_DEG = 1.0, 2.0
# Gimbals overshoot the nadir, and some look past it.
_GIMBAL_PITCH_DEG = 135.0
# Degrees by which a picture's roll changes as it is turned upright, by its EXIF orientation; others are mirrored.
_TURNS = {1: 0.0, 3: 180.0, 6: -90.0, 8: 90.0}
_UNDIRECTED = 1e-9


@dataclass(frozen=True, slots=True)
class _Convention:
    """keys: the properties of yaw, pitch and roll."""

    source: str
    keys: tuple[str, str, str]
    max_pitch_deg: float
    std_deg: float


def _keys(pattern: str, yaw: str = "Yaw") -> tuple[str, str, str]:
    return pattern.format(yaw), pattern.format("Pitch"), pattern.format("Roll")


_CONVENTIONS = (
    _Convention("dji", _keys("http://www.dji.com/drone-dji/1.0/ Gimbal{}Degree"), _GIMBAL_PITCH_DEG, _GIMBAL_STD_DEG),
    *(_Convention("pix4d", _keys(f"{namespace} {{}}"), 180.0, _BODY_STD_DEG) for namespace in _PIX4D),
    _Convention(
        "gpano", _keys("http://ns.google.com/photos/1.0/panorama/ Pose{}Degrees", "Heading"), 90.0, _BODY_STD_DEG
    ),
)
ATTITUDE_KEYS = tuple(key for convention in _CONVENTIONS for key in convention.keys)


def xmp_attitude(values: dict[str, str], make: str | None, orientation: int) -> tuple[Attitude | None, list[str]]:
    """The attitude of the upright picture and doubts about it; values: XMP properties by namespace and name.

    make: EXIF's; orientation: what the pixels still need, 1 to 8 (the angles are those of the picture as stored).
    """
    convention = next((c for c in _CONVENTIONS if all(key in values for key in c.keys[1:])), None)
    if convention is None:
        return None, []
    yaw, pitch, roll = (number(values.get(key, "")) for key in convention.keys)
    why = _implausible(convention, yaw, pitch, roll, values.get(convention.keys[0]))
    if why is None and orientation not in _TURNS:
        why = "its picture is stored mirrored"
    if why is not None or pitch is None or roll is None:
        return None, [f"Its attitude was left out: {why}."]
    maker = (make or "").lower()
    if convention.source == "pix4d" and maker not in ("dji", "hasselblad"):
        heading, pitch, roll = _of_nadir_body(yaw, pitch, -roll if maker == "sensefly" else roll)
    else:
        heading, pitch, roll = _folded(yaw, pitch, roll)
    return Attitude(
        pitch_deg=pitch,
        roll_deg=_wrapped(roll + _TURNS[orientation]),
        std_deg=convention.std_deg,
        source=convention.source,
        heading_deg=None if heading is None else heading % 360.0,
        # The first two count from geographic north, as the frame of their position does; a photo sphere's is a compass.
        heading_ref=None if heading is None or convention.source == "gpano" else "true",
    ), []


def _implausible(
    convention: _Convention, yaw: float | None, pitch: float | None, roll: float | None, yaw_text: str | None
) -> str | None:
    for name, value, limit in (("pitch", pitch, convention.max_pitch_deg), ("roll", roll, 180.0), ("yaw", yaw, 360.0)):
        if value is None and (name != "yaw" or yaw_text is not None):
            return f"its {name} is not a number"
        if value is not None and abs(value) > limit:
            return f"{name} {value:g} is not within -{limit:g} to {limit:g} degrees"
    if (yaw or 0.0) == pitch == roll == 0.0:
        return "yaw, pitch and roll of 0 are what devices write that do not know them"
    return None


def _folded(yaw: float | None, pitch: float, roll: float) -> tuple[float | None, float, float]:
    """The same turn with a pitch within 90 degrees: past the nadir a camera looks backwards, on its head."""
    if abs(pitch) <= 90.0:
        return yaw, pitch, roll
    return None if yaw is None else yaw + 180.0, math.copysign(180.0, pitch) - pitch, roll + 180.0


def _of_nadir_body(yaw: float | None, pitch: float, roll: float) -> tuple[float | None, float, float]:
    """Heading, pitch and roll of the optical axis from the angles of a body that looks down when level.

    The body's rotation to north-east-down is Rz(yaw) Ry(pitch) Rx(roll); a camera's x is the body's y, its y the
    body's -x, its z the body's z. With it down is (cos p sin r, sin p, cos p cos r) in the camera.
    """
    p, r = math.radians(pitch), math.radians(roll)
    right, below, ahead = math.cos(p) * math.sin(r), math.sin(p), math.cos(p) * math.cos(r)
    level = math.hypot(right, below)
    if level < _UNDIRECTED:
        return yaw, math.copysign(90.0, -ahead), 0.0
    heading = None
    if yaw is not None:
        # North and east of the optical axis, before the turn by yaw.
        heading = yaw + math.degrees(math.atan2(-math.sin(r), math.sin(p) * math.cos(r)))
    return heading, math.degrees(math.atan2(-ahead, level)), math.degrees(math.atan2(right, below))


def _wrapped(degrees: float) -> float:
    return math.remainder(degrees, 360.0)


def number(text: str) -> float | None:
    """A finite decimal number or rational, with a sign or without, as XMP writes them."""
    match = re.fullmatch(r"([+-]?\d+(?:\.\d+)?)(?:/(\d+(?:\.\d+)?))?", text)
    if not match:
        return None
    denominator = float(match[2] or 1.0)
    value = float(match[1]) / denominator if denominator else math.nan
    return value if math.isfinite(value) else None
