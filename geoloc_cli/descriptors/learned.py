"""What learned global descriptors share: upright pictures in, one unit row each out.

A backend is one file that names its options, builds its network and maps the names of its published weights to ours.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, fields, replace
from itertools import islice
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geoloc_cli.device import available_cores, choose, full_precision, uploaded
from geoloc_cli.errors import RunError, UsageError
from geoloc_cli.models.weights import fit, load_weights, versions

# The pictures that DINOv2, and most networks of this field, were trained on (ImageNet's).
IMAGENET_MEAN = "0.485,0.456,0.406"
IMAGENET_STD = "0.229,0.224,0.225"
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
POLICIES = ("square", "shorter", "longer", "within")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
# What a picture's numbers do not depend on, or the weights' hash says better.
_APART = {"weights", "vocabulary", "weights_sha256", "precision", "compile", "batch"}


@dataclass(frozen=True, slots=True)
class PreparationOptions:
    """Options of every network that takes whole pictures, whatever runs it; each backend gives its authors' defaults.

    `weights` is the file of the state dict, by default one of the backend's usual name where weights are looked for
    (`models/weights.py`), and `weights_sha256` pins it: an index records both. `resize` says what becomes `size_px`
    long: both sides (square), the shorter or the longer one with the aspect kept, or the longer one of what is larger
    (within); every side is then rounded to what the network divides it by. 0 leaves pictures as large as they are.
    `filter` is Pillow's, which averages where it reduces. `mean` and `std` of red, green and blue are of a picture from
    0 to 1. `batch` pictures of one size are worked on at a time.
    """

    weights: str = ""
    weights_sha256: str = ""
    size_px: int = 322
    resize: str = "square"
    filter: str = "bilinear"
    mean: str = IMAGENET_MEAN
    std: str = IMAGENET_STD
    batch: int = 16

    def check(self) -> None:
        """Raises UsageError where one is out of range."""
        if self.size_px and self.size_px < 32:
            raise UsageError(f"size_px is {self.size_px}; give at least 32 pixels, or 0 for pictures as they are.")
        one_of("resize", self.resize, POLICIES)
        one_of("filter", self.filter, tuple(FILTERS))
        numbers("mean", self.mean)
        if (numbers("std", self.std) <= 0).any():
            raise UsageError(f"std is {self.std!r}; give three numbers above 0.")
        if self.batch < 1:
            raise UsageError(f"batch is {self.batch}; give at least 1.")


@dataclass(frozen=True, slots=True)
class PictureOptions(PreparationOptions):
    """Options that all of them have.

    `precision` is by default float32 on a CPU and half of it on a GPU, in the backbone alone. `compile` spends a minute
    on a network for each size of pictures, and makes it faster afterwards. The device is none of them: an index that
    recorded one would be of no use on a machine without it (`device.py`).
    """

    precision: str = "auto"
    compile: bool = False

    def check(self) -> None:
        """Raises UsageError where one is out of range."""
        PreparationOptions.check(self)
        one_of("precision", self.precision, PRECISIONS)


def one_of(name: str, given: str, there: Collection[str]) -> None:
    """Raises UsageError, which names the option, where its value is none of those."""
    if given not in there:
        raise UsageError(f"{name} is {given!r}; give one of {', '.join(there)}.")


def numbers(name: str, text: str) -> NDArray[np.float32]:
    """(3,) float32 of `r,g,b`. Raises UsageError, which names the option, where it is anything else."""
    try:
        values = np.array([float(part) for part in text.split(",")], np.float32)
    except ValueError:
        values = np.empty(0, np.float32)
    if values.shape != (3,) or not np.isfinite(values).all():
        raise UsageError(f"{name} is {text!r}; give three numbers, as in {IMAGENET_MEAN}.")
    return values


Prepared = TypeVar("Prepared", bound=PreparationOptions)
Options = TypeVar("Options", bound=PictureOptions)


class PictureNetwork(ABC, Generic[Prepared]):
    """What comes before any network of whole pictures: their size and their numbers."""

    name: ClassVar[str]
    options: Prepared
    identity: str
    # What both sides of a picture must be a multiple of.
    _multiple: int = 1

    def wanted_px(self) -> int:
        """The longest side at which it is worth decoding a picture; 0 is its full size.

        Twice the size of a side where the shorter one counts: pictures of up to 2:1 then lose nothing.
        """
        return self.options.size_px * (1 if self.options.resize in ("longer", "within") else 2)

    def scaled(self, factor: float) -> Self:
        """The same network, which sees pictures `factor` times as large; UsageError where it cannot."""
        if not self.options.size_px:
            raise UsageError("With size_px 0 pictures are described as large as they are; give a size, or no scales.")
        other = copy(self)
        other.options = replace(self.options, size_px=round(self.options.size_px * factor))
        other.options.check()
        other.identity = f"{self.identity}, {factor:g} times as large"
        try:
            other.embed([np.zeros((64, 64, 3), np.uint8)])
        except RuntimeError as error:  # torch's, where a head was built for maps of one size
            size = other.options.size_px
            raise UsageError(f"descriptor '{self.name}' takes no pictures of {size} px; give other scales.") from error
        return other

    @abstractmethod
    def embed(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """pictures: upright RGB, (H, W, 3) uint8 of any sizes. Returns (B, dim) float32 rows of unit length."""

    def _batches(self, pictures: Sequence[NDArray[np.uint8]]) -> Iterator[list[int]]:
        sizes: dict[tuple[int, int], list[int]] = {}
        for i, picture in enumerate(pictures):
            sizes.setdefault(self.target(picture.shape[1], picture.shape[0]), []).append(i)
        for members in sizes.values():
            for start in range(0, len(members), self.options.batch):
                yield members[start : start + self.options.batch]

    def target(self, width: int, height: int) -> tuple[int, int]:
        """The (width, height) at which the network sees a picture of this size."""
        size, policy = self.options.size_px, self.options.resize
        if not size:
            wanted: tuple[float, float] = (width, height)
        elif policy == "square":
            wanted = (size, size)
        else:
            factor = size / (min if policy == "shorter" else max)(width, height)
            factor = min(factor, 1.0) if policy == "within" else factor
            wanted = (width * factor, height * factor)
        across, down = (max(1, round(side / self._multiple)) * self._multiple for side in wanted)
        return across, down

    def _prepared(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W, 3) uint8 -> (3, H', W') float32, resized and normalised."""
        size = self.target(picture.shape[1], picture.shape[0])
        image = Image.fromarray(picture)
        if image.size != size:
            image = image.resize(size, FILTERS[self.options.filter])
        scaled = np.asarray(image, np.float32) / np.float32(255)
        mean, std = (numbers(key, getattr(self.options, key)) for key in ("mean", "std"))
        return np.ascontiguousarray(((scaled - mean) / std).transpose(2, 0, 1))


