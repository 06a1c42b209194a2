"""SuperPoint from a local safetensors file, here of seeded random weights: the published ones may not be copied."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from geoloc_cli.errors import WeightsMismatch, WeightsMissing
from geoloc_cli.features.superpoint import SuperPointFeatures, SuperPointOptions
from geoloc_cli.registry import find

HAS_TORCH = all(importlib.util.find_spec(name) for name in ("torch", "transformers", "safetensors"))
torch_only = pytest.mark.skipif(not HAS_TORCH, reason="needs torch and transformers: make setup-torch")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random and mirrored: what the network sees in a picture it sees mirrored in the mirrored one."""
    if not HAS_TORCH:
        pytest.skip("needs torch and transformers: make setup-torch")
    import torch
    from safetensors.torch import save_file
    from transformers import SuperPointConfig, SuperPointForKeypointDetection

    torch.manual_seed(0)
    state = SuperPointForKeypointDetection(SuperPointConfig()).state_dict()
    for name, value in state.items():
        if value.dim() == 4:
            # The initial ones are so small that all pixels would score alike.
            state[name] = 3 * (value + value.flip(-1))
    head = state["keypoint_decoder.conv_score_b.weight"]
    cell = head[:64].reshape(8, 8, -1)
    head[:64] = ((cell + cell.flip(1)) / 2).reshape(64, *head.shape[1:])
    path = tmp_path_factory.mktemp("superpoint") / "superpoint.safetensors"
    save_file({name: value.contiguous() for name, value in state.items()}, path)
    return path


@pytest.fixture(scope="module")
def superpoint(weights: Path) -> SuperPointFeatures:
    return SuperPointFeatures(SuperPointOptions(weights=str(weights)))


def noise(shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, shape, np.uint8)


def test_its_licence_is_said_plainly() -> None:
    row = find("features", "superpoint")
    assert "non-commercial research only" in row.licence
    assert "non-commercial research only" in row.summary


def test_a_picture_gives_unit_rows_of_256_and_the_same_bytes_again(superpoint: SuperPointFeatures) -> None:
    found, again = superpoint.extract(noise((96, 128))), superpoint.extract(noise((96, 128)))
    assert len(found) > 50
    assert found.descriptors.shape == (len(found), 256)
    assert np.linalg.norm(found.descriptors, axis=1) == pytest.approx(1.0, abs=1e-4)
    assert again.keypoints.tobytes() == found.keypoints.tobytes()
    assert again.descriptors.tobytes() == found.descriptors.tobytes()
    assert superpoint.identity.startswith("transformers ")
    assert superpoint.options.weights_sha256 in superpoint.identity


def test_the_mirrored_picture_has_mirrored_keypoints(superpoint: SuperPointFeatures) -> None:
    """x + x' is the width where the first pixel's centre lies at 0.5, and one less where it lies at 0."""
    picture = noise((96, 128))
    ours = superpoint.extract(picture).keypoints[:, :2]
    mirrored = superpoint.extract(np.ascontiguousarray(picture[:, ::-1])).keypoints[:, :2] * (-1, 1) + (128, 0)
    # Near-ties fall differently where sums are rounded in another order.
    assert (np.linalg.norm(ours[:, None] - mirrored[None], axis=2).min(axis=1) < 1e-3).mean() > 0.9


@pytest.mark.parametrize("shape", [(103, 135), (33, 40), (20, 20), (7, 7), (1, 300)])
def test_sides_that_are_no_multiple_of_8_are_seen_to_their_end(
    superpoint: SuperPointFeatures, shape: tuple[int, int]
) -> None:
    found = superpoint.extract(noise(shape))
    assert found.descriptors.shape == (len(found), 256)
    assert (found.keypoints[:, :2] <= shape[::-1]).all()
    if min(shape) > 90:
        # transformers alone would see 96 of 103 rows and 128 of 135 columns.
        assert (found.keypoints[:, :2].max(axis=0) > (128, 96)).all()


def test_the_padding_at_all_four_borders_gives_no_keypoints(superpoint: SuperPointFeatures) -> None:
    points = superpoint.extract(noise((96, 128))).keypoints[:, :2]
    assert (points.min(axis=0) > 4).all()
    assert (points.max(axis=0) < (124, 92)).all()


def test_a_blank_picture_is_no_failure(superpoint: SuperPointFeatures) -> None:
    found = superpoint.extract(np.full((64, 64), 90, np.uint8))
    assert found.descriptors.shape == (len(found), 256)
    demanding = SuperPointFeatures(SuperPointOptions(weights=superpoint.options.weights, min_score=0.99))
    nothing = demanding.extract(np.full((64, 64), 90, np.uint8))
    assert (nothing.keypoints.shape, nothing.descriptors.shape) == ((0, 4), (0, 256))


def test_other_weights_and_none_are_refused(weights: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(weights)
    state.pop("descriptor_decoder.conv_descriptor_b.bias")
    save_file(state, tmp_path / "superpoint.safetensors")
    with pytest.raises(WeightsMismatch, match="another model"):
        SuperPointFeatures(SuperPointOptions(weights=str(tmp_path / "superpoint.safetensors")))
    with pytest.raises(WeightsMissing, match=r"gone\.safetensors"):
        SuperPointFeatures(SuperPointOptions(weights=str(tmp_path / "gone.safetensors")))
