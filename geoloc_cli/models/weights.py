"""Weights of learned models, from files of this machine: nothing is downloaded, and nothing is unpickled.

A file is named by a path, or left to be found under its usual name in the folder that `GEOLOC_WEIGHTS` names and in
torch.hub's cache. What is hashed is what is loaded: the file is read once.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import io
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoloc_cli.errors import MissingExtra, WeightsMismatch, WeightsMissing

FOLDER_VARIABLE = "GEOLOC_WEIGHTS"


@dataclass(frozen=True, slots=True)
class Weights:
    """A state dict (name -> tensor), the file it came from, and the file's SHA-256."""

    path: Path
    sha256: str
    state: dict[str, Any]


def imported(module: str, owner: str, extra: str = "torch") -> Any:
    """A module of an extra; raises MissingExtra, which names `owner`, where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(f"{owner} needs {module}; run `pip install 'geoloc[{extra}]'`.") from error


def versions(*libraries: str) -> str:
    """`name version` of each library: what a result depends on besides weights and options."""
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in libraries)


def load_weights(given: str, sha256: str, usual_name: str, owner: str) -> Weights:
    """The state dict in the file `given`, or of the `usual_name` where `given` is empty or has moved.

    sha256: of the file that is wanted; empty for any. A file that has moved is only accepted where its hash is known.
    A file of one tensor is a state dict of it under the name "". Raises WeightsMissing where there is no such file, and
    WeightsMismatch where it is another or holds no state dict.
    """
    imported("torch", owner)
    path, data, digest = read_pinned(given, sha256, usual_name, owner)
    return Weights(path, digest, _state(path, data, owner))


def read_pinned(given: str, sha256: str, usual_name: str, owner: str) -> tuple[Path, bytes, str]:
    """The absolute path, the bytes and the SHA-256 of a file that is found, and pinned, as `load_weights` says."""
    path = _found(given, bool(sha256), usual_name, owner)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsMissing(f"{owner}: {path} cannot be read ({error.strerror}); check its permissions.") from error
    digest = hashlib.sha256(data).hexdigest()
    if sha256 and digest != sha256:
        raise WeightsMismatch(
            f"{owner}: {path} is not the file that is asked for (its SHA-256 begins with {digest[:12]}, and should "
            f"with {sha256[:12]}); put that one into the folder that {FOLDER_VARIABLE} names, or build with this one "
            "into a new folder."
        )
    return path.absolute(), data, digest


def _found(given: str, moved: bool, usual_name: str, owner: str) -> Path:
    named = [Path(given)] if given else []
    if not given or moved:
        named += [folder / (Path(given).name or usual_name) for folder in _folders()]
    for path in named:
        if path.is_file():
            return path
    wanted = given or usual_name
    raise WeightsMissing(
        f"{owner} needs its weights, and there is no file {wanted}; download them, and give "
        f"`?weights=/path/to/{Path(wanted).name}` after the name, or put them into the folder that {FOLDER_VARIABLE} "
        "names."
    )


def _folders() -> Iterator[Path]:
    if os.environ.get(FOLDER_VARIABLE):
        yield Path(os.environ[FOLDER_VARIABLE])
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    yield Path(os.environ.get("TORCH_HOME") or cache / "torch") / "hub" / "checkpoints"


def _state(path: Path, data: bytes, owner: str) -> dict[str, Any]:
    import torch

    try:
        if path.suffix == ".safetensors":
            loaded: Any = imported("safetensors.torch", owner).load(data)
        else:
            loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except MissingExtra:
        raise
    except Exception as error:  # a damaged or hostile file makes the readers raise a dozen types
        raise WeightsMismatch(
            f"{owner}: {path} cannot be read as weights; give a state dict, as .safetensors or as torch.save wrote it."
        ) from error
    for inner in ("model", "extractor", "state_dict"):  # checkpoints of training scripts wrap what they hold
        if isinstance(loaded, dict) and isinstance(loaded.get(inner), dict):
            loaded = loaded[inner]
    if torch.is_tensor(loaded):  # as AnyLoc publishes its vocabularies
        loaded = {"": loaded}
    if not isinstance(loaded, dict) or not loaded or not all(torch.is_tensor(value) for value in loaded.values()):
        raise WeightsMismatch(f"{owner}: {path} holds something else than a state dict of tensors; give one that does.")
    return {str(name): value for name, value in loaded.items()}


def fit(
    model: Any,
    weights: Weights,
    owner: str,
    *,
    may_lack: Collection[str] = (),
    may_hold: Callable[[str], bool] = lambda name: False,
) -> Any:
    """The model with these weights, for inference and frozen; strict but for the names that it may do without.

    may_lack: prefixes of names of the model that the file need not hold; may_hold(name): what the file may hold more.
    Raises WeightsMismatch where they are of another model.
    """
    try:
        missing, unexpected = model.load_state_dict(weights.state, strict=False)
    except RuntimeError as error:
        raise _other_model(weights, owner, str(error).splitlines()[-1].strip()) from error
    missing = [name for name in missing if not name.startswith(tuple(may_lack))]
    unexpected = [name for name in unexpected if not may_hold(name)]
    if missing or unexpected:
        lacking = f"{len(missing)} tensors are missing, {len(unexpected)} are unknown"
        raise _other_model(weights, owner, f"{lacking}, such as {(missing + unexpected)[0]}")
    return model.eval().requires_grad_(False)


def _other_model(weights: Weights, owner: str, why: str) -> WeightsMismatch:
    return WeightsMismatch(
        f"{owner}: {weights.path} holds the weights of another model ({why.rstrip('.')}); give the file of this one."
    )
