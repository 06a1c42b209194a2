"""An index, open for reading: one state of it, however much is written meanwhile."""

from __future__ import annotations

import io
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.device import choose
from geoloc_cli.errors import IndexDamaged, IndexMissing
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.index import database as db
from geoloc_cli.index import derived
from geoloc_cli.index.codes import NONE, Codes
from geoloc_cli.index.files import damaged, inside, map_file, sha256_of
from geoloc_cli.index.manifest import Manifest, read_manifest
from geoloc_cli.index.rows import Extent, IndexedPhoto, from_columns, packed_size, selected, unpacked
from geoloc_cli.index.search import Circle, SearchResult, rows_within, search

__all__ = ["Circle", "Index", "SearchResult"]

# Openings of an index while it is compacted again and again; each waits a twentieth of a second for the next.
_TRIES = 3
_EXTENT_COLUMNS = "segment, offset, count, descriptor_dim, descriptor_type, feature_width, feature_height, crc32"


class Index:
    """A reader sees the state in which it was opened: SQLite's read transaction and the files mapped then pin it.

    A compaction may unlink segments meanwhile; what is mapped stays readable until it is closed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest: Manifest = read_manifest(folder)
        self._database = db.open_database(folder, write=False)
        with self._sound():
            self._generation = db.generation(self._database)
            self._selected = selected(db.has_column(self._database, "attitude"))
            look_dim = "look_dim" if db.has_column(self._database, "look_dim") else "0"
            self._extent_columns = f"{_EXTENT_COLUMNS}, {look_dim}"
            self._segments = {
                name: map_file(folder / "segments", name, size)
                for name, size in self._database.execute(
                    "SELECT name, size_bytes FROM files WHERE kind IN ('features', 'vectors')"
                )
            }
        self._state: dict[str, NDArray[Any]] | None = None
        self._ordered: derived.Ordered | None = None

    @classmethod
    def open(cls, folder: str | Path) -> Index:
        """Raises IndexMissing, IndexMismatch or IndexDamaged."""
        for _ in range(_TRIES):
            try:
                return cls(Path(folder))
            except IndexDamaged:
                # A compaction may have unlinked a file between the state that was read and the mapping of its files.
                time.sleep(0.05)
        return cls(Path(folder))

    def close(self) -> None:
        self._database.close()
        self._segments.clear()
        self._ordered = None

    @contextmanager
    def _sound(self) -> Iterator[None]:
        """Whatever does not add up in the rows, or in the files that they name, is a damaged index."""
        with db.translated(self.folder):
            try:
                yield
            except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
                raise IndexDamaged(
                    f"{self.folder / db.NAME} does not say what was written ({error}); build the index again into a "
                    "new folder."
                ) from error

    def __enter__(self) -> Index:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def snapshot(self) -> int:
        """The number of the state that this reader sees."""
        return self._generation

    def __len__(self) -> int:
        with db.translated(self.folder):
            return int(self._database.execute("SELECT COUNT(*) FROM photos").fetchone()[0])

    def state(self) -> dict[str, NDArray[Any]]:
        """What the descriptor learned from the indexed photos. Raises IndexMissing where the build never got there."""
        if self._state is None:
            with self._sound():
                files = self._database.execute("SELECT name, sha256 FROM files WHERE kind = 'state'").fetchall()
                if not files:
                    raise IndexMissing(
                        f"The index in {self.folder} was never finished; run the same `geoloc index build` again."
                    )
                self._state = {
                    name.removesuffix(".npy").partition("-")[2]: self._array(name, sha) for name, sha in files
                }
        return self._state

    def _array(self, name: str, sha256: str) -> NDArray[Any]:
        folder = self.folder / "state"
        path = inside(folder, name)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise damaged(folder, name, "is missing or cannot be read") from error
        if sha256_of(path) != sha256:
            raise damaged(folder, name, "is not what was written")
        array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
        return array

    def files(self) -> list[tuple[str, str, int, str]]:
        """Every file of this state: name, kind, length in bytes, SHA-256."""
        with db.translated(self.folder):
            return self._database.execute("SELECT name, kind, size_bytes, sha256 FROM files ORDER BY name").fetchall()

    def undescribed(self) -> int:
        """Photos that have no vector yet, because a build was interrupted."""
        with db.translated(self.folder):
            found = self._database.execute("SELECT COUNT(*) FROM photos WHERE vector_segment IS NULL").fetchone()
        return int(found[0])

    def state_sha256(self) -> list[tuple[str, str]]:
        """What tells one learned state from another: the names and hashes of its arrays."""
        return sorted((name.partition("-")[2], sha) for name, kind, _, sha in self.files() if kind == "state")

    def check_database(self) -> list[str]:
        """What SQLite finds wrong with its own file."""
        with db.translated(self.folder):
            found = [row[0] for row in self._database.execute("PRAGMA quick_check(20)")]
        return [] if found == ["ok"] else [f"{self.folder / db.NAME}: {line}" for line in found]

    def photos(self, row_ids: Sequence[int]) -> list[IndexedPhoto]:
        """The photos of these rows, in their order."""
        with self._sound():
            rows = [
                self._database.execute(
                    f"SELECT {self._selected} FROM photos WHERE row_id = ?", (int(row_id),)
                ).fetchone()
                for row_id in row_ids
            ]
            return [from_columns(row) for row in rows]

    def rows_of_content(self, sha256: str) -> list[int]:
        """Rows of the photos whose files have this SHA-256."""
        with db.translated(self.folder):
            found = self._database.execute("SELECT row_id FROM photos WHERE sha256 = ?", (sha256,)).fetchall()
        return [int(row) for (row,) in found]

    def all_photos(self) -> list[IndexedPhoto]:
        """Every photo, in the order of their paths."""
        with self._sound():
            rows = self._database.execute(f"SELECT {self._selected} FROM photos ORDER BY path").fetchall()
            return [from_columns(row) for row in rows]

    def local(self, row_id: int) -> LocalFeatures:
        """The local features of a photo, as views of the mapped segment; their checksum is checked at every call."""
        with self._sound():
            row = self._database.execute(
                f"SELECT {self._extent_columns} FROM photos WHERE row_id = ?", (int(row_id),)
            ).fetchone()
            if row is None:
                raise ValueError(f"it has no row {row_id}")
            extent = Extent(*row)
            data = memoryview(self._segments[extent.segment])[extent.offset : extent.offset + packed_size(extent)]
            if zlib.crc32(data) != extent.crc32:
                raise damaged(self.folder / "segments", str(extent.segment), "is not what was written")
            return unpacked(data, extent)

    def search(
        self, vector: NDArray[np.float32], k: int, within: Sequence[Circle] | None = None, outside_k: int = 0
    ) -> SearchResult:
        """The k most similar photos inside the circles, and the outside_k most similar elsewhere (`index/search.py`).

        vector: (dim,) float32 of unit length.
        """
        return search(self.ordered(), vector, k, within, outside_k)

    def count_within(self, within: Sequence[Circle]) -> int:
        """How many photos lie in some circle."""
        return len(rows_within(self.ordered(), within))

    def around(self, row_id: int, alike: int, near: int) -> list[int]:
        """Rows of other photos: the `alike` most similar to one, best first, then the `near` nearest of the rest."""
        ordered = self.ordered()
        at = int(np.flatnonzero(ordered.row_ids == row_id)[0])
        found = self.search(ordered.vectors[at].astype(np.float32), alike + 1).row_ids.tolist()
        rows = [row for row in found if row != row_id][:alike]
        away = np.asarray(haversine_m(ordered.lat[at], ordered.lon[at], ordered.lat, ordered.lon))
        order = np.argsort(away, kind="stable")[: alike + near + 1]  # those without a place come last
        others = [int(ordered.row_ids[i]) for i in order if np.isfinite(away[i])]
        return rows + [row for row in others if row != row_id and row not in rows][:near]

    def ordered(self) -> derived.Ordered:
        """What searches read: vectors in the order of their cells, and where their photos were taken."""
        if self._ordered is None:
            with self._sound():
                ordered = derived.load(
                    self.folder, self._database, self._segments, self.manifest.codes, self.manifest.augment
                )
            self._ordered = _on_device(ordered) if len(ordered.row_ids) >= derived.FAISS_FROM_ROWS else ordered
        return self._ordered

    def gathered(self, codes: Codes = NONE, augment: int = 0) -> derived.Ordered:
        """All vectors in the order of their cells, from the segments and never from a derived file.

        In single precision, as they were written, or as `codes` keep them and `augment` draws them.
        """
        with self._sound():
            return derived.gather(self.folder, self._database, self._segments, codes, augment)


def _on_device(ordered: derived.Ordered) -> derived.Ordered:
    """Many vectors, on a GPU where there is one that has room for them: there the exact answer takes no longer than the
    approximate one of an inverted file on the CPU.
    """
    device = choose().name
    if not device.startswith("cuda"):
        return ordered
    from geoloc_cli.index.search_torch import OnDevice

    return replace(ordered, on_device=OnDevice.where_it_fits(ordered.vectors, device))
