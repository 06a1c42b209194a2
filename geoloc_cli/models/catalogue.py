"""The catalogue of learned models: what each is, whose it is, and where its file comes from.

The built-in entries are in `catalogue.toml` beside this file, one table for each model, headed by its name. A user's
own are in the folder of models (`models/places.py`), one file of the same keys for each.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from geoloc_cli.errors import ConfigError, UnknownBackend
from geoloc_cli.models.places import located, models_folder
from geoloc_cli.registry import KINDS, BackendSpec, names, parse

COMMERCIAL = ("yes", "no", "ask")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
# The names of files that authors chose hold brackets, too.
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._()-]{0,79}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
# What transformers reads of a model's folder; none of it is code.
READ = (".json", ".safetensors", ".jinja", ".txt", ".model")
Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a model that is a folder: its plain name there, its SHA-256 and its size."""

    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Model:
    """One entry.

    kind, backend: of the registry, the code that runs it, which `options` are passed to.
    source: a page for a person. revision: the commit or tag of what is published there.
    hub, hub_file: a repository of the Hugging Face hub and the file's path in it; or url: of the file itself, https; or
    neither, where the user must bring the file. gated: it is given only to who accepted its licence there.
    file: the plain name under which it is kept here.
    files: of a model that is a folder, as transformers keeps them, each of its files; then `file` is the folder's name,
    hub_file, size_bytes and sha256 are theirs, a hub's revision is a commit, and a url ends with the slash before their
    names.
    commercial: whether its licence allows such use: yes, no, or ask, where conditions must be read.
    size_bytes, sha256: of the file; None and empty where nobody has stated them. about_mb: where a page rounds it.
    input_px, dim, mean, std: the side of the pictures that its authors show it, the length of a descriptor, and what
    colours from 0 to 1 are normalized by.
    extra: what `pip install 'geoloc[...]'` must bring to run it. own: of the user's folder.
    """

    name: str
    kind: str
    backend: str
    summary: str
    file: str
    licence: str
    commercial: str
    source: str = ""
    revision: str = ""
    hub: str = ""
    hub_file: str = ""
    url: str = ""
    gated: bool = False
    size_bytes: int | None = None
    about_mb: int | None = None
    sha256: str = ""
    input_px: int | None = None
    dim: int | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    extra: str = ""
    options: dict[str, Scalar] = field(default_factory=dict)
    files: tuple[Part, ...] = ()
    own: bool = False

    @property
    def pulled(self) -> bool:
        """Whether `geoloc models pull` knows where to get it."""
        return bool(self.hub or self.url)

    @property
    def whole_bytes(self) -> int:
        """Of its file or all of its files; 0 where nobody has stated it."""
        return sum(part.size_bytes for part in self.files) or self.size_bytes or 0


_KEYS = {entry.name: entry for entry in dataclasses.fields(Model) if entry.name not in ("name", "own")}
_REQUIRED = [name for name, entry in _KEYS.items() if entry.default is entry.default_factory is dataclasses.MISSING]
_TYPES: dict[str, type] = {
    "gated": bool,
    "size_bytes": int,
    "about_mb": int,
    "input_px": int,
    "dim": int,
    "options": dict,
}


def built_in() -> dict[str, Model]:
    """The entries that geoloc brings, by name, in the order of the file."""
    text = files("geoloc_cli.models").joinpath("catalogue.toml").read_text(encoding="utf-8")
    return {name: entry(name, table, "catalogue.toml") for name, table in tomllib.loads(text).items()}


def own_entries(folder: Path | None = None) -> dict[str, Model]:
    """The user's own entries, by name. Raises ConfigError, which names file and entry, for one that cannot be read."""
    found = {}
    for path in sorted((folder or models_folder()).glob("*.toml")):
        found[path.stem] = dataclasses.replace(entry(path.stem, read_table(path), str(path)), own=True)
    return found


def read_table(path: Path) -> dict[str, Any]:
    """The keys of one entry's file. Raises ConfigError where it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as a model's entry ({error}); correct or remove it.") from error


def catalogue() -> dict[str, Model]:
    """All entries by name: the built-in ones, then the user's own. Raises ConfigError where both claim a name."""
    shipped, own = built_in(), own_entries()
    for name in own:
        if name in shipped:
            raise ConfigError(
                f"{models_folder() / f'{name}.toml'} has the name of a model that geoloc brings; rename the file."
            )
    return shipped | own


def find(name: str) -> Model:
    """Raises UnknownBackend, with the nearest name that there is."""
    known = catalogue()
    if name not in known:
        raise UnknownBackend(f"There is no model '{name}'{nearest(name, known)}")
    return known[name]


def spec_for_model(kind: str, text: str) -> BackendSpec:
    """`NAME?key=value&...` of a backend, which stays itself, or of a model: the backend that runs it, and its options.

    A model's file is named where it is found, and pinned where its SHA-256 is known, unless the user names another one.
    Raises UnknownBackend where neither has the name.
    """
    spec = parse(text)
    backends = names(kind)
    if spec.name in backends:
        return spec
    models = {name: model for name, model in catalogue().items() if model.kind == kind}
    if spec.name not in models:
        there = f"there is {', '.join(backends)}, and of models {', '.join(models) or 'none'}."
        near = difflib.get_close_matches(spec.name, [*backends, *models], n=1)
        raise UnknownBackend(
            f"There is no {kind} '{spec.name}', and no model; " + (f"did you mean '{near[0]}'?" if near else there)
        )
    model = models[spec.name]
    found: dict[str, Scalar] = {}
    if "weights" not in spec.options:
        place = located(model)
        sha256 = place.sha256 if place else model.sha256
        found["weights"] = str(place.path) if place else ""
        if sha256:
            found["weights_sha256"] = sha256
    return BackendSpec(model.backend, {**model.options, **found, **spec.options})


