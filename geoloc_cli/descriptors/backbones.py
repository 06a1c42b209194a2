"""Vision transformers under the names of their published repositories, and what turns a picture into their input."""

from __future__ import annotations

from dataclasses import dataclass, replace

from geoloc_cli.descriptors.learned import IMAGENET_MEAN, IMAGENET_STD, PictureOptions
from geoloc_cli.errors import UsageError


@dataclass(frozen=True, slots=True)
class Tower:
    """One architecture: `layers` blocks of `hidden` channels, `heads` and an MLP of `mlp`, on patches of `patch` px.

    The position embeddings were learned at `image_px`; `registers` tokens stand beside the class token; `gated` is the
    SwiGLU form of the MLP; `projection` the length of CLIP's common space.
    """

    family: str
    hidden: int
    layers: int
    heads: int
    patch: int
    mlp: int
    image_px: int = 224
    registers: int = 0
    gated: bool = False
    projection: int = 0
    activation: str = "gelu"


@dataclass(frozen=True, slots=True)
class Habits:
    """What a family's authors feed it: mean and deviation, the filter that resizes, and the side of the picture in
    pixels (0: `image_px` of the architecture).
    """

    mean: str
    std: str
    filter: str
    size_px: int = 0


_CLIP_MEAN, _CLIP_STD = "0.48145466,0.4578275,0.40821073", "0.26862954,0.26130258,0.27577711"
# 322 is what the methods of this field use with DINOv2, whose own 518 takes three times as long.
HABITS = {
    "dinov2": Habits(IMAGENET_MEAN, IMAGENET_STD, "bicubic", 322),
    "dinov3": Habits(IMAGENET_MEAN, IMAGENET_STD, "bilinear", 320),
    "clip": Habits(_CLIP_MEAN, _CLIP_STD, "bicubic"),
    "metaclip2": Habits(_CLIP_MEAN, _CLIP_STD, "bicubic"),
    "siglip": Habits("0.5,0.5,0.5", "0.5,0.5,0.5", "bicubic"),
    "siglip2": Habits("0.5,0.5,0.5", "0.5,0.5,0.5", "bilinear"),
}


def _towers() -> dict[str, Tower]:
    small, base, large = (384, 12, 6), (768, 12, 12), (1024, 24, 16)
    so400m, huge, giant_clip = (1152, 27, 16), (1280, 32, 16), (1664, 48, 16)
    towers = {}
    for registers, infix in ((0, ""), (4, "with-registers-")):
        for size, shape in (("small", small), ("base", base), ("large", large)):
            towers[f"dinov2-{infix}{size}"] = Tower("dinov2", *shape, 14, 4 * shape[0], 518, registers)
        # Two thirds of four times the width, rounded up to a multiple of 8.
        towers[f"dinov2-{infix}giant"] = Tower("dinov2", 1536, 40, 24, 14, 4096, 518, registers, gated=True)
    for size, shape in (("vits16", small), ("vitb16", base), ("vitl16", large)):
        towers[f"dinov3-{size}"] = Tower("dinov3", *shape, 16, 4 * shape[0], 224, 4)
    towers["dinov3-vits16plus"] = Tower("dinov3", *small, 16, 1536, 224, 4, gated=True, activation="silu")
    towers["dinov3-vith16plus"] = Tower("dinov3", 1280, 32, 20, 16, 5120, 224, 4, gated=True, activation="silu")
    for size, shape, patch, image, space in (
        ("base-patch32", base, 32, 224, 512),
        ("base-patch16", base, 16, 224, 512),
        ("large-patch14", large, 14, 224, 768),
        ("large-patch14-336", large, 14, 336, 768),
    ):
        mlp = 4 * shape[0]
        towers[f"clip-vit-{size}"] = Tower("clip", *shape, patch, mlp, image, projection=space, activation="quick_gelu")
    for size, shape, mlp, image, space, activation in (
        ("huge-quickgelu", huge, 5120, 224, 1024, "quick_gelu"),
        ("huge-378", huge, 5120, 378, 1024, "gelu"),
        ("giant", giant_clip, 8192, 224, 1280, "gelu"),
        ("giant-378", giant_clip, 8192, 378, 1280, "gelu"),
    ):
        towers[f"metaclip-2-worldwide-{size}"] = Tower(
            "metaclip2", *shape, 14, mlp, image, projection=space, activation=activation
        )
    for family, size, shape, patch, mlp, images in (
        ("siglip", "base", base, 16, 3072, (224, 256, 384, 512)),
        ("siglip", "large", large, 16, 4096, (256, 384)),
        ("siglip", "so400m", so400m, 14, 4304, (224, 384)),
        ("siglip2", "base", base, 32, 3072, (256,)),
        ("siglip2", "base", base, 16, 3072, (224, 256, 384, 512)),
        ("siglip2", "large", large, 16, 4096, (256, 384, 512)),
        ("siglip2", "so400m", so400m, 14, 4304, (224, 384)),
        ("siglip2", "so400m", so400m, 16, 4304, (256, 384, 512)),
    ):
        for image in images:
            towers[f"{family}-{size}-patch{patch}-{image}"] = Tower(
                family, *shape, patch, mlp, image, activation="gelu_pytorch_tanh"
            )
    return towers


TOWERS = _towers()


@dataclass(frozen=True, slots=True)
class BackboneOptions(PictureOptions):
    """Options of descriptors on a vision transformer.

    `backbone` is its published name without the owner (for DINOv3, without what it was trained on). `layer` blocks of
    it are worked through, 0 for all, and `norm` says whether the final norm follows. `hidden`, `layers`, `heads`,
    `patch` and `image_px` are for networks of another shape than the published one; 0 is the published.
    """

    backbone: str = "dinov2-base"
    layer: int = 0
    norm: bool = True
    hidden: int = 0
    layers: int = 0
    heads: int = 0
    patch: int = 0
    image_px: int = 0

    def check(self) -> None:
        """Raises UsageError where one is out of range."""
        PictureOptions.check(self)
        if self.backbone not in TOWERS:
            raise UsageError(f"There is no backbone '{self.backbone}'; there is {', '.join(TOWERS)}.")
        for name in ("hidden", "layers", "heads", "patch", "image_px"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name} is {getattr(self, name)}; give a number above 0, or 0 for the published one.")
        wanted = self.tower()
        if not 0 <= self.layer <= wanted.layers:
            raise UsageError(f"layer is {self.layer}; {self.backbone} has {wanted.layers}; give one of them, or 0.")
        if wanted.hidden % wanted.heads:
            raise UsageError(f"hidden is {wanted.hidden}, no multiple of the {wanted.heads} heads; give one that is.")

    def tower(self) -> Tower:
        """The architecture that is asked for; the MLP keeps its proportion."""
        published = TOWERS[self.backbone]
        hidden = self.hidden or published.hidden
        return replace(
            published,
            hidden=hidden,
            mlp=round(published.mlp / published.hidden * hidden),
            layers=self.layers or published.layers,
            heads=self.heads or published.heads,
            patch=self.patch or published.patch,
            image_px=self.image_px or published.image_px,
        )
