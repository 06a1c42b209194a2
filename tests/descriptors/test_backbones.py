"""Backbones against plain truth: DINOv2 written out, CLIP and SigLIP as transformers alone runs them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from geoloc_cli.descriptors.backbones import TOWERS, BackboneOptions, Tower
from geoloc_cli.descriptors.names import dinov2_from_hub
from geoloc_cli.errors import UsageError

if TYPE_CHECKING:
    from geoloc_cli.descriptors.nets.backbones import Vit

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


def tiny(name: str, layers: int = 3) -> Tower:
    """Of a published kind, 5 by 5 patches."""
    known = TOWERS[name]
    return replace(known, hidden=32, layers=layers, heads=4, mlp=128, image_px=5 * known.patch)


def pictures(count: int, height: int, width: int) -> Any:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(1))


def loaded(tower: Tower, state: dict[str, Any], **settings: Any) -> Vit:
    from geoloc_cli.descriptors.nets.backbones import Vit

    vit = Vit(tower, **settings)
    ours = {name.removeprefix("backbone."): value for name, value in dinov2_from_hub(state, "").items()}
    vit.load_state_dict(ours)
    return vit.eval()


@pytest.mark.parametrize(
    ("name", "offset"),
    [("dinov2-base", 0.1), ("dinov2-giant", 0.1), ("dinov2-with-registers-base", 0.0)],
)
@pytest.mark.parametrize(("height", "width"), [(70, 70), (98, 126), (42, 140)])
def test_hub_weights_give_the_tokens_of_dinov2_written_out(name: str, offset: float, height: int, width: int) -> None:
    """At the learned size, larger and oblong ones: plain MLP and SwiGLU, with registers and without; in float64."""
    from plain_dinov2 import plain_tokens, seeded_state

    tower = tiny(name)
    state = seeded_state(32, 3, 14, 5, tower.registers, tower.gated)
    batch = pictures(2, height, width)
    with torch.inference_mode():
        own, patches = loaded(tower, state, offset=offset).double()(batch)
    for i in range(2):
        truth = plain_tokens(state, batch[i], 4, 14).float()
        assert (own[i] - truth[0]).abs().max() < 1e-5
        cells = truth[1 + tower.registers :].T.unflatten(1, (height // 14, width // 14))
        assert (patches[i] - cells).abs().max() < 1e-5


def test_without_the_offset_positions_are_those_of_transformers() -> None:
    """What tells files for torch.hub from files for transformers: a tenth of a patch in the positions."""
    from plain_dinov2 import plain_tokens, seeded_state

    tower, state, batch = tiny("dinov2-base"), seeded_state(32, 3, 14, 5), pictures(1, 98, 126)
    ours = loaded(tower, state)
    alone = transformers.Dinov2Model(ours.model.config)
    alone.load_state_dict(ours.model.state_dict(), strict=False)
    with torch.inference_mode():
        own, _ = ours(batch)
        assert torch.equal(own, alone.eval()(pixel_values=batch).last_hidden_state[:, 0])
    assert (own - plain_tokens(state, batch[0], 4, 14)[0].float()).abs().max() > 1e-3


def test_fewer_blocks_are_those_of_a_shorter_network_and_the_norm_can_be_left_out() -> None:
    from plain_dinov2 import normed, plain_tokens, seeded_state

    state, batch = seeded_state(32, 3, 14, 5), pictures(1, 70, 70)
    short = {name: value for name, value in state.items() if not name.startswith("blocks.2.")}
    truth = plain_tokens(short, batch[0], 4, 14)
    with torch.inference_mode():
        own, _ = loaded(tiny("dinov2-base"), state, layer=2)(batch)
        raw, _ = loaded(tiny("dinov2-base"), state, layer=2, norm=False)(batch)
    assert (own[0] - truth[0].float()).abs().max() < 1e-5
    wide = {name: value.double() for name, value in state.items()}
    assert (normed(raw.double(), wide, "norm")[0] - truth[0]).abs().max() < 1e-5


@pytest.mark.parametrize(
    "name", ["clip-vit-base-patch16", "metaclip-2-worldwide-huge-378", "siglip-base-patch16-224", "dinov3-vits16plus"]
)
def test_other_families_give_what_transformers_alone_gives(name: str) -> None:
    """The picture's own token is the one that the family compares pictures by."""
    from geoloc_cli.descriptors.nets.backbones import Vit

    tower = tiny(name)
    torch.manual_seed(0)
    vit = Vit(tower).eval()
    batch = pictures(2, 4 * tower.patch, 7 * tower.patch)
    with torch.inference_mode():
        own, patches = vit(batch)
        if tower.family == "dinov3":
            tokens = vit.model(pixel_values=batch).last_hidden_state
            truth, last = tokens[:, 0], tokens[:, 5:]
        elif tower.projection:
            seen = vit.model(pixel_values=batch, interpolate_pos_encoding=True)
            truth, last = seen.image_embeds, vit.model.vision_model.post_layernorm(seen.last_hidden_state[:, 1:])
        else:
            seen = vit.model(pixel_values=batch, interpolate_pos_encoding=True)
            truth, last = seen.pooler_output, seen.last_hidden_state
    assert own.shape == (2, tower.projection or 32)
    assert torch.equal(own, truth)
    assert torch.equal(patches.flatten(2), last.transpose(1, 2))
    assert patches.shape == (2, 32, 4, 7)


def test_patches_stand_where_they_are_in_the_picture() -> None:
    """One patch is changed: with a single block without attention's help it is that cell that changes most."""
    from plain_dinov2 import seeded_state

    state = seeded_state(32, 1, 14, 5)
    vit = loaded(tiny("dinov2-base", layers=1), state)
    batch = pictures(1, 42, 98)
    other = batch.clone()
    other[:, :, 14:28, 70:84] += 1.0
    with torch.inference_mode():
        change = (vit(other)[1] - vit(batch)[1]).norm(dim=1)[0]
    assert change.shape == (3, 7)
    assert int(change.argmax()) == 1 * 7 + 5


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"backbone": "dinov2-huge"}, "dinov2-base"),
        ({"layer": 13}, "12"),
        ({"heads": 5}, "multiple"),
        ({"hidden": -1}, "hidden"),
    ],
)
def test_options_out_of_range_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        BackboneOptions(**given).check()
