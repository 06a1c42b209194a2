"""CosPlace and EigenPlaces: their head against plain loops, their files by name, and the backend on small weights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from published_names import left_out, tiny_checkpoint

from geoloc_cli.descriptors.cosplace import (
    CosPlaceDescriptor,
    CosPlaceOptions,
    EigenPlacesDescriptor,
    EigenPlacesOptions,
)
from geoloc_cli.errors import UsageError, WeightsMismatch, WeightsMissing

if TYPE_CHECKING:
    from pathlib import Path

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

TINY = CosPlaceOptions(architecture="resnet18", width=4, dim=32, size_px=48, batch=2)
SIZES = {64: 4, 128: 8, 256: 16, 512: 32}


def pooled(maps: np.ndarray, power: float) -> np.ndarray:
    """(C, h, w) -> (C,): the generalised mean, cell by cell."""
    channels, height, width = maps.shape
    out = np.zeros(channels)
    for c in range(channels):
        total = 0.0
        for y in range(height):
            for x in range(width):
                total += max(maps[c, y, x], 1e-6) ** power
        out[c] = (total / (height * width)) ** (1.0 / power)
    return out


def test_the_head_is_the_plain_one() -> None:
    from geoloc_cli.descriptors.nets.cosplace import CosPlaceHead

    torch.manual_seed(0)
    head = CosPlaceHead(5, 4).double()
    with torch.no_grad():
        head.gem.p.fill_(2.7)
    maps = np.random.default_rng(0).normal(size=(2, 5, 3, 4))
    found = head(torch.from_numpy(maps)).detach().numpy()
    for i in range(2):
        unit = maps[i] / np.sqrt((maps[i] ** 2).sum(axis=0, keepdims=True))
        raw = head.fc.weight.detach().numpy() @ pooled(unit, 2.7) + head.fc.bias.detach().numpy()
        assert found[i] == pytest.approx(raw / np.linalg.norm(raw), abs=1e-6)
    places = torch.from_numpy(maps).flatten(2)[:, :, torch.randperm(12)].reshape(2, 5, 3, 4)
    assert head(places).detach().numpy() == pytest.approx(found, abs=1e-6)


@pytest.mark.parametrize("architecture", ["resnet18", "resnet50", "resnet101", "resnet152"])
@pytest.mark.parametrize("backend", [CosPlaceDescriptor, EigenPlacesDescriptor])
def test_every_published_tensor_has_its_place_and_every_place_its_tensor(backend: Any, architecture: str) -> None:
    options = CosPlaceOptions(architecture=architecture)
    assert left_out(backend, options, f"cosplace-{architecture}") == set()


@pytest.mark.parametrize("backend", [CosPlaceDescriptor, EigenPlacesDescriptor])
def test_pictures_get_unit_rows_whatever_their_company(tmp_path: Path, backend: Any) -> None:
    path = tiny_checkpoint("cosplace-resnet18", tmp_path / "tiny.pth", SIZES)
    made = backend(replace(TINY, weights=str(path)))
    rng = np.random.default_rng(0)
    pictures = [
        rng.integers(0, 256, (h, w, 3), np.uint8) for h, w in ((60, 90), (90, 60), (60, 90), (64, 96), (48, 48))
    ]
    rows = made.embed(pictures)
    assert rows.shape == (5, 32)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert np.abs(rows - np.concatenate([made.embed([picture]) for picture in pictures])).max() < 1e-5
    assert np.array_equal(rows, backend(made.options).embed(pictures))
    assert np.abs(rows[0] - rows[2]).max() > 1e-4  # other pictures, other vectors


def test_other_weights_and_none_are_refused(tmp_path: Path) -> None:
    path = tiny_checkpoint("cosplace-resnet18", tmp_path / "tiny.pth", SIZES)
    made = CosPlaceDescriptor(replace(TINY, weights=str(path)))
    other = tiny_checkpoint("cosplace-resnet18", tmp_path / "other.pth", SIZES, seed=1)
    with pytest.raises(WeightsMismatch, match="SHA-256"):
        CosPlaceDescriptor(replace(made.options, weights=str(other)))
    with pytest.raises(WeightsMismatch, match="another model"):
        CosPlaceDescriptor(replace(TINY, weights=str(path), dim=7))
    with pytest.raises(WeightsMismatch, match="another model"):
        CosPlaceDescriptor(replace(TINY, weights=str(path), architecture="resnet50"))


def test_each_looks_for_its_own_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsMissing, match=r"ResNet50_512_cosplace\.pth"):
        CosPlaceDescriptor()
    with pytest.raises(WeightsMissing, match=r"ResNet50_2048_eigenplaces\.pth"):
        EigenPlacesDescriptor()
    with pytest.raises(WeightsMissing, match=r"ResNet101_128_eigenplaces\.pth"):
        EigenPlacesDescriptor(EigenPlacesOptions(architecture="resnet101", dim=128))


@pytest.mark.parametrize("wrong", [{"architecture": "vgg16"}, {"dim": 0}, {"width": 0}, {"size_px": 3}])
def test_options_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        CosPlaceOptions(**wrong).check()
