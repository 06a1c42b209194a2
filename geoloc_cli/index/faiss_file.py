"""The one place that calls FAISS: clustering, exact and inverted-file search, and its files.

A FAISS file is derived data. It is written to a temporary name, synced and renamed (`faiss.write_index` over an
existing file destroys the good one when the disk fills), its SHA-256 is checked by the caller before it is read (a
mutated file can load cleanly and answer with other neighbours), and only types on a list are accepted.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.index.files import room, sync_folder

_ROWS_PER_LIST = 1000
_TRAINING_PER_LIST = 64
# Of sqrt(n) lists or so, an eighth is looked at: over 95 % of the true nearest on clustered vectors.
_PROBED_SHARE = 8


def _faiss() -> Any:
    import faiss

    return faiss


def cluster(rows: NDArray[np.float32], k: int, seed: int) -> NDArray[np.float32]:
    """k-means: (k, D) float32 centroids of (N, D) rows, the same for the same rows, k and seed."""
    faiss = _faiss()
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # sums in one order, so that the centroids do not depend on the number of cores
    try:
        kmeans = faiss.Kmeans(rows.shape[1], k, niter=20, seed=seed, verbose=False, min_points_per_centroid=1)
        kmeans.train(np.ascontiguousarray(rows, np.float32))
    finally:
        faiss.omp_set_num_threads(threads)
    return np.array(kmeans.centroids, np.float32)


def build(vectors: NDArray[np.float32]) -> Any:
    """An inverted file over unit vectors (N, D), inner product; ids are the rows."""
    faiss = _faiss()
    count, dim = vectors.shape
    lists = max(1, count // _ROWS_PER_LIST)
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, lists, faiss.METRIC_INNER_PRODUCT)
    sample = np.random.default_rng(0).choice(count, min(count, lists * _TRAINING_PER_LIST), replace=False)
    index.train(np.ascontiguousarray(vectors[np.sort(sample)]))
    for start in range(0, count, 1 << 16):
        index.add(np.ascontiguousarray(vectors[start : start + (1 << 16)]))
    index.nprobe = max(1, lists // _PROBED_SHARE)
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


def read(path: Path, rows: int, dim: int) -> Any | None:
    """The index of a checked file; None unless it is an inverted file over `rows` vectors of `dim`."""
    faiss = _faiss()
    try:
        index = faiss.read_index(str(path))
    except RuntimeError:
        return None
    if type(index) is not faiss.IndexIVFFlat or index.ntotal != rows or index.d != dim:
        return None
    return index


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
