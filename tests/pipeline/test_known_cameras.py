"""Intrinsics that are known of single photos, as data sets state them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geoloc_cli.index.reader import Index
from geoloc_cli.maps.folder import Component
from geoloc_cli.maps.model import SparseModel
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.photos.intrinsics import CameraOverride
from geoloc_cli.pipeline.posing import build_stage, stage_spec
from geoloc_cli.types import Camera

if TYPE_CHECKING:
    from conftest import SmallTown


def test_the_camera_of_one_photo_wins_over_that_of_all(town: SmallTown) -> None:

    one, other = (read_photo(query.path) for query in town.queries[:2])
    own = Camera("PINHOLE", one.width, one.height, (611.0, 612.0, one.width / 2, one.height / 2), "user", 0.0)
    spec = stage_spec(None, CameraOverride(focal_px=500.0), known={one.path: own})
    nothing = Component("0", SparseModel({}, np.zeros((0, 3)), np.zeros(0, np.int64), 0.0), None)
    with Index.open(town.index) as index:
        stage = build_stage(spec, index, None)
        assert stage.cameras(one, one.width, one.height, nothing) == [own]
        (half,) = stage.cameras(one, one.width // 2, one.height // 2, nothing)
        assert half.focal_px == own.focal_px / 2.0
        (stated,) = stage.cameras(other, other.width, other.height, nothing)
        assert stated.focal_px == 500.0
