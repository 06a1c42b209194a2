"""MixVPR: its head against plain loops, its file by name, and the backend on small weights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from published_names import left_out, randomized, tiny_checkpoint

from geoloc_cli.descriptors.mixvpr import MixVprDescriptor, MixVprOptions
from geoloc_cli.errors import UsageError, WeightsMismatch

if TYPE_CHECKING:
    from pathlib import Path

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

TINY = MixVprOptions(size_px=80, channels=64, width=4, batch=2)
# 25 cells of 16 px on a square of 80.
SIZES = {64: 4, 128: 8, 256: 16, 512: 32, 1024: 64, 400: 25}


def test_the_head_is_the_plain_one() -> None:
    from geoloc_cli.descriptors.nets.mixvpr import MixVpr

    torch.manual_seed(0)
    head = randomized(MixVpr(in_channels=4, cells=6, channels=3, rows=2, layers=2)).double()
    state = {name: value.numpy() for name, value in head.state_dict().items()}
    maps = np.random.default_rng(0).normal(size=(4, 2, 3))
    rows = [maps[c].ravel() for c in range(4)]
    for layer in range(2):
        at = f"mix.{layer}.mix"
        for c in range(4):
            x = rows[c]
            x = (x - x.mean()) / np.sqrt(x.var() + 1e-5) * state[f"{at}.0.weight"] + state[f"{at}.0.bias"]
            x = np.maximum(state[f"{at}.1.weight"] @ x + state[f"{at}.1.bias"], 0.0)
            rows[c] = rows[c] + state[f"{at}.3.weight"] @ x + state[f"{at}.3.bias"]
    expected = np.zeros((3, 2))
    for out in range(3):
        # Channels first, cell by cell, then the cells.
        cells = [sum(state["channel_proj.weight"][out, c] * rows[c][i] for c in range(4)) for i in range(6)]
        cells = [value + state["channel_proj.bias"][out] for value in cells]
        expected[out] = state["row_proj.weight"] @ np.array(cells) + state["row_proj.bias"]
    found = head(torch.from_numpy(maps)[None]).detach().numpy()
    assert found[0] == pytest.approx(expected.ravel() / np.linalg.norm(expected), abs=1e-10)


def test_every_published_tensor_has_its_place_and_every_place_its_tensor() -> None:
    assert left_out(MixVprDescriptor, MixVprOptions(), "mixvpr-4096") == set()
    assert MixVprDescriptor.__new__(MixVprDescriptor).usual_file(MixVprOptions()) == (
        "resnet50_MixVPR_4096_channels(1024)_rows(4).ckpt"
    )


def test_pictures_get_unit_rows_whatever_their_company(tmp_path: Path) -> None:
    path = tiny_checkpoint("mixvpr-4096", tmp_path / "tiny.ckpt", SIZES)
    made = MixVprDescriptor(replace(TINY, weights=str(path)))
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (h, w, 3), np.uint8) for h, w in ((60, 90), (64, 64), (200, 40))]
    rows = made.embed(pictures)
    assert rows.shape == (3, 256)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert np.abs(rows - np.concatenate([made.embed([picture]) for picture in pictures])).max() < 1e-5
    assert np.array_equal(rows, MixVprDescriptor(made.options).embed(pictures))
    turned = made.embed([np.rot90(pictures[1]).copy()])
    assert np.abs(turned - rows[1]).max() > 1e-3  # where a thing is on the picture matters here


def test_other_weights_are_refused(tmp_path: Path) -> None:
    path = tiny_checkpoint("mixvpr-4096", tmp_path / "tiny.ckpt", SIZES)
    # A larger picture has more cells than the mixers were made for.
    for wrong in ({"size_px": 96}, {"rows": 3}, {"layers": 3}):
        with pytest.raises(WeightsMismatch, match="another model"):
            MixVprDescriptor(replace(TINY, weights=str(path), **wrong))


@pytest.mark.parametrize("wrong", [{"size_px": 330}, {"resize": "shorter"}, {"rows": 0}, {"layers": 0}])
def test_options_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        MixVprOptions(**wrong).check()
