"""What all commands have in common, put to them once the program is built: how to talk, and the end of their help."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial
from typing import Any

from geoloc_cli.cli import completion
from geoloc_cli.cli.examples import EXAMPLES, statuses

SHARED = ("quiet", "verbose", "log_json")


def walk(node: Any, path: str = "geoloc") -> Iterator[tuple[str, Any]]:
    """Every command and group below a built one, itself first, each with its whole name."""
    yield path, node
    for name, child in getattr(node, "commands", {}).items():
        yield from walk(child, f"{path} {name}")


def equip(program: Any) -> None:
    """Gives every command the program's options of talk, where it takes none of its own, and the end of its help.

    So they may stand before a command's name and after it.
    """
    shared = [parameter for parameter in program.params if parameter.name in SHARED]
    if completion.wanted():
        completion.begin()
    for path, command in walk(program):
        command.format_epilog = partial(_write_epilog, path)
        taken = {parameter.name for parameter in command.params}
        for parameter in shared:
            if parameter.name not in taken:
                lent = copy.copy(parameter)
                lent.expose_value = False
                command.params.append(lent)
        if completion.wanted():
            for parameter in command.params:
                completion.teach(path, parameter)


def _write_epilog(path: str, ctx: Any, formatter: Any) -> None:
    """Examples, folded where the terminal is narrow so that they can be copied still, and exit statuses."""
    if lines := EXAMPLES.get(path):
        with formatter.section("Examples"):
            for line in lines:
                formatter.write("".join(f"  {part}\n" for part in folded(line, formatter.width - 2)))
    if not getattr(ctx.command, "commands", None):
        with formatter.section("Exit status"):
            formatter.write_dl([(str(code), meaning) for code, meaning in statuses(path)])


def folded(line: str, width: int) -> list[str]:
    """A command line on as many lines as it needs to be no wider, by the shell's own sign for that."""
    if len(line) <= width:
        return [line]
    parts: list[str] = []
    for word in line.split(" "):
        if parts and len(parts[-1]) + len(word) + 3 <= width:
            parts[-1] += f" {word}"
        else:
            parts.append(f"    {word}" if parts else word)
    return [f"{part} \\" for part in parts[:-1]] + parts[-1:]
