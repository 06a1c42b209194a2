"""Exports: what other programs' readers find in them is what the records say."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from geoloc_cli.export.formats import FORMATS, Asked
from geoloc_cli.types import Belief, Component, Fix, Pose

FIX = Fix("a.jpg", "ok", "rerank", 47.25, 8.5, None, 12.5, 0.9, Belief((Component(47.25, 8.5, 12.5, 0.9),), 0.1))
POSE = Pose(
    map="maps/city#0",
    georeferenced=True,
    rotation_wxyz=(1.0, 0.0, 0.0, 0.0),
    translation=(0.5, -1.0, 2.0),
    center_in_map=(-0.5, 1.0, -2.0),
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
HOSTILE = "</name>&\"'\x00\x1b]]>\u202e\udcff.jpg"


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format_is_written_of_nothing_and_of_a_hostile_name(name: str) -> None:
    FORMATS[name].write([], Counter(), Asked())
    assert FORMATS[name].write([FIX, replace(FIX, photo=HOSTILE, pose=POSE, stage="pose")], Counter(), Asked())


def test_geojson_has_its_longitude_first_and_a_box() -> None:
    found = json.loads(FORMATS["geojson"].write([FIX, replace(FIX, lat=-10.0, lon=179.0)], Counter(), Asked()))
    assert [f["geometry"]["coordinates"] for f in found["features"]] == [[8.5, 47.25], [179.0, -10.0]]
    assert found["bbox"] == [8.5, -10.0, 179.0, 47.25]
