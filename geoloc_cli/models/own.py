"""A user's own models: a file of weights and what it is, kept beside those that were pulled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from geoloc_cli import registry
from geoloc_cli.errors import ConfigError, UsageError, WeightsMissing
from geoloc_cli.index.files import room, write_durable
from geoloc_cli.models.catalogue import Model, catalogue, entry, read_table
from geoloc_cli.models.onnx import read_network
from geoloc_cli.models.places import models_folder
from geoloc_cli.models.weights import imported, read_state

_STATES = (".safetensors", ".pth", ".pt", ".ckpt", ".bin")
_NETWORKS = (".onnx",)
_DEFAULTS = {"summary": "a model of your own", "licence": "not stated", "commercial": "ask"}


def add(name: str, kind: str, file: Path, config: Path, *, dry_run: bool = False) -> Model:
    """Copies the file into the folder of models, and writes the model's entry with its SHA-256.

    config: the keys of an entry (`models/catalogue.py`) but for name, kind, file, size and hash.
    dry_run: all is checked, and nothing copied; the entry is without size and hash.
    Raises UsageError or ConfigError where the name is taken or the entry is wrong, what the registry raises of its
    backend and options, WeightsMismatch where the file holds anything but numbers, and DiskFull.
    """
    table = read_table(config)
    known = catalogue()
    kept = f"{name}{file.suffix}"
    if name in known or kept in {model.file for model in known.values()}:
        whose = "your" if name in known and known[name].own else "a"
        raise UsageError(f"There is {whose} model '{name}' already, or a file {kept} of one; take another name.")
    if name in registry.names(kind):
        raise UsageError(f"'{name}' is the name of a backend, which would be taken for it; take another name.")
    for key, value in (("kind", kind), ("file", kept)):
        if table.setdefault(key, value) != value:
            raise ConfigError(f"{config} says {key} = {table[key]!r}, and the model will have {value!r}; leave it out.")
    made = entry(name, _DEFAULTS | table, str(config))
    owner = f"the model '{name}'"
    registry.check(kind, registry.BackendSpec(made.backend, {**made.options, "weights": kept, "weights_sha256": ""}))
    try:
        data = file.read_bytes()
    except OSError as error:
        raise WeightsMissing(f"{file} cannot be read ({error.strerror}); name the file of the weights.") from error
    _readable(file, data, owner)
    if dry_run:
        return made
    folder = models_folder()
    with room(folder):
        folder.mkdir(parents=True, exist_ok=True)
    written = write_durable(folder, kept, [data])
    facts = {"size_bytes": written.size_bytes, "sha256": written.sha256}
    write_durable(folder, f"{name}.toml", [as_toml(_DEFAULTS | table | facts).encode()])
    return catalogue()[name]


def _readable(file: Path, data: bytes, owner: str) -> None:
    """Raises unless the file holds numbers alone; nothing in it is run."""
    if file.suffix in _STATES:
        imported("torch", owner)
        read_state(file, data, owner)
    elif file.suffix in _NETWORKS:
        read_network(file, data, owner)
    else:
        raise UsageError(f"{file} is no file of weights by its name; give one of {', '.join(_STATES + _NETWORKS)}.")


def as_toml(table: dict[str, Any]) -> str:
    """An entry as TOML: its scalars and lists of numbers, then its options."""
    lines = [f"{key} = {_value(value)}" for key, value in table.items() if not isinstance(value, dict)]
    for key, inner in table.items():
        if isinstance(inner, dict):
            lines += ["", f"[{key}]", *(f"{_value(name)} = {_value(value)}" for name, value in inner.items())]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(_value(item) for item in value)}]"
    # JSON's texts are TOML's, but for the one control character that JSON lets stand.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f") if isinstance(value, str) else repr(value)
