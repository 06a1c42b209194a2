"""ResNet feature maps (He et al. 2016) by transformers, under the names that torchvision's checkpoints use.

The stride of a bottleneck sits in its 3x3 convolution, as in torchvision ("v1.5") and unlike the paper.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from torch import Tensor, nn
from transformers import ResNetConfig, ResNetModel


@dataclass(frozen=True, slots=True)
class Shape:
    """Residual blocks of each of the four stages; `bottleneck` for three convolutions a block instead of two."""

    blocks: tuple[int, int, int, int]
    bottleneck: bool


SHAPES = {
    "resnet18": Shape((2, 2, 2, 2), False),
    "resnet50": Shape((3, 4, 6, 3), True),
    "resnet101": Shape((3, 4, 23, 3), True),
    "resnet152": Shape((3, 8, 36, 3), True),
}
# torchvision's children in their order, as a Sequential of them numbers them; 2 and 3, ReLU and pooling, hold nothing.
_CHILDREN = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
_BLOCK = re.compile(r"layer(\d)\.(\d+)\.(conv|bn|downsample\.)(\d)\.(\w+)")


class ResNet(nn.Module):
    """Pictures (B, 3, H, W) -> maps (B, channels, H / s, W / s), rounded up, where s = 2 ** (stages + 1)."""

    def __init__(self, architecture: str = "resnet50", stages: int = 4, width: int = 64) -> None:
        """architecture: a name of SHAPES; stages: how many of its four are kept; width: channels of its first one."""
        super().__init__()
        shape = SHAPES[architecture]
        expansion = 4 if shape.bottleneck else 1
        sizes = [width * expansion * 2**stage for stage in range(stages)]
        config = ResNetConfig(
            embedding_size=width,
            hidden_sizes=sizes,
            depths=list(shape.blocks[:stages]),
            layer_type="bottleneck" if shape.bottleneck else "basic",
        )
        self.model = ResNetModel(config)
        self.channels = sizes[-1]
        self.stride = 2 ** (stages + 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """In the precision of the weights; the maps come back in that of the pictures."""
        maps: Tensor = self.model.encoder(self.model.embedder(pictures.to(self.model.dtype))).last_hidden_state
        return maps.to(pictures.dtype)


def from_torchvision(name: str, prefix: str = "") -> str:
    """The name in a `Headed` ResNet of a tensor that torchvision's names after `prefix`; any other stays as it is."""
    inner = name.removeprefix(prefix)
    head, _, leaf = inner.partition(".")
    kinds = {"conv1": "convolution", "bn1": "normalization"}
    if not name.startswith(prefix):
        return name
    if head in kinds:
        return f"backbone.model.embedder.embedder.{kinds[head]}.{leaf}"
    if not (match := _BLOCK.fullmatch(inner)):
        return name
    stage, block, kind, part, leaf = match.groups()
    into = f"backbone.model.encoder.stages.{int(stage) - 1}.layers.{block}"
    if kind == "downsample.":
        return f"{into}.shortcut.{'normalization' if part == '1' else 'convolution'}.{leaf}"
    return f"{into}.layer.{int(part) - 1}.{'normalization' if kind == 'bn' else 'convolution'}.{leaf}"


def from_children(name: str, prefix: str) -> str:
    """The same of a Sequential of torchvision's children: `4.0.conv1.weight` is its `layer1.0.conv1.weight`."""
    head, _, rest = name.removeprefix(prefix).partition(".")
    child = name.startswith(prefix) and head in _CHILDREN
    return from_torchvision(f"{_CHILDREN[head]}.{rest}") if child else name
