"""Poses against laser-scanned ones: a fountain, mapped by seven photographs, of which four others are asked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.maps.folder import index_of, open_map
from geoloc_cli.maps.poses import rotation_of_quaternion
from geoloc_cli.maps.similarity import umeyama
from geoloc_cli.photos.intrinsics import CameraOverride, parse_camera
from geoloc_cli.pipeline.batch import locate_photos
from geoloc_cli.pipeline.build import build_index
from geoloc_cli.pipeline.locate import LocateOptions
from geoloc_cli.pipeline.map import build_map
from geoloc_cli.pipeline.posing import stage_spec
from geoloc_cli.types import Fix


@pytest.mark.realdata
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("known", "most_m", "most_deg"),
    [
        (True, 0.010, 0.1),
        # Without a word on the lens its focal length, distortion and centre are found by the mapping.
        (False, 0.030, 0.2),
    ],
)
def test_a_fountain_is_posed_to_millimetres(
    realdata: Path, tmp_path: Path, described: str, known: bool, most_m: float, most_deg: float
) -> None:
    folder = realdata / "fountain"
    queries = json.loads((realdata / "splits.json").read_text())["fountain"]["queries"]
    said = json.loads((folder / "poses.json").read_text())
    p = said["0000.jpg"]
    lens = f"PINHOLE,{p['width']},{p['height']},{p['fx']},{p['fy']},{p['cx']},{p['cy']}"
    override = CameraOverride(camera=parse_camera(lens)) if known else None
    photos = sorted(str(path) for path in (folder / "photos").glob("*.jpg") if path.name not in queries)
    at = tmp_path / "map"
    build_index(index_of(at), photos, parallel_map=LocalPool(1), camera=override, placed=False, cache=described)
    report = build_map(at, LocalPool(1))
    assert report.registered == (len(photos),)
    images = open_map(at)[0].model.images
    scale, turn, shift = umeyama(
        np.stack([images[path].center_in_map for path in photos]),
        np.stack([np.array(said[Path(path).name]["center_in_world"]) for path in photos]),
    )
    paths = [str(folder / "photos" / query) for query in queries]
    places, turns = [], []
    stage = stage_spec(str(at), override)
    for fix in locate_photos(index_of(at), paths, LocateOptions(), LocalPool(1), pose=stage, cache=described):
        assert isinstance(fix, Fix)
        assert fix.pose is not None, fix.reason
        true = said[Path(fix.photo).name]
        center = scale * turn @ np.array(fix.pose.center_in_map) + shift
        places.append(float(np.linalg.norm(center - true["center_in_world"])))
        cam_from_world = rotation_of_quaternion(np.array(fix.pose.rotation_wxyz)) @ turn.T
        cosine = (np.trace(cam_from_world @ np.array(true["R_cam_from_world"]).T) - 1.0) / 2.0
        turns.append(float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))))
    assert len(places) == 4
    assert np.median(places) < most_m
    assert np.median(turns) < most_deg
