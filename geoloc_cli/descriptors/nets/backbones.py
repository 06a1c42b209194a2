"""Vision transformers of transformers behind one interface, without its hub: pictures in, tokens out.

DINOv2 (Oquab et al. 2023), with registers (Darcet et al. 2023), DINOv3 (Siméoni et al. 2025), CLIP (Radford et al.
2021), MetaCLIP 2 (Chuang et al. 2025), SigLIP (Zhai et al. 2023), SigLIP 2 (Tschannen et al. 2025; fixed sizes).
"""

from __future__ import annotations

import re
from typing import Any

import torch
import transformers
from torch import nn

from geoloc_cli.descriptors.backbones import Tower

# Of use in training alone.
_MASKS = ("embeddings.mask_token",)
# Names of the published files -> those of later versions of transformers, tried where the installed one lacks a name.
_LATER = {
    "dinov2": (
        (r"attention\.attention\.query", "attention.q_proj"),
        (r"attention\.attention\.key", "attention.k_proj"),
        (r"attention\.attention\.value", "attention.v_proj"),
        (r"attention\.output\.dense", "attention.o_proj"),
        (r"mlp\.weights_out", "mlp.down_proj"),
    ),
    "dinov3": ((r"^layer\.", "model.layer."),),
    "siglip": ((r"^vision_model\.", ""),),
    "siglip2": ((r"^vision_model\.", ""),),
}
_FINAL_NORMS = ("layernorm", "norm", "post_layernorm", "vision_model.post_layernorm")
_BLOCK = re.compile(r"(?:^|\.)layers?\.(\d+)\.")


