"""`geoloc completion`: what makes a shell complete commands, options and the names of backends."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import typer

from geoloc_cli.errors import UsageError

# By it the shell's function tells the program that a word is to be completed, and for which shell.
VARIABLE = "_GEOLOC_COMPLETE"
_SHELLS = ("bash", "zsh", "fish")
_SHELL: Any = typer.Argument(..., metavar="bash|zsh|fish", help="The shell.")
# Options that take the name of a backend of the kind that they are called by.
_KINDS = ("features", "descriptor", "matcher", "retriever", "solver", "prior")
_WORD = re.compile(r"[a-z][a-z0-9-]*")


def wanted() -> bool:
    """Whether this call is a shell's that completes a word."""
    return VARIABLE in os.environ


def completion(shell: str = _SHELL) -> None:
    """Print what makes a shell complete geoloc's commands, options and values: bash, zsh or fish.

    The line for bash goes into ~/.bashrc; files for zsh, in a folder of $fpath, and for fish are found by themselves.
    """
    from typer._completion_shared import get_completion_script

    if shell not in _SHELLS:
        raise UsageError(f"There is no completion for '{shell}'; give one of {', '.join(_SHELLS)}.")
    typer.echo(get_completion_script(prog_name="geoloc", complete_var=VARIABLE, shell=shell))


def begin() -> None:
    """Makes the shells known, which typer does by itself only for programs that take options for it."""
    from typer._completion_classes import completion_init

    completion_init()


def teach(path: str, parameter: Any) -> None:
    """Lets a built parameter of a command complete its values, where they are names that the program knows."""
    values = _values_of(path, parameter)
    if values is not None:
        parameter._custom_shell_complete = lambda ctx, param, begun: [v for v in values() if v.startswith(begun)]


def _values_of(path: str, parameter: Any) -> Callable[[], list[str]] | None:
    if parameter.name in _KINDS and parameter.param_type_name == "option":
        return lambda: _backends(parameter.name)
    if path.startswith("geoloc models ") and parameter.name in ("name", "names") and path != "geoloc models add":
        return _models
    words = [word for word in (parameter.metavar or "").split("|") if _WORD.fullmatch(word)]
    return (lambda: words) if len(words) > 1 else None


def _backends(kind: str) -> list[str]:
    """Backends of a kind, by the static table and what packages declare, and models that can be named instead."""
    from geoloc_cli.models.catalogue import catalogue
    from geoloc_cli.registry import names

    known = names(kind)
    return known + [model.name for model in catalogue().values() if model.kind == kind and model.name not in known]


def _models() -> list[str]:
    from geoloc_cli.models.catalogue import catalogue

    return list(catalogue())
