"""Photos -> index, in steps that each survive an interruption: features, vocabulary, vectors, derived data.

The vocabulary is learned once, from all the photos of the first finished build in the order of their contents, so that
a build that was killed and finished is the same as one that never was. Photos added later are described by it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from geoloc_cli.contracts import ParallelMap
from geoloc_cli.descriptors.look import learn_look
from geoloc_cli.descriptors.reduction import ReductionOptions
from geoloc_cli.descriptors.vlad import MIN_FEATURES, VladDescriptor, VladOptions, learn
from geoloc_cli.device import available_cores
from geoloc_cli.errors import PhotoError, TooFewFeatures, UsageError
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.index.codes import Codes
from geoloc_cli.index.faiss_file import cluster
from geoloc_cli.index.reader import Index
from geoloc_cli.index.rows import NewPhoto
from geoloc_cli.index.writer import IndexWriter
from geoloc_cli.photos.intrinsics import CameraOverride
from geoloc_cli.pipeline.ahead import pays, with_looks
from geoloc_cli.pipeline.describer import build_descriptor, spec_for
from geoloc_cli.pipeline.extract import Item, fingerprint
from geoloc_cli.types import Failure, Position

# Photos in one segment and one transaction: at 0.6 MB each, what an interruption costs and what memory holds.
_BATCH = 32
_VECTOR_BATCH = 256


class Positions(Protocol):
    """Positions stated beside the photos (`photos/positions.py`)."""

    def get(self, photo_path: str) -> Position | None: ...


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build took, and what it left out and why: (path, code, message) each.

    Where nothing at all could be taken there is nothing to learn from, and the index stays unfinished.
    """

    added: int
    replaced: int
    unchanged: int
    left_out: tuple[tuple[str, str, str], ...]
    seconds: float
    bytes: int


def build_index(
    folder: str | Path,
    paths: Iterable[str],
    *,
    parallel_map: ParallelMap,
    positions: Positions | None = None,
    camera: CameraOverride | None = None,
    describer: dict[str, Any] | None = None,
    augment: int | None = None,
    cache: str | None = None,
    placed: bool = True,
    ahead: bool | None = None,
    codes: Codes | None = None,
    progress: Callable[[str, int], None] | None = None,
) -> BuildReport:
    """Makes the index in `folder`, or adds to it what is new or changed; progress(stage, photos done) may be given.

    describer: by default that of the index, or the embedded one for a new index (`pipeline/describer.py`).
    codes: how vectors are kept for searching; by default as before, and as they are in a new index.
    augment: by how many others taken nearby a photo's vector is drawn for searching (`index/augment.py`); by default as
    before, and by none in a new index.
    placed: a photo that says nowhere where it was taken is left out, as it is not for the index of a map.
    ahead: pictures are described in this process and not by the workers; by default where that pays (`ahead.py`).
    Raises the index's RunErrors; a photo that cannot be taken is left out, with its reason in the report.
    """
    began = time.perf_counter()
    tell = progress or (lambda stage, done: None)
    with IndexWriter(folder, describer or spec_for(folder), codes, augment) as writer:
        ahead = pays(writer.manifest.describer) if ahead is None else ahead
        intake = _Intake(writer, positions, camera, {"cache": cache, "placed": placed, "ahead": ahead}, tell)
        intake.take(paths, parallel_map)
        if writer.known():
            _learn(writer, tell)
            _describe(writer, tell)
            tell("ordering", 0)
            writer.seal()
    size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    return BuildReport(
        intake.added, intake.replaced, intake.unchanged, tuple(intake.left_out), time.perf_counter() - began, size
    )