class LearnedDescriptor(PictureNetwork[Options]):
    """One vector of unit length for each upright picture, by a network.

    Pictures of one size are worked on together. In float32 a row does not depend on its company to 1e-5; in half
    precision to that precision, since a GPU adds up in another order for another size of a batch.
    """

    kind: ClassVar[str] = "descriptor"
    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers")

    def __init__(self, options: Options) -> None:
        """Raises MissingExtra without torch, WeightsMissing or WeightsMismatch without the model's weights."""
        options.check()
        owner = f"{self.kind} '{self.name}'"
        weights = load_weights(options.weights, options.weights_sha256, self.usual_file(options), owner)
        import torch

        place = choose()
        self._device = place.name
        self._dtype = getattr(torch, place.dtype if options.precision == "auto" else options.precision)
        network = fit(self.build(options), replace(weights, state=self.renamed(options, weights.state)), owner)
        self.dim = int(network.dim)
        network.to(self._device)
        network.backbone.to(self._dtype)
        self._network = torch.compile(network) if options.compile else network
        self._multiple = self.multiple_px(options)
        self.options = replace(options, weights=str(weights.path), weights_sha256=weights.sha256)
        settings = ", ".join(f"{f.name} {getattr(options, f.name)}" for f in fields(options) if f.name not in _APART)
        self.identity = f"{versions(*self.libraries)}, weights {weights.sha256}, {settings}"

    @abstractmethod
    def usual_file(self, options: Options) -> str:
        """The name under which the weights are published."""

    @abstractmethod
    def build(self, options: Options) -> Any:
        """The network, with any weights: a torch module that takes (B, 3, H, W) float32, normalised, and gives
        (B, dim) float32 unit rows.

        Its `dim` is an int. Its submodule `backbone` is put into half precision on a GPU, takes float32 and gives
        float32; all else stays in float32.
        """

    @abstractmethod
    def renamed(self, options: Options, state: dict[str, Any]) -> dict[str, Any]:
        """The published tensors under our names; names that are not understood are left as they are."""

    def multiple_px(self, options: Options) -> int:
        """What both sides of a picture must be a multiple of: the backbone's patch."""
        return 1

    def embed(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """pictures: upright RGB, (H, W, 3) uint8 of any sizes. Returns (B, dim) float32 rows of unit length.

        Raises RunError where half precision overflows.
        """
        import torch

        rows = np.zeros((len(pictures), self.dim), np.float32)
        with torch.inference_mode(), _exact(), self._hands() as ready:
            batches = list(self._batches(pictures))
            prepared = ready(self._prepared, [pictures[i] for members in batches for i in members])
            # A GPU goes on by itself: nothing waits for it until all has been sent.
            found = [self._network(uploaded(np.stack(list(islice(prepared, len(b)))), self._device)) for b in batches]
            for members, vectors in zip(batches, found, strict=True):
                rows[members] = vectors.float().cpu().numpy()
        if not np.isfinite(rows).all():
            raise RunError(f"{self.kind} '{self.name}' overflows in half precision here; give ?precision=float32.")
        return rows

    @contextmanager
    def _hands(self) -> Iterator[Callable[..., Iterator[Any]]]:
        """A `map` over pictures: by threads, ahead of a GPU; one after the other on a CPU, whose cores are at work."""
        if self._device == "cpu":
            yield map
            return
        with ThreadPoolExecutor(available_cores()) as pool:
            yield pool.map


@contextmanager
def _exact() -> Iterator[None]:
    """float32 means float32: TF32 would round the factors to 11 bits; and the same kernels on every run."""
    import torch

    flags = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    with full_precision(), flags:
        yield
