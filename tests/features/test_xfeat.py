"""XFeat from local weights: its pixels are COLMAP's whatever the size, and plain pictures show nothing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from geoloc_cli.errors import WeightsMismatch
from geoloc_cli.features.match import match_unit
from geoloc_cli.features.sift import SiftFeatures
from geoloc_cli.features.xfeat import XFeatFeatures, XFeatOptions
from geoloc_cli.photos.decode import decode_gray

HAS_TORCH = all(importlib.util.find_spec(name) for name in ("torch", "kornia"))
torch_only = pytest.mark.skipif(not HAS_TORCH, reason="needs torch and kornia: make setup-torch")


@pytest.fixture(scope="module")
def xfeat(realdata: Path) -> XFeatFeatures:
    if not HAS_TORCH:
        pytest.skip("needs torch and kornia: make setup-torch")
    return XFeatFeatures(XFeatOptions(weights=str(realdata / "weights" / "xfeat" / "xfeat_backbone_kornia.pth")))


@pytest.fixture(scope="module")
def street(realdata: Path) -> np.ndarray:
    """(H, W) uint8, both multiples of 32."""
    gray = decode_gray(str(realdata / "lund" / "photos" / "01.jpg"), max_size=1024).pixels
    return np.ascontiguousarray(gray[: gray.shape[0] // 32 * 32, : gray.shape[1] // 32 * 32])


@torch_only
def test_weights_without_the_fine_matcher_fit_and_others_are_refused(tmp_path: Path) -> None:
    import torch
    from kornia.feature import XFeatModel

    torch.manual_seed(0)
    state = XFeatModel().state_dict()
    torch.save(state, tmp_path / "xfeat.pt")
    XFeatFeatures(XFeatOptions(weights=str(tmp_path / "xfeat.pt")))
    torch.save({k: v for k, v in state.items() if "fine_matcher" not in k}, tmp_path / "backbone.pth")
    made = XFeatFeatures(XFeatOptions(weights=str(tmp_path / "backbone.pth"), min_score=0.0))
    assert made.options.weights_sha256 in made.identity
    # A picture smaller than the network's cells, of random weights: what is found lies within it.
    found = made.extract(np.random.default_rng(0).integers(0, 255, (20, 25), np.uint8))
    assert found.descriptors.shape == (len(found), 64)
    assert (found.keypoints[:, :2] < (25, 20)).all()
    torch.save({k: v for k, v in state.items() if "keypoint_head" not in k}, tmp_path / "headless.pth")
    with pytest.raises(WeightsMismatch, match="another model"):
        XFeatFeatures(XFeatOptions(weights=str(tmp_path / "headless.pth")))


@pytest.mark.realdata
@pytest.mark.parametrize("shape", [(48, 64), (480, 640), (33, 40), (20, 20)])
@pytest.mark.parametrize("level", [0, 90, 255])
def test_a_blank_picture_has_no_features(xfeat: XFeatFeatures, shape: tuple[int, int], level: int) -> None:
    found = xfeat.extract(np.full(shape, level, np.uint8))
    assert (found.keypoints.shape, found.descriptors.shape) == ((0, 4), (0, 64))
    assert found.descriptors.dtype == np.float32


@pytest.mark.realdata
def test_the_same_picture_gives_the_same_bytes(xfeat: XFeatFeatures, street: np.ndarray) -> None:
    first, again = xfeat.extract(street), xfeat.extract(street)
    assert len(first) > 1000
    assert again.keypoints.tobytes() == first.keypoints.tobytes()
    assert again.descriptors.tobytes() == first.descriptors.tobytes()
    assert np.linalg.norm(first.descriptors, axis=1) == pytest.approx(1.0, abs=1e-5)


def shift(xfeat: XFeatFeatures, query: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """(M, 2) how much further on matches lie in the reference, without those that the median contradicts."""
    q, r = xfeat.extract(query), xfeat.extract(reference)
    pairs = match_unit(q.descriptors, r.descriptors, 0.9)
    further = r.keypoints[pairs[:, 1], :2] - q.keypoints[pairs[:, 0], :2]
    return np.asarray(further[np.linalg.norm(further - np.median(further, axis=0), axis=1) < 3])


@pytest.mark.realdata
@pytest.mark.parametrize(("cut", "within"), [((32, 64), 0.02), ((17, 30), 0.15), ((5, 3), 0.15)])
def test_what_is_cut_off_moves_the_keypoints_by_as_much(
    xfeat: XFeatFeatures, street: np.ndarray, cut: tuple[int, int], within: float
) -> None:
    """The network's grid of 8 px falls elsewhere on sizes that are no multiple of 32: the mean is 0.1 px off there."""
    moved = shift(xfeat, street, np.ascontiguousarray(street[cut[1] :, cut[0] :]))
    assert len(moved) > 1000
    assert np.abs(moved.mean(axis=0) + cut).max() < within


