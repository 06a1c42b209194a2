"""An EfficientLoFTR that was never trained, in a file as it is published, for tests without the authors' weights."""

from __future__ import annotations

import importlib
from pathlib import Path


def random_efficient_loftr(path: Path) -> Path:
    """Writes seeded random weights, and returns the path.

    Untrained, attention would but add noise: it adds nothing here. The norms are set so that noise comes out of the
    backbone with some spread about zero, by which cells of a texture are told apart.
    """
    torch, transformers = importlib.import_module("torch"), importlib.import_module("transformers")
    torch.manual_seed(0)
    model = transformers.EfficientLoFTRForKeypointMatching(transformers.EfficientLoFTRConfig())
    inner = model.efficientloftr
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(module.weight)
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.fill_(1.0)
                module.momentum = 1.0
        coarse = inner.backbone.train()(torch.rand(2, 1, 128, 128))[-1]
        layers = inner.local_feature_transformer.layers
        for layer in layers:
            for part in (layer.self_attention, layer.cross_attention):
                part.mlp.layer_norm.weight.zero_()
        layers[0].self_attention.mlp.layer_norm.bias.copy_(-coarse.mean(dim=(0, 2, 3)))
    importlib.import_module("safetensors.torch").save_file(model.state_dict(), path)
    return path
