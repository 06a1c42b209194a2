"""A user's own models: a file of weights, or a folder, and what it is, kept beside those that were pulled."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from geoloc_cli import registry
from geoloc_cli.errors import ConfigError, UsageError, WeightsMissing
from geoloc_cli.index.files import room, sha256_of, sync_folder, write_durable
from geoloc_cli.models.catalogue import READ, Model, catalogue, entry, read_table
from geoloc_cli.models.onnx import read_network
from geoloc_cli.models.places import models_folder
from geoloc_cli.models.weights import imported, read_state

_STATES = (".safetensors", ".pth", ".pt", ".ckpt", ".bin")
_NETWORKS = (".onnx",)
_DEFAULTS = {"summary": "a model of your own", "licence": "not stated", "commercial": "ask"}


def add(name: str, kind: str, file: Path, config: Path, *, dry_run: bool = False) -> Model:
    """Copies the file, or the folder of one of transformers, among the models, and writes its entry with each SHA-256.

    config: the keys of an entry (`models/catalogue.py`) but for name, kind, file or files, sizes and hashes. Of a
    folder those files are copied that transformers reads.
    dry_run: all is checked, and nothing copied; the entry of a file is without size and hash.
    Raises UsageError or ConfigError where the name is taken or the entry is wrong, what the registry raises of its
    backend and options, WeightsMismatch where the file holds anything but numbers, and DiskFull.
    """
    table = read_table(config)
    known = catalogue()
    folder = models_folder()
    kept = name if file.is_dir() else f"{name}{file.suffix}"
    if name in known or kept in {model.file for model in known.values()}:
        whose = "your" if name in known and known[name].own else "a"
        raise UsageError(f"There is {whose} model '{name}' already, or a file {kept} of one; take another name.")
    if name in registry.names(kind):
        raise UsageError(f"'{name}' is the name of a backend, which would be taken for it; take another name.")
    for key, value in (("kind", kind), ("file", kept)):
        if table.setdefault(key, value) != value:
            raise ConfigError(f"{config} says {key} = {table[key]!r}, and the model will have {value!r}; leave it out.")
    if "files" in table:
        raise ConfigError(f"{config} names files, which are those of {file}; leave it out.")
    if file.is_dir():
        return _add_folder(name, file, _DEFAULTS | table, str(config), dry_run=dry_run)
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
    with room(folder):
        folder.mkdir(parents=True, exist_ok=True)
    written = write_durable(folder, kept, [data])
    facts = {"size_bytes": written.size_bytes, "sha256": written.sha256}
    write_durable(folder, f"{name}.toml", [as_toml(_DEFAULTS | table | facts).encode()])
    return catalogue()[name]


def _add_folder(name: str, source: Path, table: dict[str, Any], config: str, *, dry_run: bool) -> Model:
    target = models_folder() / name
    if target.exists():
        raise UsageError(f"There is {target} already; take another name.")
    made = entry(name, table | {"files": _pinned(source)}, config)
    registry.check(made.kind, registry.BackendSpec(made.backend, {**made.options, "model": name}))
    if dry_run:
        return made
    staging = target.with_name(f"{name}.part")
    with room(target.parent):
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        for part in made.files:
            shutil.copyfile(source / part.name, staging / part.name)
        # Of the copies, which are what is used from now on.
        files = _pinned(staging)
        sync_folder(staging)
        staging.rename(target)
    write_durable(target.parent, f"{name}.toml", [as_toml(table | {"files": files}).encode()])
    return catalogue()[name]


def _pinned(folder: Path) -> list[dict[str, Any]]:
    """The files of a folder that transformers reads, as an entry has them. Raises WeightsMissing."""
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix in READ and path.is_file())
        return [{"name": p.name, "sha256": sha256_of(p), "size_bytes": p.stat().st_size} for p in files]
    except OSError as error:
        raise WeightsMissing(f"{error.filename} cannot be read ({error.strerror}); check its permissions.") from error


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
    """An entry as TOML: its scalars and lists of numbers, then its options, then its files."""
    tables = {key: [value] if isinstance(value, dict) else value for key, value in table.items() if _is_tables(value)}
    lines = [f"{key} = {_value(value)}" for key, value in table.items() if key not in tables]
    for key, inner in tables.items():
        head = f"[{key}]" if isinstance(table[key], dict) else f"[[{key}]]"
        for one in inner:
            lines += ["", head, *(f"{_key(name)} = {_value(value)}" for name, value in one.items())]
    return "\n".join(lines) + "\n"


def _is_tables(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(one, dict) for one in value))


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(_value(item) for item in value)}]"
    # JSON's texts are TOML's, but for the one control character that JSON lets stand.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f") if isinstance(value, str) else repr(value)
