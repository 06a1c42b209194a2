"""What learned descriptors share, on a network that is known: the mean colour of the normalised picture."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from geoloc_cli.descriptors.learned import IMAGENET_MEAN, IMAGENET_STD, LearnedDescriptor, PictureOptions, numbers
from geoloc_cli.errors import RunError, UsageError, WeightsMismatch, WeightsMissing

if TYPE_CHECKING:
    from pathlib import Path

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

SEEN: list[tuple[tuple[int, ...], str, bool]] = []


def network() -> Any:
    class Colour(torch.nn.Module):
        dim = 3

        def __init__(self) -> None:
            super().__init__()
            self.backbone = torch.nn.Conv2d(3, 3, 1, bias=False)
            self.backbone.weight.data = torch.eye(3)[:, :, None, None].clone()

        def forward(self, pictures: Any) -> Any:
            exact = not torch.backends.cudnn.allow_tf32
            SEEN.append((tuple(pictures.shape), torch.get_float32_matmul_precision(), exact))
            found = self.backbone(pictures.to(self.backbone.weight.dtype)).float()
            return torch.nn.functional.normalize(found.mean(dim=(2, 3)), dim=1)

    return Colour()


class ColourDescriptor(LearnedDescriptor[PictureOptions]):
    name = "colour"

    def usual_file(self, options: PictureOptions) -> str:
        return "colour.pth"

    def build(self, options: PictureOptions) -> Any:
        return network()

    def renamed(self, options: PictureOptions, state: dict[str, Any]) -> dict[str, Any]:
        return {name.replace("published.", "backbone."): value for name, value in state.items()}

    def multiple_px(self, options: PictureOptions) -> int:
        return 14


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "colour.pth"
    torch.save({"published.weight": network().backbone.weight.data}, path)
    SEEN.clear()
    return path


def made(weights: Path, **given: Any) -> ColourDescriptor:
    return ColourDescriptor(PictureOptions(weights=str(weights), **given))


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)


def test_a_picture_of_one_colour_gives_that_colour_normalised(weights: Path) -> None:
    colour = np.array([200, 40, 90], np.uint8)
    truth = (colour / 255 - numbers("mean", IMAGENET_MEAN)) / numbers("std", IMAGENET_STD)
    (row,) = made(weights).embed([np.broadcast_to(colour, (50, 70, 3)).copy()])
    assert row == pytest.approx(truth / np.linalg.norm(truth), abs=1e-6)
    (plain,) = made(weights, mean="0,0,0", std="1,1,1").embed([np.broadcast_to(colour, (50, 70, 3)).copy()])
    assert plain == pytest.approx(colour / np.linalg.norm(colour.astype(float)), abs=1e-6)


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ({}, (322, 322)),
        ({"size_px": 100}, (98, 98)),
        ({"size_px": 210, "resize": "shorter"}, (280, 210)),
        ({"size_px": 320, "resize": "longer"}, (322, 238)),
        ({"size_px": 0}, (644, 476)),
        ({"size_px": 0, "resize": "longer"}, (644, 476)),
    ],
)
def test_the_network_sees_the_size_that_was_asked_for(weights: Path, given: dict[str, Any], size: Any) -> None:
    """Of a picture of 640 by 480; every side is a multiple of 14, the nearest."""
    model = made(weights, **given)
    assert model.target(640, 480) == size
    model.embed([noise(480, 640)])
    assert SEEN[-1][0] == (1, 3, size[1], size[0])


def test_a_strip_keeps_a_side_of_one_patch(weights: Path) -> None:
    assert made(weights, resize="longer").target(4000, 20) == (322, 14)


@pytest.mark.parametrize(("resize", "px"), [("square", 644), ("shorter", 644), ("longer", 322)])
def test_a_picture_is_wanted_as_large_as_it_is_of_use(weights: Path, resize: str, px: int) -> None:
    model = made(weights, resize=resize)
    assert model.wanted_px() == px
    # At 2:1, and decoded so, no side is stretched.
    across, down = model.target(px, px // 2)
    assert (across <= px, down <= px) == (True, True)
    if resize != "longer":
        assert min(px, px // 2) >= min(across, down)
    assert made(weights, size_px=0).wanted_px() == 0


def test_what_is_reduced_is_averaged(weights: Path) -> None:
    """Stripes one pixel wide come out grey: every pixel within a level of the mean."""
    stripes = np.zeros((644, 644, 3), np.uint8)
    stripes[:, ::2] = 255
    for kind in ("bilinear", "bicubic"):
        seen = made(weights, filter=kind, mean="0,0,0", std="1,1,1")._prepared(stripes)
        inner = seen[:, 8:-8, 8:-8]
        assert inner == pytest.approx(np.full(inner.shape, 0.5), abs=1 / 255)


def test_rows_come_in_the_order_of_the_pictures_whatever_their_sizes(weights: Path) -> None:
    """Two sizes in turns, batches of two: each row is that of its picture alone."""
    model = made(weights, resize="shorter", size_px=56, batch=2)
    pictures = [noise(60 + 40 * (i % 2), 100, seed=i) for i in range(7)]
    rows = model.embed(pictures)
    assert [shape[0] for shape, *_ in SEEN] == [2, 2, 2, 1]
    alone = np.concatenate([model.embed([picture]) for picture in pictures])
    assert np.abs(rows - alone).max() < 1e-6
    assert np.abs(rows[0] - rows[2]).max() > 1e-4
    assert model.embed([]).shape == (0, 3)


def test_numbers_are_exact_within_and_as_before_afterwards(weights: Path) -> None:
    """TF32 is off while pictures are described, whatever the program around has chosen."""
    torch.set_float32_matmul_precision("high")
    try:
        made(weights).embed([noise(50, 50)])
        assert SEEN[-1][1:] == ("highest", True)
        assert torch.get_float32_matmul_precision() == "high"
        assert torch.backends.cudnn.allow_tf32
    finally:
        torch.set_float32_matmul_precision("highest")


def test_the_identity_tells_what_matters_and_nothing_else(weights: Path, tmp_path: Path) -> None:
    model = made(weights)
    moved = tmp_path / "elsewhere" / "colour.pth"
    moved.parent.mkdir()
    moved.write_bytes(weights.read_bytes())
    for given in ({"batch": 3}, {"precision": "float32"}):
        assert made(moved, **given).identity == model.identity
    for given in ({"size_px": 308}, {"resize": "longer"}, {"filter": "bicubic"}, {"mean": "0,0,0"}, {"std": "1,1,1"}):
        assert made(weights, **given).identity != model.identity
    assert model.options.weights_sha256 in model.identity
    assert model.identity.startswith("torch ")


def test_options_come_back_with_the_weights_pinned(weights: Path, tmp_path: Path) -> None:
    pinned = made(weights).options
    assert pinned.weights == str(weights)
    assert ColourDescriptor(pinned).identity == made(weights).identity
    torch.save({"published.weight": torch.ones(3, 3, 1, 1)}, weights)
    with pytest.raises(WeightsMismatch, match="not the file"):
        ColourDescriptor(pinned)
    with pytest.raises(WeightsMissing, match=r"gone\.pth"):
        made(tmp_path / "gone.pth")


def test_weights_of_another_network_are_refused(weights: Path) -> None:
    for other in ({"published.bias": torch.ones(3)}, {"published.weight": torch.ones(4, 3, 1, 1)}):
        torch.save(other, weights)
        with pytest.raises(WeightsMismatch, match="another model"):
            made(weights)


def test_half_precision_is_kept_to_the_backbone_and_says_where_it_overflows(weights: Path) -> None:
    pictures = [noise(50, 50)]
    exact = made(weights).embed(pictures)
    half = made(weights, precision="float16").embed(pictures)
    assert half == pytest.approx(exact, abs=2e-3)
    assert np.abs(half - exact).max() > 1e-7
    torch.save({"published.weight": 7e4 * torch.eye(3)[:, :, None, None]}, weights)
    with pytest.raises(RunError, match="precision=float32"):
        made(weights, precision="float16").embed(pictures)
    assert made(weights, precision="bfloat16").embed(pictures) == pytest.approx(exact, abs=2e-2)
    assert made(weights).embed(pictures) == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"size_px": 8}, "32"),
        ({"size_px": -5}, "32"),
        ({"resize": "stretch"}, "square"),
        ({"filter": "nearest"}, "bicubic"),
        ({"precision": "int8"}, "float32"),
        ({"mean": "0.5"}, "three numbers"),
        ({"mean": "a,b,c"}, "three numbers"),
        ({"std": "1,0,1"}, "above 0"),
        ({"std": "1,nan,1"}, "three numbers"),
        ({"batch": 0}, "batch"),
    ],
)
def test_options_out_of_range_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        replace(PictureOptions(), **given).check()
