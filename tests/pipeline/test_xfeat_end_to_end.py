"""XFeat with LighterGlue through the commands: a street located, a fountain mapped and posed, by real weights."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from program import called

from geoloc_cli.maps.folder import open_map, read_manifest
from geoloc_cli.maps.similarity import umeyama

HAS_ALL = all(importlib.util.find_spec(name) for name in ("torch", "kornia", "onnxruntime"))
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not HAS_ALL, reason="needs torch, kornia and onnxruntime: make setup-torch"),
]


@pytest.fixture(scope="module")
def weights(realdata: Path) -> Path:
    folder = realdata / "weights" / "xfeat"
    if not folder.is_dir():
        pytest.skip(f"no weights of XFeat at {folder}")
    return folder


def geoloc(*arguments: str | Path) -> list[dict[str, Any]]:
    done = called(*arguments, "--workers", "1", "--quiet")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"')]


def test_a_street_is_located(realdata: Path, tmp_path: Path, weights: Path) -> None:
    features = f"xfeat?weights={weights / 'xfeat_backbone_kornia.pth'}&max_size_px=640&max_features=1024"
    photos = realdata / "lund" / "photos"
    listed = [photos / f"{i:02d}.jpg" for i in (2, 4, 20)]
    geoloc("index", "build", *listed, "--index", tmp_path / "index", "--features", features)
    matcher = f"lighterglue?weights={weights / 'lighterglue_L3.onnx'}"
    asked = ["--index", tmp_path / "index", "--format", "jsonl", "--explain", "--matcher", matcher]
    (fix,) = geoloc("locate", photos / "03.jpg", *asked)
    assert fix["status"] == "ok"
    best = fix["candidates"][0]
    assert Path(best["photo"]).name in ("02.jpg", "04.jpg")
    # One step along a walk, and most of what the network matches agrees on it.
    assert best["inliers"] > 40
    assert best["inliers"] > 0.5 * best["matches"]


def test_a_fountain_is_mapped_and_posed(realdata: Path, tmp_path: Path, weights: Path) -> None:
    features = f"xfeat?weights={weights / 'xfeat_backbone_kornia.pth'}&max_features=1024"
    matcher = f"lighterglue?weights={weights / 'lighterglue_L3.onnx'}"
    photos = realdata / "fountain" / "photos"
    said = json.loads((realdata / "fountain" / "poses.json").read_text())
    p = said["0000.jpg"]
    lens = ["--camera", f"PINHOLE,{p['width']},{p['height']},{p['fx']},{p['fy']},{p['cx']},{p['cy']}"]
    at = tmp_path / "map"
    listed = [photos / f"000{i}.jpg" for i in (3, 4, 6, 7)]
    geoloc("map", "build", *listed, "--map", at, *lens, "--features", features, "--matcher", matcher)
    assert read_manifest(at)["matcher"]["name"] == "lighterglue"
    images = open_map(at)[0].model.images
    assert len(images) == 4
    (fix,) = geoloc(
        "locate", photos / "0005.jpg", "--map", at, "--pose", *lens, "--format", "jsonl", "--matcher", matcher
    )
    assert fix["pose"], fix["reason"]
    truth = {path: np.array(said[Path(path).name]["center_in_world"]) for path in images}
    scale, turn, shift = umeyama(
        np.stack([image.center_in_map for image in images.values()]), np.stack([truth[path] for path in images])
    )
    center = scale * turn @ np.array(fix["pose"]["center_in_map"]) + shift
    # Keypoints are whole pixels, so that of all eleven photographs such poses are 10 mm off, 5 m away.
    assert np.linalg.norm(center - said["0005.jpg"]["center_in_world"]) < 0.03
