"""ResNet maps against the plain network that torchvision describes, and their tensors by torchvision's names."""

from __future__ import annotations

from typing import Any

import pytest
from published_names import randomized

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from torch.nn import functional  # noqa: E402

from geoloc_cli.descriptors.nets.resnet import SHAPES, ResNet, from_children, from_torchvision  # noqa: E402

State = dict[str, Any]


def torchvision_names(architecture: str, stages: int) -> list[str]:
    shape = SHAPES[architecture]
    leaves = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    names = ["conv1.weight", *(f"bn1.{leaf}" for leaf in leaves)]
    for stage in range(stages):
        for block in range(shape.blocks[stage]):
            into = f"layer{stage + 1}.{block}"
            for k in (1, 2, 3) if shape.bottleneck else (1, 2):
                names += [f"{into}.conv{k}.weight", *(f"{into}.bn{k}.{leaf}" for leaf in leaves)]
            # The first stage of a basic ResNet changes neither size nor channels.
            if block == 0 and (stage or shape.bottleneck):
                names += [f"{into}.downsample.0.weight", *(f"{into}.downsample.1.{leaf}" for leaf in leaves)]
    return names


def made(architecture: str, stages: int, width: int) -> tuple[ResNet, State]:
    """A small network of random numbers in float64, and the same numbers by torchvision's names."""
    torch.manual_seed(0)
    network = randomized(ResNet(architecture, stages, width)).double().eval()
    state = network.state_dict()
    names = torchvision_names(architecture, stages)
    ours = [from_torchvision(name).removeprefix("backbone.") for name in names]
    assert sorted(ours) == sorted(state)
    return network, {name: state[our] for name, our in zip(names, ours, strict=True)}


def normalised(x: Any, state: State, at: str) -> Any:
    mean, variance, gain, shift = (
        state[f"{at}.{leaf}"][:, None, None] for leaf in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (variance + 1e-5).sqrt() * gain + shift


def plain(state: State, architecture: str, stages: int, x: Any) -> Any:
    """He et al. 2016, with the stride of a bottleneck in its 3x3 convolution."""
    shape = SHAPES[architecture]
    x = normalised(functional.conv2d(x, state["conv1.weight"], stride=2, padding=3), state, "bn1").clamp(min=0)
    x = functional.max_pool2d(x, 3, 2, 1)
    for stage in range(stages):
        for block in range(shape.blocks[stage]):
            at = f"layer{stage + 1}.{block}"
            stride = 2 if stage and block == 0 else 1
            y = x
            for k in (1, 2, 3) if shape.bottleneck else (1, 2):
                kernel = state[f"{at}.conv{k}.weight"]
                striding = stride if k == (2 if shape.bottleneck else 1) else 1
                y = functional.conv2d(y, kernel, stride=striding, padding=kernel.shape[-1] // 2)
                y = normalised(y, state, f"{at}.bn{k}")
                y = y if k == (3 if shape.bottleneck else 2) else y.clamp(min=0)
            if f"{at}.downsample.0.weight" in state:
                x = normalised(
                    functional.conv2d(x, state[f"{at}.downsample.0.weight"], stride=stride), state, f"{at}.downsample.1"
                )
            x = (x + y).clamp(min=0)
    return x


@pytest.mark.parametrize(
    ("architecture", "stages"), [("resnet18", 4), ("resnet18", 2), ("resnet50", 3), ("resnet50", 4)]
)
def test_maps_are_those_of_the_plain_network(architecture: str, stages: int) -> None:
    network, state = made(architecture, stages, width=4)
    pictures = torch.randn(2, 3, 70, 45, dtype=torch.float64)
    with torch.no_grad():
        maps = network(pictures)
        expected = plain(state, architecture, stages, pictures)
    size = [-(-side // network.stride) for side in (70, 45)]
    assert list(maps.shape) == [2, network.channels, *size]
    assert expected.abs().max() > 0.1
    assert torch.allclose(maps, expected, rtol=0, atol=1e-10 * float(expected.abs().max()))


@pytest.mark.parametrize(
    ("architecture", "parameters"),
    # torchvision's tables, less the classifier (513 000 of ResNet-18, 2 049 000 of the others).
    [("resnet18", 11_176_512), ("resnet50", 23_508_032), ("resnet101", 42_500_160), ("resnet152", 58_143_808)],
)
def test_whole_networks_have_as_many_parameters_as_torchvisions(architecture: str, parameters: int) -> None:
    with torch.device("meta"):
        network = ResNet(architecture)
    assert sum(value.numel() for value in network.parameters()) == parameters
    ours = {from_torchvision(name).removeprefix("backbone.") for name in torchvision_names(architecture, 4)}
    assert ours == set(network.state_dict())


def test_children_have_the_names_of_what_they_are() -> None:
    assert from_children("backbone.0.weight", "backbone.") == from_torchvision("conv1.weight")
    assert from_children("backbone.1.bias", "backbone.") == from_torchvision("bn1.bias")
    name = "layer4.2.downsample.1.running_var"
    assert from_children("net.7.2.downsample.1.running_var", "net.") == from_torchvision(name)
    for strange in ("backbone.2.weight", "0.weight", "fc.weight", "backbone.layer4.0.conv1"):
        assert from_children(strange, "backbone.") == strange
        assert from_torchvision(strange, "backbone.model.") == strange


def test_maps_come_back_in_the_precision_of_the_pictures() -> None:
    network, _ = made("resnet18", 2, width=4)
    with torch.no_grad():
        maps = network.to(torch.bfloat16)(torch.randn(1, 3, 40, 40))
    assert maps.dtype == torch.float32
