"""A map on disk: COLMAP models, the index of their photographs, where they lie on the Earth, and a manifest.

    map/
      manifest.json        schema, and the SHA-256 of every other file but the index's, which checks its own
      sparse/0, 1 ...      one COLMAP model (binary) for each component, the largest first
      georeference.json    for each component: enu_from_map with origin, covariance and residuals, or null
      index/               an index of the photographs (`geoloc_cli/index/`)
      next/                only while a state is put in place: its files, and last of all its manifest

A new state is written beside the old one, synced, and takes its place by the one renaming that makes `next/`: from then
on readers look there first. Its files then get their usual names, as further links, and `next/` goes. Whoever is killed
in between leaves the old map or the new one, and the next writer finishes what was begun. Locating never changes a map.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoloc_cli.errors import MapDamaged, MapMissing
from geoloc_cli.index.files import room, sha256_of, sync_folder, write_durable
from geoloc_cli.maps.colmap import read_model
from geoloc_cli.maps.georeference import Georeference
from geoloc_cli.maps.georeference_json import from_json, strict_json, to_json
from geoloc_cli.maps.model import SparseModel

SCHEMA = "geoloc.map/1"
_MANIFEST, _GEOREFERENCE, _NEXT, _UNFINISHED = "manifest.json", "georeference.json", "next", "next.tmp"
_MODEL_FILES = ("cameras.bin", "images.bin", "points3D.bin")
# Openings of a map while a new state takes its place; each waits a twentieth of a second.
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Component:
    """One connected part of a map; georeference is None where its photographs' positions did not suffice."""

    name: str
    model: SparseModel
    georeference: Georeference | None


def index_of(folder: Path) -> Path:
    return folder / "index"


def model_of(folder: Path, part: int) -> Path:
    """The COLMAP model of a component."""
    return _at(folder, f"sparse/{part}")


def write_map(
    folder: Path, georeferences: list[Georeference | None], facts: dict[str, Any], sparse: Path | None = None
) -> None:
    """Makes models and their georeferences the map, all at once; facts are kept in the manifest as they are.

    sparse: a folder of new models, 0, 1 ..., on the disk of the map, which is moved; None leaves those of the map.
    """
    settle(folder)
    staged = folder / _UNFINISHED
    with room(folder):
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir()
        models = folder / "sparse"
        if sparse is not None:
            models = Path(shutil.move(sparse, staged / "sparse"))
        body = json.dumps([to_json(g) for g in georeferences], allow_nan=False, indent=1)
        written = write_durable(staged, _GEOREFERENCE, [body.encode()])
        hashes = {_GEOREFERENCE: written.sha256}
        for path in sorted(p for p in models.rglob("*") if p.is_file()):
            hashes[str(path.relative_to(models.parent))] = sha256_of(path)
            _sync(path)
        for path in (models, *(p for p in models.rglob("*") if p.is_dir())):
            sync_folder(path)
        manifest = {"schema": SCHEMA, "components": len(georeferences), "files": hashes, **facts}
        write_durable(staged, _MANIFEST, [json.dumps(manifest, allow_nan=False, indent=1).encode() + b"\n"])
        staged.rename(folder / _NEXT)
        sync_folder(folder)
        settle(folder)


def settle(folder: Path) -> None:
    """Gives the files of a state that an interrupted writer left in `next/` their usual places."""
    new = folder / _NEXT
    if (new / _MANIFEST).is_file():
        named = set(read_manifest(folder)["files"])
        files = sorted(path for path in new.rglob("*") if path.is_file())
        for path in files:
            target = folder / path.relative_to(new)
            target.parent.mkdir(parents=True, exist_ok=True)
            _link(path, target)
        for path in (folder / "sparse").rglob("*"):
            if path.is_file() and str(path.relative_to(folder)) not in named:
                path.unlink()
        for path in sorted((folder / "sparse").glob("*"), reverse=True):
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
        sync_folder(folder)
        # The moment at which readers look no longer here.
        (new / _MANIFEST).unlink()
    shutil.rmtree(new, ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    temporary = target.with_name(f"{target.name}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except OSError:  # a disk without further links
        shutil.copyfile(source, temporary)
        _sync(temporary)
    temporary.replace(target)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _at(folder: Path, name: str) -> Path:
    """Where a file of the map is: in `next/` while that is the state."""
    new = folder / _NEXT
    return new / name if (new / _MANIFEST).is_file() and (new / name).exists() else folder / name


def read_manifest(folder: Path) -> dict[str, Any]:
    """Raises MapMissing or MapDamaged."""
    path = _at(folder, _MANIFEST)
    if not path.is_file():
        raise MapMissing(
            f"There is no finished map at {folder}; make one with `geoloc map build PHOTOS --map {folder}`."
        )
    try:
        manifest = strict_json(path.read_bytes())
        if manifest["schema"] != SCHEMA:
            raise MapDamaged(f"{path} says {manifest['schema']!r}, and this program reads {SCHEMA!r}; build it again.")
        names = set(manifest["files"])
        if not 0 <= manifest["components"] <= len(names):
            raise ValueError("components")
        needed = {f"sparse/{part}/{file}" for part in range(manifest["components"]) for file in _MODEL_FILES}
        if not needed | {_GEOREFERENCE} <= names or not all(isinstance(sha, str) for sha in manifest["files"].values()):
            raise ValueError("files")
        if any("\0" in name or Path(name).is_absolute() or ".." in Path(name).parts for name in names):
            raise ValueError("files")
        if not all(isinstance(name, str) for name in manifest["left_out"]) or int(manifest["photos"]) < 0:
            raise ValueError("photos")
        return dict(manifest)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MapDamaged(f"{path} is not the manifest of a map; build the map again.") from error


def open_map(folder: Path) -> list[Component]:
    """Every component, the largest first; each file is what was written. Raises MapMissing or MapDamaged."""
    for _ in range(_TRIES):
        try:
            return _opened(folder)
        except MapDamaged:
            # A writer may have put another state in place between the manifest and the files that it names.
            time.sleep(0.05)
    return _opened(folder)


def _opened(folder: Path) -> list[Component]:
    manifest = read_manifest(folder)
    for name, sha256 in manifest["files"].items():
        path = _at(folder, name)
        inside = path.resolve().is_relative_to(folder.resolve())
        if not inside or not path.is_file() or sha256_of(path) != sha256:
            raise MapDamaged(f"{folder / name} is missing or is not what was written; build the map again.")
    try:
        said = strict_json(_at(folder, _GEOREFERENCE).read_bytes())
        if len(said) != manifest["components"]:
            raise ValueError("components")
        georeferences = [from_json(values) for values in said]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MapDamaged(f"{folder / _GEOREFERENCE} is no georeference; build the map again.") from error
    return [
        Component(str(part), read_model(model_of(folder, part)), georeference)
        for part, georeference in enumerate(georeferences)
    ]
