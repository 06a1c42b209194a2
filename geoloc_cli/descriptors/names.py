"""Names of published weights -> ours: those of transformers' files, under `backbone.`."""

from __future__ import annotations

import re
from typing import Any

# torch.hub's DINOv2 -> the files of transformers; patterns of whole names.
_DINOV2 = (
    (r"cls_token", "embeddings.cls_token"),
    (r"mask_token", "embeddings.mask_token"),
    (r"register_tokens", "embeddings.register_tokens"),
    (r"pos_embed", "embeddings.position_embeddings"),
    (r"patch_embed\.proj\.(weight|bias)", r"embeddings.patch_embeddings.projection.\1"),
    (r"blocks\.(\d+)\.(norm[12]\.(?:weight|bias))", r"encoder.layer.\1.\2"),
    (r"blocks\.(\d+)\.attn\.proj\.(weight|bias)", r"encoder.layer.\1.attention.output.dense.\2"),
    (r"blocks\.(\d+)\.ls([12])\.gamma", r"encoder.layer.\1.layer_scale\2.lambda1"),
    (r"blocks\.(\d+)\.(mlp\.fc[12]\.(?:weight|bias))", r"encoder.layer.\1.\2"),
    (r"blocks\.(\d+)\.mlp\.w12\.(weight|bias)", r"encoder.layer.\1.mlp.weights_in.\2"),
    (r"blocks\.(\d+)\.mlp\.w3\.(weight|bias)", r"encoder.layer.\1.mlp.weights_out.\2"),
    (r"norm\.(weight|bias)", r"layernorm.\1"),
)
_QKV = re.compile(r"blocks\.(\d+)\.attn\.qkv\.(weight|bias)")


def dinov2_from_hub(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Tensors of torch.hub's DINOv2, whose names begin with `prefix`, under ours; all others as they are.

    Its queries, keys and values are one matrix, in this order of rows.
    """
    renamed: dict[str, Any] = {}
    for key, value in state.items():
        name = key.removeprefix(prefix) if key.startswith(prefix) else ""
        fused = _QKV.fullmatch(name)
        if fused:
            layer, kind = fused.groups()
            for part, rows in zip(("query", "key", "value"), value.chunk(3), strict=True):
                renamed[f"backbone.encoder.layer.{layer}.attention.attention.{part}.{kind}"] = rows
            continue
        for pattern, replacement in _DINOV2:
            if match := re.fullmatch(pattern, name):
                key = f"backbone.{match.expand(replacement)}"
                break
        renamed[key] = value
    return renamed
