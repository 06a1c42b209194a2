"""`geoloc completion`: what makes a shell complete commands, options and the names of backends."""

from __future__ import annotations

import os
from typing import Any

import typer

from geoloc_cli.errors import UsageError

# By it the shell's function tells the program that a word is to be completed, and for which shell.
VARIABLE = "_GEOLOC_COMPLETE"
_SHELLS = ("bash", "zsh", "fish")
_SHELL: Any = typer.Argument(..., metavar="bash|zsh|fish", help="The shell.")


def wanted() -> bool:
    """Whether this call is a shell's that completes a word."""
    return VARIABLE in os.environ


def completion(shell: str = _SHELL) -> None:
    """Print what makes a shell complete geoloc's commands, options and values: bash, zsh or fish.

    Put the line for bash into ~/.bashrc; the files for zsh (in a folder of $fpath) and for fish are read by themselves.
    """
    from typer._completion_shared import get_completion_script

    if shell not in _SHELLS:
        raise UsageError(f"There is no completion for '{shell}'; give one of {', '.join(_SHELLS)}.")
    typer.echo(get_completion_script(prog_name="geoloc", complete_var=VARIABLE, shell=shell))
