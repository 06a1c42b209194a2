"""Bag-of-Queries: its head against plain loops, its files by name, and the backend on small weights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from published_names import left_out, randomized, tiny_checkpoint

from geoloc_cli.descriptors.boq import BoqDescriptor, BoqOptions, BoqResnetDescriptor, BoqResnetOptions
from geoloc_cli.errors import UsageError, WeightsMismatch

if TYPE_CHECKING:
    from pathlib import Path

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def layer_norm(rows: np.ndarray, state: dict[str, np.ndarray], at: str) -> np.ndarray:
    out = np.empty_like(rows)
    for i, row in enumerate(rows):
        out[i] = (row - row.mean()) / np.sqrt(row.var() + 1e-5) * state[f"{at}.weight"] + state[f"{at}.bias"]
    return out


def attention(
    asking: np.ndarray, answering: np.ndarray, state: dict[str, np.ndarray], at: str, heads: int
) -> np.ndarray:
    """Vaswani et al. 2017, one query and one head at a time."""
    channels = asking.shape[1]
    weights = np.split(state[f"{at}.in_proj_weight"], 3)
    biases = np.split(state[f"{at}.in_proj_bias"], 3)
    q, k, v = (rows @ w.T + b for rows, w, b in zip((asking, answering, answering), weights, biases, strict=True))
    width = channels // heads
    out = np.zeros_like(q)
    for h in range(heads):
        part = slice(h * width, (h + 1) * width)
        for i in range(len(q)):
            share = softmax(np.array([q[i, part] @ key / np.sqrt(width) for key in k[:, part]]))
            out[i, part] = sum(s * value for s, value in zip(share, v[:, part], strict=True))
    return out @ state[f"{at}.out_proj.weight"].T + state[f"{at}.out_proj.bias"]


def plain(maps: np.ndarray, state: dict[str, np.ndarray], layers: int, heads: int) -> np.ndarray:
    """(C, h, w) -> (dim,), step by step as Ali-bey et al. 2024 have it."""
    height, width = maps.shape[1:]
    around = np.pad(maps, ((0, 0), (1, 1), (1, 1)))
    x = np.zeros((height * width, len(state["proj_c.bias"])))
    for i in range(height):
        for j in range(width):
            seen = around[:, i : i + 3, j : j + 3]
            x[i * width + j] = (state["proj_c.weight"] * seen).sum(axis=(1, 2, 3)) + state["proj_c.bias"]
    x = layer_norm(x, state, "norm_input")
    bags = []
    for layer in range(layers):
        at = f"boqs.{layer}"
        x = layer_norm(x + attention(x, x, state, f"{at}.encoder.self_attn", heads), state, f"{at}.encoder.norm1")
        hidden = np.maximum(x @ state[f"{at}.encoder.linear1.weight"].T + state[f"{at}.encoder.linear1.bias"], 0.0)
        x = x + hidden @ state[f"{at}.encoder.linear2.weight"].T + state[f"{at}.encoder.linear2.bias"]
        x = layer_norm(x, state, f"{at}.encoder.norm2")
        q = state[f"{at}.queries"][0]
        q = layer_norm(q + attention(q, q, state, f"{at}.self_attn", heads), state, f"{at}.norm_q")
        bags.append(layer_norm(attention(q, x, state, f"{at}.cross_attn", heads), state, f"{at}.norm_out"))
    mixed = state["fc.weight"] @ np.concatenate(bags) + state["fc.bias"][:, None]
    return (mixed.T / np.linalg.norm(mixed)).ravel()


def made() -> tuple[Any, dict[str, np.ndarray]]:
    from geoloc_cli.descriptors.nets.boq import Boq

    torch.manual_seed(0)
    head = randomized(Boq(in_channels=3, channels=8, queries=4, layers=2, rows=5, heads=2)).double().eval()
    return head, {name: value.numpy() for name, value in head.state_dict().items()}


def test_the_head_is_the_plain_one() -> None:
    head, state = made()
    maps = np.random.default_rng(0).normal(size=(2, 3, 3, 4))
    with torch.inference_mode():
        found = head(torch.from_numpy(maps)).numpy()
    assert found.shape == (2, 8 * 5)
    for i in range(2):
        assert found[i] == pytest.approx(plain(maps[i], state, layers=2, heads=2), abs=1e-10)


def test_beyond_the_convolution_places_have_no_order() -> None:
    head, _ = made()
    # A convolution that looks at its own place alone leaves nothing that knows where a feature was.
    with torch.no_grad():
        head.proj_c.weight[:, :, [0, 0, 0, 1, 1, 2, 2, 2], [0, 1, 2, 0, 2, 0, 1, 2]] = 0.0
    maps = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    shuffled = maps.flatten(2)[:, :, torch.randperm(20)].reshape(2, 3, 5, 4)
    with torch.inference_mode():
        assert head(shuffled).numpy() == pytest.approx(head(maps).numpy(), abs=1e-12)


def test_every_published_tensor_of_the_resnet_has_its_place_and_every_place_its_tensor() -> None:
    assert left_out(BoqResnetDescriptor, BoqResnetOptions(), "boq-resnet50") == set()
    assert BoqResnetDescriptor.__new__(BoqResnetDescriptor).usual_file(BoqResnetOptions()) == "resnet50_16384.pth"


def test_every_published_tensor_of_dinov2_has_its_place_but_those_that_its_authors_leave_unused() -> None:
    unused = {"backbone.dino.mask_token", "backbone.dino.norm.weight", "backbone.dino.norm.bias"}
    assert left_out(BoqDescriptor, BoqOptions(), "boq-dinov2") == unused
    assert BoqDescriptor.__new__(BoqDescriptor).usual_file(BoqOptions()) == "dinov2_12288.pth"


TINY_RESNET = BoqResnetOptions(size_px=64, channels=64, queries=8, width=8, batch=2)
RESNET_SIZES = {size: size // 8 for size in (64, 128, 256, 512, 1024, 1536, 2048)}
TINY = BoqOptions(hidden=16, layers=2, heads=2, image_px=56, size_px=70, channels=64, queries=4, batch=2)
SIZES = {768: 16, 3072: 64, 2304: 48, 1370: 17, 384: 64, 1152: 192, 1536: 256, 64: 4, 128: 8}


def tiny_weights(backend: Any, path: Path) -> Path:
    if backend is BoqResnetDescriptor:
        return tiny_checkpoint("boq-resnet50", path, RESNET_SIZES)
    return tiny_checkpoint("boq-dinov2", path, SIZES, without=r"blocks\.([2-9]|1\d)\.")


@pytest.mark.parametrize(("backend", "tiny"), [(BoqResnetDescriptor, TINY_RESNET), (BoqDescriptor, TINY)])
def test_pictures_get_unit_rows_whatever_their_company(tmp_path: Path, backend: Any, tiny: Any) -> None:
    made = backend(replace(tiny, weights=str(tiny_weights(backend, tmp_path / "tiny.pth"))))
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (h, w, 3), np.uint8) for h, w in ((60, 90), (64, 64), (200, 40))]
    rows = made.embed(pictures)
    assert rows.shape == (3, 64 * 32)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert np.abs(rows - np.concatenate([made.embed([picture]) for picture in pictures])).max() < 1e-5
    assert np.array_equal(rows, backend(made.options).embed(pictures))
    assert np.abs(rows[0] - rows[1]).max() > 1e-4


def test_from_a_picture_to_its_row_all_is_as_written_out_plainly(tmp_path: Path) -> None:
    from plain_dinov2 import plain_tokens

    path = tiny_weights(BoqDescriptor, tmp_path / "tiny.pth")
    made = BoqDescriptor(replace(TINY, weights=str(path)))
    picture = np.random.default_rng(0).integers(0, 256, (70, 70, 3), np.uint8)
    published = torch.load(path, weights_only=True)
    parts: dict[str, dict[str, Any]] = {"backbone.dino.": {}, "aggregator.": {}}
    for prefix, part in parts.items():
        part.update({name.removeprefix(prefix): value for name, value in published.items() if name.startswith(prefix)})
    normal = (picture / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    tokens = plain_tokens(
        parts["backbone.dino."], torch.from_numpy(normal.transpose(2, 0, 1)), heads=2, patch=14, final_norm=False
    )
    maps = tokens[1:].T.reshape(16, 5, 5).numpy()
    head = {name: value.double().numpy() for name, value in parts["aggregator."].items()}
    assert made.embed([picture])[0] == pytest.approx(plain(maps, head, layers=2, heads=1), abs=2e-6)


@pytest.mark.parametrize(("backend", "tiny"), [(BoqResnetDescriptor, TINY_RESNET), (BoqDescriptor, TINY)])
@pytest.mark.parametrize("wrong", [{"rows": 3}, {"queries": 5}, {"bags": 1}, {"channels": 128}])
def test_other_weights_are_refused(tmp_path: Path, backend: Any, tiny: Any, wrong: dict[str, Any]) -> None:
    path = tiny_weights(backend, tmp_path / "tiny.pth")
    with pytest.raises(WeightsMismatch, match="another model"):
        backend(replace(tiny, weights=str(path), **wrong))


@pytest.mark.parametrize("options", [BoqOptions, BoqResnetOptions])
@pytest.mark.parametrize("wrong", [{"channels": 100}, {"queries": 0}, {"bags": 0}, {"rows": 0}])
def test_options_out_of_range_are_refused(options: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        options(**wrong).check()


def test_a_backbone_that_it_was_not_trained_with_is_refused() -> None:
    with pytest.raises(UsageError, match="not what it was trained with"):
        BoqOptions(backbone="dinov3-vitb16").check()
