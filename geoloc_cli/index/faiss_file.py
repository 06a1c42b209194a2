"""The one place that calls FAISS: clustering, exact and inverted-file search, and its files.

A FAISS file is derived data. It is written to a temporary name, synced and renamed (`faiss.write_index` over an
existing file destroys the good one when the disk fills), its SHA-256 is checked by the caller before it is read (a
mutated file can load cleanly and answer with other neighbours), and only types on a list are accepted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.index.codes import NONE, Codes
from geoloc_cli.index.files import room, sync_folder

_ROWS_PER_LIST = 1000
_TRAINING_PER_LIST = 64
# Of sqrt(n) lists or so, an eighth is looked at: over 95 % of the true nearest on clustered vectors.
_PROBED_SHARE = 8
# Below this the codes of all rows are in one list, and all of them are looked at.
_LISTS_OF_CODES_FROM_ROWS = 200_000
# Words of each part of a product quantiser, one byte, and vectors to learn them from: FAISS asks for 39 and more.
_BITS = 8
_WORDS = 1 << _BITS
_TRAINING_PER_WORD = 64
_BLOCK = 1 << 14


def _faiss() -> Any:
    import faiss

    return faiss


def cluster(rows: NDArray[np.float32], k: int, seed: int) -> NDArray[np.float32]:
    """k-means: (k, D) float32 centroids of (N, D) rows, the same for the same rows, k and seed."""
    faiss = _faiss()
    with _one_thread():
        kmeans = faiss.Kmeans(rows.shape[1], k, niter=20, seed=seed, verbose=False, min_points_per_centroid=1)
        kmeans.train(np.ascontiguousarray(rows, np.float32))
    return np.array(kmeans.centroids, np.float32)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums in one order, so that what is learned does not depend on the number of cores."""
    faiss = _faiss()
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


def build(vectors: NDArray[Any], codes: Codes = NONE, learned_from: NDArray[Any] | None = None) -> Any | None:
    """An inverted file over unit vectors (N, D), inner product; ids are the rows.

    codes: what it keeps of them. learned_from: vectors (n, D) to learn from, the same by default. The same vectors give
    the same file. None where there are too few to learn codes from.
    """
    count, dim = vectors.shape
    lists = 1 if codes.are_codes and count < _LISTS_OF_CODES_FROM_ROWS else max(1, count // _ROWS_PER_LIST)
    index = _empty(codes, codes.width(dim), lists)
    teachers = vectors if learned_from is None else learned_from
    wanted = max(lists * _TRAINING_PER_LIST, _WORDS * _TRAINING_PER_WORD if codes.are_codes else 0)
    if codes.parts and len(teachers) < _WORDS:
        return None
    sample = np.random.default_rng(0).choice(len(teachers), min(len(teachers), wanted), replace=False)
    with _one_thread():
        index.train(codes.prepared(teachers[np.sort(sample)]))
    for start in range(0, count, _BLOCK):
        index.add(codes.prepared(vectors[start : start + _BLOCK]))
    index.nprobe = max(1, lists // _PROBED_SHARE)
    return index


def _empty(codes: Codes, width: int, lists: int) -> Any:
    faiss = _faiss()
    flat, metric = faiss.IndexFlatIP(width), faiss.METRIC_INNER_PRODUCT
    if codes.parts:
        index = faiss.IndexIVFPQ(flat, width, lists, codes.parts, _BITS, metric)
        index.pq.cp.min_points_per_centroid = 1
    elif codes.name == "rabitq":
        index = faiss.IndexIVFRaBitQ(flat, width, lists, metric)
    elif codes.name == "float16":
        index = faiss.IndexIVFScalarQuantizer(flat, width, lists, faiss.ScalarQuantizer.QT_fp16, metric)
    else:
        index = faiss.IndexIVFFlat(flat, width, lists, metric)
    index.cp.min_points_per_centroid = 1  # of fewer it would complain on stderr
    return index


def write(index: Any, folder: Path, name: str) -> None:
    """Writes beside, syncs, and renames."""
    temporary = folder / f"{name}.tmp"
    with room(folder):
        try:
            _faiss().write_index(index, str(temporary))
            handle = os.open(temporary, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
            temporary.replace(folder / name)
            sync_folder(folder)
        except RuntimeError as error:  # how FAISS reports a failed write
            temporary.unlink(missing_ok=True)
            raise OSError(28, f"FAISS could not write {temporary}: {error}") from error


def read(path: Path, rows: int, dim: int, codes: Codes = NONE) -> Any | None:
    """The index of a checked file; None unless it is an inverted file of these codes over `rows` vectors of `dim`."""
    faiss = _faiss()
    try:
        index = faiss.read_index(str(path))
    except RuntimeError:
        return None
    wanted = _empty(codes, codes.width(dim), 1)
    if type(index) is not type(wanted) or index.ntotal != rows or index.d != wanted.d:
        return None
    if index.code_size != wanted.code_size or index.metric_type != wanted.metric_type:
        return None
    return index if 1 <= index.nprobe <= index.nlist else None


def search(
    index: Any, vector: NDArray[np.float32], k: int, keep_out: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Rows and inner products of the k best, best first, without the rows in `keep_out` (sorted)."""
    faiss = _faiss()
    parameters = None
    if keep_out is not None and len(keep_out):
        selector = faiss.IDSelectorNot(faiss.IDSelectorBatch(keep_out))
        parameters = faiss.SearchParametersIVF(sel=selector, nprobe=index.nprobe)
    similarities, rows = index.search(vector[None], k, params=parameters)
    found = rows[0] >= 0
    return rows[0][found], similarities[0][found]
