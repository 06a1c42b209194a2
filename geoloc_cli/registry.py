"""Which backends there are, knowable without importing any, and built by name on demand.

The built-in ones stand in a static table. A third party's are entry points of the group `geoloc.backends`, named
`<kind>.<name>`, and are consulted for unknown names alone: they never shadow a built-in one. `GEOLOC_PLUGINS` names the
distributions that are allowed (comma-separated; empty: none; unset: all).
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import os
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from geoloc_cli.builtin import BUILTIN, Backend
from geoloc_cli.errors import MissingExtra, UnknownBackend

GROUP = "geoloc.backends"
KINDS = ("prior", "features", "descriptor", "retriever", "matcher", "solver")


@dataclass(frozen=True, slots=True)
class BackendSpec:
    """A backend's name and options, as the user or an index's manifest states them: what travels between processes."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


def parse(text: str) -> BackendSpec:
    """`name` or `name?key=value&key=value`; values stay text until the backend's options give them a type."""
    name, _, query = text.partition("?")
    return BackendSpec(name, dict(parse_qsl(query, keep_blank_values=True)))


def written(spec: BackendSpec) -> str:
    """What `parse` reads so, whatever characters the values hold."""
    return f"{spec.name}?{urlencode(spec.options)}" if spec.options else spec.name


def names(kind: str) -> list[str]:
    """The names of a kind, built-in ones first; imports no backend."""
    own = [row.name for row in BUILTIN if row.kind == kind]
    return own + sorted(row.name for row in plugins() if row.kind == kind and row.name not in own)


def plugins() -> Iterator[Backend]:
    """The backends that installed distributions declare and `GEOLOC_PLUGINS` allows; imports none of them."""
    from importlib.metadata import entry_points

    listed = os.environ.get("GEOLOC_PLUGINS")
    allowed = None if listed is None else {name.strip() for name in listed.split(",") if name.strip()}
    for point in entry_points(group=GROUP):
        kind, _, name = point.name.partition(".")
        distribution = point.dist.name if point.dist else "unknown"
        if kind in KINDS and name and (allowed is None or distribution in allowed):
            yield Backend(kind, name, point.value, f"from {distribution}", licence="", source=distribution)


def find(kind: str, name: str) -> Backend:
    """Raises UnknownBackend, with the nearest name that there is, or where two distributions claim the name."""
    for row in BUILTIN:
        if (row.kind, row.name) == (kind, name):
            return row
    claims = [row for row in plugins() if (row.kind, row.name) == (kind, name)]
    if len(claims) == 1:
        return claims[0]
    if claims:
        sources = " and ".join(sorted(row.source for row in claims))
        raise UnknownBackend(f"{kind} '{name}' is brought by {sources}; allow one of them in GEOLOC_PLUGINS.")
    raise UnknownBackend(f"There is no {kind} '{name}'{_did_you_mean(name, names(kind))}")


def create(kind: str, spec: BackendSpec, defaults: dict[str, Any] | None = None) -> Any:
    """Imports one module and builds its backend with strictly typed and checked options.

    defaults: values for those options that the backend has and the spec leaves open.
    """
    made, options = _resolved(kind, spec, defaults or {})
    return made() if options is None else made(options)


def check(kind: str, spec: BackendSpec) -> Any:
    """The class that `create` would build; raises what that would of the name, the extra and the options."""
    return _resolved(kind, spec, {})[0]


def canonical(kind: str, spec: BackendSpec) -> BackendSpec:
    """The spec with its options typed and in the order of their names, those at their defaults left out.

    Raises what `create` would of the name, the extra and the options.
    """
    _, options = _resolved(kind, spec, {})
    if options is None:
        return BackendSpec(spec.name)
    usual = type(options)()
    stated = {entry.name: getattr(options, entry.name) for entry in dataclasses.fields(options)}
    return BackendSpec(spec.name, {n: v for n, v in sorted(stated.items()) if v != getattr(usual, n)})


def _resolved(kind: str, spec: BackendSpec, defaults: dict[str, Any]) -> tuple[Any, Any]:
    """The class of a backend and its options; None where it takes none."""
    row = find(kind, spec.name)
    module_name, _, class_name = row.target.partition(":")
    try:
        module = importlib.import_module(module_name)
        made = getattr(module, class_name)
    except ImportError as error:
        if row.extra:
            raise MissingExtra(
                f"{kind} '{row.name}' needs an extra that is not installed; run `pip install 'geoloc[{row.extra}]'`."
            ) from error
        raise UnknownBackend(
            f"{kind} '{row.name}' of {row.source} cannot be imported ({error}); repair or remove that package."
        ) from error
    options = getattr(module, row.options) if row.options else getattr(made, "Options", None)
    if options is None:
        if spec.options:
            raise UnknownBackend(f"{kind} '{row.name}' takes no options, and was given {', '.join(spec.options)}.")
        return made, None
    known = {entry.name for entry in dataclasses.fields(options)}
    wanted = {name: value for name, value in defaults.items() if name in known}
    return made, typed_options(options, wanted | spec.options, f"{kind} '{row.name}'")


def typed_options(options: Any, given: dict[str, Any], owner: str) -> Any:
    """An options dataclass from text or JSON values. Raises UnknownBackend on an unknown key or a wrong value."""
    hints = typing.get_type_hints(options)
    known = [entry.name for entry in dataclasses.fields(options)]
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in known:
            raise UnknownBackend(f"{owner} has no option '{key}'{_did_you_mean(key, known)}")
        try:
            values[key] = _converted(hints[key], value)
        except ValueError as error:
            raise UnknownBackend(f"{owner}: {key} is {value!r}, and should be {hints[key].__name__}.") from error
    built = options(**values)
    built.check()
    return built


def _converted(hint: Any, value: Any) -> Any:
    if hint is bool and isinstance(value, str):
        if value.lower() not in ("true", "false"):
            raise ValueError(value)
        return value.lower() == "true"
    return hint(value)


def _did_you_mean(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; there is {', '.join(known)}." if known else "."
