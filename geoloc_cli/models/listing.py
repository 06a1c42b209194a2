"""What there is of each model on this machine, and what it lacks to be used."""

from __future__ import annotations

import importlib.util
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from geoloc_cli import registry
from geoloc_cli.models.catalogue import Model, catalogue
from geoloc_cli.models.places import located

# The modules that an extra brings, without which its models do not run.
_MODULES = {"torch": ("torch", "kornia", "transformers", "safetensors"), "onnx": ("onnxruntime",)}


@dataclass(frozen=True, slots=True)
class Listed:
    """A model, the path and the size of its file, and what is lacking: `file`, `whole file`, `extra` or `backend`.

    size_bytes is what the file has, where there is one, else what its publisher says; None where nobody does.
    """

    model: Model
    path: Path | None
    size_bytes: int | None
    lacks: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self.model) | {
            "path": str(self.path) if self.path else None,
            "size_bytes": self.size_bytes,
            "ready": not self.lacks,
            "lacks": list(self.lacks),
        }


def listed() -> list[Listed]:
    """Every model, in the catalogue's order. Reads no file and opens no connection."""
    return [_listed(model) for model in catalogue().values()]


def _bytes_of(model: Model, path: Path) -> int:
    """Of the file, or of those of the folder's files that are the model's."""
    files = [path / part.name for part in model.files] or [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _listed(model: Model) -> Listed:
    place = located(model)
    path = place.path if place else None
    known = model.whole_bytes or None
    size = _bytes_of(model, path) if path else known or (model.about_mb or 0) * 1_000_000 or None
    lacks = []
    if path is None:
        lacks.append("file")
    elif known not in (None, size):
        lacks.append("whole file")
    if any(importlib.util.find_spec(name) is None for name in _MODULES.get(model.extra, ())):
        lacks.append("extra")
    if model.backend not in registry.names(model.kind):
        lacks.append("backend")
    return Listed(model, path, size, tuple(lacks))
