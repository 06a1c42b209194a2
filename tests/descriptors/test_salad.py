"""SALAD and MegaLoc: the transport against slow loops and its invariants, the heads cell by cell, the backends."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from geoloc_cli.descriptors.megaloc import MegaLocDescriptor, MegaLocOptions
from geoloc_cli.descriptors.salad import SaladDescriptor, SaladOptions
from geoloc_cli.errors import UsageError, WeightsMismatch

if TYPE_CHECKING:
    from pathlib import Path

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

TINY: dict[str, Any] = {
    "hidden": 32,
    "layers": 2,
    "heads": 4,
    "image_px": 70,
    "size_px": 84,
    "clusters": 5,
    "cluster_dim": 6,
    "token_dim": 7,
    "mlp_dim": 16,
}


def scores(clusters: int = 5, patches: int = 11, scale: float = 3.0) -> Any:
    return scale * torch.randn(2, clusters, patches, generator=torch.Generator().manual_seed(0))


def transport(costs: Any, dustbin: float = 1.0, rounds: int = 3) -> Any:
    from geoloc_cli.descriptors.nets.salad import log_transport

    return log_transport(costs, torch.tensor(dustbin), rounds)


def slow_transport(costs: np.ndarray, dustbin: float, rounds: int) -> np.ndarray:
    """Sinkhorn on the exponentials themselves, one row and one column at a time; (m, n) -> (m + 1, n)."""
    clusters, patches = costs.shape
    plan = [[math.exp(costs[i, j]) for j in range(patches)] for i in range(clusters)]
    plan.append([math.exp(dustbin)] * patches)
    for _ in range(rounds):
        for i in range(clusters + 1):
            wanted = 1.0 if i < clusters else patches - clusters
            total = sum(plan[i])
            plan[i] = [value * wanted / total for value in plan[i]]
        for j in range(patches):
            total = sum(plan[i][j] for i in range(clusters + 1))
            for i in range(clusters + 1):
                plan[i][j] /= total
    return np.array(plan)


@pytest.mark.parametrize("rounds", [1, 3, 20])
def test_the_transport_is_sinkhorns_one_row_and_one_column_at_a_time(rounds: int) -> None:
    costs = scores()
    found = transport(costs, 0.7, rounds).exp()
    for i in range(2):
        truth = slow_transport(costs[i].double().numpy(), 0.7, rounds)
        assert found[i].numpy() == pytest.approx(truth, abs=1e-6)


def test_columns_sum_to_one_and_rows_come_to_their_share() -> None:
    few, many = transport(scores(), rounds=3).exp(), transport(scores(), rounds=500).exp()
    wanted = torch.tensor([1.0] * 5 + [6.0]).expand(2, 6)
    for found in (few, many):
        assert found.sum(dim=1).numpy() == pytest.approx(np.ones((2, 11)), abs=1e-5)
    assert many.sum(dim=2).numpy() == pytest.approx(wanted.numpy(), abs=1e-4)
    # With the rounds of the published weights they are not there yet.
    assert (few.sum(dim=2) - wanted).abs().max() > 1e-2


def test_a_cluster_that_scores_all_patches_higher_gets_no_more_of_them() -> None:
    """Whatever is added to a row, the dustbin's too, is taken from it again by the first round."""
    costs = scores()
    truth = transport(costs)
    assert transport(costs, 5.0).numpy() == pytest.approx(truth.numpy(), abs=1e-5)
    lifted = costs + torch.linspace(-4, 4, 5)[None, :, None]
    assert transport(lifted).numpy() == pytest.approx(truth.numpy(), abs=1e-5)


def test_it_knows_neither_the_order_of_the_patches_nor_of_the_clusters() -> None:
    costs, patches, clusters = scores(), torch.randperm(11), torch.randperm(5)
    turned = transport(costs[:, clusters][:, :, patches])
    rows = torch.cat((clusters, torch.tensor([5])))
    assert turned.numpy() == pytest.approx(transport(costs)[:, rows][:, :, patches].numpy(), abs=1e-6)


def test_scores_that_would_overflow_as_exponentials_do_not() -> None:
    found = transport(scores(scale=1e4))
    assert torch.isfinite(found.exp()).all()
    assert found.exp().sum(dim=1).numpy() == pytest.approx(np.ones((2, 11)), abs=1e-3)