class _Intake:
    """The first step: local features of every photo that is new or changed, committed in batches."""

    def __init__(
        self,
        writer: IndexWriter,
        positions: Positions | None,
        camera: CameraOverride | None,
        spec: dict[str, Any],
        tell: Callable[[str, int], None],
    ) -> None:
        self._writer, self._positions, self._tell = writer, positions, tell
        self._spec: dict[str, Any] = {"describer": writer.manifest.describer, **spec}
        if camera is not None:
            self._spec["camera"] = asdict(camera)
        self._known = writer.known()
        self.added = self.replaced = self.unchanged = 0
        self.left_out: list[tuple[str, str, str]] = []

    def take(self, paths: Iterable[str], parallel_map: ParallelMap) -> None:
        batch: list[NewPhoto] = []
        try:
            wanted = self._with_looks(self._wanted(paths))
            for result in parallel_map("geoloc_cli.pipeline.extract:build_extractor", self._spec, wanted):
                fault = _fault(result)
                if fault is not None:
                    self.left_out.append(fault)
                else:
                    batch.append(result)
                if len(batch) == _BATCH:
                    self._commit(batch)
                    batch = []
                self._tell("describing", 1)
        finally:
            self._commit(batch)  # an interruption keeps what was described

    def _commit(self, batch: list[NewPhoto]) -> None:
        self._writer.commit_photos(batch)
        for photo in batch:
            if photo.path in self._known:
                self.replaced += 1
            else:
                self.added += 1

    def _with_looks(self, wanted: Iterable[tuple[str, Position | None]]) -> Iterator[Item]:
        if not self._spec["ahead"]:
            return ((path, stated, None) for path, stated in wanted)
        describer, cache = self._spec["describer"], self._spec["cache"]
        found = with_looks(wanted, lambda item: item[0], describer, cache, available_cores())
        return ((path, stated, look) for (path, stated), look in found)

    def _wanted(self, paths: Iterable[str]) -> Iterator[tuple[str, Position | None]]:
        for path in paths:
            stated = self._positions.get(path) if self._positions else None
            if self._is_unchanged(path):
                self.unchanged += 1
                self._tell("describing", 1)
            else:
                yield path, stated

    def _is_unchanged(self, path: str) -> bool:
        if path not in self._known:
            return False
        size_bytes, mtime_ns, sha256 = self._known[path]
        try:
            status = Path(path).stat()
            if (status.st_size, status.st_mtime_ns) == (size_bytes, mtime_ns):
                return True
            found = fingerprint(path)
        except (OSError, PhotoError):
            return False
        if found[0] != sha256:
            return False
        self._writer.touch(path, found[1], found[2])
        return True


def _fault(result: NewPhoto | Failure) -> tuple[str, str, str] | None:
    if isinstance(result, Failure):
        return result.photo, result.code, result.message
    if len(result.features) < MIN_FEATURES:
        return (
            result.path,
            TooFewFeatures.code,
            f"'{result.path}' shows only {len(result.features)} keypoints, fewer than {MIN_FEATURES}; use a larger or "
            "sharper copy.",
        )
    return None


def _learn(writer: IndexWriter, tell: Callable[[str, int], None]) -> None:
    """The second step: the vocabulary, or the reduction, unless the index has one."""
    if writer.has_state():
        return
    tell("learning", 0)
    rows = writer.rows_by_content()
    with Index.open(writer.folder) as reader:
        try:
            state = _learned(writer.manifest.describer, len(rows), lambda i: reader.local(rows[i]))
        except TooFewFeatures as error:
            raise UsageError(str(error)) from error
    writer.commit_state(state)


def _learned(describer: dict[str, Any], count: int, load: Callable[[int], LocalFeatures]) -> dict[str, Any]:
    if describer["descriptor"]["name"] == VladDescriptor.name:
        return learn(count, load, cluster, VladOptions(**describer["descriptor"]["options"]))
    return learn_look(count, load, ReductionOptions(**describer["reduction"]))


def _describe(writer: IndexWriter, tell: Callable[[str, int], None]) -> None:
    """The third step: a vector for each photo that has none."""
    rows = writer.rows_without_vector()
    with Index.open(writer.folder) as reader:
        descriptor = build_descriptor(reader)
        for start in range(0, len(rows), _VECTOR_BATCH):
            part = rows[start : start + _VECTOR_BATCH]
            writer.commit_vectors(part, np.stack([descriptor.describe(reader.local(row)) for row in part]))
            tell("vectors", len(part))
