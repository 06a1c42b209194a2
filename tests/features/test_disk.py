"""DISK from a local file that wraps its weights, here seeded random ones."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from geoloc_cli.errors import WeightsMismatch
from geoloc_cli.features.disk import DiskFeatures, DiskOptions

HAS_TORCH = all(importlib.util.find_spec(name) for name in ("torch", "kornia"))


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> DiskFeatures:
    """Random and mirrored: what the network sees in a picture it sees mirrored in the mirrored one."""
    if not HAS_TORCH:
        pytest.skip("needs torch and kornia: make setup-torch")
    import torch
    from kornia.feature import DISK

    torch.manual_seed(0)
    state = DISK().state_dict()
    for name, value in state.items():
        if value.dim() == 4:
            state[name] = (value + value.flip(-1)) / 2
    path = tmp_path_factory.mktemp("disk") / "depth-save.pth"
    torch.save({"extractor": state}, path)
    return DiskFeatures(DiskOptions(weights=str(path)))


def noise(shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, shape, np.uint8)


def test_a_picture_gives_unit_rows_of_128_the_strongest_first(disk: DiskFeatures) -> None:
    found, again = disk.extract(noise((96, 128))), disk.extract(noise((96, 128)))
    assert len(found) > 50
    assert found.descriptors.shape == (len(found), 128)
    assert np.linalg.norm(found.descriptors, axis=1) == pytest.approx(1.0, abs=1e-4)
    assert again.keypoints.tobytes() == found.keypoints.tobytes()
    assert again.descriptors.tobytes() == found.descriptors.tobytes()
    # kornia gives them row by row.
    few = DiskFeatures(DiskOptions(weights=disk.options.weights, max_features=20)).extract(noise((96, 128)))
    assert few.keypoints.tobytes() == found.keypoints[:20].tobytes()


def test_the_mirrored_picture_has_mirrored_keypoints(disk: DiskFeatures) -> None:
    """x + x' is the width where the first pixel's centre lies at 0.5, and one less where it lies at 0."""
    picture = noise((96, 128))
    ours = disk.extract(picture).keypoints[:, :2]
    mirrored = disk.extract(np.ascontiguousarray(picture[:, ::-1])).keypoints[:, :2] * (-1, 1) + (128, 0)
    # Near-ties fall differently where sums are rounded in another order.
    assert (np.linalg.norm(ours[:, None] - mirrored[None], axis=2).min(axis=1) < 1e-3).mean() > 0.9


@pytest.mark.parametrize("shape", [(99, 133), (33, 40), (20, 20), (7, 7), (1, 300)])
@pytest.mark.parametrize("blank", [False, True])
def test_pictures_of_any_size_and_blank_ones_are_no_failure(
    disk: DiskFeatures, shape: tuple[int, int], blank: bool
) -> None:
    found = disk.extract(np.full(shape, 90, np.uint8) if blank else noise(shape))
    assert found.descriptors.shape == (len(found), 128)
    assert (found.keypoints[:, :2] <= shape[::-1]).all()


def test_weights_of_another_model_are_refused(tmp_path: Path, disk: DiskFeatures) -> None:
    import torch

    state = torch.load(disk.options.weights, weights_only=True)["extractor"]
    state.pop(next(iter(state)))
    torch.save({"extractor": state}, tmp_path / "depth-save.pth")
    with pytest.raises(WeightsMismatch, match="another model"):
        DiskFeatures(DiskOptions(weights=str(tmp_path / "depth-save.pth")))
