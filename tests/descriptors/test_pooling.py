"""Pooling: the generalised mean between the mean and the maximum."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")


def patches(scale: float = 1.0) -> Any:
    return scale * torch.rand(2, 5, 3, 4, generator=torch.Generator().manual_seed(0)) + 0.01


def gem(p: float, cells: Any) -> Any:
    from geoloc_cli.descriptors.nets.pooling import Gem

    return Gem(p)(cells)


def test_a_power_of_one_is_the_mean_and_a_large_one_the_maximum() -> None:
    cells = patches()
    assert gem(1.0, cells) == pytest.approx(cells.mean(dim=(2, 3)), rel=1e-6)
    # 12 cells: the maximum times 12^(-1/p) bounds it from below.
    assert gem(100.0, cells) == pytest.approx(cells.amax(dim=(2, 3)), rel=0.025)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, 7.5])
def test_it_is_the_generalised_mean_cell_by_cell(p: float) -> None:
    cells = patches().double()
    for b in range(2):
        for c in range(5):
            values = [float(v) for v in cells[b, c].flatten()]
            truth = (sum(v**p for v in values) / len(values)) ** (1 / p)
            assert float(gem(p, cells)[b, c]) == pytest.approx(truth, rel=1e-5)


def test_it_does_not_know_the_order_of_the_patches_and_scales_with_them() -> None:
    cells = patches()
    turned = cells.flip(3).transpose(2, 3)
    assert gem(3.0, turned) == pytest.approx(gem(3.0, cells), rel=1e-6)
    assert gem(3.0, 7 * cells) == pytest.approx(7 * gem(3.0, cells), rel=1e-6)


def test_it_rises_with_the_power() -> None:
    found = torch.stack([gem(p, patches()) for p in (1.0, 2.0, 3.0, 10.0, 50.0)])
    assert (found.diff(dim=0) > 0).all()


def test_what_is_below_zero_counts_as_next_to_nothing() -> None:
    cells = patches()
    lower = cells.clone()
    lower[:, :, 0, 0] = -5.0
    zero = cells.clone()
    zero[:, :, 0, 0] = 0.0
    assert torch.equal(gem(3.0, lower), gem(3.0, zero))


def test_half_precision_does_not_overflow() -> None:
    """300^3 is beyond float16, 1e30^3 beyond float32."""
    assert gem(3.0, torch.full((1, 2, 3, 3), 300.0, dtype=torch.float16)).tolist() == [[300.0, 300.0]]
    assert gem(3.0, torch.full((1, 1, 3, 3), 1e30)).item() == pytest.approx(1e30, rel=1e-6)


def test_a_learned_power_comes_with_the_weights_and_a_given_one_does_not() -> None:
    from geoloc_cli.descriptors.nets.pooling import Gem

    learned = Gem(learned=True)
    learned.load_state_dict({"p": torch.tensor([1.0])})
    assert learned(patches()).detach() == pytest.approx(patches().mean(dim=(2, 3)), rel=1e-6)
    assert Gem().state_dict() == {}
