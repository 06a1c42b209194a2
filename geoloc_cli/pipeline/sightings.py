"""What photos were compared with, kept in a folder by the workers that compared them: for pictures of why."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.pipeline.searching import Found
from geoloc_cli.retrieval.verify import Matched, VerifyOptions


@dataclass(frozen=True, slots=True)
class Compared:
    """One indexed photo that a photo was compared with, by path and hash of its file, and the matches.

    evidence: that of the `Verification`.
    """

    photo: str
    sha256: str
    evidence: float
    matched: Matched

    @property
    def stands(self) -> bool:
        """Whether it counted as showing the same place."""
        return self.evidence >= VerifyOptions().min_evidence


def keep(folder: Path, path: str, found: Found) -> None:
    """Keeps what a photo was compared with. Raises OSError where there is no room."""
    told = [
        Compared(photo.path, photo.sha256, result.evidence, result.matched)
        for photo, result in zip(found.photos, found.verified, strict=True)
        if result is not None and result.matched is not None
    ]
    said = [[c.photo, c.sha256, c.evidence, c.matched.query_size, c.matched.reference_size] for c in told]
    arrays: dict[str, NDArray[Any]] = {"said": np.frombuffer(json.dumps(said).encode(), np.uint8)}
    for number, compared in enumerate(told):
        matched = compared.matched
        arrays[f"xy{number}"] = np.concatenate([matched.in_query, matched.in_reference], axis=1, dtype=np.float32)
        arrays[f"stands{number}"] = matched.stands
    np.savez(_file(folder, path), allow_pickle=False, **arrays)


def read(folder: Path, path: str) -> dict[str, Compared] | None:
    """The same by the paths of the indexed photos; None where the photo was never searched for."""
    try:
        with np.load(_file(folder, path), allow_pickle=False) as arrays:
            found = {}
            for number, (photo, sha256, evidence, *both) in enumerate(json.loads(arrays["said"].tobytes())):
                xy, stands = arrays[f"xy{number}"].astype(np.float64), arrays[f"stands{number}"]
                sizes = tuple(both[0]), tuple(both[1])
                found[photo] = Compared(photo, sha256, evidence, Matched(xy[:, :2], xy[:, 2:], stands, *sizes))
            return found
    except (FileNotFoundError, zipfile.BadZipFile):  # a worker may have died over it
        return None


def _file(folder: Path, path: str) -> Path:
    return folder / f"{hashlib.sha256(os.fsencode(path)).hexdigest()}.npz"