class Vit(nn.Module):
    """(B, 3, H, W) normalised, H and W multiples of `patch` -> the picture's own token (B, dim_cls) and its patches'
    (B, dim, H / patch, W / patch), both float32 whatever the weights are in.

    The picture's own token is the class token of DINO, CLIP's projected into its common space, and the attention pool
    of SigLIP, which has no class token. `layer` blocks are worked through, 0 for all; `norm`: the final norm follows.
    Weights are loaded under their published names. `offset` is DINOv2's on torch.hub: position embeddings are stretched
    to that many patches more than there are, 0.1, where transformers fits them to the patches.
    """

    def __init__(self, tower: Tower, layer: int = 0, norm: bool = True, offset: float = 0.0) -> None:
        super().__init__()
        self.tower = tower
        self.layer = layer or tower.layers
        self.norm = norm
        self.dim = tower.hidden
        self.dim_cls = tower.projection or tower.hidden
        self.model = _model(tower, self.layer)
        if tower.family in ("dinov2", "dinov3"):
            self.model.embeddings.mask_token = None
        if not norm:
            self.model.set_submodule(_final_norm(self.model), nn.Identity())
        if offset:
            # transformers calls it by this name, with the tokens, the height and the width in pixels.
            self.model.embeddings.interpolate_pos_encoding = _Stretched(self.model.embeddings, tower.patch, offset)
        self.register_load_state_dict_pre_hook(_translate)

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pictures = pictures.to(next(self.parameters()).dtype)
        rows, columns = (side // self.tower.patch for side in pictures.shape[-2:])
        if self.tower.family in ("dinov2", "dinov3"):
            tokens = self.model(pixel_values=pictures).last_hidden_state
            own, patches = tokens[:, 0], tokens[:, 1 + self.tower.registers :]
        elif self.tower.family in ("clip", "metaclip2"):
            seen = self.model.vision_model(pixel_values=pictures, interpolate_pos_encoding=True)
            own = self.model.visual_projection(seen.pooler_output)
            patches = self.model.vision_model.post_layernorm(seen.last_hidden_state[:, 1:])
        else:
            seen = self.model(pixel_values=pictures, interpolate_pos_encoding=True)
            own, patches = seen.pooler_output, seen.last_hidden_state
        return own.float(), patches.float().transpose(1, 2).unflatten(2, (rows, columns))

    def left_out(self, name: str) -> bool:
        """Whether a published name belongs to what this network does without, on purpose."""
        block = _BLOCK.search(name)
        if block:
            return self.layer <= int(block[1]) < self.tower.layers
        return name in _MASKS or (not self.norm and name.rpartition(".")[0] in _FINAL_NORMS)


class _Stretched:
    """Position embeddings by bicubic interpolation at DINOv2's own scale, (patches + offset) / learned."""

    def __init__(self, embeddings: Any, patch: int, offset: float) -> None:
        self._embeddings, self._patch, self._offset = embeddings, patch, offset

    def __call__(self, tokens: torch.Tensor, height: int, width: int) -> torch.Tensor:
        """Returns (1, 1 + patches, C), the class token's first."""
        known = self._embeddings.position_embeddings
        side = round((known.shape[1] - 1) ** 0.5)
        rows, columns = height // self._patch, width // self._patch
        if rows == columns == side:
            return known
        grid = known[:, 1:].float().unflatten(1, (side, side)).permute(0, 3, 1, 2)
        scale = ((rows + self._offset) / side, (columns + self._offset) / side)
        grid = nn.functional.interpolate(grid, scale_factor=scale, mode="bicubic")
        return torch.cat((known[:, :1], grid.flatten(2).transpose(1, 2).to(known.dtype)), dim=1)


def _model(tower: Tower, layers: int) -> Any:
    """The network of transformers with its own random weights."""
    shape = {
        "hidden_size": tower.hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": tower.heads,
        "patch_size": tower.patch,
        "image_size": tower.image_px,
        "hidden_act": tower.activation,
    }
    if tower.family == "dinov2" and tower.registers:
        shape |= {"num_register_tokens": tower.registers, "use_swiglu_ffn": tower.gated}
        return transformers.Dinov2WithRegistersModel(transformers.Dinov2WithRegistersConfig(**shape))
    if tower.family == "dinov2":
        return transformers.Dinov2Model(transformers.Dinov2Config(**shape, use_swiglu_ffn=tower.gated))
    shape["intermediate_size"] = tower.mlp
    if tower.family == "dinov3":
        shape |= {"num_register_tokens": tower.registers, "use_gated_mlp": tower.gated}
        return transformers.DINOv3ViTModel(transformers.DINOv3ViTConfig(**shape))
    if tower.family == "clip":
        config = transformers.CLIPVisionConfig(**shape, projection_dim=tower.projection)
        return transformers.CLIPVisionModelWithProjection(config)
    if tower.family == "metaclip2":
        config = transformers.MetaClip2VisionConfig(**shape, projection_dim=tower.projection)
        return transformers.MetaClip2VisionModelWithProjection(config)
    return transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**shape))


def _final_norm(model: Any) -> str:
    names = {name for name, _ in model.named_modules()}
    return next(name for name in _FINAL_NORMS if name in names)


def _translate(vit: Vit, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Published names -> those of the installed transformers, in place; what is left out is dropped.

    Names that are known already, and names that are not understood, are left as they are.
    """
    known = set(vit.state_dict().keys())
    for key in [key for key in state if key.startswith(prefix)]:
        name = key.removeprefix(prefix)
        if name in known:
            continue
        if vit.left_out(name):
            del state[key]
            continue
        later = name
        for pattern, replacement in _LATER.get(vit.tower.family, ()):
            later = re.sub(pattern, replacement, later)
        gate, up = (later.replace("mlp.weights_in", f"mlp.{half}_proj") for half in ("gate", "up"))
        if f"model.{name}" in known:
            state[f"{prefix}model.{name}"] = state.pop(key)
        elif gate != up and {f"model.{gate}", f"model.{up}"} <= known:
            state[f"{prefix}model.{gate}"], state[f"{prefix}model.{up}"] = state.pop(key).chunk(2)
        elif f"model.{later}" in known:
            state[f"{prefix}model.{later}"] = state.pop(key)