def slow_salad(state: dict[str, np.ndarray], own: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Izquierdo and Civera 2024, section 3, one picture: own (C,), cells (C, h, w)."""

    def mlp(name: str, last: int, vector: np.ndarray) -> np.ndarray:
        first = state[f"{name}.0.weight"].reshape(len(state[f"{name}.0.bias"]), -1) @ vector + state[f"{name}.0.bias"]
        weight = state[f"{name}.{last}.weight"].reshape(len(state[f"{name}.{last}.bias"]), -1)
        return np.asarray(weight @ np.maximum(first, 0) + state[f"{name}.{last}.bias"])

    patches = [cells[:, r, c] for r in range(cells.shape[1]) for c in range(cells.shape[2])]
    liked = np.stack([mlp("score", 3, patch) for patch in patches], axis=1)
    features = np.stack([mlp("cluster_features", 3, patch) for patch in patches], axis=1)
    shares = slow_transport(liked, float(state["dust_bin"]), 3)[:-1]
    sums = np.zeros((len(features), len(shares)))
    for cluster in range(len(shares)):
        for patch in range(len(patches)):
            sums[:, cluster] += shares[cluster, patch] * features[:, patch]
        sums[:, cluster] /= np.linalg.norm(sums[:, cluster])
    whole = mlp("token_features", 2, own)
    row = np.concatenate((whole / np.linalg.norm(whole), sums.ravel()))
    return np.asarray(row / np.linalg.norm(row))


def head_and_tokens() -> tuple[Any, Any, Any]:
    from geoloc_cli.descriptors.nets.salad import Salad

    torch.manual_seed(0)
    head = Salad(32, clusters=5, cluster_dim=6, token_dim=7, mlp_dim=16)
    with torch.no_grad():
        head.dust_bin.fill_(0.3)
    return head.requires_grad_(False), 3 * torch.randn(2, 32), 3 * torch.randn(2, 32, 4, 3)


def test_the_head_is_that_of_the_paper_one_patch_and_one_cluster_at_a_time() -> None:
    head, own, cells = head_and_tokens()
    found = head(own, cells)
    state = {name: value.double().numpy() for name, value in head.state_dict().items()}
    assert found.shape == (2, head.dim) == (2, 7 + 5 * 6)
    for i in range(2):
        truth = slow_salad(state, own[i].double().numpy(), cells[i].double().numpy())
        assert found[i].numpy() == pytest.approx(truth, abs=1e-6)


def test_the_head_does_not_know_where_a_patch_is() -> None:
    head, own, cells = head_and_tokens()
    assert head(own, cells.flip(2, 3)).numpy() == pytest.approx(head(own, cells).numpy(), abs=1e-6)


def test_each_cluster_and_the_whole_weigh_the_same() -> None:
    head, own, cells = head_and_tokens()
    row = head(own, cells)[0]
    share = 1 / math.sqrt(6)
    assert float(row[:7].norm()) == pytest.approx(share, rel=1e-5)
    assert row[7:].reshape(6, 5).norm(dim=0).numpy() == pytest.approx([share] * 5, rel=1e-5)


def test_tokens_at_the_end_of_half_precision_give_a_sound_row() -> None:
    head, own, cells = head_and_tokens()
    large = [(2e4 * tokens / tokens.abs().max()).half().float() for tokens in (own, cells)]
    row = head(*large)
    assert torch.isfinite(row).all()
    assert row.norm(dim=1).numpy() == pytest.approx([1, 1], abs=1e-5)


def test_more_clusters_than_patches_are_refused_by_the_options_and_by_the_network() -> None:
    with pytest.raises(UsageError, match="larger"):
        SaladOptions(size_px=112).check()
    SaladOptions(size_px=126).check()
    head, own, cells = head_and_tokens()
    with pytest.raises(UsageError, match="5 clusters"):
        head(own, cells[:, :, :1, :2])


BACKENDS: list[tuple[Any, Any, str, int]] = [
    (SaladDescriptor, SaladOptions, "dino_salad", 37),
    (MegaLocDescriptor, MegaLocOptions, "megaloc", 20),
    (MegaLocDescriptor, MegaLocOptions, "megaloc-safetensors", 20),
]


def tiny(backend: Any, options: Any, name: str, folder: Path) -> tuple[Any, Any]:
    """The backend on small random weights under the names of this file, and its options."""
    from plain_dinov2 import seeded_state
    from safetensors.torch import save_file

    given = {**TINY, **({"dim": 20} if "mega" in name else {})}
    torch.manual_seed(0)
    head = backend.__new__(backend).build(options(**given)).aggregator.state_dict()
    later = name.endswith("safetensors")
    prefix = "backbone." if later else "backbone.model."
    state = {f"{prefix}{k}": v for k, v in seeded_state(32, 2, 14, 5).items() if k != "mask_token" or not later}
    state |= {f"aggregator.{k}": v.clone() for k, v in head.items()}
    path = folder / f"{name}.{'safetensors' if later else 'pth'}"
    if later:
        save_file(state, path)
    else:
        torch.save(state, path)
    given["weights"] = str(path)
    return backend(options(**given)), given


def photos() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (*size, 3), np.uint8) for size in ((90, 120), (120, 90), (60, 200))]


@pytest.mark.parametrize(("backend", "options", "name", "dim"), BACKENDS, ids=[case[2] for case in BACKENDS])
def test_pictures_give_unit_rows_the_same_again_and_alone(
    backend: Any, options: Any, name: str, dim: int, tmp_path: Path
) -> None:
    made, _ = tiny(backend, options, name, tmp_path)
    found, again = made.embed(photos()), made.embed(photos())
    assert found.shape == (3, dim) == (3, made.dim)
    assert found.tobytes() == again.tobytes()
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    alone = np.concatenate([made.embed([photo]) for photo in photos()])
    assert np.abs(found - alone).max() < 1e-5
    assert np.abs(found[0] - found[1]).max() > 1e-3


def test_a_picture_gives_what_the_paper_says_from_its_pixels_on(tmp_path: Path) -> None:
    """The backend on an oblong picture, against DINOv2 written out with torch.hub's positions and the slow head."""
    from plain_dinov2 import plain_tokens

    _, given = tiny(SaladDescriptor, SaladOptions, "dino_salad", tmp_path)
    made = SaladDescriptor(SaladOptions(**given | {"resize": "shorter"}))
    photo = photos()[0]
    ready = torch.from_numpy(made._prepared(photo))
    assert ready.shape == (3, 84, 112)
    state = torch.load(tmp_path / "dino_salad.pth", weights_only=True)
    hub = {k.removeprefix("backbone.model."): v for k, v in state.items() if k.startswith("backbone.")}
    head = {k.removeprefix("aggregator."): v.double().numpy() for k, v in state.items() if k.startswith("aggregator.")}
    tokens = plain_tokens(hub, ready, 4, 14).numpy()
    truth = slow_salad(head, tokens[0], tokens[1:].T.reshape(32, 6, 8))
    assert made.embed([photo])[0] == pytest.approx(truth, abs=1e-5)


def test_the_two_files_of_megaloc_are_read_alike(tmp_path: Path) -> None:
    """The same tensors under either of their published names, by torch.save and as safetensors."""
    first, _ = tiny(MegaLocDescriptor, MegaLocOptions, "megaloc", tmp_path)
    second, _ = tiny(MegaLocDescriptor, MegaLocOptions, "megaloc-safetensors", tmp_path)
    assert second.embed(photos()).tobytes() == first.embed(photos()).tobytes()
    assert second.identity != first.identity


def test_half_precision_is_close(tmp_path: Path) -> None:
    """bfloat16 has 8 bits: tokens are off by some percent, rows by less."""
    made, given = tiny(SaladDescriptor, SaladOptions, "dino_salad", tmp_path)
    half = SaladDescriptor(SaladOptions(**given | {"precision": "bfloat16"}))
    found, truth = half.embed(photos()), made.embed(photos())
    assert found.dtype == np.float32
    assert ((found * truth).sum(axis=1) > 0.99).all()
    assert np.abs(found - truth).max() > 1e-5


def test_the_weights_of_one_are_refused_by_the_other(tmp_path: Path) -> None:
    tiny(SaladDescriptor, SaladOptions, "dino_salad", tmp_path)
    with pytest.raises(WeightsMismatch, match="another model"):
        MegaLocDescriptor(MegaLocOptions(**TINY, weights=str(tmp_path / "dino_salad.pth")))


def test_published_defaults_make_vectors_of_8448_numbers() -> None:
    for backend, options in ((SaladDescriptor, SaladOptions()), (MegaLocDescriptor, MegaLocOptions())):
        with torch.device("meta"):
            assert backend.__new__(backend).build(options).dim == 8448
        assert (options.size_px, options.resize, options.filter) == (322, "square", "bilinear")


@pytest.mark.parametrize("given", [{"clusters": 0}, {"backbone": "clip-vit-base-patch32"}, {"dim": 0}])
def test_options_out_of_range_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        MegaLocOptions(**given).check()
