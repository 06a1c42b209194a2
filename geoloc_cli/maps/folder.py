"""A map on disk: COLMAP models, the index of their photographs, where they lie on the Earth, and a manifest.

    map/
      manifest.json        schema, and the SHA-256 of every other file but the index's, which checks its own
      sparse/0, 1 ...      one COLMAP model (binary) for each component, the largest first
      georeference.json    for each component: enu_from_map with origin, covariance and residuals, or null
      index/               an index of the photographs (`geoloc_cli/index/`)

Locating never changes a map.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geoloc_cli.errors import MapDamaged, MapMissing
from geoloc_cli.index.files import sha256_of, write_durable
from geoloc_cli.maps.colmap import read_model
from geoloc_cli.maps.georeference import Georeference
from geoloc_cli.maps.model import SparseModel

SCHEMA = "geoloc.map/1"
_MODEL_FILES = ("cameras", "images", "points3D", "rigs", "frames")


@dataclass(frozen=True, slots=True)
class Component:
    """One connected part of a map; georeference is None where its photographs' positions did not suffice."""

    name: str
    model: SparseModel
    georeference: Georeference | None


def index_of(folder: Path) -> Path:
    return folder / "index"


def write_map(folder: Path, georeferences: list[Georeference | None], facts: dict[str, Any]) -> None:
    """Names the models in sparse/ and their georeferences as the map; facts are kept in the manifest as they are."""
    body = json.dumps([georeference_to_json(g) for g in georeferences], allow_nan=False, indent=1)
    write_durable(folder, "georeference.json", [body.encode()])
    files = [folder / "georeference.json", *sorted(p for p in (folder / "sparse").rglob("*") if p.is_file())]
    manifest = {
        "schema": SCHEMA,
        "components": len(georeferences),
        "files": {str(path.relative_to(folder)): sha256_of(path) for path in files},
        **facts,
    }
    write_durable(folder, "manifest.json", [json.dumps(manifest, allow_nan=False, indent=1).encode() + b"\n"])


def read_manifest(folder: Path) -> dict[str, Any]:
    """Raises MapMissing or MapDamaged."""
    path = folder / "manifest.json"
    if not path.is_file():
        raise MapMissing(
            f"There is no finished map at {folder}; make one with `geoloc map build PHOTOS --map {folder}`."
        )
    try:
        manifest = json.loads(path.read_bytes())
        if manifest["schema"] != SCHEMA:
            raise MapDamaged(f"{path} says {manifest['schema']!r}, and this program reads {SCHEMA!r}; build it again.")
        if not all(isinstance(sha, str) for sha in manifest["files"].values()):
            raise ValueError("files")
        return dict(manifest)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MapDamaged(f"{path} is not the manifest of a map; build the map again.") from error


def open_map(folder: Path) -> list[Component]:
    """Every component, the largest first; each file is what was written. Raises MapMissing or MapDamaged."""
    manifest = read_manifest(folder)
    for name, sha256 in manifest["files"].items():
        path = folder / name
        inside = path.resolve().is_relative_to(folder.resolve())
        if not inside or not path.is_file() or sha256_of(path) != sha256:
            raise MapDamaged(f"{path} is missing or is not what was written; build the map again.")
    try:
        georeferences = [georeference_from_json(g) for g in json.loads((folder / "georeference.json").read_bytes())]
    except (ValueError, KeyError, TypeError) as error:
        raise MapDamaged(f"{folder / 'georeference.json'} is no georeference; build the map again.") from error
    return [
        Component(str(rank), read_model(folder / "sparse" / str(rank)), georeference)
        for rank, georeference in enumerate(georeferences)
    ]


def georeference_to_json(georeference: Georeference | None) -> dict[str, Any] | None:
    if georeference is None:
        return None
    g = georeference
    return {
        "origin": list(g.origin),
        "scale": g.scale,
        "rotation": g.rotation.tolist(),
        "translation": g.translation.tolist(),
        "covariance": g.covariance.tolist(),
        "horizontal_m": g.horizontal_m,
        "vertical_m": g.vertical_m,
        "residuals_m": {path: list(r) for path, r in g.residuals_m.items()},
        "outliers": list(g.outliers),
        "notes": list(g.notes),
    }


def georeference_from_json(values: dict[str, Any] | None) -> Georeference | None:
    if values is None:
        return None
    lat, lon, alt_m = values["origin"]
    return Georeference(
        (float(lat), float(lon), float(alt_m)),
        float(values["scale"]),
        np.array(values["rotation"], np.float64).reshape(3, 3),
        np.array(values["translation"], np.float64).reshape(3),
        np.array(values["covariance"], np.float64).reshape(7, 7),
        float(values["horizontal_m"]),
        float(values["vertical_m"]),
        {path: (float(r[0]), float(r[1]), float(r[2])) for path, r in values["residuals_m"].items()},
        tuple(values["outliers"]),
        tuple(values["notes"]),
    )
