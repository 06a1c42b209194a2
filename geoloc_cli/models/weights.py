"""Weights of learned models, from files of this machine: nothing is downloaded, and nothing is unpickled.

A file is named by a path, or left to be found by its usual name where models lie (`models/places.py`). What is hashed
is what is loaded: the file is read once.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import io
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoloc_cli.errors import MissingExtra, WeightsMismatch, WeightsMissing
from geoloc_cli.models.catalogue import Model, catalogue
from geoloc_cli.models.places import WEIGHTS_VARIABLE, Place, places, recorded

# `weights_only` ran code of hostile files before this release (CVE-2025-32434).
_SAFE_TORCH = (2, 6)


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

    sha256: of the file that is wanted; empty for the one of the catalogue or of the record beside it, where there is
    one, else for any. A file that has moved is only accepted where its hash is known. A file of one tensor is a state
    dict of it under the name "". Raises WeightsMissing where there is no such file, and WeightsMismatch where it is
    another or holds no state dict.
    """
    imported("torch", owner)
    path, data, digest = read_pinned(given, sha256, usual_name, owner)
    return Weights(path, digest, read_state(path, data, owner))


def read_pinned(given: str, sha256: str, usual_name: str, owner: str) -> tuple[Path, bytes, str]:
    """The absolute path, the bytes and the SHA-256 of a file that is found, and pinned, as `load_weights` says.

    Of several files of the name the first is taken that has the SHA-256 it must have.
    """
    refused = None
    for place in _candidates(given, sha256, usual_name):
        try:
            data = place.path.read_bytes()
        except OSError as error:
            raise WeightsMissing(
                f"{owner}: {place.path} cannot be read ({error.strerror}); check its permissions."
            ) from error
        digest, wanted = hashlib.sha256(data).hexdigest(), sha256 or place.sha256
        if not wanted or digest == wanted:
            return place.path.absolute(), data, digest
        refused = refused or (place.path, digest, wanted)
    model = _known(given, sha256, usual_name)
    pull = f"get it by `geoloc models pull {model.name}`" if model and model.pulled else ""
    if refused:
        path, digest, wanted = refused
        put = f"put that one into the folder that {WEIGHTS_VARIABLE} names"
        raise WeightsMismatch(
            f"{owner}: {path} is not the file that is asked for (its SHA-256 begins with {digest[:12]}, and should "
            f"with {wanted[:12]}); {pull or put}, or build with this one into a new folder."
        )
    name = Path(given or usual_name).name
    get = f"download it from {model.source}" if model else "download them"
    raise WeightsMissing(
        f"{owner} needs its weights, and there is no file {given or usual_name}; {pull or get}, "
        f"{'or' if pull else 'and'} give `?weights=/path/to/{name}` after the name, or put them into the folder that "
        f"{WEIGHTS_VARIABLE} names."
    )


def _candidates(given: str, sha256: str, usual_name: str) -> Iterator[Place]:
    """The file that is given, then, where none is or it may have moved, those where models lie."""
    if given and Path(given).is_file():
        yield Place(Path(given), recorded(Path(given)))
    if not given or sha256:
        model = _known(given, sha256, usual_name)
        names = (Path(given).name, usual_name, model.file if model else "")
        yield from places(names, (model,) if model else ())


def _known(given: str, sha256: str, usual_name: str) -> Model | None:
    """The catalogue's model that is meant: by its hash, else by the name of its file."""
    models = catalogue().values()
    names = (Path(given).name, usual_name)
    by_hash = (model for model in models if sha256 and model.sha256 == sha256)
    by_name = (model for model in models if model.file in names)
    return next(by_hash, None) or next(by_name, None)


def read_state(path: Path, data: bytes, owner: str) -> dict[str, Any]:
    """The state dict that a file's bytes hold. Raises WeightsMismatch where they hold anything else, such as code."""
    import torch

    safetensors = path.suffix == ".safetensors"
    if not safetensors and tuple(int(part) for part in torch.__version__.split(".")[:2]) < _SAFE_TORCH:
        raise MissingExtra(
            f"{owner}: torch {torch.__version__} may run code that hides in {path}; run `pip install 'torch>=2.6'`, or "
            "give the weights as .safetensors."
        )

    try:
        if safetensors:
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
