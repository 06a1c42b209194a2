"""One Protocol per seam: what a backend of each kind must offer.

Backends are built by `registry.create` from a spec (a name and strict options) inside the process that uses them;
specs and records travel between processes, built backends never do. Arrays are numpy's on every seam.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from geoloc_cli.errors import PhotoError
    from geoloc_cli.features.local import LocalFeatures
    from geoloc_cli.index.reader import Circle, Index, SearchResult
    from geoloc_cli.pose.solve import PoseProblem, Solved
    from geoloc_cli.types import Belief, Failure, Fix, Photo, PriorGuess

Item = TypeVar("Item")
Result = TypeVar("Result")


class Prior(Protocol):
    """Photo -> belief. One that knows nothing returns None, or an even belief and a guess of no place that says why."""

    name: str

    def believe(self, photo: Photo) -> tuple[Belief, PriorGuess] | None: ...


@runtime_checkable
class BatchPrior(Prior, Protocol):
    """A prior that gains by being asked for many photos: one for the whole run, ahead of the workers."""

    def believe_all(
        self, photos: Iterable[Photo]
    ) -> Iterator[tuple[Photo, tuple[Belief, PriorGuess] | PhotoError | None]]:
        """Each photo with what `believe` returns or why it could not, in their order; few are in hand at once."""
        ...

    def report(self) -> dict[str, Any]:
        """What it took so far, in plain words and numbers; empty where there is nothing to tell."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class TextPrior(Prior, Protocol):
    """A prior that can be asked about words in place of a photo; said of all photos, they are its option `text`."""

    def believe_text(self, text: str) -> tuple[Belief, PriorGuess] | None: ...


class Features(Protocol):
    """Upright picture -> keypoints and what they look like.

    `identity` tells what the result depends on besides the options: the library's version, the weights' hash.
    """

    name: str
    identity: str
    options: Any

    def extract(self, gray: NDArray[np.uint8]) -> LocalFeatures:
        """gray: (H, W) uint8, C-contiguous. Returns no features rather than raising on a blank picture."""
        ...


class Descriptor(Protocol):
    """One photo -> one vector of unit length, so that the inner product of two is their cosine similarity."""

    name: str
    dim: int

    def describe(self, features: LocalFeatures) -> NDArray[np.float32]:
        """Returns (dim,) float32 of unit length. Raises TooFewFeatures where there is nothing to describe."""
        ...

    def state(self) -> dict[str, NDArray[Any]]:
        """What was learned from the indexed photos; an index keeps it and `restore`s the descriptor from it."""
        ...


class PictureDescriptor(Protocol):
    """One photo -> one vector of unit length, from its picture rather than from its local features.

    `identity` as that of Features; `options` come back with the weights pinned.
    """

    name: str
    identity: str
    options: Any
    dim: int

    def wanted_px(self) -> int:
        """The longest side at which it is worth decoding a picture; 0 is its full size."""
        ...

    def embed(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """pictures: upright RGB, (H, W, 3) uint8 of any sizes. Returns (B, dim) float32 rows of unit length, each the
        same to 1e-5 in whatever company it comes.
        """
        ...


class Matcher(Protocol):
    """Pair of photos -> correspondences.

    `identity` as that of Features; `options` is None where it takes none. Where its options have them, a stage fills in
    what nobody stated: `max_ratio`, the ratio test's, and `features`, the backend that described the photos. One that
    `needs_pictures` is given features with their picture, which is decoded for such a one alone.
    """

    needs_pictures: ClassVar[bool]
    name: str
    identity: str
    options: Any

    def prepare(self, features: LocalFeatures) -> Any:
        """What comparing this photo takes, computed once however many others it is compared with; any type.

        Raises UsageError where such features cannot be compared.
        """
        ...

    def match(self, query: Any, reference: Any) -> NDArray[np.int32]:
        """Of two that were prepared. Returns (M, 2) int32: row of the query's keypoint, row of the reference's; each
        row of the query at most once, and so each of the reference's.
        """
        ...


@runtime_checkable
class BatchMatcher(Matcher, Protocol):
    """A matcher that gains by comparing a photo with many others at once."""

    def match_all(self, query: Any, references: Sequence[Any]) -> list[NDArray[np.int32]]:
        """What `match` returns for each of the references, in their order."""
        ...


class Search(Protocol):
    """One photo's local features -> the indexed photos that may show its place."""

    def __call__(
        self, features: LocalFeatures, k: int, within: Sequence[Circle] | None = None, outside_k: int = 0
    ) -> SearchResult:
        """The k best inside the circles (everywhere without any), then the outside_k best elsewhere.

        Raises TooFewFeatures where there is nothing to search by.
        """
        ...


class Retriever(Protocol):
    """A way of searching an index; `over` reads what it needs of one that is open, once for each process."""

    name: str

    def over(self, index: Index) -> Search: ...


class PoseSolver(Protocol):
    """Pairs of rays and points, most of them wrong perhaps -> a first pose of each problem, or None, never a guess."""

    name: str

    def solve(self, problems: Sequence[PoseProblem]) -> list[Solved | None]:
        """One answer for each problem, in their order, whatever is wrong with the others."""
        ...


class ParallelMap(Protocol):
    """The same map over items wherever it runs (`engine/`): results in input order, a bounded number in flight.

    `build` names a callable as `module:function`; it is called once in each worker with `spec` (plain JSON) and
    returns the function that is applied to each item.
    """

    def __call__(self, build: str, spec: dict[str, Any], items: Iterable[Item]) -> Iterator[Any]: ...


class Writer(Protocol):
    """Takes answers one by one, in input order; what was written before an interruption stays written."""

    def write(self, answer: Fix | Failure) -> None: ...

    def close(self) -> None: ...


Worker = Callable[[Item], Result]
