"""Vectors in the order of their cells, so that a region on the Earth is a few contiguous rows.

All of this is derived from the vector segments: it is rebuilt in memory where a file of it is missing or is not what
was written, and by the next writer on disk.
"""

from __future__ import annotations

import hashlib
import mmap
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import IndexDamaged
from geoloc_cli.geo.cells import cells_of
from geoloc_cli.index import database as db
from geoloc_cli.index import faiss_file
from geoloc_cli.index.augment import augmented
from geoloc_cli.index.codes import CODES_FROM_ROWS, NONE, Codes
from geoloc_cli.index.files import Written, damaged, inside, map_file, room, sha256_of, write_durable
from geoloc_cli.types import Position

# Below this an exact product over all rows takes less time than reading an inverted file.
FAISS_FROM_ROWS = 200_000

_FOLDER = "derived"
# Above every cell of H3, whose highest bit is never set, and the largest that SQLite holds.
_NOWHERE = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Ordered:
    """vectors: (N, D) unit rows; row_ids: (N,) int64; cells: (N,) uint64, ascending; lat, lon: (N,) degrees.

    vectors are float32, or float16 where `codes` says so, and drawn towards `augment` others each (`augment.py`). The
    latitude and longitude of a photo without a position are NaN: it is in no region. `inverted` is FAISS's index of
    many vectors, or of their codes; `on_device` has them on a GPU (`index/search_torch.py`), and is asked first.
    """

    vectors: NDArray[Any]
    row_ids: NDArray[np.int64]
    cells: NDArray[np.uint64]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    inverted: Any | None = None
    on_device: Any | None = None
    codes: Codes = NONE
    augment: int = 0


def folder_of(index: Path) -> Path:
    return index / _FOLDER


def gather(
    index: Path,
    database: sqlite3.Connection,
    maps: Mapping[str, mmap.mmap | bytes],
    codes: Codes = NONE,
    augment: int = 0,
) -> Ordered:
    """From the vector segments as `maps` holds them, in memory; IndexDamaged where one is not what was written."""
    if augment:  # by the vectors as they were written, whatever is kept of them then
        drawn = augmented(gather(index, database, maps), augment)
        return replace(drawn, vectors=drawn.vectors.astype(codes.dtype, copy=False), codes=codes)
    rows = database.execute(
        "SELECT cell, row_id, json_extract(position, '$.lat'), json_extract(position, '$.lon'), vector_segment, "
        "vector_row FROM photos WHERE vector_segment IS NOT NULL ORDER BY cell, row_id"
    ).fetchall()
    by_segment: dict[str, list[tuple[int, int]]] = {}
    for place, row in enumerate(rows):
        by_segment.setdefault(row[4], []).append((place, row[5]))
    dim = db.vector_dim(database)
    vectors = np.empty((len(rows), dim), codes.dtype)
    for name, pairs in by_segment.items():
        sha256 = database.execute("SELECT sha256 FROM files WHERE name = ?", (name,)).fetchone()
        data = maps.get(name, b"")
        if sha256 is None or hashlib.sha256(data).hexdigest() != sha256[0]:
            raise damaged(index / "segments", name, "is not what was written")
        places, at = np.array(pairs).T
        vectors[places] = np.frombuffer(data, "<f4").reshape(-1, dim)[at]
    columns = list(zip(*rows, strict=True)) if rows else [(), (), (), ()]
    return Ordered(
        vectors,
        np.array(columns[1], np.int64),
        np.array(columns[0], np.uint64),
        np.array(columns[2], np.float64),
        np.array(columns[3], np.float64),
        codes=codes,
    )


def _parts(ordered: Ordered) -> dict[str, NDArray[Any]]:
    return {
        _vectors_suffix(ordered.codes, ordered.augment): ordered.vectors,
        "rows.i8": ordered.row_ids,
        "cells.u8": ordered.cells,
        "lat.f8": ordered.lat,
        "lon.f8": ordered.lon,
    }


def _vectors_suffix(codes: Codes, augment: int) -> str:
    """Named by what it holds, so that one of other vectors is never taken for it."""
    return f"vectors{_drawn(augment)}.f{codes.dtype.itemsize}"


