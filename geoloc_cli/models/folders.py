"""Models that are whole folders, as transformers keeps them: configuration, tokenizer, template and weights.

They are found where other models are, and nothing is downloaded. Only safetensors count as weights.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoloc_cli.errors import WeightsMismatch, WeightsMissing
from geoloc_cli.index.files import sha256_of
from geoloc_cli.models.catalogue import Model, catalogue
from geoloc_cli.models.places import model_folders, models_folder
from geoloc_cli.models.pull import check
from geoloc_cli.models.weights import imported
from geoloc_cli.store import key_of

_ON_THE_HUB = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_CONFIG = "config.json"


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """`commit`: of the hub's repository whose copy it is; `digest`: of a model of the catalogue, what was verified of
    its files; both empty for a folder of the user's own.
    """

    path: Path
    commit: str = ""
    digest: str = ""

    def identity(self) -> str:
        """What an answer of the model depends on: its commit, or the SHA-256 of all of its files, which are read."""
        if self.commit or self.digest:
            return self.commit or self.digest
        return key_of(**{path.name: sha256_of(path) for path in sorted(self.path.iterdir()) if path.is_file()})

    def read(self, name: str) -> dict[str, Any]:
        """A JSON object of one of its files; empty where there is no such file or it holds anything else."""
        try:
            found = json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def find_folder(name: str, revision: str, owner: str) -> ModelFolder:
    """The folder of a model: `name` is its path, a model of the catalogue, whose every file is read and compared, its
    name among this system's models, or `owner/name` on the hub.

    revision: the commit or branch of the hub's that is wanted; empty for the main one. Raises WeightsMissing where it
    is not on this machine, and WeightsMismatch where it holds no configuration or no safetensors, or is not what the
    catalogue says.
    """
    paths = [Path(name).expanduser()]
    model = None if revision or paths[0].is_dir() else catalogue().get(name)
    if model and model.files:
        return _of_the_catalogue(model, owner)
    if not revision:
        paths += [folder / part for folder in model_folders() for part in (name, Path(name).name)]
    found = next((ModelFolder(path) for path in paths if path.is_dir()), None) or _of_the_hub(name, revision, owner)
    if not (found.path / _CONFIG).is_file():
        raise WeightsMismatch(f"{owner}: {found.path} holds no {_CONFIG}; give the folder of a model of transformers.")
    if not any(found.path.glob("*.safetensors")):
        raise WeightsMismatch(
            f"{owner}: {found.path} holds no weights as safetensors, and others are not read; give a model that does."
        )
    return found


def _of_the_catalogue(model: Model, owner: str) -> ModelFolder:
    """The folder whose files are those of the entry."""
    found = check(model)
    pull = f"run `geoloc models pull {model.name}`" if model.pulled else "put the files that its entry names there"
    if found.path is None:
        raise WeightsMissing(f"{owner} finds no {models_folder() / model.file}, of the model '{model.name}'; {pull}.")
    if found.state != "good":
        raise WeightsMismatch(
            f"{owner}: {found.path} is not the folder of the model '{model.name}': a file is lacking, is another one, "
            f"or is one too many; {pull}."
        )
    return ModelFolder(found.path, digest=found.sha256)


def _of_the_hub(name: str, revision: str, owner: str) -> ModelFolder:
    """The copy in the hub's cache, of which nothing is fetched."""
    if not _ON_THE_HUB.fullmatch(name):
        raise WeightsMissing(f"{owner}: there is no folder {name}; give a model's folder, or its name on the hub.")
    hub = imported("huggingface_hub", owner)
    try:
        path = Path(hub.snapshot_download(name, revision=revision or None, local_files_only=True))
    except Exception as error:  # the library raises half a dozen types where something is not in its cache
        wanted = f" --revision {revision}" if revision else ""
        raise WeightsMissing(
            f"{owner} finds no {name}{wanted and f' of {revision}'} on this machine; get it by "
            f"`hf download {name}{wanted}`, or give the path of its folder."
        ) from error
    return ModelFolder(path, path.name)
