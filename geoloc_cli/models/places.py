"""Where the files of models are on this machine: one search, which opens no connection.

In this order: the folder that `GEOLOC_WEIGHTS` names, the folder of models, torch.hub's cache, and the cache of the
Hugging Face hub. Beside a file that was pulled lies the record of its SHA-256, as `sha256sum` writes it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geoloc_cli.models.catalogue import Model

MODELS_VARIABLE = "GEOLOC_MODELS"
WEIGHTS_VARIABLE = "GEOLOC_WEIGHTS"
_RECORD = re.compile(r"([0-9a-f]{64})\b")


@dataclass(frozen=True, slots=True)
class Place:
    """A file that is there, and the SHA-256 that it must have: the catalogue's or a record's; empty for any."""

    path: Path
    sha256: str


def models_folder() -> Path:
    """Where pulled files and the user's own entries lie: what `GEOLOC_MODELS` names, else this system's data folder."""
    named = os.environ.get(MODELS_VARIABLE)
    if named:
        return Path(named)
    from platformdirs import user_data_path

    return user_data_path("geoloc") / "models"


def located(model: Model) -> Place | None:
    """The first file, or folder of several, that may be the model's, and what it must be; None where there is none."""
    if model.files:
        return next((Place(path, "") for path in folders_of(model)), None)
    place = next(places((model.file,), (model,)), None)
    return Place(place.path, model.sha256 or place.sha256) if place else None


def folders_of(model: Model) -> Iterator[Path]:
    """Every folder of the name of a model of several files where models lie."""
    return (folder / model.file for folder in model_folders() if (folder / model.file).is_dir())


def places(names: Iterable[str], models: Iterable[Model]) -> Iterator[Place]:
    """Every file of these plain names in the folders, then those of these models in the hub's cache.

    What lies in a folder may be the user's own under a published name: it must be what is recorded beside it alone.
    """
    for folder in model_folders():
        for name in dict.fromkeys(names):
            if name and (folder / name).is_file():
                yield Place(folder / name, recorded(folder / name))
    for model in models:
        for path in cached(model):
            yield Place(path, model.sha256 or recorded(models_folder() / model.file))


def record_of(path: Path) -> Path:
    """The file in which the SHA-256 of another is recorded."""
    return path.with_name(f"{path.name}.sha256")


def recorded(path: Path) -> str:
    """The recorded SHA-256 of a file; empty where there is none."""
    try:
        match = _RECORD.match(record_of(path).read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""
    return match[1] if match else ""


def model_folders() -> Iterator[Path]:
    """Where files of models lie, whether these folders are there or not: all places but the hub's cache."""
    if os.environ.get(WEIGHTS_VARIABLE):
        yield Path(os.environ[WEIGHTS_VARIABLE])
    yield models_folder()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    yield Path(os.environ.get("TORCH_HOME") or cache / "torch") / "hub" / "checkpoints"


def cached(model: Model) -> Iterator[Path]:
    """The model's file in the hub's cache at its revision; at the main one too where a hash tells whether it is it."""
    if not model.hub:
        return
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return
    for revision in dict.fromkeys([model.revision or "main", *(["main"] if model.sha256 else [])]):
        found = try_to_load_from_cache(model.hub, model.hub_file, revision=revision)
        if isinstance(found, str):
            yield Path(found)
