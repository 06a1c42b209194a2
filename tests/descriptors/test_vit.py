"""`vit`, a published transformer as it is: its files, its ways of pooling, and what becomes of its options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from geoloc_cli.descriptors.vit import VitDescriptor, VitOptions
from geoloc_cli.errors import UsageError, WeightsMismatch
from geoloc_cli.registry import BackendSpec, create

if TYPE_CHECKING:
    from pathlib import Path

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SHAPE: dict[str, Any] = {"hidden": 32, "layers": 2, "heads": 4, "image_px": 64}
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A small CLIP with its text tower, and its file as `save_pretrained` writes it."""
    torch.manual_seed(0)
    vision = {**SMALL, "intermediate_size": 128, "image_size": 64, "patch_size": 16, "projection_dim": 512}
    text = {**SMALL, "intermediate_size": 128, "vocab_size": 50}
    model = transformers.CLIPModel(transformers.CLIPConfig(vision_config=vision, text_config=text)).eval()
    folder = tmp_path_factory.mktemp("clip")
    model.save_pretrained(folder)
    return model, folder / "model.safetensors"


def options(path: Path, **given: Any) -> VitOptions:
    return VitOptions(**{**SHAPE, "backbone": "clip-vit-base-patch16", "weights": str(path), **given})


def photos() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (*size, 3), np.uint8) for size in ((64, 64), (100, 140), (90, 60))]


def test_a_whole_clip_is_read_and_gives_its_own_picture_features(clip: Any) -> None:
    """The same numbers as transformers', on a picture that needs no resizing."""
    model, path = clip
    made = VitDescriptor(options(path))
    picture = photos()[0]
    ready = torch.from_numpy(made._prepared(picture))[None]
    with torch.inference_mode():
        seen = model.visual_projection(model.vision_model(pixel_values=ready).pooler_output)[0]
    assert (made.dim, made.target(64, 64)) == (512, (64, 64))
    assert made.embed([picture])[0] == pytest.approx((seen / seen.norm()).numpy(), abs=1e-6)


@pytest.mark.parametrize(("pool", "dim"), [("cls", 512), ("mean", 32), ("gem", 32)])
def test_each_way_of_pooling_gives_unit_rows_the_same_again_and_alone(clip: Any, pool: str, dim: int) -> None:
    made = VitDescriptor(options(clip[1], pool=pool))
    found, again = made.embed(photos()), made.embed(photos())
    assert found.shape == (3, dim) == (3, made.dim)
    assert found.tobytes() == again.tobytes()
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    alone = np.concatenate([made.embed([photo]) for photo in photos()])
    assert np.abs(found - alone).max() < 1e-5


def test_the_power_of_one_is_the_mean_of_what_is_above_zero(clip: Any) -> None:
    """Tokens below zero count as nothing: the two differ, and a larger power moves further away."""
    rows = {p: VitDescriptor(options(clip[1], pool="gem", gem_p=p)).embed(photos()) for p in (1.0, 3.0, 50.0)}
    mean = VitDescriptor(options(clip[1], pool="mean")).embed(photos())
    assert np.abs(rows[1.0] - mean).max() > 1e-3
    assert np.abs(rows[50.0] - rows[1.0]).max() > np.abs(rows[3.0] - rows[1.0]).max() > 1e-3


def test_blocks_and_the_norm_matter_and_are_told(clip: Any) -> None:
    whole = VitDescriptor(options(clip[1], pool="mean"))
    for given in ({"layer": 1}, {"norm": False}):
        part = VitDescriptor(options(clip[1], pool="mean", **given))
        assert np.abs(part.embed(photos()) - whole.embed(photos())).max() > 1e-3
        assert part.identity != whole.identity


def test_oblong_pictures_are_seen_as_they_are(clip: Any) -> None:
    made = VitDescriptor(options(clip[1], resize="longer", size_px=96))
    assert made.target(140, 100) == (96, 64)
    assert made.embed(photos()).shape == (3, 512)


def test_what_is_left_open_is_that_of_the_backbone() -> None:
    clip, siglip = (
        VitOptions(backbone=f"{name}-patch16{size}").settled()
        for name, size in (("clip-vit-base", ""), ("siglip-base", "-384"))
    )
    assert (clip.size_px, clip.filter, clip.mean[:7]) == (224, "bicubic", "0.48145")
    assert (siglip.size_px, siglip.std) == (384, "0.5,0.5,0.5")
    stated = VitOptions(backbone="dinov3-vitb16", size_px=0, filter="bicubic", mean="0,0,0").settled()
    assert (stated.size_px, stated.filter, stated.mean, stated.std[:5]) == (0, "bicubic", "0,0,0", "0.229")


def test_it_is_built_by_name_with_options_as_text_and_again_from_what_it_pins(clip: Any) -> None:
    text = {name: str(value) for name, value in SHAPE.items()}
    given = {**text, "backbone": "clip-vit-base-patch16", "weights": str(clip[1]), "pool": "mean", "norm": "false"}
    made = create("descriptor", BackendSpec("vit", given))
    again = VitDescriptor(made.options)
    assert again.identity == made.identity
    assert again.embed(photos()).tobytes() == made.embed(photos()).tobytes()


def test_the_file_of_another_backbone_is_refused(clip: Any, tmp_path: Path) -> None:
    with pytest.raises(WeightsMismatch, match="another model"):
        VitDescriptor(options(clip[1], backbone="dinov2-base"))
    with pytest.raises(WeightsMismatch, match="another model"):
        VitDescriptor(options(clip[1], image_px=48))


@pytest.mark.parametrize(
    ("given", "said"), [({"pool": "max"}, "gem"), ({"gem_p": 0.5}, "gem_p"), ({"size_px": 8}, "32")]
)
def test_options_out_of_range_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        VitOptions(**given).check()
