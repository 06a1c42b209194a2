"""The one writer of an index: a segment is written, synced, and only then committed in one transaction."""

from __future__ import annotations

import datetime
import io
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from geoloc_cli.errors import IndexLocked, IndexMismatch, IndexMissing, UsageError
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.index import database as db
from geoloc_cli.index import derived
from geoloc_cli.index.codes import NONE, Codes
from geoloc_cli.index.files import Written, room, write_durable
from geoloc_cli.index.manifest import Manifest, read_manifest, write_manifest
from geoloc_cli.index.reader import Index
from geoloc_cli.index.rows import ROW_COLUMNS, NewPhoto, packed, row_checksum, to_columns

_LOCK = "write.lock"
_INSERT = (
    f"INSERT INTO photos ({ROW_COLUMNS}, cell, segment, offset, count, descriptor_dim, descriptor_type, feature_width, "
    f"feature_height, crc32, look_dim, row_crc32) VALUES ({', '.join('?' * 21)})"
)


class IndexWriter:
    """Opens an index for writing, making it if there is none. A second writer is refused (IndexLocked)."""

    def __init__(
        self,
        folder: str | Path,
        describer: dict[str, Any] | None = None,
        codes: Codes | None = None,
        augment: int | None = None,
    ) -> None:
        """describer: of a new index; an existing one must have been made with the same (else IndexMismatch).

        codes, augment: what `seal` is to write, from now on; by default as before.
        """
        self.folder = Path(folder)
        if describer is None:
            read_manifest(self.folder)  # an index that is not there is not made by looking for it
        self._lock = FileLock(self.folder / _LOCK)
        try:
            with room(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
                self._lock.acquire(timeout=0)
        except Timeout as error:
            raise IndexLocked(
                f"Another process is writing to the index in {self.folder}; wait until it has ended, or stop it."
            ) from error
        except OSError as error:
            raise UsageError(
                f"{self.folder} cannot be written to ({error.strerror}); name another, or change its permissions."
            ) from error
        try:
            self.manifest = self._open(describer, codes, augment)
            self._database = db.open_database(self.folder, write=True)
            self._sweep()
        except BaseException:
            self._lock.release()
            raise

    def _open(self, describer: dict[str, Any] | None, codes: Codes | None, augment: int | None) -> Manifest:
        # The manifest is written last: a folder without one is no index yet, and is begun again.
        if (self.folder / "manifest.json").exists() or describer is None:
            found = read_manifest(self.folder)
            if describer is not None and found.describer != json.loads(json.dumps(describer)):
                raise IndexMismatch(
                    f"The index in {self.folder} was made with another describer or other options of it; build into a "
                    "new folder, or leave the options as they were."
                )
            manifest = replace(
                found,
                codes=found.codes if codes is None else codes,
                augment=found.augment if augment is None else augment,
            )
            if manifest != found:
                # Derived files of the old kind are passed over from here on, until `seal` has written those of the new.
                write_manifest(self.folder, manifest)
            return manifest
        strangers = {p.name for p in self.folder.iterdir()} - {_LOCK, "segments", "state", db.NAME}
        strangers -= {f"{db.NAME}{suffix}" for suffix in ("-wal", "-shm", "-journal")} | {"manifest.json.tmp"}
        if strangers:
            raise IndexMissing(
                f"{self.folder} is no index and not empty (it holds {sorted(strangers)[0]!r}); give an empty or a new "
                "folder."
            )
        for name in (db.NAME, f"{db.NAME}-wal", f"{db.NAME}-shm"):
            (self.folder / name).unlink(missing_ok=True)
        db.create(self.folder)
        with room(self.folder):
            for name in ("segments", "state"):
                (self.folder / name).mkdir(exist_ok=True)
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        manifest = Manifest(describer, now, codes or NONE, augment or 0)
        write_manifest(self.folder, manifest)
        return manifest

    def close(self) -> None:
        self._database.close()
        self._lock.release()

    def __enter__(self) -> IndexWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _sweep(self) -> None:
        """Removes what an interrupted writer left behind: files that no transaction ever named."""
        with db.translated(self.folder):
            named = {row[0] for row in self._database.execute("SELECT name FROM files")}
        for part in ("segments", "state"):
            for path in (self.folder / part).iterdir():
                if path.name not in named:
                    path.unlink()

    def known(self) -> dict[str, tuple[int, int, str]]:
        """Path -> (size in bytes, mtime in ns, SHA-256) of every photo in the index."""
        with db.translated(self.folder):
            rows = self._database.execute("SELECT path, size_bytes, mtime_ns, sha256 FROM photos")
            return {os.fsdecode(path): (size, mtime, sha) for path, size, mtime, sha in rows}

    def commit_photos(self, photos: Sequence[NewPhoto]) -> None:
        """One segment and one transaction; a photo whose path is in the index already takes the old one's place."""
        if not photos:
            return
        blobs = [packed(photo.features) for photo in photos]
        written = write_durable(self.folder / "segments", self._next_name("features"), blobs)
        rows, offset = [], 0
        for photo, blob in zip(photos, blobs, strict=True):
            local = photo.features
            cell = derived.cell_of(photo.position)
            size = (local.width, local.height)
            shape = (len(local), local.descriptors.shape[1], local.descriptors.dtype.name)
            columns, crc32 = to_columns(photo), zlib.crc32(blob)
            checksum = row_checksum(columns, crc32)
            look_dim = 0 if local.look is None else len(local.look)
            rows.append((*columns, cell, written.name, offset, *shape, *size, crc32, look_dim, checksum))
            offset += len(blob)
        with self._transaction():
            self._add_file("features", written)
            self._database.executemany("DELETE FROM photos WHERE path = ?", [(row[0],) for row in rows])
            self._database.executemany(_INSERT, rows)

    def rows_of(self, paths: Sequence[str]) -> list[int]:
        """The row numbers of paths that are in the index, in their order."""
        found = []
        with db.translated(self.folder):
            for path in paths:
                row = self._database.execute(
                    "SELECT row_id FROM photos WHERE path = ?", (os.fsencode(path),)
                ).fetchone()
                found.append(int(row[0]))
        return found

    def touch(self, path: str, size_bytes: int, mtime_ns: int) -> None:
        """Notes that a photo's file has a new date and the same bytes."""
        with db.translated(self.folder):
            self._database.execute(
                "UPDATE photos SET size_bytes = ?, mtime_ns = ? WHERE path = ?",
                (size_bytes, mtime_ns, os.fsencode(path)),
            )

    def has_state(self) -> bool:
        with db.translated(self.folder):
            return self._database.execute("SELECT 1 FROM files WHERE kind = 'state'").fetchone() is not None

    def rows_by_content(self) -> list[int]:
        """Row numbers in the order of the photos' SHA-256 and path: the same whatever the order they came in."""
        with db.translated(self.folder):
            return [row[0] for row in self._database.execute("SELECT row_id FROM photos ORDER BY sha256, path")]

    def commit_state(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Keeps what the descriptor learned; vectors described by anything else are forgotten."""
        number = self._next_number()
        written = []
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
            written.append(write_durable(self.folder / "state", f"{number:08d}-{name}.npy", [buffer.getbuffer()]))
        with self._transaction():
            self._database.execute("DELETE FROM files WHERE kind = 'state'")
            for file in written:
                self._add_file("state", file)
            self._database.execute("UPDATE photos SET vector_segment = NULL, vector_row = NULL")

    def rows_without_vector(self) -> list[int]:
        with db.translated(self.folder):
            found = self._database.execute("SELECT row_id FROM photos WHERE vector_segment IS NULL ORDER BY row_id")
            return [row[0] for row in found]

    def commit_vectors(self, row_ids: Sequence[int], vectors: NDArray[np.float32]) -> None:
        """row_ids: n rows; vectors: (n, dim) float32 of unit length, in their order."""
        if not len(row_ids):
            return
        data = np.ascontiguousarray(vectors, "<f4")
        written = write_durable(self.folder / "segments", self._next_name("vectors"), [data.tobytes()])
        with self._transaction():
            self._add_file("vectors", written)
            self._database.execute("INSERT OR REPLACE INTO meta VALUES ('dim', ?)", (str(data.shape[1]),))
            self._database.executemany(
                "UPDATE photos SET vector_segment = ?, vector_row = ? WHERE row_id = ?",
                [(written.name, i, row_id) for i, row_id in enumerate(row_ids)],
            )

    def remove(self, paths: Iterable[str]) -> list[str]:
        """Takes photos out in one transaction; returns those paths that the index does not hold."""
        missing = []
        with self._transaction():
            for path in paths:
                gone = self._database.execute("DELETE FROM photos WHERE path = ?", (os.fsencode(path),)).rowcount
                if not gone:
                    missing.append(path)
        return missing

    def load(self, row_ids: Iterable[int]) -> Iterator[LocalFeatures]:
        """The local features of committed rows, one at a time."""
        with Index.open(self.folder) as reader:
            for row_id in row_ids:
                yield reader.local(row_id)

    def seal(self) -> None:
        """Writes the derived data of the present state (`index/derived.py`)."""
        with Index.open(self.folder) as reader, db.translated(self.folder):
            derived.seal(self.folder, self._database, reader.gathered(self.manifest.codes, self.manifest.augment))

    def compact(self) -> int:
        """Rewrites the segments without what was removed or replaced; returns the bytes that were freed."""
        with Index.open(self.folder) as reader:
            names = [row[0] for row in self._database.execute("SELECT name FROM files WHERE kind != 'state'")]
            before = self._bytes()
            rows = [row[0] for row in self._database.execute("SELECT row_id FROM photos ORDER BY row_id")]
            moves: list[tuple[str, int, int]] = []
            written: list[tuple[str, Written]] = []
            for start in range(0, len(rows), 256):
                part = rows[start : start + 256]
                name, offset, blobs = self._next_name("features", len(written)), 0, []
                for row in part:
                    blobs.append(packed(reader.local(row)))
                    moves.append((name, offset, row))
                    offset += len(blobs[-1])
                written.append(("features", write_durable(self.folder / "segments", name, blobs)))
            vectors, vector_moves = self._compacted_vectors(len(written))
            written += vectors
        with self._transaction():
            self._database.executemany("DELETE FROM files WHERE name = ?", [(name,) for name in names])
            for kind, file in written:
                self._add_file(kind, file)
            self._database.executemany("UPDATE photos SET segment = ?, offset = ? WHERE row_id = ?", moves)
            self._database.executemany(
                "UPDATE photos SET vector_segment = ?, vector_row = ? WHERE row_id = ?", vector_moves
            )
        self._sweep()
        self.seal()
        return before - self._bytes()

    def _compacted_vectors(self, used: int) -> tuple[list[tuple[str, Written]], list[tuple[str, int, int]]]:
        with Index.open(self.folder) as reader:
            ordered = reader.gathered()
        if not len(ordered.row_ids):
            return [], []
        name = self._next_name("vectors", used)
        file = write_durable(self.folder / "segments", name, [ordered.vectors.tobytes()])
        return [("vectors", file)], [(name, i, int(row)) for i, row in enumerate(ordered.row_ids)]

    def _bytes(self) -> int:
        return sum(path.stat().st_size for path in (self.folder / "segments").iterdir())

    def _add_file(self, kind: str, file: Written) -> None:
        self._database.execute("INSERT INTO files VALUES (?, ?, ?, ?)", (file.name, kind, file.size_bytes, file.sha256))

    def _next_number(self) -> int:
        with db.translated(self.folder):
            return db.generation(self._database) + 1

    def _next_name(self, kind: str, further: int = 0) -> str:
        return f"{self._next_number():08d}-{further:04d}.{kind}"

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """BEGIN IMMEDIATE ... COMMIT, counting the generation on; rolled back where anything goes wrong."""
        with db.translated(self.folder):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                db.next_generation(self._database)
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise
