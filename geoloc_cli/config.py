"""Settings: what the user need not type each time, from the environment and from one TOML file.

Every option of every command can be set. A flag on the command line wins over `GEOLOC_<COMMAND>_<OPTION>`, which wins
over `GEOLOC_<OPTION>` (every command that has the option), which wins over the file's table of the command, which wins
over the file's top level:

    workers = 8                 # GEOLOC_WORKERS=8

    [locate]
    index = "indexes/zurich"    # GEOLOC_LOCATE_INDEX=indexes/zurich

    [index.build]
    quiet = true                # GEOLOC_INDEX_BUILD_QUIET=true
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoloc_cli.errors import ConfigError

PREFIX = "GEOLOC_"
# Names with a meaning of their own, which are no command's option; GEOLOC_TEST_DATA is for the tests.
_RESERVED = {"CONFIG", "DEVICE", "MODELS", "OFFLINE", "PLUGINS", "TEST_DATA", "VLM_API_KEY", "WEIGHTS"}
_SECRET = re.compile(r"(^|_)(key|token|secret|password)s?($|_)")

Known = Mapping[str, Mapping[str, type]]
"""Command ("locate", "index build") -> option ("top_k") -> str, int, float, bool, or list (of str)."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One option that was set; `command` is empty for all commands, `source` says where it stands."""

    command: str
    option: str
    value: Any
    source: str

    @property
    def shown(self) -> str:
        """The value for a person; a secret's is never shown."""
        return "(secret)" if _SECRET.search(self.option) else str(self.value)


def settings_file(environment: Mapping[str, str] = os.environ) -> Path:
    """The file that `GEOLOC_CONFIG` names, else the usual one of this system."""
    named = environment.get(f"{PREFIX}CONFIG")
    if named:
        return Path(named)
    from platformdirs import user_config_path

    return user_config_path("geoloc") / "config.toml"


def read_settings(known: Known, file: Path, environment: Mapping[str, str] = os.environ) -> list[Setting]:
    """Every setting, weakest first. Raises ConfigError, with the nearest name that there is, for an unknown one."""
    return [*_from_file(known, file), *_from_environment(known, environment)]


def defaults(known: Known, settings: list[Setting]) -> dict[str, Any]:
    """The settings as nested defaults: {"locate": {"top_k": 20}, "index": {"build": {...}}}."""
    nested: dict[str, Any] = {}
    for setting in settings:
        for command, options in known.items():
            if setting.option in options and setting.command in ("", command):
                level = nested
                for part in command.split():
                    level = level.setdefault(part, {})
                level[setting.option] = setting.value
    return nested


def ignored(known: Known, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Variables that begin like ours and mean nothing here, such as those that a cluster makes of a service's name."""
    names = _variables(known)
    return sorted(
        v for v in environment if v.startswith(PREFIX) and v not in names and v[len(PREFIX) :] not in _RESERVED
    )


def _from_file(known: Known, file: Path) -> Iterator[Setting]:
    if not file.is_file():
        return
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            f"{file} cannot be read as settings ({error}); correct it, or name another in {PREFIX}CONFIG."
        ) from error
    general: list[Setting] = []
    special: list[Setting] = []
    every = {option: kind for options in known.values() for option, kind in options.items()}
    groups = {command.split()[0] for command in known if " " in command}
    for key, value in content.items():
        if key in known and isinstance(value, dict):
            special += _table(known, key, value, file)
        elif key in groups and isinstance(value, dict):
            for name, table in value.items():
                if f"{key} {name}" not in known or not isinstance(table, dict):
                    raise _unknown(f"{file}: there is no command [{key}.{name}]", f"{key} {name}", list(known))
                special += _table(known, f"{key} {name}", table, file)
        elif key.replace("-", "_") in every and not isinstance(value, dict):
            option = key.replace("-", "_")
            general.append(Setting("", option, _checked(value, every[option], f"{file}: {key}"), str(file)))
        else:
            raise _unknown(f"{file}: there is no setting '{key}'", key, [*known, *groups, *every])
    yield from general
    yield from special


def _table(known: Known, command: str, table: dict[str, Any], file: Path) -> Iterator[Setting]:
    for key, value in table.items():
        option = key.replace("-", "_")
        where = f"[{command.replace(' ', '.')}]"
        if option not in known[command]:
            raise _unknown(f"{file}: {where} has no option '{key}'", option, list(known[command]))
        value = _checked(value, known[command][option], f"{file}: {where} {key}")
        yield Setting(command, option, value, f"{file} {where}")


def _checked(value: Any, kind: type, where: str) -> Any:
    if kind is list:
        items = value if isinstance(value, list) else [value]
        if all(isinstance(item, str) for item in items):
            return items
        raise ConfigError(f"{where} is {value!r}; give a text, or a list of texts.")
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise ConfigError(f"{where} is {value!r}; give a value of type {kind.__name__}.")
    return value


def _variables(known: Known) -> dict[str, tuple[str, str, type]]:
    found = {}
    for options in known.values():
        for option, kind in options.items():
            if option.upper() not in _RESERVED:
                found[f"{PREFIX}{option.upper()}"] = ("", option, kind)
    for command, options in known.items():
        for option, kind in options.items():
            found[f"{PREFIX}{command.replace(' ', '_').upper()}_{option.upper()}"] = (command, option, kind)
    return found


def _from_environment(known: Known, environment: Mapping[str, str]) -> Iterator[Setting]:
    variables = _variables(known)
    found = []
    for name, text in environment.items():
        if name in variables:
            command, option, kind = variables[name]
            found.append(Setting(command, option, _parsed(text, kind, name), name))
        elif name.startswith(PREFIX) and name[len(PREFIX) :] not in _RESERVED:
            near = difflib.get_close_matches(name, variables, n=1, cutoff=0.9)
            if near:
                raise ConfigError(f"There is no setting {name}; did you mean {near[0]}?")
    yield from sorted(found, key=lambda setting: (setting.command != "", setting.source))


def _parsed(text: str, kind: type, name: str) -> Any:
    if kind is list:
        return text.split()
    if kind is bool:
        if text.lower() in ("1", "true", "yes", "on"):
            return True
        if text.lower() in ("0", "false", "no", "off", ""):
            return False
        raise ConfigError(f"{name} is {text!r}; give true or false.")
    try:
        return kind(text)
    except ValueError:
        raise ConfigError(f"{name} is {text!r}; give a value of type {kind.__name__}.") from None


def _unknown(sentence: str, name: str, names: list[str]) -> ConfigError:
    near = difflib.get_close_matches(name, names, n=1)
    return ConfigError(f"{sentence}; did you mean '{near[0]}'?" if near else f"{sentence}; see `geoloc --help`.")
