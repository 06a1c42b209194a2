"""`geoloc config show`, and the settings as the defaults of every command's options."""

from __future__ import annotations

import json
import os
from typing import Any

import typer

from geoloc_cli.cli import narrow, options
from geoloc_cli.cli.table import printable

app = typer.Typer(help="Look at the settings that stand in for flags.", rich_markup_mode=None, no_args_is_help=True)


def settable(program: Any) -> dict[str, dict[str, type]]:
    """Every option of every command of a built program, with the type of its value."""
    found: dict[str, dict[str, type]] = {}

    def visit(command: Any, path: tuple[str, ...]) -> None:
        if hasattr(command, "commands"):
            for name, child in command.commands.items():
                visit(child, (*path, name))
            return
        found[" ".join(path)] = {
            param.name: list if param.multiple else param.type_descriptor.annotation
            for param in command.params
            if param.param_type_name == "option" and f"--{param.name.replace('_', '-')}" in param.opts
        }

    visit(program, ())
    return found


def default_map(program: Any) -> dict[str, Any]:
    """What the settings say, in the shape in which a program takes its defaults. Raises ConfigError."""
    from geoloc_cli.config import defaults, read_settings, settings_file

    known = settable(program)
    return defaults(known, read_settings(known, settings_file(os.environ)))


@app.command("show")
def show(ctx: typer.Context, as_json: bool = options.JSON) -> None:
    """Say which settings are in force, and where each stands."""
    from geoloc_cli.config import ignored, read_settings, settings_file

    known = settable(ctx.find_root().command)
    file = settings_file(os.environ)
    settings = read_settings(known, file)
    unused = ignored(known)
    if as_json:
        rows = [
            {"command": s.command or None, "option": s.option, "value": s.shown, "source": s.source} for s in settings
        ]
        typer.echo(json.dumps({"file": str(file), "exists": file.is_file(), "settings": rows, "ignored": unused}))
        return
    typer.echo(f"{printable(str(file))}{'' if file.is_file() else ' (not there)'}")
    for setting in settings:
        name = f"{setting.command} --{setting.option.replace('_', '-')}".strip()
        typer.echo(narrow.pairs([(f"  {name}", f"{printable(setting.shown):32}{printable(setting.source)}")], 34))
    for name in unused:
        typer.echo(f"  {name} means nothing here and is not used")
