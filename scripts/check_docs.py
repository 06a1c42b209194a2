"""Whether the generated parts of README.md, and the manual page, say what the program says of itself.

    python scripts/check_docs.py            exit status 1 when a part is stale
    python scripts/check_docs.py --write    write them again

A generated part stands between `<!-- generated: NAME -->` and `<!-- end of NAME -->`. The commands are read from the
parameters that the program is built of, not from the text of `--help`, so that neither the width of a terminal nor
its colours matter.
"""

from __future__ import annotations

import argparse
import enum
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from geoloc_cli import registry
from geoloc_cli.cli.app import app

README = Path(__file__).resolve().parent.parent / "README.md"


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument or option of a command; `names` are its spellings, the argument's name alone where it has no dash."""

    names: tuple[str, ...]
    metavar: str
    required: bool
    default: str
    help: str

    @property
    def is_option(self) -> bool:
        return self.names[0].startswith("-")


@dataclass(frozen=True, slots=True)
class Command:
    """A command that can be called, such as `geoloc index build`."""

    path: str
    help: str
    parameters: tuple[Parameter, ...]


def _default_text(param: Any) -> str:
    value = param.default
    if value is None or value is False or value == () or value == [] or param.required or callable(value):
        return ""
    if isinstance(value, enum.Enum):
        value = value.value
    return "on" if value is True else str(value)


def _parameter(param: Any) -> Parameter:
    names = (*param.opts, *param.secondary_opts)
    is_option = names[0].startswith("-")
    if is_option:
        metavar = "" if param.is_flag or param.count else (param.metavar or param.name.upper())
    else:
        names = (param.metavar or param.name.upper(),)
        metavar = ""
    return Parameter(names, metavar, bool(param.required), _default_text(param), _plain(param.help or ""))


def _plain(text: str) -> str:
    """The text with each paragraph on one line."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))


def commands() -> list[Command]:
    """Every visible command, groups left out, in the order of `geoloc --help`; the program itself comes first."""

    def walk(node: Any, path: str) -> Iterator[Command]:
        parameters = tuple(_parameter(p) for p in node.params if not getattr(p, "hidden", False))
        children = getattr(node, "commands", {})
        if not children or path == "geoloc":
            yield Command(path, _plain(node.help or ""), parameters)
        for name, child in children.items():
            if not child.hidden:
                yield from walk(child, f"{path} {name}")

    return list(walk(typer.main.get_command(app), "geoloc"))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _commands_text() -> str:
    parts = []
    for command in commands():
        arguments = [p.names[0] for p in command.parameters if not p.is_option]
        parts.append(f"#### `{' '.join([command.path, *arguments])}`\n\n{command.help}\n")
        rows = [
            f"| {', '.join(f'`{name}`' for name in p.names)}{f' {_cell(p.metavar)}' if p.metavar else ''} "
            f"| {_cell(p.default) or ('required' if p.required else '')} | {_cell(p.help)} |"
            for p in command.parameters
        ]
        if rows:
            parts.append("\n".join(["| | default | |", "|---|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def _backends_text() -> str:
    rows = [
        f"| {b.kind} | `{b.name}` | {_cell(b.summary)} | {f'`geoloc[{b.extra}]`' if b.extra else 'base'} "
        f"| {'yes' if b.needs_network else 'no'} | {b.licence} |"
        for b in registry.BUILTIN
    ]
    return "\n".join(
        ["| kind | name | what it does | install | network | licence |", "|---|---|---|---|---|---|", *rows]
    )


def with_generated_parts(text: str) -> str:
    """The README with its generated parts as they should be."""
    for name, body in (("commands", _commands_text()), ("backends", _backends_text())):
        opening, closing = f"<!-- generated: {name} -->", f"<!-- end of {name} -->"
        before, found, rest = text.partition(opening)
        _, ended, after = rest.partition(closing)
        if not (found and ended):
            raise SystemExit(f"{README.name} has no part between {opening} and {closing}; put these two lines back")
        text = f"{before}{opening}\n{body.strip()}\n{closing}{after}"
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the generated parts again")
    options = parser.parse_args()
    import make_man

    readme = README.read_text(encoding="utf-8")
    kept = make_man.PAGE.read_text(encoding="utf-8") if make_man.PAGE.exists() else ""
    pages = ((README, readme, with_generated_parts(readme)), (make_man.PAGE, kept, make_man.page()))
    stale = [(path, wanted) for path, text, wanted in pages if text != wanted]
    for path, wanted in stale:
        if options.write:
            path.write_text(wanted, encoding="utf-8")
        else:
            print(f"check_docs: {path.name} is stale; run 'make fix' and commit what it writes", file=sys.stderr)
    return int(bool(stale) and not options.write)


if __name__ == "__main__":
    sys.exit(main())
