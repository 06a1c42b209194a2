"""ALIKED from local weights: keypoints where SIFT's pixels are, and nothing but a state dict is ever loaded."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geoloc_cli.errors import MissingExtra, UsageError, WeightsMismatch, WeightsMissing
from geoloc_cli.features.aliked import AlikedFeatures, AlikedOptions
from geoloc_cli.features.match import match_unit
from geoloc_cli.features.sift import SiftFeatures
from geoloc_cli.photos.decode import decode_gray

HAS_TORCH = all(importlib.util.find_spec(name) for name in ("torch", "kornia"))
torch_only = pytest.mark.skipif(not HAS_TORCH, reason="needs torch and kornia: make test sets them up")


def tiny_weights(folder: Path, **changes: Any) -> Path:
    """A state dict of the smallest model with random numbers, as its authors write theirs."""
    import torch
    from kornia.feature import ALIKED

    torch.manual_seed(0)
    state = ALIKED("aliked-t16").state_dict()
    state.pop("dkd.hw_grid", None)
    for name, value in changes.items():
        state[name] = value
    path = folder / "aliked-t16.pth"
    torch.save(state, path)
    return path


@pytest.mark.skipif(HAS_TORCH, reason="says what is missing where torch is not installed")
def test_without_torch_the_remedy_is_said() -> None:
    with pytest.raises(MissingExtra, match=r"geoloc\[torch\]"):
        AlikedFeatures()


@pytest.mark.parametrize("wrong", [{"model_name": "n16"}, {"max_size_px": 8}, {"max_features": 0}, {"min_score": 2.0}])
def test_options_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        AlikedOptions(**wrong).check()


@torch_only
def test_weights_are_found_pinned_and_refused_where_they_are_others(tmp_path: Path) -> None:
    path = tiny_weights(tmp_path)
    made = AlikedFeatures(AlikedOptions(weights=str(path), model_name="aliked-t16"))
    assert len(made.options.weights_sha256) == 64
    assert made.options.weights_sha256 in made.identity
    with pytest.raises(WeightsMissing, match=r"gone\.pth"):
        AlikedFeatures(AlikedOptions(weights=str(tmp_path / "gone.pth"), model_name="aliked-t16"))
    with pytest.raises(WeightsMismatch, match="another model"):
        AlikedFeatures(AlikedOptions(weights=str(path), model_name="aliked-n16"))
    with pytest.raises(WeightsMismatch, match="SHA-256"):
        AlikedFeatures(AlikedOptions(weights=str(path), weights_sha256="0" * 64, model_name="aliked-t16"))


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return (open, ("stolen.txt", "w"))


@torch_only
def test_a_pickle_with_code_in_it_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "aliked-t16.pth"
    torch = importlib.import_module("torch")
    torch.save({"weights": Hostile()}, path)
    with pytest.raises(WeightsMismatch, match="state dict"):
        AlikedFeatures(AlikedOptions(weights=str(path), model_name="aliked-t16"))
    assert not (tmp_path / "stolen.txt").exists()


@torch_only
@pytest.mark.parametrize("shape", [(48, 64), (480, 640), (33, 40)])
def test_a_blank_picture_has_few_features_and_all_lie_in_it(tmp_path: Path, shape: tuple[int, int]) -> None:
    made = AlikedFeatures(AlikedOptions(weights=str(tiny_weights(tmp_path)), model_name="aliked-t16"))
    found = made.extract(np.full(shape, 90, np.uint8))
    assert found.keypoints.shape[1] == 4
    assert found.descriptors.dtype == np.float32
    assert (found.keypoints[:, 0] <= shape[1]).all()
    assert (found.keypoints[:, 1] <= shape[0]).all()


@torch_only
@pytest.mark.realdata
def test_real_weights_agree_with_sift_on_where_a_pixel_is_and_match_a_street(realdata: Path) -> None:
    made = AlikedFeatures(AlikedOptions(weights=str(realdata / "weights" / "aliked-n16.pth"), max_size_px=800))
    grays = [decode_gray(str(realdata / "lund" / "photos" / f"0{i}.jpg"), max_size=800).pixels for i in (1, 2)]
    first, second = (made.extract(gray) for gray in grays)
    again = made.extract(grays[0])
    assert again.keypoints.tobytes() == first.keypoints.tobytes()
    assert np.linalg.norm(first.descriptors, axis=1) == pytest.approx(1.0, abs=1e-3)
    # The network's own bias is a quarter of a pixel on this street.
    sift = SiftFeatures().extract(grays[0]).keypoints[:, :2]
    away = np.linalg.norm(first.keypoints[:, None, :2] - sift[None], axis=2)
    near = away.argmin(axis=1)
    close = away[np.arange(len(near)), near] < 1.5
    assert close.sum() > 30
    assert np.abs(np.median(sift[near[close]] - first.keypoints[:, :2][close], axis=0)).max() < 0.45
    # Consecutive steps of a walk share hundreds.
    assert len(match_unit(first.descriptors, second.descriptors, 0.85)) > 150