def resampled(gray: np.ndarray, height: int, width: int) -> np.ndarray:
    """Linear between the centres of pixels: x + 0.5 of the result shows (x + 0.5) * W / width of the picture."""
    rows, columns = ((np.arange(n) + 0.5) * side / n - 0.5 for n, side in zip((height, width), gray.shape, strict=True))
    across = np.stack([np.interp(columns, np.arange(gray.shape[1]), row) for row in gray])
    down = np.stack([np.interp(rows, np.arange(gray.shape[0]), column) for column in across.T], axis=1)
    return np.round(down).astype(np.uint8)


@pytest.mark.realdata
@pytest.mark.parametrize("shape", [(95, 127), (126, 94), (31, 125)])
def test_a_picture_that_kornia_stretches_has_its_centres_where_colmap_has_them(
    xfeat: XFeatFeatures, street: np.ndarray, shape: tuple[int, int]
) -> None:
    """Stretched by up to 1.48 here, a constant of half a pixel would be a quarter wrong."""
    whole = resampled(street, *shape)
    sides = [max(32, side // 32 * 32) for side in shape]
    stretch = np.array(shape[::-1]) / sides[::-1]
    ours = xfeat.extract(whole).keypoints[:, :2]
    theirs = xfeat.extract(resampled(whole, *sides)).keypoints[:, :2] * stretch
    away = theirs[:, None] - ours[None]
    nearest = away[np.arange(len(away)), np.linalg.norm(away, axis=2).argmin(axis=1)]
    close = np.linalg.norm(nearest, axis=1) < 1
    # Rounding to whole grey values moves a few.
    assert close.mean() > 0.9
    assert len(ours) > 15
    assert np.abs(np.median(nearest[close], axis=0)).max() < 0.01


@pytest.mark.realdata
def test_sift_agrees_on_where_a_pixel_is(xfeat: XFeatFeatures, street: np.ndarray) -> None:
    """Corners are not blobs, few lie at one place: over ten photographs 599, (-0.07, 0.15) px apart on the mean."""
    points = xfeat.extract(street).keypoints[:, :2]
    sift = SiftFeatures().extract(street).keypoints[:, :2]
    away = sift[None] - points[:, None]
    nearest = away[np.arange(len(away)), np.linalg.norm(away, axis=2).argmin(axis=1)]
    close = nearest[np.linalg.norm(nearest, axis=1) < 1.5]
    assert len(close) > 40
    assert np.abs(close.mean(axis=0)).max() < 0.35


@pytest.mark.realdata
def test_consecutive_steps_of_a_walk_share_hundreds(xfeat: XFeatFeatures, realdata: Path, street: np.ndarray) -> None:
    second = decode_gray(str(realdata / "lund" / "photos" / "02.jpg"), max_size=1024).pixels
    first, second = xfeat.extract(street), xfeat.extract(second)
    assert len(match_unit(first.descriptors, second.descriptors, 0.85)) > 150