def _faiss_suffix(codes: Codes, augment: int) -> str:
    return f"{'ivf' if codes == NONE else codes.name}{_drawn(augment)}.faiss"


def _drawn(augment: int) -> str:
    return f"-a{augment}" if augment else ""


def seal(index: Path, database: sqlite3.Connection, ordered: Ordered) -> None:
    """Writes the derived files of the present generation, and then, in one transaction, names them as such."""
    folder = folder_of(index)
    with room(index):
        folder.mkdir(exist_ok=True)
    number = db.generation(database)
    written: list[Written] = []
    for suffix, array in _parts(ordered).items():
        written.append(write_durable(folder, f"{number:08d}-{suffix}", _blocks(array)))
    from_rows = CODES_FROM_ROWS if ordered.codes.are_codes else FAISS_FROM_ROWS
    inverted = faiss_file.build(ordered.vectors, ordered.codes) if len(ordered.row_ids) >= from_rows else None
    if inverted is not None:
        name = f"{number:08d}-{_faiss_suffix(ordered.codes, ordered.augment)}"
        faiss_file.write(inverted, folder, name)
        written.append(Written(name, (folder / name).stat().st_size, sha256_of(folder / name)))
    with db.translated(index):
        database.execute("BEGIN IMMEDIATE")
        database.execute("DELETE FROM files WHERE kind = 'derived'")
        database.executemany(
            "INSERT INTO files VALUES (?, 'derived', ?, ?)", [(w.name, w.size_bytes, w.sha256) for w in written]
        )
        database.execute("COMMIT")
    kept = {w.name for w in written}
    for path in folder.iterdir():
        if path.name not in kept:
            path.unlink()


def _blocks(array: NDArray[Any]) -> Iterator[bytes]:
    for start in range(0, len(array), 1 << 14):
        yield array[start : start + (1 << 14)].tobytes()


def load(
    index: Path,
    database: sqlite3.Connection,
    maps: Mapping[str, mmap.mmap | bytes],
    codes: Codes = NONE,
    augment: int = 0,
) -> Ordered:
    """The derived files where they are of this generation and are what was written; else gathered in memory."""
    number = db.generation(database)
    dim = db.vector_dim(database)
    folder = folder_of(index)
    files = {
        name.partition("-")[2]: (name, size, sha256)
        for name, size, sha256 in database.execute("SELECT name, size_bytes, sha256 FROM files WHERE kind = 'derived'")
        if name.startswith(f"{number:08d}-")
    }
    vectors = _vectors_suffix(codes, augment)
    wanted = {vectors: codes.dtype.str, "rows.i8": "<i8", "cells.u8": "<u8", "lat.f8": "<f8", "lon.f8": "<f8"}
    arrays: dict[str, NDArray[Any]] = {}
    for suffix, dtype in wanted.items():
        if suffix not in files or not _is_as_written(folder, *files[suffix]):
            return gather(index, database, maps, codes, augment)
        name, size, _ = files[suffix]
        try:
            arrays[suffix] = np.frombuffer(map_file(folder, name, size), dtype)
        except IndexDamaged:  # a writer has just put newer ones in their places
            return gather(index, database, maps, codes, augment)
    inverted = None
    count = len(arrays["rows.i8"])
    faiss = files.get(_faiss_suffix(codes, augment))
    if faiss is not None and _is_as_written(folder, *faiss):
        inverted = faiss_file.read(folder / faiss[0], count, dim, codes)
    return Ordered(
        arrays[vectors].reshape(count, dim),
        arrays["rows.i8"],
        arrays["cells.u8"],
        arrays["lat.f8"],
        arrays["lon.f8"],
        inverted,
        codes=codes,
        augment=augment,
    )


def _is_as_written(folder: Path, name: str, size_bytes: int, sha256: str) -> bool:
    path = inside(folder, name)
    try:
        return path.stat().st_size == size_bytes and sha256_of(path) == sha256
    except OSError:
        return False


def cell_of(position: Position | None) -> int:
    """The cell that a photo's row is ordered by; photos without a position come last."""
    return _NOWHERE if position is None else int(cells_of(position.lat, position.lon))
