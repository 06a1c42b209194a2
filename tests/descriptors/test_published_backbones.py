"""Files as their authors publish them, name by name: each tensor finds its place, and none is left over."""

from __future__ import annotations

from typing import Any

import pytest
from published_names import published

from geoloc_cli.descriptors.backbones import TOWERS
from geoloc_cli.descriptors.megaloc import MegaLocDescriptor, MegaLocOptions
from geoloc_cli.descriptors.salad import SaladDescriptor, SaladOptions
from geoloc_cli.descriptors.vit import VitDescriptor, VitOptions

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

MASK = {"embeddings.mask_token"}
# CLIP's and SigLIP's text towers are told by their prefix; what else is left out of a file stands here, one by one.
APART: dict[str, set[str]] = {
    "dinov2-base": MASK,
    "dinov2-giant": MASK,
    "dinov2-with-registers-large": MASK,
    "dinov3-vitb16": MASK,
    "dinov3-vits16plus": MASK,
    "clip-vit-base-patch32": {"logit_scale", "text_projection.weight", "vision_model.embeddings.position_ids"},
    "metaclip-2-worldwide-huge-quickgelu": {"logit_scale", "text_projection.weight"},
    "siglip-base-patch16-224": {"logit_scale", "logit_bias"},
    "siglip2-so400m-patch14-384": {"logit_scale", "logit_bias"},
}
CASES: list[tuple[str, Any, Any, set[str]]] = [
    *((name, VitDescriptor, VitOptions(backbone=name), apart) for name, apart in APART.items()),
    ("dino_salad", SaladDescriptor, SaladOptions(), {"backbone.model.mask_token"}),
    ("megaloc", MegaLocDescriptor, MegaLocOptions(), {"backbone.model.mask_token"}),
    ("megaloc-safetensors", MegaLocDescriptor, MegaLocOptions(), set()),
]


def on_meta(backend: Any, options: Any, listed: dict[str, tuple[int, ...]]) -> tuple[Any, list[str], list[str]]:
    """The network without memory, what it lacked and what it did not know; raises where a shape is another."""
    made = backend.__new__(backend)
    with torch.device("meta"):
        network = made.build(options)
        state = {name: torch.empty(shape) for name, shape in listed.items()}
    missing, unknown = network.load_state_dict(made.renamed(options, state), strict=False)
    return network, missing, unknown


def numel(shape: tuple[int, ...]) -> int:
    return int(torch.Size(shape).numel())


@pytest.mark.parametrize(("name", "backend", "options", "apart"), CASES, ids=[case[0] for case in CASES])
def test_every_published_tensor_has_one_place(name: str, backend: Any, options: Any, apart: set[str]) -> None:
    """No name missing, none unknown, all shapes right, and as many numbers as the file holds: a bijection."""
    listed = published(name)
    assert apart <= listed.keys()
    network, missing, unknown = on_meta(backend, options, listed)
    assert (missing, unknown) == ([], [])
    used = sum(numel(s) for tensor, s in listed.items() if tensor not in apart and not tensor.startswith("text_model."))
    assert used == sum(value.numel() for value in network.state_dict().values())


@pytest.mark.parametrize("name", ["dinov2-base", "dinov3-vitb16", "clip-vit-base-patch32", "siglip-base-patch16-224"])
def test_fewer_blocks_and_no_final_norm_leave_out_those_tensors_alone(name: str) -> None:
    listed = published(name)
    whole, *_ = on_meta(VitDescriptor, VitOptions(backbone=name), listed)
    part, missing, unknown = on_meta(VitDescriptor, VitOptions(backbone=name, layer=11, norm=False), listed)
    assert (missing, unknown) == ([], [])
    block = sum(numel(shape) for tensor, shape in listed.items() if ".11." in f".{tensor}" and "text" not in tensor)
    lacking = sum(v.numel() for v in whole.state_dict().values()) - sum(v.numel() for v in part.state_dict().values())
    assert lacking == block + 2 * 768


def test_a_tensor_too_many_too_few_or_of_another_shape_is_seen() -> None:
    listed = published("dino_salad")
    _, missing, unknown = on_meta(SaladDescriptor, SaladOptions(), listed | {"backbone.model.norm.scale": (768,)})
    assert (missing, unknown) == ([], ["backbone.model.norm.scale"])
    lacking = {k: v for k, v in listed.items() if k != "backbone.model.blocks.3.attn.qkv.weight"}
    _, missing, unknown = on_meta(SaladDescriptor, SaladOptions(), lacking)
    assert (len(missing), unknown) == (3, [])
    with pytest.raises(RuntimeError, match="size mismatch"):
        on_meta(SaladDescriptor, SaladOptions(), listed | {"backbone.model.blocks.3.ls1.gamma": (767,)})


def test_every_backbone_has_options_of_its_own_that_hold() -> None:
    """The pictures are as many patches wide as the positions that were learned, but for DINO, which stretches them."""
    for name, tower in TOWERS.items():
        settled = VitOptions(backbone=name).settled()
        settled.check()
        if not tower.family.startswith("dino"):
            assert round(settled.size_px / tower.patch) == tower.image_px // tower.patch, name
