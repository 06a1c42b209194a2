"""Any network of whole pictures as an ONNX file: its vector, or its map of features pooled; without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.descriptors.learned import PictureNetwork, PreparationOptions, one_of
from geoloc_cli.errors import UsageError, WeightsMismatch
from geoloc_cli.models.onnx import Network, open_network
from geoloc_cli.models.weights import versions

POOLS = ("none", "mean", "gem")
# Below it a feature is nothing, and its power would be lost in float32.
_FLOOR = np.float32(1e-6)
# What a picture's numbers do not depend on, or the file's hash says better.
_APART = {"weights", "weights_sha256", "batch"}


@dataclass(frozen=True, slots=True)
class OnnxOptions(PreparationOptions):
    """Options of `onnx`; `weights` is the file, and has no usual name.

    Its only input is pictures (n, 3, height, width) in float32. `output` names one of its outputs where it has several.
    `pool` says what makes it a vector: none, of (n, D); or over the places of a map (n, D, h, w) the mean, or the
    generalised mean of power `p` (GeM, Radenović 2019). Sides are rounded to multiples of `multiple_px`, the patch of
    a transformer.
    """

    size_px: int = 224
    output: str = ""
    pool: str = "none"
    p: float = 3.0
    multiple_px: int = 1

    def check(self) -> None:
        """Raises UsageError where one is out of range."""
        PreparationOptions.check(self)
        one_of("pool", self.pool, POOLS)
        if not 1.0 <= self.p <= 100.0:
            raise UsageError(f"p is {self.p}; give a power from 1, the mean, to 100, all but the maximum.")
        if self.multiple_px < 1:
            raise UsageError(f"multiple_px is {self.multiple_px}; give at least 1.")


class OnnxDescriptor(PictureNetwork[OnnxOptions]):
    """One vector of unit length for each upright picture."""

    name = "onnx"

    def __init__(self, options: OnnxOptions | None = None) -> None:
        """Raises MissingExtra without onnxruntime, WeightsMissing or WeightsMismatch without the network."""
        options = options or OnnxOptions()
        options.check()
        owner = f"descriptor '{self.name}'"
        if not options.weights:
            raise UsageError(f"{owner} is any network: give its file, as in 'onnx?weights=/path/to/network.onnx'.")
        self._network = open_network(options.weights, options.weights_sha256, options.weights, owner)
        self._input, self._one_by_one = _only_input(self._network, owner)
        self._multiple = options.multiple_px
        self._output = _wanted_output(self._network, options.output, owner)
        path, sha256 = str(self._network.path), self._network.sha256
        self.options = replace(options, weights=path, weights_sha256=sha256, output=self._output)
        telling = [f.name for f in fields(options) if f.name not in _APART]
        settings = ", ".join(f"{name} {getattr(self.options, name)}" for name in telling)
        self.identity = f"{versions('onnxruntime')}, weights {sha256}, {settings}"
        self.dim = len(self._rows([np.zeros((64, 64, 3), np.uint8)])[0])

    def embed(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """pictures: upright RGB, (H, W, 3) uint8 of any sizes. Returns (B, dim) float32 rows of unit length.

        Raises WeightsMismatch where the network takes no pictures of such a size.
        """
        rows = np.zeros((len(pictures), self.dim), np.float32)
        for members in self._batches(pictures):
            rows[members] = self._rows([pictures[i] for i in members])
        return rows

    def _rows(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Of pictures that the network sees at one size."""
        ready = np.stack([self._prepared(picture) for picture in pictures])
        parts = [ready[i : i + 1] for i in range(len(ready))] if self._one_by_one else [ready]
        try:
            found = np.concatenate(
                [self._network.session.run([self._output], {self._input: part})[0] for part in parts]
            )
        except Exception as error:  # onnxruntime raises a dozen types of its own
            height, width = ready.shape[2:]
            raise WeightsMismatch(
                f"descriptor '{self.name}': {self._network.path} does not take pictures of {width} x {height} pixels; "
                "give the `size_px` and `resize=square` that it was exported with."
            ) from error
        pooled = self._pooled(found)
        return np.asarray(pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), _FLOOR), np.float32)

    def _pooled(self, found: NDArray[Any]) -> NDArray[np.float32]:
        wanted = 2 if self.options.pool == "none" else 4
        if found.ndim != wanted:
            remedy = {2: "a vector; give `pool=none`", 4: "a map; give `pool=gem` or `pool=mean`"}
            found_is = remedy.get(found.ndim, "neither a vector nor a map; name another `output`")
            raise UsageError(f"The output {self._output} of {self._network.path}, {found.shape}, is {found_is}.")
        numbers: NDArray[np.float32] = found.astype(np.float32)
        if self.options.pool == "none":
            return numbers
        if self.options.pool == "mean":
            return np.asarray(numbers.mean(axis=(2, 3)))
        power = np.float32(self.options.p)
        # In units of the largest, so that no power overflows.
        largest = np.maximum(numbers.max(axis=(1, 2, 3), keepdims=True), _FLOOR)
        powers: NDArray[np.float32] = np.maximum(numbers / largest, _FLOOR) ** power
        return np.asarray(powers.mean(axis=(2, 3)) ** (1 / power))


def _only_input(network: Network, owner: str) -> tuple[str, bool]:
    """The name of the input, and whether it takes one picture at a time."""
    inputs = network.session.get_inputs()
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 4 or inputs[0].shape[1] != 3:
        said = "; ".join(f"{entry.name}: {entry.type} {entry.shape}" for entry in inputs)
        raise WeightsMismatch(
            f"{owner}: {network.path} takes {said}; give a network that takes pictures alone, tensor(float) "
            "[n, 3, height, width]."
        )
    return inputs[0].name, inputs[0].shape[0] == 1


def _wanted_output(network: Network, given: str, owner: str) -> str:
    names = [entry.name for entry in network.session.get_outputs()]
    if given in names:
        return given
    if given or len(names) > 1:
        raise UsageError(f"{owner}: {network.path} gives {', '.join(names)}; name one, as in `?output={names[0]}`.")
    return str(names[0])
