"""Fixes, photographs and names that the tests of exports share."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from geoloc_cli.export.formats import FORMATS, Asked
from geoloc_cli.export.located import Located
from geoloc_cli.types import Belief, Candidate, Component, Fix, Pose

FIX = Fix(
    photo="a.jpg",
    status="ok",
    stage="rerank",
    lat=47.25,
    lon=8.5,
    alt_m=None,
    radius_m=12.5,
    confidence=0.9,
    belief=Belief((Component(47.25, 8.5, 12.5, 0.9),), 0.1),
    candidates=(Candidate("=near.jpg", 47.25, 8.5, 0.75, inliers=40),),
)
POSE = Pose(
    map="maps/city#0",
    georeferenced=True,
    rotation_wxyz=(0.5, 0.5, -0.5, 0.5),
    translation=(0.5, -1.0, 2.0),
    center_in_map=(-2.0, 0.5, -1.0),
    center_in_enu=(1.0, 2.0, 3.0),
    heading_deg=90.0,
    pitch_deg=-10.0,
    roll_deg=5.0,
    inliers=50,
    inlier_ratio=0.5,
    reprojection_px=1.0,
    position_std_m=(0.5, 0.6, 0.9),
    rotation_std_deg=(0.1, 0.1, 0.1),
    solver="poselib",
)
POSED = replace(FIX, photo="b.jpg", stage="pose", lat=-33.5, lon=-70.25, alt_m=512.25, pose=POSE)
SEA_M = 482.5
"""How high POSED is above the sea: EGM96 has a point of its grid there, 29.75 m above the ellipsoid."""
HOSTILE = "</name>&\"'\x00\x1b]]>\u202e\udcff.jpg"
SHOWN = "</name>&\"'\\x00\\x1b]]>\\u202e\\udcff.jpg"
"""The hostile name as XML shows it."""


def write(name: str, *fixes: Fix, asked: Asked | None = None, left_out: Counter[str] | None = None) -> bytes:
    """The file of a format."""
    left_out = Counter() if left_out is None else left_out
    content = FORMATS[name].write([Located(fix) for fix in fixes], left_out, asked or Asked())
    assert isinstance(content, bytes)
    return content


def picture(path: Path, taken: str | None = None, offset: str | None = None, alt_m: float | None = None) -> str:
    """A grey picture of 64 x 48 pixels by a lens of 24 mm, taken at an EXIF time with its offset, and a height."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Maker", "Model 1"
    inner = exif.get_ifd(0x8769)
    inner[0xA405] = 24
    if taken:
        inner[0x9003] = taken
    if offset:
        inner[0x9011] = offset
    if alt_m is not None:
        exif.get_ifd(0x8825)[6] = alt_m
    Image.fromarray(np.full((48, 64), 128, np.uint8)).save(path, exif=exif)
    return str(path)