def nearest(name: str, known: Any) -> str:
    """The end of a sentence that missed a name: the nearest that there is, or where to see them."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean '{near[0]}'?" if near else "; see `geoloc models list`."


def entry(name: str, table: dict[str, Any], where: str) -> Model:
    """A model from a table of TOML. Raises ConfigError, which names file and entry, for what is wrong with it."""
    owner = f"{where}: the model '{name}'"
    if not _PLAIN.fullmatch(name):
        raise ConfigError(f"{owner} has no plain name; take letters, digits, dots, hyphens and underscores.")
    for key in table:
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1)
            raise ConfigError(
                f"{owner} has the unknown key '{key}'; "
                + (f"did you mean '{near[0]}'?" if near else f"there is {', '.join(_KEYS)}.")
            )
    lacking = [key for key in _REQUIRED if key not in table]
    if lacking:
        raise ConfigError(f"{owner} lacks {', '.join(lacking)}; add what is lacking.")
    values = {key: _typed(key, value, owner) for key, value in table.items()}
    for option, given in values.get("options", {}).items():
        if type(given) not in (str, int, float, bool):
            raise ConfigError(f"{owner}: the option {option} is {given!r}; give a text, a number or a bool.")
    made = Model(name=name, **values)
    for wrong, remedy in _faults(made):
        raise ConfigError(f"{owner} has {wrong}; {remedy}.")
    return made


def _typed(key: str, value: Any, owner: str) -> Any:
    if key == "files":
        return _parts(value, owner)
    if key in ("mean", "std"):
        if isinstance(value, list) and len(value) == 3 and all(type(v) in (int, float) for v in value):
            return tuple(float(v) for v in value)
        raise ConfigError(f"{owner}: {key} is {value!r}; give three numbers, of red, green and blue.")
    wanted = _TYPES.get(key, str)
    if type(value) is not wanted:
        raise ConfigError(f"{owner}: {key} is {value!r}; give a value of type {wanted.__name__}.")
    return value


def _parts(value: Any, owner: str) -> tuple[Part, ...]:
    keys = {"name": str, "sha256": str, "size_bytes": int}
    whole = isinstance(value, list) and all(
        isinstance(one, dict) and {key: type(given) for key, given in one.items()} == keys for one in value
    )
    if not whole or not value:
        raise ConfigError(f"{owner}: files is no list of tables; give the name, sha256 and size_bytes of each file.")
    return tuple(Part(**one) for one in value)


def _folder_faults(model: Model) -> list[tuple[str, str]]:
    """What is wrong with an entry of several files."""
    found = []
    names = [part.name for part in model.files]
    for part in model.files:
        if not _FILE.fullmatch(part.name) or not part.name.endswith(READ):
            found.append(
                (f"the file '{part.name}' in its folder", f"give a plain name that ends with {', '.join(READ)}")
            )
        if not _DIGEST.fullmatch(part.sha256) or part.size_bytes < 0:
            found.append((f"no pin of '{part.name}'", "give its SHA-256, 64 small hexadecimal digits, and its bytes"))
    if len(set(names)) < len(names):
        found.append(("a file twice", "name each once"))
    if "config.json" not in names or not any(name.endswith(".safetensors") for name in names):
        found.append(("no whole model", "name config.json, and weights as .safetensors, among its files"))
    if model.hub_file or model.sha256 or model.size_bytes is not None:
        found.append(("facts of one file beside files", "leave hub_file, sha256 and size_bytes to each of them"))
    if model.kind != "prior":
        found.append((f"files, and no {model.kind} reads a folder", "give one file, or kind = 'prior'"))
    if model.options:
        found.append(
            ("options beside files, which nobody would read", "give them after the prior that names the model")
        )
    if model.hub and not _COMMIT.fullmatch(model.revision):
        found.append((f"the revision '{model.revision}'", "give the commit, 40 small hexadecimal digits"))
    if model.url and not model.url.endswith("/"):
        found.append(("a url of no folder", "end it with the slash after which the names of its files come"))
    return found


def _faults(model: Model) -> list[tuple[str, str]]:
    """What is wrong with an entry, and the remedy of each."""
    found = _folder_faults(model) if model.files else []
    if model.kind not in KINDS:
        found.append((f"the kind '{model.kind}'", f"give one of {', '.join(KINDS)}"))
    if model.commercial not in COMMERCIAL:
        found.append((f"commercial = '{model.commercial}'", f"give one of {', '.join(COMMERCIAL)}"))
    if not _FILE.fullmatch(model.file) or model.file.endswith((".toml", ".part", ".sha256")):
        found.append((f"the file '{model.file}'", "give a plain name of a file of weights, without folders"))
    if model.sha256 and not _DIGEST.fullmatch(model.sha256):
        found.append((f"the SHA-256 '{model.sha256}'", "give its 64 small hexadecimal digits"))
    if model.size_bytes is not None and model.size_bytes <= 0:
        found.append((f"size_bytes = {model.size_bytes}", "give the number of its bytes, or leave it out"))
    if (bool(model.hub) != bool(model.hub_file) and not model.files) or (model.hub and model.url):
        found.append(("no one source", "give hub and hub_file, or url, or none of them"))
    parts = urlsplit(model.url)
    if model.url and (parts.scheme != "https" or not parts.hostname or parts.username or parts.password):
        found.append(("a url that is not plain https", "give one that begins with https://, without credentials"))
    return found
